"""The command on one file: what it says, and what it leaves alone."""

import io
import json
import os
import shlex
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import skimage
from PIL import Image

import jpegcrypt as library
from jpegcrypt import Key
from jpegcrypt.cipher.bank import BANKS
from jpegcrypt.cli import main
from jpegcrypt.codec.parse import MAX_PIXELS
from jpegcrypt.codec.write import SUBSAMPLING
from jpegcrypt.encoder import EFFORTS
from jpegcrypt.header import DC_MODES, KEY_MODES
from jpegcrypt.images import FORMATS
from jpegcrypt.retrieval.folders import SPLITS
from transcripts import check_transcript, jpegcrypt

DATA = Path(skimage.__file__).parent / "data"


def test_there_and_back():
    check_transcript("""
        $ jpegcrypt encrypt coffee.png noise.jpg --key album.key
        $ jpegcrypt encrypt coffee.png noise.jpg --key album.key
        jpegcrypt: noise.jpg: the file exists
        hint: --overwrite replaces it
        [1]
        $ jpegcrypt encrypt coffee.png noise.jpg --key album.key --overwrite --quality 90
        $ jpegcrypt decrypt noise.jpg again.png --key album.key
        $ jpegcrypt decrypt noise.jpg again.png --key album.key
        jpegcrypt: again.png: the file exists
        hint: --overwrite replaces it
        [1]
        $ jpegcrypt decrypt noise.jpg again.jpg --key album.key
    """)
    source, noise, again = (
        np.asarray(Image.open(name)).astype(int)
        for name in ("coffee.png", "noise.jpg", "again.png")
    )
    assert np.abs(again - source).mean() < 4
    assert np.abs(noise - source).mean() > 30


def test_keygen():
    check_transcript("""
        $ jpegcrypt keygen new.key
        key <hex>
        $ jpegcrypt keygen new.key
        jpegcrypt: failed to create key file new.key: File exists
        hint: a key is never overwritten: choose another name
        [1]
        $ jpegcrypt keygen nowhere/new.key
        jpegcrypt: failed to create key file nowhere/new.key: No such file or directory
        [1]
        $ jpegcrypt keygen -
        jpegcrypt: a key goes to a file that only you can read, not to stdout
        hint: jpegcrypt keygen --help
        [2]
    """)
    assert not Path("-").exists()
    assert stat.S_IMODE(Path("new.key").stat().st_mode) == 0o600
    assert Key.load("new.key") != Key.load("album.key")


def test_inspect():
    jpegcrypt("encrypt coffee.png noise.jpg --key album.key --key-mode content")
    check_transcript("""
        $ jpegcrypt inspect noise.jpg
        scheme           lu2022
        bank             givens128
        DC               permuted
        key mode         content
        key id           <hex>
        nonce            <hex>
        salt             none: not from a passphrase
        size             600 x 400
        sampling         2x2, 1x1, 1x1, 4:2:0
        level shifts     <...>, <...>, <...>
        sealed metadata  <...> bytes
        $ jpegcrypt inspect coffee.png
        jpegcrypt: coffee.png: found a PNG file, expected a JPEG at byte 0
        [1]
        $ jpegcrypt inspect -
        jpegcrypt: stdin: found an empty file, expected a JPEG at byte 0
        [1]
    """)
    info = json.loads(jpegcrypt("inspect --json noise.jpg").stdout)
    assert info == json.loads(
        jpegcrypt("inspect --json -", input=Path("noise.jpg").read_bytes()).stdout
    )
    assert info["key_id"] == Key.load("album.key").id.hex()
    assert (info["width"], info["height"], info["salt"]) == (600, 400, None)
    assert info["sampling"] == [[2, 2], [1, 1], [1, 1]]


def test_inspect_gray():
    Image.new("L", (8, 8)).save("gray.png")
    jpegcrypt("encrypt gray.png noise.jpg --key album.key")
    assert "\nsampling         1x1\n" in jpegcrypt("inspect noise.jpg").output


def test_options_reach_the_encoder():
    jpegcrypt(
        "encrypt coffee.png noise.jpg --key album.key --quality 100 --subsampling 4:4:4 "
        "--effort fast --bank authors16 --dc residual --metadata strip"
    )
    info = library.inspect(Path("noise.jpg").read_bytes())
    assert (info.bank, info.dc, info.sampling[0]) == ("authors16", "residual", (1, 1))
    with Image.open("noise.jpg") as image:
        assert max(image.quantization[0]) == 1


def test_choices_are_those_of_the_library():
    choices = {
        option.name: option.type.choices
        for command in main.commands.values()
        for option in command.params
        if hasattr(option.type, "choices")
    }
    assert choices == {
        "subsampling": tuple(SUBSAMPLING),
        "effort": tuple(EFFORTS),
        "bank": tuple(BANKS),
        "dc": tuple(DC_MODES),
        "key_mode": tuple(KEY_MODES),
        "banks": tuple(BANKS),
        "dc_modes": tuple(DC_MODES),
        "key_modes": tuple(KEY_MODES),
        "metadata": ("seal", "strip"),
        "split": (*SPLITS, "all"),
        "extension": ("png", "jpg", "tif", "webp", "bmp", "ppm"),
    }
    assert {f".{name}" for name in choices["extension"]} <= FORMATS.keys()


@pytest.mark.parametrize("color", ["white", "#ffffff", "rgb(255,255,255)"])
def test_background(color):
    shutil.copy(DATA / "horse.png", "horse.png")
    check_transcript(f"""
        $ jpegcrypt encrypt horse.png noise.jpg --key album.key
        jpegcrypt: horse.png: the picture is transparent in places, a JPEG cannot be
        hint: give a background, such as white
        [1]
        $ jpegcrypt encrypt horse.png noise.jpg --key album.key --background '{color}'
        $ jpegcrypt encrypt horse.png noise.jpg --key album.key --background whitish
        jpegcrypt: invalid value for '--background': unknown color specifier: 'whitish'
        hint: jpegcrypt encrypt --help
        [2]
    """)


# --- stdin and stdout -----------------------------------------------------------------------------


def test_pipes():
    noise = jpegcrypt("encrypt - - --key album.key", input=Path("coffee.png").read_bytes())
    assert noise.stderr == ""
    again = jpegcrypt("decrypt - - --key album.key", input=noise.stdout_bytes)
    with Image.open(io.BytesIO(again.stdout_bytes)) as image:
        assert (image.format, image.size) == ("PNG", (600, 400))
    webp = jpegcrypt("decrypt - - --key album.key --format webp", input=noise.stdout_bytes)
    assert webp.stdout_bytes[8:12] == b"WEBP"
    jpegcrypt("decrypt - again.png --key album.key", input=noise.stdout_bytes)
    assert Path("again.png").read_bytes() == again.stdout_bytes
    assert jpegcrypt("decrypt - - --key album.key").stderr == (
        "jpegcrypt: stdin: found an empty file, expected a JPEG at byte 0\n"
    )


def test_the_key_is_not_the_target():
    before = Path("album.key").read_bytes()
    jpegcrypt("encrypt coffee.png noise.jpg --key album.key")
    for command in ("encrypt coffee.png", "decrypt noise.jpg"):
        done = jpegcrypt(f"{command} album.key --key album.key --overwrite")
        text = "jpegcrypt: album.key: is the key file\nhint: write to another file\n"
        assert (done.exit_code, done.stderr) == (1, text)
    assert Path("album.key").read_bytes() == before


def test_stdin_that_is_the_target():
    shutil.copy("coffee.png", "same.jpg")
    arguments = ["encrypt", "-", "same.jpg", "--key", "album.key", "--overwrite"]
    with open("same.jpg", "rb") as stdin:
        done = subprocess.run(
            [sys.executable, "-m", "jpegcrypt", *arguments],
            stdin=stdin, capture_output=True, text=True, check=False,
        )  # fmt: skip
    text = "jpegcrypt: same.jpg: is what stdin reads\nhint: write to another file\n"
    assert (done.returncode, done.stderr) == (1, text)
    assert Path("same.jpg").read_bytes() == Path("coffee.png").read_bytes()


# --- what goes wrong ------------------------------------------------------------------------------


def test_errors_of_encrypt():
    Path("empty.jpg").touch()
    Path("notes.txt").write_text("hello, world")
    Path("cut.png").write_bytes(Path("coffee.png").read_bytes()[:9000])
    Path("folder").mkdir()
    os.mkfifo("pipe")
    jpegcrypt("encrypt coffee.png noise.jpg --key album.key")
    shutil.copy(DATA / "rocket.jpg", "rocket.jpg")
    before = sorted(os.listdir())
    check_transcript("""
        $ jpegcrypt encrypt missing.png x.jpg --key album.key
        jpegcrypt: missing.png: no such file or directory
        [1]
        $ jpegcrypt encrypt empty.jpg x.jpg --key album.key
        jpegcrypt: empty.jpg: found an empty file, expected an image that Pillow reads
        [1]
        $ jpegcrypt encrypt notes.txt x.jpg --key album.key
        jpegcrypt: notes.txt: found a file that begins with 0x68656C6C, expected an image <...>
        [1]
        $ jpegcrypt encrypt cut.png x.jpg --key album.key
        jpegcrypt: cut.png: a broken PNG file: image file is truncated
        [1]
        $ jpegcrypt encrypt noise.jpg x.jpg --key album.key
        jpegcrypt: noise.jpg: the picture is encrypted already
        hint: decrypt it first to encrypt it anew
        [1]
        $ jpegcrypt encrypt coffee.png folder --key album.key
        jpegcrypt: folder: is a folder, expected a file
        hint: name the file, such as folder/coffee.png.jpg
        [1]
        $ jpegcrypt encrypt coffee.png nowhere/x.jpg --key album.key
        jpegcrypt: nowhere: no such folder
        [1]
        $ jpegcrypt encrypt coffee.png pipe --key album.key --overwrite
        jpegcrypt: pipe: is a device or a pipe, expected a file
        [1]
        $ jpegcrypt encrypt rocket.jpg ./rocket.jpg --key album.key --overwrite
        jpegcrypt: rocket.jpg and ./rocket.jpg are the same file
        [1]
        $ jpegcrypt encrypt rocket.jpg x.png --key album.key
        jpegcrypt: x.png: the name of a PNG, but it becomes a JPEG: name it x.png.jpg
        [1]
        $ jpegcrypt encrypt rocket.jpg x.GIF --key album.key
        jpegcrypt: x.GIF: the name of a GIF, but it becomes a JPEG: name it x.GIF.jpg
        [1]
        $ jpegcrypt encrypt coffee.png x.jpg --key missing.key
        jpegcrypt: failed to read key file missing.key: No such file or directory
        hint: jpegcrypt keygen missing.key makes one
        [1]
        $ jpegcrypt encrypt coffee.png x.jpg --key notes.txt
        jpegcrypt: line 1 of key file notes.txt is not a key
        hint: a key file holds one line that starts with JPEGCRYPT-KEY-1, and # comments
        [1]
    """)
    assert sorted(os.listdir()) == before


def test_errors_of_decrypt():
    jpegcrypt("keygen other.key")
    jpegcrypt("encrypt coffee.png noise.jpg --key album.key")
    noise = Path("noise.jpg").read_bytes()
    Path("cut.jpg").write_bytes(noise[:-100])
    Path("empty.jpg").touch()
    flipped = bytearray(noise)
    flipped[noise.index(b"\xff\xdb") + 5] ^= 1  # a quantization step
    Path("flipped.jpg").write_bytes(flipped)
    Image.open("coffee.png").save("plain.jpg")
    Path("old.png").write_bytes(b"old")
    before = sorted(os.listdir())
    check_transcript("""
        $ jpegcrypt decrypt noise.jpg old.png --overwrite --key other.key
        jpegcrypt: noise.jpg: the file was encrypted with key <hex>, the key given is <hex>
        [1]
        $ jpegcrypt decrypt flipped.jpg old.png --overwrite --key album.key
        jpegcrypt: flipped.jpg: the tag does not fit: header, size, tables, coefficients <...>
        hint: re-compressed or resized copies cannot be decrypted; get the original file
        [1]
        $ jpegcrypt decrypt cut.jpg old.png --overwrite --key album.key
        jpegcrypt: cut.jpg: <...> at byte <...>
        hint: the file is cut short
        [1]
        $ jpegcrypt decrypt plain.jpg old.png --overwrite --key album.key
        jpegcrypt: plain.jpg: an ordinary JPEG: no jpegcrypt header among its segments
        hint: <...>
        [1]
        $ jpegcrypt decrypt coffee.png old.png --overwrite --key album.key
        jpegcrypt: coffee.png: found a PNG file, expected a JPEG at byte 0
        [1]
        $ jpegcrypt decrypt empty.jpg old.png --overwrite --key album.key
        jpegcrypt: empty.jpg: found an empty file, expected a JPEG at byte 0
        [1]
        $ jpegcrypt decrypt missing.jpg old.png --overwrite --key album.key
        jpegcrypt: missing.jpg: no such file or directory
        [1]
        $ jpegcrypt decrypt noise.jpg again.png --key missing.key
        jpegcrypt: failed to read key file missing.key: No such file or directory
        [1]
        $ jpegcrypt decrypt noise.jpg again.gif --key album.key
        jpegcrypt: again.gif: no format goes with .gif, expected .png or one of .bmp, <...>
        [1]
        $ jpegcrypt decrypt noise.jpg again.png --key album.key --format png
        jpegcrypt: --format, but the name again.png says the format
        hint: jpegcrypt decrypt --help
        [2]
    """)
    assert Path("old.png").read_bytes() == b"old"
    assert sorted(os.listdir()) == before


def test_usage():
    check_transcript("""
        $ jpegcrypt encrypt coffee.png
        jpegcrypt: missing argument 'DST'
        hint: jpegcrypt encrypt --help
        [2]
        $ jpegcrypt encrypt coffee.png x.jpg
        jpegcrypt: no key, expected --key KEYFILE or --passphrase
        hint: jpegcrypt encrypt --help
        [2]
        $ jpegcrypt encrypt coffee.png x.jpg --key album.key --passphrase
        jpegcrypt: both --key and --passphrase, expected --key KEYFILE or --passphrase
        hint: jpegcrypt encrypt --help
        [2]
        $ jpegcrypt encrypt coffee.png x.jpg --key album.key --quality 101
        jpegcrypt: invalid value for '--quality': 101 is not in the range 1<=x<=100
        hint: jpegcrypt encrypt --help
        [2]
        $ jpegcrypt --loud
        jpegcrypt: no such option<...>--loud<...>
        hint: jpegcrypt --help
        [2]
    """)
    assert jpegcrypt("").exit_code == 2


def test_help():
    result = jpegcrypt("--help")
    assert result.exit_code == 0
    lines = [line.strip() for line in result.stdout.splitlines()]
    start = lines.index("jpegcrypt keygen album.key")
    assert lines[start + 1 : start + 4] == [
        "jpegcrypt encrypt photos noise --key album.key",
        "jpegcrypt decrypt noise photos-again --key album.key",
        "",
    ]
    for name in ("", *main.commands):
        assert "\\" not in jpegcrypt(f"{name} --help").stdout


def test_max_pixels(monkeypatch):
    jpegcrypt("encrypt coffee.png noise.jpg --key album.key")
    check_transcript(f"""
        $ jpegcrypt encrypt coffee.png x.jpg --key album.key --max-pixels {600 * 400 - 1}
        jpegcrypt: coffee.png: a decompression bomb to Pillow: <...> limit of 239999 pixels, <...>
        hint: if you trust the file, raise --max-pixels
        [1]
        $ jpegcrypt decrypt noise.jpg x.png --key album.key --max-pixels {600 * 400 - 1}
        jpegcrypt: noise.jpg: a frame of 600x400 pixels, more than the limit of 239999<...>
        hint: if you trust the file, raise --max-pixels
        [1]
        $ jpegcrypt inspect noise.jpg --max-pixels {600 * 400 - 1}
        jpegcrypt: noise.jpg: a frame of 600x400 pixels, more than the limit of 239999<...>
        hint: if you trust the file, raise --max-pixels
        [1]
        $ jpegcrypt decrypt noise.jpg x.png --key album.key --max-pixels {600 * 400}
    """)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    check_transcript(f"""
        $ jpegcrypt encrypt coffee.png x.jpg --key album.key
        jpegcrypt: coffee.png: a decompression bomb to Pillow: <...>
        hint: if you trust the file, raise --max-pixels
        [1]
        $ jpegcrypt encrypt coffee.png x.jpg --key album.key --max-pixels {600 * 400}
    """)
    assert Image.MAX_IMAGE_PIXELS == 1000


def test_the_limit_in_the_help_is_that_of_the_library():
    for name in ("encrypt", "decrypt", "inspect"):
        text = jpegcrypt(f"{name} --help").stdout
        assert f"[default: {MAX_PIXELS}]" in " ".join(text.split())


def test_names_are_shown_without_what_a_terminal_obeys():
    for name in ("new\nline", "\x1b[31mred", "\u202egpj", os.fsdecode(b"latin-\xfc")):
        result = jpegcrypt(f"encrypt {shlex.quote(name)} x.jpg --key album.key")
        assert result.stderr == f"jpegcrypt: {ascii(name)[1:-1]}: no such file or directory\n"
    assert jpegcrypt("encrypt ä x.jpg --key album.key").stderr.startswith("jpegcrypt: ä: no such")


@pytest.mark.parametrize(
    "error", [OSError(28, "No space left on device"), MemoryError(), KeyboardInterrupt()]
)
def test_what_stops_the_machine(monkeypatch, error):
    def fsync(_):
        raise error

    Path("old.jpg").write_bytes(b"old")
    before = sorted(os.listdir())
    monkeypatch.setattr(os, "fsync", fsync)
    text, code = {
        OSError: ("old.jpg: no space left on device", 1),
        MemoryError: ("old.jpg: not enough memory", 1),
        KeyboardInterrupt: ("interrupted", 130),
    }[type(error)]
    check_transcript(f"""
        $ jpegcrypt encrypt coffee.png old.jpg --key album.key --overwrite
        jpegcrypt: {text}
        [{code}]
    """)
    assert Path("old.jpg").read_bytes() == b"old"
    assert sorted(os.listdir()) == before


def test_no_permission():
    Path("locked").mkdir(0o500)
    shutil.copy("coffee.png", "secret.png")
    Path("secret.png").chmod(0)
    if os.access("secret.png", os.R_OK):
        pytest.skip("this user may do it all")
    check_transcript("""
        $ jpegcrypt encrypt coffee.png locked/x.jpg --key album.key
        jpegcrypt: locked/x.jpg: permission denied
        [1]
        $ jpegcrypt encrypt secret.png x.jpg --key album.key
        jpegcrypt: secret.png: permission denied
        [1]
    """)


def test_warnings_are_lines_too():
    Path("album.key").chmod(0o644)
    check_transcript("""
        $ jpegcrypt encrypt coffee.png noise.jpg --key album.key --key-mode fixed
        jpegcrypt: warning: key file album.key is open to other users (mode 0644): chmod 600 it
        jpegcrypt: warning: key_mode "fixed" uses one key stream for all pictures: <...>
    """)


def test_a_fault_of_ours_is_not_hidden(monkeypatch):
    monkeypatch.setattr("jpegcrypt.cli.conversion.encrypt_picture", lambda *_, **__: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        jpegcrypt("encrypt coffee.png noise.jpg --key album.key")


def test_help_is_quick():
    """Nothing heavy is imported to answer it."""
    code = (
        "import sys\nfrom jpegcrypt.cli import main\n"
        "try: main(['encrypt', '--help'])\n"
        "finally: print(*sys.modules, file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "a.png becomes" in done.stdout
    heavy = {"numpy", "PIL", "rich", "cryptography", "joblib", "jpegcrypt.api"}
    assert heavy & set(done.stderr.split()) == set()
