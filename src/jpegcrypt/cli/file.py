"""The command on one file, or on stdin and stdout."""

import contextlib
import os
import sys

from jpegcrypt import atomic
from jpegcrypt.cli.conversion import Conversion
from jpegcrypt.cli.terminal import Stop, about, explain
from jpegcrypt.files import check_target


def convert_file(src: str, dst: str, conversion: Conversion, *, overwrite: bool) -> None:
    """Convert the file `src` to the file `dst`; ``-`` is stdin or stdout.

    Everything that can be refused is refused before the work, and before a passphrase is typed.
    """
    _check_target(src, dst, conversion, overwrite=overwrite)
    name = "stdin" if src == "-" else src
    with about(name):
        data = read(src)
    conversion.unlock()
    with about(name):
        result = conversion.work(data)
    with about("stdout" if dst == "-" else dst):
        if dst == "-":
            sys.stdout.buffer.write(result)
            sys.stdout.buffer.flush()
        else:
            atomic.write(dst, result, overwrite=overwrite)


def read(src: str) -> bytes:
    """Read a file, or stdin for ``-``."""
    if src != "-":
        with open(src, "rb") as file:
            return file.read()
    if sys.stdin is None:
        raise Stop("stdin: is closed")
    if sys.stdin.isatty():
        raise Stop("stdin: is a terminal, expected a picture", hint="name a file, or pipe one in")
    return sys.stdin.buffer.read()


def _check_target(src: str, dst: str, conversion: Conversion, *, overwrite: bool) -> None:
    if dst == "-":
        if sys.stdout is None:
            raise Stop("stdout: is closed")
        if sys.stdout.isatty():
            raise Stop(
                "stdout: is a terminal, it shows no pictures", hint="name a file, or pipe it"
            )
        return
    if os.path.isdir(dst):
        name = conversion.rename("photo.jpg" if src == "-" else os.path.basename(src))
        raise Stop(
            f"{dst}: is a folder, expected a file",
            hint=f"name the file, such as {os.path.join(dst, name)}",
        )
    if src == "-" and sys.stdin is not None and os.path.exists(dst):
        with contextlib.suppress(OSError):  # stdin may be no file
            if os.path.samestat(os.fstat(sys.stdin.fileno()), os.stat(dst)):
                raise Stop(f"{dst}: is what stdin reads", hint="write to another file")
    try:
        check_target(src, dst, overwrite=overwrite)
    except (OSError, ValueError) as error:
        message, hint = explain(error)
        raise Stop(message, hint=hint) from error
