"""The files of a data set: all below a folder, also where links lead."""

import os
from collections.abc import Iterator
from pathlib import Path


def files(root: Path) -> Iterator[Path]:
    """Yield each file below a folder, in no order; hidden files and folders are left out.

    Links to folders are followed, but not back to a folder on the way to them.

    Raises
    ------
    OSError
        If a folder cannot be read.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as root:
    ...     Path(root, "lake").mkdir()
    ...     Path(root, "lake", "1.jpg").touch()
    ...     Path(root, "lake", "all").symlink_to("..")
    ...     [path.name for path in files(Path(root))]
    ['1.jpg']
    """

    def fail(error: OSError) -> None:
        raise error

    for folder, folders, names in os.walk(root, onerror=fail, followlinks=True):
        folders[:] = [
            name
            for name in folders
            if not name.startswith(".") and not _leads_back(Path(folder, name), root)
        ]
        for name in names:
            if not name.startswith("."):
                yield Path(folder, name)


def _leads_back(path: Path, root: Path) -> bool:
    if not path.is_symlink():
        return False
    way = [folder for folder in path.parents if folder.is_relative_to(root)]
    return os.path.realpath(path) in map(os.path.realpath, way)
