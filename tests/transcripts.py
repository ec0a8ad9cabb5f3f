"""Transcripts of the command: what is typed, what it says, how it exits."""

import re
import shlex
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

from jpegcrypt.cli import main


def jpegcrypt(line: str, **options: Any) -> Result:
    """Run a command line in this process."""
    result = CliRunner().invoke(main, shlex.split(line), **options)
    if not isinstance(result.exception, SystemExit | None):
        raise result.exception
    return result


def check_transcript(text: str) -> None:
    """Run the commands that stand behind `$ jpegcrypt`, and compare all they say.

    `[n]` ends what a command says that exits with n. `<hex>` stands for hexadecimal digits, `<...>`
    for anything.
    """
    for part in re.split(r"^ *\$ jpegcrypt ", text, flags=re.MULTILINE)[1:]:
        line, *expected = (line.strip() for line in part.strip().splitlines())
        code = 0
        if expected and re.fullmatch(r"\[\d+\]", expected[-1]):
            code = int(expected.pop()[1:-1])
        result = jpegcrypt(line)
        pattern = re.escape("\n".join(expected)).replace("<hex>", "[0-9a-f]+")
        said = "\n".join(line.rstrip() for line in result.output.splitlines())
        assert re.fullmatch(pattern.replace(r"<\.\.\.>", ".*"), said), f"{line}\n{said}"
        assert result.exit_code == code, line


def tree(folder: str) -> list[str]:
    """Return the files below a folder."""
    return sorted(p.relative_to(folder).as_posix() for p in Path(folder).rglob("*") if p.is_file())
