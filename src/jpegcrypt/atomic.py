"""Files that appear whole or not at all."""

import contextlib
import errno
import os
import secrets
import stat
from collections.abc import Callable

SUFFIX = ".jpegcrypt-tmp"

_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)


def write(
    path: str | os.PathLike[str], data: bytes, *, overwrite: bool, durable: bool = True
) -> None:
    """Write `data` to a temporary file beside `path`, then move it there.

    A crash, a full disk or a kill leaves the old file, or none; a leftover has the suffix
    ``.jpegcrypt-tmp``. Mode bits are those of a file made by `open`, or of the file replaced.
    A symbolic link is replaced itself; what it points to stays.

    Parameters
    ----------
    overwrite : bool
        False: an existing file is never replaced, also not one that appears meanwhile.
    durable : bool
        Wait until the file would survive a power cut. False, for many new files with one `sync_all`
        at the end: a power cut before that may leave an empty file.

    Raises
    ------
    FileExistsError, OSError
        About `path`, or about its folder if there is none; what was there is as before.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     write(f"{folder}/a", b"hello", overwrite=False)
    ...     os.listdir(folder)
    ['a']
    """
    path = os.fspath(path)
    mode = check(path, overwrite=overwrite)
    temporary = os.path.join(os.path.dirname(path), secrets.token_hex(8) + SUFFIX)
    try:
        # The kernel applies the umask: reading it would mean changing it, for all threads.
        descriptor = os.open(temporary, _NEW, 0o666 if mode is None else 0o600)
        with open(descriptor, "wb", buffering=0) as file:
            rest = memoryview(data)
            while rest:
                rest = rest[file.write(rest) :]
            if durable:
                os.fsync(file.fileno())
            if mode is not None and stat.S_IMODE(os.fstat(file.fileno()).st_mode) != mode:
                # Not by name where possible: who may write here could put a link in its place.
                os.chmod(file.fileno() if os.chmod in os.supports_fd else temporary, mode)
        if overwrite:
            os.replace(temporary, path)
        else:
            _move_new(temporary, path)
        if durable:
            sync_folder(path)
    except BaseException as error:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        if isinstance(error, OSError):
            error.filename = path
            del error.filename2  # the text of the error would name a None
        raise


def sync_all() -> None:
    """Make all files written so far survive a power cut, where the system can be told to."""
    if hasattr(os, "sync"):
        os.sync()


def sync_folder(path: str) -> None:
    """Make the name of a new file survive a power cut, where folders can be synced."""
    if os.name == "posix":
        with contextlib.suppress(OSError):
            folder = os.open(os.path.dirname(path) or ".", os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)


def check(path: str | os.PathLike[str], *, overwrite: bool) -> int | None:
    """Raise what `write` would about a file that is there or no folder, before the work is done.

    Returns
    -------
    int or None
        The mode bits of that file.
    """
    path = os.fspath(path)
    mode = _mode(os.lstat, path)
    if mode is None:
        _check_folder(os.path.dirname(path) or ".")
        return None
    if stat.S_ISLNK(mode):
        if _is_stream(path):
            raise OSError(errno.EINVAL, "is an open stream, expected a file", path)
        mode = _mode(os.stat, path)
    if mode is not None and stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, "is a directory", path)
    if mode is not None and not stat.S_ISREG(mode):
        raise OSError(errno.EINVAL, "is a device or a pipe, expected a file", path)
    if not overwrite:
        raise FileExistsError(errno.EEXIST, "the file exists", path)
    return None if mode is None else stat.S_IMODE(mode) & 0o777


def _is_stream(link: str) -> bool:
    """Whether a link is one of those to open files, such as /dev/stdout: not to be replaced."""
    return any(
        os.path.realpath(os.path.dirname(name)).startswith("/proc/")
        for name in (link, os.path.join(os.path.dirname(link), os.readlink(link)))
    )


def _check_folder(path: str) -> None:
    try:
        mode = os.stat(path).st_mode
    except FileNotFoundError:
        raise FileNotFoundError(errno.ENOENT, "no such folder", path) from None
    if not stat.S_ISDIR(mode):
        raise NotADirectoryError(errno.ENOTDIR, "is no folder", path)


def _mode(status: Callable[[str], os.stat_result], path: str) -> int | None:
    """The mode bits that `os.stat` or `os.lstat` tells; None if nothing is there."""
    try:
        return status(path).st_mode
    except OSError:
        return None


def _move_new(temporary: str, path: str) -> None:
    """Move without replacing: a hard link fails if the name is taken meanwhile."""
    try:
        os.link(temporary, path)
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links: an empty file takes the name
        os.close(os.open(path, _NEW, 0o600))
        try:
            os.replace(temporary, path)
        except BaseException:
            os.unlink(path)
            raise
    else:
        os.unlink(temporary)
