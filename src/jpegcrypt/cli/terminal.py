"""What the command says: errors, hints and warnings as one line each on stderr.

In the manner of age: lower case, no full stop, and a hint where the cure is known. Only data and
answers go to stdout.
"""

import os
import re
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, NoReturn, TextIO

import click

from jpegcrypt.errors import ImageTooLarge, JpegcryptError, MetadataWarning

FAILED, USAGE, INTERRUPTED, PIPE_CLOSED = 1, 2, 130, 141  # exit codes, the last two as shells do


_TOO_MANY = re.compile(r"(unexpected extra arguments?) \(.*", re.DOTALL)  # may be a passphrase


class Stop(click.ClickException):
    """Ends the command with a message and an exit code."""

    def __init__(self, message: str, *, hint: str | None = None, code: int = FAILED) -> None:
        super().__init__(message)
        self.hint = hint
        self.code = code


class Program(click.Group):
    """A group of commands that ends in one of the exit codes above, never in a traceback."""

    def main(self, *args: Any, **extra: Any) -> NoReturn:
        """Run, and exit."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            warnings.simplefilter("default", UserWarning)
            warnings.simplefilter("default", RuntimeWarning)  # of a large picture, by Pillow
            warnings.simplefilter("always", MetadataWarning)  # of each file
            warnings.showwarning = _show_warning
            try:
                code = self._run(*args, **extra)
            except BrokenPipeError:  # nobody reads the message
                code = PIPE_CLOSED
            _flush()
        sys.exit(code)

    def _run(self, *args: Any, **extra: Any) -> int:
        """Run, say what went wrong, and return the exit code."""
        try:
            return super().main(*args, **extra | {"standalone_mode": False}) or 0
        except click.exceptions.NoArgsIsHelpError as error:
            error.show()
            return USAGE
        except click.UsageError as error:
            path = error.ctx.command_path if error.ctx else self.name
            message = _TOO_MANY.sub(r"\1", error.format_message())
            say(_lower(message), hint=f"{path} --help")
            return USAGE
        except Stop as stop:
            say(stop.message, hint=stop.hint)
            return stop.code

    def make_context(self, *args: Any, **extra: Any) -> click.Context:
        """Read the command line, and perhaps answer ``--help``."""
        with _outside():
            return super().make_context(*args, **extra)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        with _outside():
            return super().invoke(ctx)


@contextmanager
def _outside() -> Iterator[None]:
    """Turn what stops a command from outside into a message, and a closed pipe into silence."""
    try:
        yield
    except (KeyboardInterrupt, click.Abort):
        raise Stop("interrupted", code=INTERRUPTED) from None
    except BrokenPipeError:
        raise click.exceptions.Exit(PIPE_CLOSED) from None
    except (JpegcryptError, OSError) as error:
        message, hint = explain(error)
        raise Stop(message, hint=hint) from error


def is_terminal(stream: TextIO | None) -> bool:
    """Tell if somebody watches, or types; a stream that the shell closed is None."""
    return stream is not None and stream.isatty()


def say(message: str, *, hint: str | None = None) -> None:
    """Write a line to stderr, and the hint below."""
    click.echo(f"jpegcrypt: {printable(message)}", err=True)
    if hint:
        click.echo(f"hint: {printable(hint)}", err=True)


@contextmanager
def about(name: str) -> Iterator[None]:
    """Turn errors that a file can cause into `Stop`, with the name of the file."""
    try:
        yield
    except BrokenPipeError:
        raise
    except (JpegcryptError, OSError, ValueError, MemoryError) as error:
        message, hint = explain(error, name)
        raise Stop(message, hint=hint) from error


def explain(error: Exception, name: str | None = None) -> tuple[str, str | None]:
    """Say in a line what went wrong with which file, and what to do."""
    hint = getattr(error, "hint", None)
    if isinstance(error, ImageTooLarge) and hint:
        hint = re.sub(r"PIL\.Image\.MAX_IMAGE_PIXELS|max_pixels", "--max-pixels", hint)
    if isinstance(error, FileExistsError):
        hint = "--overwrite replaces it"
    if isinstance(error, OSError) and error.strerror:
        text = _lower(error.strerror)
        name = error.filename or name
    elif isinstance(error, MemoryError):
        text = "not enough memory"
    elif isinstance(error, JpegcryptError | ValueError):
        text = str(error)
    else:  # a fault of ours
        text = f"{type(error).__name__}: {error}"
    return (f"{name}: {text}" if name else text), hint


def _flush() -> None:
    """Leave nothing behind that the interpreter would fail to write, loudly, when it exits."""
    for stream in filter(None, (sys.stdout, sys.stderr)):
        try:
            stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def printable(text: str) -> str:
    """Escape what a name may hold and a terminal may obey: controls, lines, broken UTF-8."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def _show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    named = issubclass(category, MetadataWarning)  # may begin with the name of a file
    with suppress(OSError):  # the work goes on where nobody can be told
        say(f"warning: {message if named else _lower(str(message))}")


def _lower(text: str) -> str:
    """Begin in lower case, unless with an abbreviation or a name; end without a full stop."""
    if text[1:2].islower() or text[1:2] == " ":
        text = text[0].lower() + text[1:]
    return text.rstrip(".")
