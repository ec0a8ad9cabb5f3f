"""The command as a process: pipes, terminals, signals and full disks."""

import contextlib
import errno
import os
import select
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import skimage
from PIL import Image

from jpegcrypt import Key, decrypt
from transcripts import tree

DATA = Path(skimage.__file__).parent / "data"
COMMAND = [sys.executable, "-m", "jpegcrypt"]
DEADLINE = 60  # seconds that any process here may take
# Seconds until Ctrl-C is pressed again: one that comes just before a blocking read waits for it.
PATIENCE = 3
CTRL_C = b"\x03"

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals and terminals as on POSIX")


def run(line, *, stdout=subprocess.PIPE, **options):
    return subprocess.run(
        [*COMMAND, *line.split()],
        stdout=stdout,
        stderr=subprocess.PIPE,
        timeout=DEADLINE,
        **options,
    )


@contextlib.contextmanager
def killed_at_the_deadline(kill):
    """End a process that takes too long: nobody waits for it any more."""
    timer = threading.Timer(DEADLINE, kill)
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()


def heed_interrupts():
    """Undo what nohup, `&` and CI do to all they start."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@contextlib.contextmanager
def start(line, **options):
    """Run a process while the test does something to it."""
    command = [*COMMAND, *line.split()]
    with (
        subprocess.Popen(
            command, stderr=subprocess.PIPE, preexec_fn=heed_interrupts, **options
        ) as process,
        killed_at_the_deadline(process.kill),
    ):
        try:
            yield process
            process.wait()
        finally:
            process.kill()


@pytest.fixture
def many(folder):
    """So many photographs that their encryption can be watched: links to a single one."""
    Path("many").mkdir()
    for i in range(60):
        Path(f"many/{i:02}.jpg").symlink_to(DATA / "retina.jpg")


def wait_for(folder, count):
    deadline = time.monotonic() + DEADLINE
    while not Path(folder).is_dir() or len(os.listdir(folder)) < count:
        assert time.monotonic() < deadline
        time.sleep(0.005)


# --- pipes and terminals --------------------------------------------------------------------------


def test_pipes():
    data = Path("coffee.png").read_bytes()
    noise = run("encrypt - - --key album.key", input=data, check=True).stdout
    again = run("decrypt - - --key album.key --format ppm", input=noise, check=True).stdout
    assert again.startswith(b"P6\n600 400\n255\n")
    text = run("inspect -", input=noise, check=True, text=False).stdout
    assert text.startswith(b"scheme           lu2022\nbank ")


def test_version():
    importlib_metadata = pytest.importorskip("importlib.metadata")
    try:
        version = importlib_metadata.version("jpegcrypt")
    except importlib_metadata.PackageNotFoundError:
        pytest.skip("jpegcrypt is not installed")
    assert run("--version", check=True, text=True).stdout == f"jpegcrypt {version}\n"


def test_pillow_says_nothing_of_its_own():
    Image.new("RGB", (8, 8)).save("odd.tif")
    # SamplesPerPixel, tag 277.
    three, many = (b"\x15\1\3\0\1\0\0\0" + n.to_bytes(2, "little") for n in (3, 2048))
    Path("odd.tif").write_bytes(Path("odd.tif").read_bytes().replace(three, many))
    done = run("encrypt odd.tif noise.jpg --key album.key", text=True)
    assert done.stderr.startswith("jpegcrypt: odd.tif: ")
    assert done.stderr.count("\n") == 1
    assert done.returncode == 1


@pytest.fixture
def nobody():
    """A pipe that nobody reads."""
    reader, writer = os.pipe()
    os.close(reader)
    yield writer
    os.close(writer)


@pytest.mark.parametrize(
    "line",
    [
        "encrypt coffee.png - --key album.key", "decrypt noise.jpg - --key album.key",
        "inspect noise.jpg", "inspect --json noise.jpg", "keygen new.key", "--help",
        "encrypt --help", "--version",
    ],
)  # fmt: skip
def test_nobody_reads(line, nobody):
    run("encrypt coffee.png noise.jpg --key album.key", check=True)
    done = run(line, stdout=nobody)
    assert (done.stderr, done.returncode) == (b"", 141)


@pytest.mark.parametrize("line", ["inspect coffee.png", "encrypt few noise --key album.key", "-x"])
def test_nobody_reads_the_messages(line, nobody):
    Path("few").mkdir()
    command = [*COMMAND, *line.split()]
    assert subprocess.run(command, stderr=nobody, timeout=DEADLINE).returncode == 141


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the system has no /dev/full")
@pytest.mark.parametrize("line", ["encrypt coffee.png - --key album.key", "inspect noise.jpg"])
def test_a_full_disk_behind_stdout(line):
    run("encrypt coffee.png noise.jpg --key album.key", check=True)
    with open("/dev/full", "wb") as full:
        done = run(line, stdout=full, text=True)
    assert done.stderr.startswith("jpegcrypt: ")
    assert done.stderr.endswith("no space left on device\n")
    assert done.stderr.count("\n") == 1
    assert done.returncode == 1


@pytest.mark.parametrize("closed", [0, 1, 2])
def test_closed_streams(closed):
    def close():
        os.close(closed)

    Path("few").mkdir()
    shutil.copy("coffee.png", "few/a.png")
    for line in (
        "encrypt coffee.png noise.jpg --key album.key",
        "encrypt few cipher --key album.key",
    ):
        done = run(line, preexec_fn=close, text=True)
        assert "Traceback" not in done.stderr
        assert done.returncode == 0
    assert tree("cipher") == ["a.png.jpg"]
    piped = run(
        "encrypt - - --key album.key", preexec_fn=close, stdin=subprocess.DEVNULL, text=True
    )
    name = ("stdin", "stdout", None)[closed]
    assert piped.stderr == (f"jpegcrypt: {name}: is closed\n" if name else "")
    assert piped.returncode == 1


def on_terminal(line, typed=()):
    """Run in a terminal of its own, type when it waits, and return what the screen gets."""
    import pty

    pid, terminal = pty.fork()
    if not pid:
        heed_interrupts()
        os.execv(COMMAND[0], [*COMMAND, *line.split()])
    screen, keys = b"", b""
    typed = list(typed)
    with killed_at_the_deadline(lambda: os.kill(pid, signal.SIGKILL)):
        with contextlib.suppress(OSError):  # how a closed terminal ends on Linux
            while True:
                silent = not select.select([terminal], [], [], PATIENCE)[0]
                if silent and keys == CTRL_C:
                    os.write(terminal, CTRL_C)
                elif not silent:
                    if not (part := os.read(terminal, 1 << 16)):
                        break
                    screen += part
                    keys = b""
                    if screen.endswith(b": ") and typed:
                        keys = typed.pop(0)
                        os.write(terminal, keys)
        os.close(terminal)
        _, status = os.waitpid(pid, 0)
    return screen.decode().replace("\r\n", "\n"), os.waitstatus_to_exitcode(status)


def test_passphrases_are_typed_unseen():
    screen, code = on_terminal("encrypt coffee.png noise.jpg --passphrase", [b"lake\n", b"lake\n"])
    assert (screen, code) == ("passphrase: \nagain: \n", 0)
    screen, code = on_terminal("decrypt noise.jpg again.png --passphrase", [b"lake\n"])
    assert (screen, code) == ("passphrase: \n", 0)
    screen, code = on_terminal("decrypt noise.jpg x.png --passphrase", [CTRL_C])
    assert screen.endswith("jpegcrypt: interrupted\n")
    assert code == 130


def test_no_pictures_on_a_terminal():
    assert on_terminal("encrypt coffee.png - --key album.key") == (
        "jpegcrypt: stdout: is a terminal, it shows no pictures\nhint: name a file, or pipe it\n",
        1,
    )
    assert on_terminal("decrypt - again.png --key album.key") == (
        "jpegcrypt: stdin: is a terminal, expected a picture\nhint: name a file, or pipe one in\n",
        1,
    )


def test_a_bar_where_somebody_watches():
    Path("few").mkdir()
    for name in "abc":
        shutil.copy("coffee.png", f"few/{name}.png")
    screen, code = on_terminal("encrypt few noise --key album.key")
    assert code == 0
    assert "3/3" in screen
    assert "files/s" in screen
    assert screen.endswith("jpegcrypt: 3 encrypted\n")
    done = run("encrypt few quiet --key album.key", text=True)
    assert (done.stdout, done.stderr) == ("", "jpegcrypt: 3 encrypted\n")


def test_a_terminal_shows_some_of_many_failures():
    Path("bad").mkdir()
    for i in range(30):
        Path(f"bad/{i:02}.png").touch()
    screen, code = on_terminal("encrypt bad noise --key album.key")
    assert code == 1
    assert screen.count("found an empty file") == 20
    assert screen.endswith(
        "jpegcrypt: ... and 10 more\nhint: 2>FILE keeps the whole list\n"
        "jpegcrypt: 0 encrypted, 30 failed\n"
    )
    log = run("encrypt bad noise --key album.key", text=True).stderr
    assert log.count("found an empty file") == 30
    assert log.endswith("jpegcrypt: 0 encrypted, 30 failed\n")


# --- signals --------------------------------------------------------------------------------------


def test_killed_and_resumed(many):
    with start("encrypt many noise --key album.key") as process:
        wait_for("noise", 5)
        process.kill()
    done = [path for path in Path("noise").iterdir() if path.suffix == ".jpg"]
    times = {path: path.stat().st_mtime_ns for path in done}
    assert 0 < len(done) < 60
    key = Key.load("album.key")
    for path in done:
        assert decrypt(path.read_bytes(), key).ndim == 3

    again = run("encrypt many noise --key album.key", text=True)
    assert again.stderr == f"jpegcrypt: {60 - len(done)} encrypted, {len(done)} there already\n"
    assert times == {path: path.stat().st_mtime_ns for path in done}
    assert len([name for name in tree("noise") if name.endswith(".jpg")]) == 60
    back = run("decrypt noise back --key album.key --format bmp", text=True)  # leftovers ignored
    assert back.stderr == "jpegcrypt: 60 decrypted\n"


def test_interrupted(many):
    with start("encrypt many noise --key album.key", text=True) as process:
        wait_for("noise", 5)
        process.send_signal(signal.SIGINT)
        said = process.stderr.read()
    assert process.returncode == 130
    assert said.startswith("jpegcrypt: interrupted, ")
    assert said.endswith(" of 60 encrypted\nhint: the same command goes on where it stopped\n")
    assert {Path(name).suffix for name in tree("noise")} == {".jpg"}


def open_when_read(pipe, process):
    """Open a pipe to write once the process has opened it to read; do not wait for ever."""
    while process.poll() is None:
        try:
            return os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)
        except OSError as error:
            assert error.errno == errno.ENXIO  # nobody reads yet
            time.sleep(0.01)
    raise AssertionError(process.stderr.read())


def interrupt(process):
    """Press Ctrl-C until it acts."""
    while process.poll() is None:
        process.send_signal(signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=PATIENCE)


def test_interrupted_while_reading():
    os.mkfifo("pipe")
    with start("encrypt pipe noise.jpg --key album.key", text=True) as process:
        writer = open_when_read("pipe", process)
        interrupt(process)
        said = process.stderr.read()
        os.close(writer)
    assert (said, process.returncode) == ("jpegcrypt: interrupted\n", 130)
    assert not Path("noise.jpg").exists()


# --- disks ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("target", ["new.jpg", "old.jpg"])
def test_a_file_that_may_not_grow(target):
    def limit():
        import resource

        resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))

    Path("old.jpg").write_bytes(b"old")
    before = sorted(os.listdir())
    done = run(
        f"encrypt coffee.png {target} --key album.key --overwrite", preexec_fn=limit, text=True
    )
    assert done.stderr == f"jpegcrypt: {target}: file too large\n"
    assert done.returncode == 1
    assert Path("old.jpg").read_bytes() == b"old"
    assert sorted(os.listdir()) == before


def test_a_small_disk(many):
    """Several threads meet the full disk; what was written before is whole."""
    if shutil.which("unshare") is None:
        pytest.skip("unshare is not installed")
    Path("disk").mkdir()
    line = '"$@" encrypt many disk/noise --key album.key'
    script = (
        f"mount -t tmpfs -o size=4m tmpfs disk; {line}; code=$?; cp -r disk/noise kept; exit $code"
    )
    prefix = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c"]
    attempt = [*prefix, "mount -t tmpfs tmpfs disk"]
    if subprocess.run(attempt, capture_output=True, timeout=DEADLINE).returncode:
        pytest.skip("no right to mount a small disk")
    done = subprocess.run(
        [*prefix, script, "sh", *COMMAND], capture_output=True, text=True, timeout=DEADLINE
    )
    assert done.returncode == 1
    assert done.stderr.endswith(
        ": no space left on device\nhint: make room: the same command goes on where it stopped\n"
    )
    key, source = Key.load("album.key"), np.asarray(Image.open(DATA / "retina.jpg"))
    kept = list(Path("kept").iterdir())
    assert len(kept) > 2
    for path in kept:
        assert decrypt(path.read_bytes(), key).shape == source.shape
