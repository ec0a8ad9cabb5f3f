"""A file appears whole or not at all, whatever happens on the way."""

import errno
import os
import shutil
import signal
import stat
import subprocess
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor

import pytest

from jpegcrypt import atomic

posix_only = pytest.mark.skipif(os.name != "posix", reason="not of this system")


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def start(code, path, *, prefix=()):
    """Start Python on a piece of code that knows `path` and the module `atomic`."""
    head = f"import os, time\nfrom jpegcrypt import atomic\npath = {str(path)!r}\n"
    command = [*prefix, sys.executable, "-c", head + textwrap.dedent(code)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_new_file(tmp_path, overwrite):
    atomic.write(tmp_path / "a", b"new", overwrite=overwrite)
    assert (tmp_path / "a").read_bytes() == b"new"
    assert os.listdir(tmp_path) == ["a"]


def test_replacing(tmp_path):
    (tmp_path / "a").write_bytes(b"old, and longer")
    atomic.write(tmp_path / "a", b"new", overwrite=True)
    assert (tmp_path / "a").read_bytes() == b"new"
    assert os.listdir(tmp_path) == ["a"]


@posix_only
@pytest.mark.parametrize("umask", [0o022, 0o077])
def test_mode_bits_are_those_of_open(tmp_path, umask):
    before = os.umask(umask)
    try:
        atomic.write(tmp_path / "a", b"", overwrite=False)
    finally:
        os.umask(before)
    assert mode(tmp_path / "a") == 0o666 & ~umask


@posix_only
@pytest.mark.parametrize("bits", [0o600, 0o666, 0o444])
def test_mode_bits_of_a_replaced_file_stay(tmp_path, bits):
    (tmp_path / "a").write_bytes(b"old")
    (tmp_path / "a").chmod(bits)
    atomic.write(tmp_path / "a", b"new", overwrite=True)
    assert mode(tmp_path / "a") == bits


@posix_only
def test_threads_leave_the_umask_alone(tmp_path):
    before = os.umask(0o027)
    try:
        with ThreadPoolExecutor(8) as pool:
            for i in range(200):
                pool.submit(atomic.write, tmp_path / str(i), b"", overwrite=False)
        assert os.umask(0o027) == 0o027
    finally:
        os.umask(before)
    assert {mode(path) for path in tmp_path.iterdir()} == {0o640}


# --- what is there stays --------------------------------------------------------------------------


def test_an_existing_file_is_kept(tmp_path):
    (tmp_path / "a").write_bytes(b"old")
    with pytest.raises(FileExistsError, match="the file exists") as caught:
        atomic.write(tmp_path / "a", b"new", overwrite=False)
    assert caught.value.filename == str(tmp_path / "a")
    assert (tmp_path / "a").read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["a"]


@pytest.mark.parametrize("has_hard_links", [True, False])
def test_a_file_that_appears_meanwhile_is_kept(tmp_path, monkeypatch, has_hard_links):
    def fsync(_):
        (tmp_path / "a").write_bytes(b"theirs")

    def link(*_):
        raise PermissionError(1, "no hard links here")

    monkeypatch.setattr(os, "fsync", fsync)
    if not has_hard_links:
        monkeypatch.setattr(os, "link", link)
    with pytest.raises(FileExistsError):
        atomic.write(tmp_path / "a", b"ours", overwrite=False)
    assert (tmp_path / "a").read_bytes() == b"theirs"
    assert os.listdir(tmp_path) == ["a"]


def test_a_file_system_without_hard_links(tmp_path, monkeypatch):
    def link(*_):
        raise PermissionError(1, "no hard links here")

    monkeypatch.setattr(os, "link", link)
    atomic.write(tmp_path / "a", b"new", overwrite=False)
    assert (tmp_path / "a").read_bytes() == b"new"
    assert os.listdir(tmp_path) == ["a"]


@posix_only
def test_a_link_is_replaced_not_followed(tmp_path):
    (tmp_path / "target").write_bytes(b"old")
    (tmp_path / "link").symlink_to("target")
    with pytest.raises(FileExistsError):
        atomic.write(tmp_path / "link", b"new", overwrite=False)
    atomic.write(tmp_path / "link", b"new", overwrite=True)
    assert not (tmp_path / "link").is_symlink()
    assert (tmp_path / "target").read_bytes() == b"old"


@posix_only
@pytest.mark.skipif(not os.path.exists("/proc/self/fd"), reason="no /proc")
def test_an_open_stream_is_no_file(tmp_path):
    target = tmp_path / "stdout.txt"
    with open(target, "w") as file:
        for link in (f"/proc/self/fd/{file.fileno()}", tmp_path / "link"):
            if link == tmp_path / "link":
                link.symlink_to(f"/proc/self/fd/{file.fileno()}")
            with pytest.raises(OSError, match="is an open stream, expected a file"):
                atomic.write(link, b"new", overwrite=True)
    assert (tmp_path / "link").is_symlink()


def test_bits_that_are_right_are_not_set(tmp_path, monkeypatch):
    def refuse(path, mode):
        raise PermissionError(1, "no modes on this disk", path)

    path = tmp_path / "a"
    path.write_bytes(b"old")
    path.chmod(0o600)
    monkeypatch.setattr(os, "chmod", refuse)
    atomic.write(path, b"new", overwrite=True)
    assert path.read_bytes() == b"new"


@posix_only
def test_a_link_to_nowhere_is_a_file_that_exists(tmp_path):
    (tmp_path / "link").symlink_to("nowhere")
    with pytest.raises(FileExistsError):
        atomic.write(tmp_path / "link", b"new", overwrite=False)
    atomic.write(tmp_path / "link", b"new", overwrite=True)
    assert (tmp_path / "link").read_bytes() == b"new"
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_folder_is_no_file(tmp_path, overwrite):
    (tmp_path / "folder").mkdir()
    with pytest.raises(IsADirectoryError) as caught:
        atomic.write(tmp_path / "folder", b"new", overwrite=overwrite)
    assert caught.value.filename == str(tmp_path / "folder")


@posix_only
@pytest.mark.parametrize("overwrite", [False, True])
def test_a_device_is_never_replaced(tmp_path, overwrite):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="a device or a pipe"):
        atomic.write(tmp_path / "pipe", b"new", overwrite=overwrite)
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)


# --- what goes wrong ------------------------------------------------------------------------------


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize(
    ("folder", "error", "text"),
    [
        ("nowhere", FileNotFoundError, "no such folder"),
        ("nowhere/at/all", FileNotFoundError, "no such folder"),
        ("file", NotADirectoryError, "is no folder"),
    ],
)
def test_a_missing_folder_is_told_before_the_work(tmp_path, overwrite, folder, error, text):
    (tmp_path / "file").write_bytes(b"")
    for act in (atomic.check, lambda path, **how: atomic.write(path, b"new", **how)):
        with pytest.raises(error, match=text) as caught:
            act(tmp_path / folder / "a", overwrite=overwrite)
        assert caught.value.filename == str(tmp_path / folder)
    assert os.listdir(tmp_path) == ["file"]


def test_a_name_without_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    atomic.write("a", b"new", overwrite=False)
    assert (tmp_path / "a").read_bytes() == b"new"


def test_errors_name_the_file_asked_for(tmp_path, monkeypatch):
    def open_(path, *_):
        raise PermissionError(errno.EACCES, "Permission denied", path)

    monkeypatch.setattr(os, "open", open_)
    with pytest.raises(PermissionError) as caught:
        atomic.write(tmp_path / "a", b"new", overwrite=False)
    assert caught.value.filename == str(tmp_path / "a")
    assert caught.value.filename2 is None
    assert str(caught.value).endswith(f": {str(tmp_path / 'a')!r}")


@pytest.mark.parametrize("error", [KeyboardInterrupt(), OSError(28, "No space left on device")])
@pytest.mark.parametrize("overwrite", [False, True])
def test_what_stops_it_leaves_nothing(tmp_path, monkeypatch, error, overwrite):
    def fsync(_):
        raise error

    if overwrite:
        (tmp_path / "a").write_bytes(b"old")
    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(type(error)):
        atomic.write(tmp_path / "a", b"new", overwrite=overwrite)
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"old"] * overwrite


@posix_only
@pytest.mark.parametrize("overwrite", [False, True])
def test_a_file_that_grows_beyond_the_limit(tmp_path, overwrite):
    if overwrite:
        (tmp_path / "a").write_bytes(b"old")
    code = """
    import resource
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))
    try:
        atomic.write(path, bytes(50_000), overwrite=True)
    except OSError as error:
        print(error.filename, error.strerror)
    """
    out, _ = start(code, tmp_path / "a").communicate()
    assert out == f"{tmp_path / 'a'} File too large\n"
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"old"] * overwrite


@pytest.fixture
def small_disk(tmp_path):
    """Command line prefix to run something with a disk of 64 KiB mounted on tmp_path."""
    if shutil.which("unshare") is None:
        pytest.skip("unshare is not installed")
    mount = f'mount -t tmpfs -o size=64k tmpfs {tmp_path} && exec "$@"'
    prefix = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", mount, "sh"]
    if subprocess.run([*prefix, "true"], capture_output=True).returncode:
        pytest.skip("no right to mount a small disk")
    return prefix


def test_a_full_disk(tmp_path, small_disk):
    code = """
    atomic.write(path, b"old", overwrite=False)
    try:
        atomic.write(path, bytes(100_000), overwrite=True)
    except OSError as error:
        print(error.filename, error.strerror)
    print(open(path).read(), os.listdir(os.path.dirname(path)))
    """
    out, _ = start(code, tmp_path / "a", prefix=small_disk).communicate()
    assert out == f"{tmp_path / 'a'} No space left on device\nold ['a']\n"


@posix_only
@pytest.mark.parametrize("overwrite", [False, True])
def test_killed_in_the_middle(tmp_path, overwrite):
    if overwrite:
        (tmp_path / "a").write_bytes(b"old")
    code = """
    def fsync(_):
        print("written", flush=True)
        time.sleep(60)
    os.fsync = fsync
    atomic.write(path, bytes(50_000), overwrite=True)
    """
    with start(code, tmp_path / "a") as process:
        assert process.stdout.readline() == "written\n"
        process.send_signal(signal.SIGKILL)
    names = os.listdir(tmp_path)
    (leftover,) = set(names) - {"a"}
    assert leftover.endswith(atomic.SUFFIX)
    assert ("a" in names) == overwrite
    assert not overwrite or (tmp_path / "a").read_bytes() == b"old"
