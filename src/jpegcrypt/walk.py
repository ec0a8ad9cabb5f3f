"""The files of a data set: all below a folder, also where links lead."""

import os
from collections.abc import Iterator
from pathlib import Path


def files(root: Path) -> Iterator[Path]:
    """Yield each file below a folder once; hidden files and folders are left out.

    A link to a folder is followed, unless that holds or lies in one that is walked already: its
    files are found where they stand.

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

    walked = [Path(os.path.realpath(root))]

    def is_new(path: Path) -> bool:
        if not path.is_symlink():
            return True
        target = Path(os.path.realpath(path))
        if any(target.is_relative_to(one) or one.is_relative_to(target) for one in walked):
            return False
        walked.append(target)
        return True

    for folder, folders, names in os.walk(root, onerror=fail, followlinks=True):
        folders[:] = [
            name
            for name in sorted(folders)
            if not name.startswith(".") and is_new(Path(folder, name))
        ]
        for name in sorted(names):
            if not name.startswith("."):
                yield Path(folder, name)
