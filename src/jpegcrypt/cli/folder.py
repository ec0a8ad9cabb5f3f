"""The command on a folder tree: several files at a time, and at the end what became of them.

Outputs that exist are done and passed over, so that the same command goes on where it stopped.
Failures are: a plain picture in the place of an encrypted one, one of another key, one cut short,
what is of another format than a decrypted one should be, and what is older than its source. New
files are not waited for one by one, but all together at the end; an empty one, as a power cut
before that may leave, is not done.
"""

import errno
import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from stat import S_ISREG
from typing import BinaryIO

import click

from jpegcrypt import atomic
from jpegcrypt.batch import THUMBNAIL_BYTES, in_order
from jpegcrypt.cli.conversion import MADE_ANEW, Conversion
from jpegcrypt.cli.terminal import (
    FAILED,
    INTERRUPTED,
    Stop,
    explain,
    is_terminal,
    say,
)
from jpegcrypt.errors import JpegcryptError
from jpegcrypt.images import warning_about

_DISK_FULL = {errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)}
_LARGE = 1 << 24  # bytes of a file that is asked what it is before it is read, such as a video
_CLOCK = 60  # seconds that the clocks of two file systems may differ
_LISTED = 20  # failures that a terminal shows
_GO_ON = "the same command goes on where it stopped"

Message = tuple[str, str | None]  # what and where, hint


@dataclass(frozen=True, slots=True)
class Task:
    """One file to read and one to write."""

    src: str
    dst: str


def convert_folder(
    src: str, dst: str, conversion: Conversion, *, overwrite: bool, jobs: int | None
) -> None:
    """Convert every file below `src` to one below `dst`; bad ones do not stop the others.

    Raises
    ------
    click.exceptions.Exit
        When all is done, if any file failed.
    Stop
        If going on makes no sense: a full disk, an interrupt, folders that lie in one another.
    """
    if dst == "-" or (os.path.exists(dst) and not os.path.isdir(dst)):
        raise Stop(f"{dst}: is no folder, but {src} is", hint="name a folder")
    failures: list[Message] = []
    tasks = list(_find_tasks(src, dst, conversion.rename, failures))
    there: list[Task] = []
    todo: list[Task] = []
    for task in tasks:
        (there if not overwrite and _is_done(task.dst) else todo).append(task)
    counts = Counter({conversion.verb: 0, "there already": 0})
    if todo or (there and conversion.checks_keys):
        conversion.unlock()

    def count_there(task: Task) -> None:
        try:
            conversion.check_done(task.dst)
            _check_newer(task)
        except (JpegcryptError, OSError) as wrong:
            failures.append(explain(wrong, task.dst))
        else:
            counts["there already"] += 1

    for task in there:
        count_there(task)

    @cache
    def make_folder(path: str) -> None:
        try:
            os.makedirs(path, exist_ok=True)
        except FileExistsError as error:
            raise NotADirectoryError(errno.ENOTDIR, "is no folder", error.filename) from error

    def run(task: Task) -> None:
        with warning_about(task.src):
            result = conversion.work(_read(task.src, conversion.sniff))
        make_folder(os.path.dirname(task.dst))
        there = _stat(task.dst)
        empty = there is not None and S_ISREG(there.st_mode) and there.st_size == 0
        durable = there is not None  # what is replaced must not be lost
        atomic.write(task.dst, result, overwrite=overwrite or empty, durable=durable)

    work = in_order(run, todo, jobs, lambda task: _is_thumbnail(task.src))
    try:
        with _progress(len(todo)) as advance, closing(work) as results:
            for task, result in zip(todo, results, strict=True):
                error = result.error
                if error is None:
                    counts[conversion.verb] += 1
                elif conversion.is_foreign(error, task.src):
                    counts["no picture"] += 1
                elif isinstance(error, FileExistsError) and _is_done(task.dst):
                    count_there(task)  # another process made it meanwhile
                elif isinstance(error, OSError) and error.errno in _DISK_FULL:
                    raise Stop(explain(error)[0], hint=f"make room: {_GO_ON}")
                else:
                    failures.append(explain(error, task.src))
                advance()
    except KeyboardInterrupt:
        done = f"{counts[conversion.verb]} of {len(todo)} {conversion.verb}"
        raise Stop(f"interrupted, {done}", hint=_GO_ON, code=INTERRUPTED) from None
    finally:
        if counts[conversion.verb]:
            atomic.sync_all()
    _report(counts, failures)


def _find_tasks(
    src: str, dst: str, rename: Callable[[str], str], failures: list[Message]
) -> Iterator[Task]:
    """Walk the tree in order of names; links to folders are not followed, so there are no loops.

    What such a link leads to is done where it stands, if that is in the tree.
    """
    source = Path(os.path.realpath(src))  # Path.resolve fails at loops
    taken: dict[str, str] = {}
    for folder, folders, names in os.walk(src, onerror=lambda e: failures.append(explain(e))):
        target_folder = os.path.normpath(os.path.join(dst, os.path.relpath(folder, src)))
        target = Path(os.path.realpath(target_folder))
        if target.is_relative_to(source):
            lies = f"lies in {src}" if target != source else "source and target are the same folder"
            raise Stop(f"{target_folder}: {lies}", hint="write to a folder beside it")
        folders.sort()
        for link in (os.path.join(folder, name) for name in folders):
            if os.path.islink(link) and not Path(os.path.realpath(link)).is_relative_to(source):
                text = f"{link}: a link to a folder outside {src}, not followed"
                failures.append((text, "run the command on that folder, too"))
        for name in sorted(names):
            task = Task(os.path.join(folder, name), os.path.join(target_folder, rename(name)))
            if name.endswith(atomic.SUFFIX) or _is_special(task.src):
                continue
            if other := taken.get(task.dst):
                failures.append((f"{task.src}: would become {task.dst}, as {other} does", None))
                continue
            taken[task.dst] = task.src
            yield task


def _read(path: str, sniff: Callable[[BinaryIO], None]) -> bytes:
    with open(path, "rb", buffering=0) as file:
        if os.fstat(file.fileno()).st_size > _LARGE:
            sniff(file)
            file.seek(0)
        return file.read()


def _stat(path: str) -> os.stat_result | None:
    try:
        return os.stat(path)
    except OSError:
        return None


def _is_done(path: str) -> bool:
    found = _stat(path)
    return found is not None and S_ISREG(found.st_mode) and found.st_size > 0


def _check_newer(task: Task) -> None:
    """Raise if the source changed after the target was made; one from the future tells nothing."""
    src, dst = os.stat(task.src).st_mtime, os.stat(task.dst).st_mtime
    if dst + _CLOCK < src <= time.time():
        raise JpegcryptError(f"is there, but older than {task.src}", hint=MADE_ANEW)


def _is_special(path: str) -> bool:
    """Pipes and devices; opening one may never return. A link to nowhere is an error instead."""
    found = _stat(path)
    return found is not None and not S_ISREG(found.st_mode)


def _is_thumbnail(path: str) -> bool:
    found = _stat(path)
    return found is None or found.st_size < THUMBNAIL_BYTES  # reading will tell what is wrong


@contextmanager
def _progress(total: int) -> Iterator[Callable[[], object]]:
    """Show a bar with rate and time to go, if somebody watches."""
    if not is_terminal(sys.stderr):
        yield lambda: None
        return
    from rich import progress
    from rich.console import Console
    from rich.text import Text

    class Rate(progress.ProgressColumn):
        def render(self, task: progress.Task) -> Text:
            return Text(f"{task.finished_speed or task.speed or 0:.1f} files/s")

    columns = (
        progress.BarColumn(),
        progress.MofNCompleteColumn(),
        Rate(),
        progress.TimeRemainingColumn(),
    )
    with progress.Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=total)
        yield lambda: bar.advance(task)


def _report(counts: Counter[str], failures: list[Message]) -> None:
    """List the failures, each hint once, and end with the counts; a log gets all of the list."""
    counts["failed"] = len(failures)
    done, *others = counts.items()
    listed = failures[:_LISTED] if is_terminal(sys.stderr) else failures
    hints: set[str | None] = set()
    for message, hint in listed:
        say(message, hint=None if hint in hints else hint)
        hints.add(hint)
    if len(listed) < len(failures):
        say(f"... and {len(failures) - len(listed)} more", hint="2>FILE keeps the whole list")
    say(", ".join(f"{n} {what}" for what, n in (done, *(pair for pair in others if pair[1]))))
    if failures:
        raise click.exceptions.Exit(FAILED)
