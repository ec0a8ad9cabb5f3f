#!/bin/sh
# Runs kernels.c, linked with bare.S, on an emulated Ice Lake: `make avx512`.
#
#   emulate.sh program rounds
#
# On Debian and Ubuntu: apt install bochs grub-pc-bin grub-common xorriso mtools
#
# Without an operating system: Linux 6.1 rejects the layout of the XSAVE area of Bochs 2.7. What else
# Bochs 2.7 gets wrong: vpcompressb and vpcompressw give zeros where the mask takes all elements.
set -eu

program=$1
rounds=$2
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

for tool in bochs grub-mkrescue xorriso mformat; do
    command -v $tool >/dev/null || { echo "$tool not found; hint: on Debian and Ubuntu" \
        "apt install bochs grub-pc-bin grub-common xorriso mtools" >&2; exit 1; }
done

grub-file --is-x86-multiboot "$program" ||
    { echo "$program has no Multiboot header in its first 8 KiB; see bare.S" >&2; exit 1; }
mkdir -p "$folder/disc/boot/grub"
cp "$program" "$folder/disc/program"
printf 'multiboot /program\nboot\n' >"$folder/disc/boot/grub/grub.cfg"
grub-mkrescue -o "$folder/disc.iso" "$folder/disc" >"$folder/grub.log" 2>&1 ||
    { cat "$folder/grub.log" >&2; exit 1; }

# The screen goes to a VNC server that nobody looks at, sound nowhere.
cat >"$folder/machine" <<END
cpu: model=corei7_icelake_u, ips=20000000, reset_on_triple_fault=0
memory: guest=64, host=64
ata0-master: type=cdrom, path="$folder/disc.iso", status=inserted
boot: cdrom
port_e9_hack: enabled=1
display_library: rfb, options="timeout=0"
sound: waveoutdrv=dummy, waveindrv=dummy, midioutdrv=dummy
log: $folder/log
panic: action=fatal
END

# It ends in a panic always, see exit_group. "c" starts the debugger where there is one.
echo c | timeout 600 bochs -q -f "$folder/machine" >"$folder/output" 2>&1 || true
grep -a ' differs from \| rounds\|not on this processor' "$folder/output" ||
    grep -a 'PANIC\| RIP=' "$folder/log" || tail "$folder/output"
grep -qx "avx512: $rounds rounds, 0 differences" "$folder/output"
