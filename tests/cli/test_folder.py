"""The command on a folder tree: names, resuming, bad files, and folders that must not meet."""

import itertools
import os
import shutil
import threading
import tracemalloc
from collections import Counter
from concurrent.futures import Future
from pathlib import Path

import numpy as np
import pytest
import skimage
from PIL import Image

from jpegcrypt import Key, atomic, decrypt, inspect
from jpegcrypt.cli import conversion
from jpegcrypt.cli import folder as cli_folder
from jpegcrypt.cli.conversion import cipher_name, plain_name
from jpegcrypt.files import encrypt_picture
from jpegcrypt.images import FORMATS
from transcripts import check_transcript, jpegcrypt, tree

DATA = Path(skimage.__file__).parent / "data"


@pytest.fixture
def photos(folder):
    """A tree with what such trees hold."""
    Path("photos/summer/lake").mkdir(parents=True)
    Path("photos/empty").mkdir()
    shutil.copy(DATA / "rocket.jpg", "photos/rocket.jpg")
    shutil.copy(DATA / "coffee.png", "photos/summer/a.png")
    shutil.copy(DATA / "rocket.jpg", "photos/summer/a.jpg")
    shutil.copy(DATA / "camera.png", "photos/summer/lake/CAMERA.PNG")
    shutil.copy(DATA / "coffee.png", "photos/summer/lake/misnamed.jpeg")
    Path("photos/notes.txt").write_text("hello, world")
    Path("photos/summer/0123.jpegcrypt-tmp").write_bytes(b"\xff\xd8 left behind")
    return Path("photos")


ID = Key(bytes(range(32))).id.hex()
NOISE = [
    "rocket.jpg",
    "summer/a.jpg",
    "summer/a.png.jpg",
    "summer/lake/CAMERA.PNG.jpg",
    "summer/lake/misnamed.jpeg",
]


def test_there_and_back(photos):
    check_transcript("""
        $ jpegcrypt encrypt photos noise --key album.key
        jpegcrypt: 5 encrypted, 1 no picture
        $ jpegcrypt decrypt noise again --key album.key
        jpegcrypt: 5 decrypted
        $ jpegcrypt decrypt noise jpegs --key album.key --format jpg --jobs 1
        jpegcrypt: 5 decrypted
    """)
    assert tree("noise") == NOISE
    assert tree("again") == [
        "rocket.jpg.png",
        "summer/a.jpg.png",
        "summer/a.png",
        "summer/lake/CAMERA.PNG",
        "summer/lake/misnamed.jpeg.png",
    ]
    assert tree("jpegs") == NOISE
    assert not Path("noise/empty").exists()
    with Image.open("again/summer/lake/CAMERA.PNG") as image, Image.open(DATA / "camera.png") as a:
        assert image.mode == "L"
        assert np.abs(np.asarray(image).astype(int) - np.asarray(a)).mean() < 4


def test_going_on_where_it_stopped(photos):
    jpegcrypt("encrypt photos noise --key album.key")
    before = {name: Path("noise", name).read_bytes() for name in NOISE}
    Path("noise/summer/a.jpg").unlink()
    check_transcript("""
        $ jpegcrypt encrypt photos noise --key album.key
        jpegcrypt: 1 encrypted, 4 there already, 1 no picture
    """)
    for name in NOISE:
        assert (Path("noise", name).read_bytes() == before[name]) == (name != "summer/a.jpg")
    check_transcript("""
        $ jpegcrypt encrypt photos noise --key album.key --overwrite
        jpegcrypt: 5 encrypted, 1 no picture
    """)
    assert all(Path("noise", name).read_bytes() != before[name] for name in NOISE)


def test_what_is_there_must_be_what_was_asked_for(photos):
    jpegcrypt("encrypt photos noise --key album.key")
    shutil.copy("photos/rocket.jpg", "noise/rocket.jpg")
    whole = Path("noise/summer/a.jpg").read_bytes()
    Path("noise/summer/a.jpg").write_bytes(whole[:300])
    other = encrypt_picture(Path("photos/summer/a.png").read_bytes(), Key(bytes(range(32))))
    Path("noise/summer/a.png.jpg").write_bytes(other)
    Path("noise/summer/lake/misnamed.jpeg").unlink()
    before = {name: Path("noise", name).read_bytes() for name in NOISE[:3]}
    check_transcript(f"""
        $ jpegcrypt encrypt photos noise --key album.key
        jpegcrypt: noise/rocket.jpg: is there, but is not encrypted
        hint: delete it, and the same command makes it anew
        jpegcrypt: noise/summer/a.jpg: is there, but cut short
        jpegcrypt: noise/summer/a.png.jpg: is there, but encrypted with the key {ID}
        jpegcrypt: 1 encrypted, 1 there already, 1 no picture, 3 failed
        [1]
        $ jpegcrypt encrypt photos noise --key album.key --overwrite
        jpegcrypt: 5 encrypted, 1 no picture
    """)
    assert all(Path("noise", name).read_bytes() != before[name] for name in before)


def test_what_is_there_must_not_be_older_than_its_source(photos):
    jpegcrypt("encrypt photos noise --key album.key")
    jpegcrypt("decrypt noise again --key album.key")
    made = os.stat("noise/rocket.jpg").st_mtime
    os.utime("photos/rocket.jpg", (made + 1e9, made + 1e9))  # a clock that was wrong
    for name in ("noise/rocket.jpg", "again/rocket.jpg.png"):
        os.utime(name, (made - 600, made - 600))
    os.utime("photos/summer/a.jpg", (made - 300, made - 300))
    os.utime("noise/summer/a.jpg", (made - 600, made - 600))
    check_transcript("""
        $ jpegcrypt encrypt photos noise --key album.key
        jpegcrypt: noise/summer/a.jpg: is there, but older than photos/summer/a.jpg
        hint: delete it, and the same command makes it anew
        jpegcrypt: 0 encrypted, 4 there already, 1 no picture, 1 failed
        [1]
        $ jpegcrypt decrypt noise again --key album.key
        jpegcrypt: 0 decrypted, 5 there already
    """)
    os.utime("noise/rocket.jpg")
    check_transcript("""
        $ jpegcrypt decrypt noise again --key album.key
        jpegcrypt: again/rocket.jpg.png: is there, but older than noise/rocket.jpg
        hint: delete it, and the same command makes it anew
        jpegcrypt: 0 decrypted, 4 there already, 1 failed
        [1]
    """)


def test_what_is_there_must_be_of_the_format(photos):
    jpegcrypt("encrypt photos noise --key album.key")
    jpegcrypt("decrypt noise again --key album.key")
    Path("again/rocket.jpg.png").write_bytes(b"garbage")
    shutil.copy("noise/rocket.jpg", "again/summer/a.png")
    check_transcript("""
        $ jpegcrypt decrypt noise again --key album.key
        jpegcrypt: again/rocket.jpg.png: is there, found <...>, expected a PNG
        hint: delete it, and the same command makes it anew
        jpegcrypt: again/summer/a.png: is there, found <...>, expected a PNG
        jpegcrypt: 0 decrypted, 3 there already, 2 failed
        [1]
    """)
    shutil.copytree("noise", "jpegs")
    assert (
        "0 decrypted, 5 failed"
        in jpegcrypt("decrypt noise jpegs --key album.key --format jpg").stderr
    )


@pytest.mark.parametrize("suffix", ["png", "jpg", "tif", "webp", "bmp", "ppm"])
def test_going_on_with_what_was_decrypted(photos, suffix):
    """Without the key, which checking does not take."""
    jpegcrypt("encrypt photos noise --key album.key")
    assert jpegcrypt(f"decrypt noise again --key album.key --format {suffix}").exit_code == 0
    check_transcript(f"""
        $ jpegcrypt decrypt noise again --key missing.key --format {suffix}
        jpegcrypt: 0 decrypted, 5 there already
    """)


def test_what_another_process_made_meanwhile_is_there(photos, monkeypatch):
    real = atomic.write

    def write(path, data, **options):
        real(path, data, **options)  # as the other one does
        real(path, data if "rocket" in path else b"else", **options | {"overwrite": True})
        real(path, data, **options)

    monkeypatch.setattr(atomic, "write", write)
    check_transcript("""
        $ jpegcrypt encrypt photos noise --key album.key --jobs 1
        jpegcrypt: noise/summer/a.jpg: is there, but is not encrypted
        hint: delete it, and the same command makes it anew
        jpegcrypt: noise/summer/a.png.jpg: is there, but is not encrypted
        jpegcrypt: noise/summer/lake/CAMERA.PNG.jpg: is there, but is not encrypted
        jpegcrypt: noise/summer/lake/misnamed.jpeg: is there, but is not encrypted
        jpegcrypt: 0 encrypted, 1 there already, 1 no picture, 4 failed
        [1]
    """)


def test_a_file_where_a_folder_should_be(photos):
    Path("noise").mkdir()
    Path("noise/summer").touch()
    check_transcript("""
        $ jpegcrypt encrypt photos noise --key album.key
        jpegcrypt: noise/summer: is no folder
        jpegcrypt: noise/summer<...>
        jpegcrypt: noise/summer<...>
        jpegcrypt: noise/summer<...>
        jpegcrypt: 1 encrypted, 1 no picture, 4 failed
        [1]
    """)


def test_a_loop_of_links_ends_in_an_error(photos):
    Path("noise").symlink_to("noise")
    result = jpegcrypt("encrypt photos noise --key album.key")
    assert result.exit_code == 1
    assert "Traceback" not in result.output
    assert "too many levels of symbolic links" in result.output


def test_what_others_add_does_not_make_it_another(photos):
    jpegcrypt("encrypt photos noise --key album.key")
    whole = Path("noise/rocket.jpg").read_bytes()
    assert whole[2:4] == b"\xff\xe0"
    xmp = b"\xff\xe1" + (3002).to_bytes(2) + bytes(3000)
    Path("noise/rocket.jpg").write_bytes(whole[:20] + xmp + whole[20:] + b"\n")
    assert jpegcrypt("decrypt noise/rocket.jpg x.png --key album.key").exit_code == 0
    check_transcript("""
        $ jpegcrypt encrypt photos noise --key album.key
        jpegcrypt: 0 encrypted, 5 there already, 1 no picture
    """)


def test_side_files_of_macos_are_no_pictures(photos):
    side = b"\0\5\x16\7\0\2\0\0Mac OS X        "
    Path("photos/._rocket.jpg").write_bytes(side)
    assert jpegcrypt("encrypt photos noise --key album.key").exit_code == 0
    Path("noise/._rocket.jpg").write_bytes(side)
    check_transcript("""
        $ jpegcrypt decrypt noise again --key album.key
        jpegcrypt: 5 decrypted, 1 no picture
    """)


def test_what_a_power_cut_left_empty_is_done_again(photos):
    jpegcrypt("encrypt photos noise --key album.key")
    Path("noise/rocket.jpg").write_bytes(b"")
    check_transcript("""
        $ jpegcrypt encrypt photos noise --key album.key
        jpegcrypt: 1 encrypted, 4 there already, 1 no picture
    """)
    assert Path("noise/rocket.jpg").stat().st_size > 10_000


def test_new_files_are_synced_together_and_replaced_ones_each(photos, monkeypatch):
    synced = Counter()
    monkeypatch.setattr(os, "fsync", lambda _: synced.update(["one"]))
    monkeypatch.setattr(os, "sync", lambda: synced.update(["all"]))
    jpegcrypt("encrypt photos noise --key album.key")
    assert synced == {"all": 1}
    jpegcrypt("encrypt photos noise --key album.key --overwrite")
    assert synced == {"all": 2, "one": 2 * len(NOISE)}  # the file and its folder


def test_bad_files_are_listed_at_the_end(photos):
    Path("photos/empty.jpg").touch()
    Path("photos/summer/cut.png").write_bytes((DATA / "coffee.png").read_bytes()[:9000])
    shutil.copy(DATA / "horse.png", "photos/summer/horse.png")
    shutil.copy(DATA / "horse.png", "photos/summer/two.png")
    Path("photos/broken.png").symlink_to("nowhere")
    os.mkfifo("photos/pipe.jpg")
    check_transcript("""
        $ jpegcrypt encrypt photos noise --key album.key
        jpegcrypt: photos/broken.png: no such file or directory
        jpegcrypt: photos/empty.jpg: found an empty file, expected an image that Pillow reads
        jpegcrypt: photos/summer/cut.png: a broken PNG file: image file is truncated
        jpegcrypt: photos/summer/horse.png: the picture is transparent in places, a JPEG cannot be
        hint: give a background, such as white
        jpegcrypt: photos/summer/two.png: the picture is transparent in places, a JPEG cannot be
        jpegcrypt: 5 encrypted, 1 no picture, 5 failed
        [1]
    """)
    assert tree("noise") == NOISE


def test_photographs_that_pillow_does_not_read_are_failures(photos):
    """Whoever deletes the originals must know that these were not encrypted."""
    Path("photos/phone.HEIC").write_bytes(b"\0\0\0\x18ftypheic")
    check_transcript("""
        $ jpegcrypt encrypt photos noise --key album.key
        jpegcrypt: photos/phone.HEIC: found a file that begins with 0x00000018, expected <...>
        jpegcrypt: 5 encrypted, 1 no picture, 1 failed
        [1]
    """)


def test_what_files_lose_is_told_of_each(photos):
    for name in ("a.jpg", "b.jpg"):
        data = (DATA / "rocket.jpg").read_bytes()
        Path("photos", name).write_bytes(
            data[:2] + b"\xff\xed\0\x10Photoshop 3.0\0" + data[2:] + b"mp4"
        )
    check_transcript("""
        $ jpegcrypt encrypt photos noise --key album.key --jobs 1
        jpegcrypt: warning: photos/a.jpg: the JPEG file holds 3 bytes behind the picture: left out
        jpegcrypt: warning: photos/b.jpg: the JPEG file holds 3 bytes behind the picture: left out
        jpegcrypt: 7 encrypted, 1 no picture
        $ jpegcrypt decrypt noise again --key album.key --jobs 1
        jpegcrypt: warning: noise/a.jpg: PNG does not carry this IPTC: left out; JPEG carries more
        jpegcrypt: warning: noise/b.jpg: PNG does not carry this IPTC: left out; JPEG carries more
        jpegcrypt: 7 decrypted
    """)


def test_bad_files_to_decrypt(photos):
    jpegcrypt("encrypt photos noise --key album.key")
    jpegcrypt("keygen other.key")
    jpegcrypt("encrypt coffee.png noise/other.jpg --key other.key")
    shutil.copy(DATA / "rocket.jpg", "noise/plain.jpg")
    Path("noise/cut.jpg").write_bytes(Path("noise/rocket.jpg").read_bytes()[:-50])
    Path("noise/empty.jpg").touch()
    Path("noise/notes.txt").write_text("hello, world")
    check_transcript("""
        $ jpegcrypt decrypt noise again --key album.key
        jpegcrypt: noise/cut.jpg: <...> at byte <...>
        hint: the file is cut short
        jpegcrypt: noise/empty.jpg: found an empty file, expected a JPEG at byte 0
        jpegcrypt: noise/other.jpg: the file was encrypted with key <hex>, the key given is <hex>
        jpegcrypt: noise/plain.jpg: an ordinary JPEG: no jpegcrypt header among its segments
        hint: <...>
        jpegcrypt: 5 decrypted, 1 no picture, 4 failed
        [1]
    """)
    assert len(tree("again")) == 5


def test_a_video_is_not_read_whole(folder):
    Path("videos").mkdir()
    for name, head in {"lake.mp4": b"\0\0\0\x18ftypisom", "zeros.jpg": b""}.items():
        with Path("videos", name).open("wb") as file:
            file.write(head)
            file.truncate(1 << 28)
    tracemalloc.start()
    try:
        check_transcript("""
            $ jpegcrypt encrypt videos noise --key album.key
            jpegcrypt: videos/zeros.jpg: found a file that begins with 0x00000000, expected <...>
            jpegcrypt: 0 encrypted, 1 no picture, 1 failed
            [1]
            $ jpegcrypt decrypt videos again --key album.key
            jpegcrypt: videos/zeros.jpg: found a file that begins with 0x00000000, expected a <...>
            jpegcrypt: 0 decrypted, 1 no picture, 1 failed
            [1]
        """)
        assert tracemalloc.get_traced_memory()[1] < 1 << 26
    finally:
        tracemalloc.stop()


def test_a_large_picture_is_read_whole(photos, monkeypatch):
    monkeypatch.setattr(cli_folder, "_LARGE", 0)
    check_transcript("""
        $ jpegcrypt encrypt photos noise --key album.key
        jpegcrypt: 5 encrypted, 1 no picture
        $ jpegcrypt decrypt noise again --key album.key
        jpegcrypt: 5 decrypted
    """)


def test_links(photos):
    Path("photos/summer/loop").symlink_to("..")
    Path("photos/linked").symlink_to("summer")
    Path("photos/copy.jpg").symlink_to("rocket.jpg")
    check_transcript("""
        $ jpegcrypt encrypt photos noise --key album.key
        jpegcrypt: 6 encrypted, 1 no picture
    """)
    assert tree("noise") == ["copy.jpg", *NOISE]
    assert not Path("noise/copy.jpg").is_symlink()


def test_pictures_behind_a_link_out_of_the_tree_are_failures(photos):
    """Whoever deletes them must know that these were not encrypted."""
    Path("photos/summer").rename("summer")
    Path("photos/lake").symlink_to("../summer/lake")
    Path("photos/summer").symlink_to("../summer")
    check_transcript("""
        $ jpegcrypt encrypt photos noise --key album.key
        jpegcrypt: photos/lake: a link to a folder outside photos, not followed
        hint: run the command on that folder, too
        jpegcrypt: photos/summer: a link to a folder outside photos, not followed
        jpegcrypt: 1 encrypted, 1 no picture, 2 failed
        [1]
    """)


@pytest.mark.parametrize("jobs", [1, 3])
def test_jobs(photos, monkeypatch, jobs):
    busy, most, lock = 0, 0, threading.Lock()

    def encrypt_picture(data, key, **options):
        nonlocal busy, most
        with lock:
            busy += 1
            most = max(most, busy)
        threading.Event().wait(0.02)
        with lock:
            busy -= 1
        return data

    monkeypatch.setattr("jpegcrypt.cli.conversion.encrypt_picture", encrypt_picture)
    jpegcrypt(f"encrypt photos noise --key album.key --jobs {jobs}")
    assert most <= jobs
    assert jobs == 1 or most > 1


def test_options_reach_every_file(photos):
    jpegcrypt("encrypt photos noise --key album.key --bank signs256 --quality 20")
    for name in NOISE:
        data = Path("noise", name).read_bytes()
        assert inspect(data).bank == "signs256"
        assert decrypt(data, Key.load("album.key")).ndim in (2, 3)
    nonces = {inspect(Path("noise", name).read_bytes()).nonce for name in NOISE}
    assert len(nonces) == len(NOISE)


# --- folders that must not meet -------------------------------------------------------------------


def test_the_source_is_left_alone(photos):
    before = {name: Path("photos", name).read_bytes() for name in tree("photos")}
    Path("photos/summer/inside").mkdir()
    Path("alias").symlink_to("photos")
    Path("mixed").mkdir()
    Path("mixed/summer").symlink_to("../photos/summer")
    Path("file").touch()
    check_transcript("""
        $ jpegcrypt encrypt photos photos --key album.key --overwrite
        jpegcrypt: photos: source and target are the same folder
        hint: write to a folder beside it
        [1]
        $ jpegcrypt encrypt photos photos/summer/inside --key album.key --overwrite
        jpegcrypt: photos/summer/inside: lies in photos
        hint: write to a folder beside it
        [1]
        $ jpegcrypt encrypt photos/ ./summer/../photos/new --key album.key --overwrite
        jpegcrypt: photos/new: lies in photos/
        hint: write to a folder beside it
        [1]
        $ jpegcrypt encrypt photos alias/new --key album.key --overwrite
        jpegcrypt: alias/new: lies in photos
        hint: write to a folder beside it
        [1]
        $ jpegcrypt encrypt alias photos --key album.key --overwrite
        jpegcrypt: photos: source and target are the same folder
        hint: write to a folder beside it
        [1]
        $ jpegcrypt encrypt photos mixed --key album.key --overwrite
        jpegcrypt: mixed/summer: lies in photos
        hint: write to a folder beside it
        [1]
        $ jpegcrypt encrypt photos file --key album.key --overwrite
        jpegcrypt: file: is no folder, but photos is
        hint: name a folder
        [1]
        $ jpegcrypt encrypt photos - --key album.key
        jpegcrypt: -: is no folder, but photos is
        hint: name a folder
        [1]
    """)
    assert before == {name: Path("photos", name).read_bytes() for name in tree("photos")}
    assert tree("mixed") == []


def test_a_folder_beside_or_above(photos):
    assert jpegcrypt("encrypt photos photos-noise --key album.key").exit_code == 0
    assert jpegcrypt("encrypt photos/summer . --key album.key").exit_code == 0
    assert Path("a.png.jpg").exists()


# --- names ----------------------------------------------------------------------------------------


def test_two_sources_of_one_name(photos):
    shutil.copy("photos/rocket.jpg", "photos/summer/a.png.jpg")
    check_transcript("""
        $ jpegcrypt encrypt photos noise --key album.key
        jpegcrypt: photos/summer/a.png.jpg: would become noise/summer/a.png.jpg, as <...>a.png does
        jpegcrypt: 5 encrypted, 1 no picture, 1 failed
        [1]
    """)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif", ".webp"])
def test_names_do_not_meet(suffix):
    """What stands in a folder as different names stays different, there and back."""
    names = [f"a{end}" for end in ("", *FORMATS, ".gif", ".JPG", ".x.png", ".x.jpg")]
    ciphers = [cipher_name(name) for name in names if name != "a"]
    assert len(set(ciphers)) == len(ciphers)
    plains = [plain_name(name, suffix) for name in ciphers]
    assert len(set(plains)) == len(plains)
    assert all(FORMATS[os.path.splitext(name)[1].lower()] == FORMATS[suffix] for name in plains)
    for name, plain in zip(names[1:], plains, strict=True):
        if name.endswith(suffix):
            assert plain == name


def test_a_name_of_any_bytes(folder):
    Path("photos").mkdir()
    for name in ("ä ö.png", "-x.png", "new\nline.png", os.fsdecode(b"latin-\xfc.png")):
        shutil.copy("coffee.png", Path("photos", name))
    result = jpegcrypt("encrypt photos noise --key album.key")
    assert result.output == "jpegcrypt: 4 encrypted\n"
    Path("photos", os.fsdecode(b"empty\n\xfc.png")).touch()
    check_transcript("""
        $ jpegcrypt encrypt photos noise --key album.key
        jpegcrypt: photos/empty\\n\\udcfc.png: found an empty file, expected <...>
        jpegcrypt: 0 encrypted, 4 there already, 1 failed
        [1]
    """)


# --- what stops the machine -----------------------------------------------------------------------


def test_a_full_disk_ends_it(photos, monkeypatch):
    count, real = itertools.count(), os.open

    def open_(path, *rest):
        if str(path).endswith(atomic.SUFFIX) and next(count) == 2:
            raise OSError(28, "No space left on device", path)
        return real(path, *rest)

    monkeypatch.setattr(os, "open", open_)
    check_transcript("""
        $ jpegcrypt encrypt photos noise --key album.key --jobs 1
        jpegcrypt: noise/<...>: no space left on device
        hint: make room: the same command goes on where it stopped
        [1]
        $ jpegcrypt encrypt photos noise --key album.key --jobs 1
        jpegcrypt: <...> encrypted, <...> there already, 1 no picture
    """)
    assert tree("noise") == NOISE


@pytest.mark.parametrize("jobs", [1, 2])
def test_an_interrupt_ends_it(photos, monkeypatch, jobs):
    count = itertools.count()

    def interrupted(function):
        def call(*args, **options):
            if next(count) == 2:
                raise KeyboardInterrupt
            return function(*args, **options)

        return call

    if jobs == 1:
        monkeypatch.setattr(conversion, "encrypt_picture", interrupted(encrypt_picture))
    else:
        monkeypatch.setattr(Future, "result", interrupted(Future.result))
    check_transcript(f"""
        $ jpegcrypt encrypt photos noise --key album.key --jobs {jobs}
        jpegcrypt: interrupted, <...> of 6 encrypted
        hint: the same command goes on where it stopped
        [130]
    """)
    assert set(tree("noise")) <= set(NOISE)


def test_a_fault_of_ours_is_a_failure_of_one_file(photos, monkeypatch):
    def faulty(data, key, **options):
        if len(data) == Path("photos/summer/a.png").stat().st_size:
            return 1 / 0
        return encrypt_picture(data, key, **options)

    monkeypatch.setattr("jpegcrypt.cli.conversion.encrypt_picture", faulty)
    check_transcript("""
        $ jpegcrypt encrypt photos noise --key album.key
        jpegcrypt: photos/summer/a.png: ZeroDivisionError: division by zero
        jpegcrypt: photos/summer/lake/misnamed.jpeg: ZeroDivisionError: division by zero
        jpegcrypt: 3 encrypted, 1 no picture, 2 failed
        [1]
    """)


def test_no_permission(photos):
    Path("photos/rocket.jpg").chmod(0)
    if os.access("photos/rocket.jpg", os.R_OK):
        pytest.skip("this user may do it all")
    Path("photos/summer/lake").chmod(0)
    try:
        check_transcript("""
            $ jpegcrypt encrypt photos noise --key album.key
            jpegcrypt: photos/summer/lake: permission denied
            jpegcrypt: photos/rocket.jpg: permission denied
            jpegcrypt: 2 encrypted, 1 no picture, 2 failed
            [1]
        """)
    finally:
        Path("photos/summer/lake").chmod(0o700)
