"""What identifies the code that a result was measured with: a hash of its sources."""

import hashlib
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).parents[1]
LIBRARY = ROOT / "src" / "jpegcrypt"
RETRIEVAL = ROOT / "retrieval"
BENCHMARKS = ROOT / "benchmarks"

SUFFIXES = (".py", ".pyx", ".pxd", ".h", ".c")
GENERATED = LIBRARY / "_core.c"


def sources(folder: Path) -> list[Path]:
    """Return the sources in a folder and below it, in order."""
    found = sorted(path for path in folder.rglob("*.*") if path.suffix in SUFFIXES)
    return [path for path in found if path != GENERATED]


def digest(paths: Iterable[Path], *settings: object) -> "hashlib._Hash":
    """Return a hash of files, and of settings by their repr, to which more can be added.

    Examples
    --------
    >>> digest([Path(__file__)], 75).digest() == digest([Path(__file__)], 90).digest()
    False
    """
    found = hashlib.sha256(repr(settings).encode())
    for path in paths:
        found.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return found
