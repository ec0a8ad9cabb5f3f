"""The command that puts measured figures into documents, or tells whether they are current."""

import argparse
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path


def update(
    documents: Mapping[Path, Callable[[str], str]],
    description: str | None,
    arguments: Sequence[str] | None = None,
) -> int:
    """Make the figures of documents anew; with --check only compare, and return 1 if any differs.

    Parameters
    ----------
    documents : dict
        What makes the text of each document, from the text that is there.
    description : str
        Of the command, for --help.
    arguments : sequence of str, optional
        Those of the command line by default.
    """
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--check", action="store_true", help="exit 1 if a document is not current")
    check = parser.parse_args(arguments).check
    changed = False
    for path, with_figures in documents.items():
        old = path.read_text("utf-8")
        new = with_figures(old)
        changed |= new != old
        if not check:
            path.write_text(new, "utf-8")
    return int(check and changed)


def with_block(text: str, command: str, figures: str) -> str:
    """Return a text with the figures that a command makes, between its two comments.

    Raises
    ------
    ValueError
        If the text has no place for them.

    Examples
    --------
    >>> with_block("<!-- begin: a -->\\n<!-- end -->", "a", "1")
    '<!-- begin: a -->\\n\\n1\\n\\n<!-- end -->'
    """
    begin = f"<!-- begin: {command} -->"
    block = re.compile(rf"({re.escape(begin)}\n).*?(<!-- end -->)", re.S)
    if not block.search(text):
        raise ValueError(f"no line {begin}")
    return block.sub(lambda match: f"{match[1]}\n{figures}\n\n{match[2]}", text)
