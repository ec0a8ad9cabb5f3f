"""Labelled pictures on disk, and how they are split into training and test pictures.

A data set is a list of files with a class each. Names are sorted naturally (``2.jpg`` before
``10.jpg``), so that every file system gives the same list, and the splits draw from the raw output
of PCG64, which no NumPy release changes.
"""

import csv
import hashlib
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

import numpy as np
import numpy.typing as npt

from jpegcrypt import walk

Indices = npt.NDArray[np.intp]

SUFFIXES = (".jpg", ".jpeg", ".jpe", ".jfif", ".png")
_PICTURES = {*SUFFIXES, ".bmp", ".gif", ".ppm", ".tif", ".tiff", ".webp"}  # before encryption, too
COREL_CLASS_SIZE = 100  # Corel numbers its pictures through: n.jpg is of class n // 100

_LAYOUTS = (
    "expected a folder per class, or n.jpg of class n // 100, or class_index.jpg, "
    "or a CSV file with the columns path and label"
)


class NoClasses(ValueError):
    """Pictures in a folder whose classes nothing tells."""


@dataclass(frozen=True, slots=True, eq=False)
class LabelledFiles:
    """Files and their classes.

    Attributes
    ----------
    paths : list of Path
        (n,), in the natural order of their classes and names.
    labels : intp array
        (n,), an index into `classes` for each file; -1 for all if nobody knows.
    classes : list of str
        In natural order; none if nobody knows.
    names : list of str
        (n,), the paths below the folder of the data set or of its CSV file, without suffixes of
        pictures, be they several: another encryption of the same pictures has the same names.
    """

    paths: list[Path]
    labels: Indices
    classes: list[str]
    names: list[str]

    def __len__(self) -> int:
        return len(self.paths)

    def take(self, indices: Indices) -> "LabelledFiles":
        """Return some of the files; the classes stay, also those that are left empty.

        Examples
        --------
        >>> paths = [Path("a.jpg"), Path("b.jpg")]
        >>> files = LabelledFiles(paths, np.array([0, 1]), ["x", "y"], ["a", "b"])
        >>> files.take(np.array([1])).names
        ['b']
        """
        return LabelledFiles(
            [self.paths[i] for i in indices],
            self.labels[indices],
            self.classes,
            [self.names[i] for i in indices],
        )


def mark(name: str) -> str:
    """Return what stands for a picture in a model that learned from it: a hash of its name.

    Examples
    --------
    >>> mark("lake/1")
    'b3c8df793a461841'
    """
    return hashlib.blake2b(os.fsencode(name), digest_size=8).hexdigest()


def natural(name: str) -> tuple[list[str | int], str]:
    """Return what to sort a name by: digits count as numbers.

    Examples
    --------
    >>> sorted(["b", "a10", "a9", "a09"], key=natural)
    ['a09', 'a9', 'a10', 'b']
    """
    # Text and numbers take turns, so that no text is ever compared with a number.
    parts = re.split("([0-9]+)", name)
    return [int(part) if i % 2 else part for i, part in enumerate(parts)], name


def read_folder(root: str | os.PathLike[str]) -> LabelledFiles:
    """List the pictures of a data set, whose layout is recognized.

    ============================ ========================================
    layout                       class of a file
    ============================ ========================================
    folders of pictures          its folder, which may hold folders
    ``n.jpg``                    n // 100, as in Corel
    ``class_index.jpg``          what stands before the last underscore
    CSV file, path and label     the label; paths start at the CSV file
    ============================ ========================================

    Files are told by their suffix, not opened: JPEG, or PNG for schemes that write it. Hidden files
    are left out, links to folders followed.

    Raises
    ------
    FileNotFoundError
        If `root` does not exist.
    NoClasses
        If it has none of these layouts.
    ValueError
        If it has no pictures, or is a file and no such CSV file.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as root:
    ...     for name in ("beach_2.jpg", "beach_10.jpg", "bus_1.jpg"):
    ...         Path(root, name).touch()
    ...     files = read_folder(root)
    >>> [path.name for path in files.paths], files.labels.tolist(), files.classes
    (['beach_2.jpg', 'beach_10.jpg', 'bus_1.jpg'], [0, 0, 1], ['beach', 'bus'])
    """
    root = Path(root)
    if root.is_file():
        if root.suffix.lower() != ".csv":
            raise ValueError(f"{root}: a file, {_LAYOUTS}")
        named = list(_read_csv(root))
    else:
        paths = list(_pictures(root))
        flat = [path for path in paths if path.parent == root]
        if flat and len(flat) < len(paths):
            raise NoClasses(f"{flat[0]}: a picture beside folders of pictures, {_LAYOUTS}")
        named = _by_name(flat) if flat else [(p, p.relative_to(root).parts[0]) for p in paths]
    if not named:
        raise ValueError(f"{root}: no pictures, {_LAYOUTS}")
    return _labelled(named, root.parent if root.is_file() else root)


def read_files(paths: Sequence[str | os.PathLike[str]]) -> LabelledFiles:
    """List pictures whose classes nobody knows: files, and those in folders, in natural order.

    Raises
    ------
    OSError
        If a folder cannot be read. Files are taken by name, there or not.

    Examples
    --------
    >>> files = read_files(["b.jpg", "a.jpg"])
    >>> files.names, files.labels.tolist(), files.classes
    (['b.jpg', 'a.jpg'], [-1, -1], [])
    """
    found: list[Path] = []
    for path in map(Path, paths):
        below = path.is_dir()
        found += sorted(_pictures(path), key=lambda p: natural(p.as_posix())) if below else [path]
    names = [path.as_posix() for path in found]
    return LabelledFiles(found, np.full(len(found), -1, np.intp), [], names)


def _pictures(root: Path) -> Iterator[Path]:
    return (path for path in walk.files(root) if path.name.lower().endswith(SUFFIXES))


def _by_name(paths: Sequence[Path]) -> list[tuple[Path, str]]:
    """Return the class of each file from its name alone."""
    numbered = [re.fullmatch("[0-9]+", path.stem) for path in paths]
    if all(numbered):
        return [(path, str(int(path.stem) // COREL_CLASS_SIZE)) for path in paths]
    named = [re.fullmatch("(.+)_[0-9]+", path.stem) for path in paths]
    for path, match in zip(paths, named, strict=True):
        if match is None:
            raise NoClasses(f"{path}: its name tells no class, {_LAYOUTS}")
    return [(path, match[1]) for path, match in zip(paths, named, strict=True) if match]


def _read_csv(path: Path) -> Iterator[tuple[Path, str]]:
    with open(path, newline="", encoding="utf-8-sig") as file:
        reader = csv.DictReader(file, strict=True)
        try:
            if not {"path", "label"} <= set(reader.fieldnames or ()):
                raise ValueError(
                    f"{path}: columns {', '.join(reader.fieldnames or ['none'])}, "
                    "expected path and label"
                )
            for row in reader:
                if not row["path"] or not row["label"]:
                    raise ValueError(f"{path}: line {reader.line_num} lacks a path or a label")
                yield path.parent / row["path"], row["label"]
        except UnicodeDecodeError as error:
            raise ValueError(f"{path}: not UTF-8 ({error}), save it as UTF-8") from error
        except csv.Error as error:
            raise ValueError(f"{path}: broken behind line {reader.line_num}: {error}") from error


def _labelled(named: Sequence[tuple[Path, str]], root: Path) -> LabelledFiles:
    classes = sorted({name for _, name in named}, key=natural)
    index = {name: i for i, name in enumerate(classes)}
    order = sorted(named, key=lambda pair: (index[pair[1]], natural(pair[0].as_posix())))
    labels = np.array([index[name] for _, name in order], np.intp)
    paths = [path for path, _ in order]
    taken: dict[str, Path] = {}
    for path in paths:
        if other := taken.get(name := _name(path, root)):
            raise ValueError(
                f"{path}: the same picture as {other}, by its name; one of them has to go, or both "
                "to learn from and to test on the same would be possible"
            )
        taken[name] = path
    return LabelledFiles(paths, labels, classes, list(taken))


def _name(path: Path, root: Path) -> str:
    try:
        name = PurePath(os.path.relpath(path, root))
    except ValueError:  # on another drive of Windows
        name = path.absolute()
    while name.suffix.lower() in _PICTURES:  # a.png.jpg, as the command names what was a.png
        name = name.with_suffix("")
    return name.as_posix()


# --- splits -----------------------------------------------------------------------------------


def stratified(
    labels: npt.ArrayLike, *, test: float = 0.3, seed: int = 2020
) -> tuple[Indices, Indices]:
    """Split so that every class has the same part of its pictures in the test set.

    Parameters
    ----------
    labels : int array (n,)
    test : float
        That part, between 0 and 1; 0.3 and the seed are those of the authors of lu2022.
    seed : int

    Returns
    -------
    train, test : intp arrays
        Indices in rising order; together 0 to n - 1.

    Raises
    ------
    ValueError
        If `test` is not between 0 and 1.

    Examples
    --------
    >>> train, test = stratified(np.repeat([0, 1, 2], 10))
    >>> np.bincount(np.repeat([0, 1, 2], 10)[test])
    array([3, 3, 3])
    """
    labels = np.asarray(labels)
    draws = _draws(len(labels), seed)
    is_test = np.zeros(len(labels), bool)
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        chosen = members[np.argsort(draws[members])]
        is_test[chosen[: _share(len(members), test)]] = True
    return np.flatnonzero(~is_test), np.flatnonzero(is_test)


def unseen_classes(
    labels: npt.ArrayLike, *, test: float = 0.3, seed: int = 2020
) -> tuple[Indices, Indices]:
    """Split by classes: no class of the test set is in the training set.

    Parameters, returns and errors are those of `stratified`, with `test` as a part of the classes.

    Examples
    --------
    >>> labels = np.repeat([0, 1, 2], 10)
    >>> train, test = unseen_classes(labels)
    >>> set(labels[train]) & set(labels[test])
    set()
    """
    labels = np.asarray(labels)
    classes = np.unique(labels)
    chosen = classes[np.argsort(_draws(len(classes), seed))][: _share(len(classes), test)]
    is_test = np.isin(labels, chosen)
    return np.flatnonzero(~is_test), np.flatnonzero(is_test)


SPLITS = {"stratified": stratified, "unseen-classes": unseen_classes}


def _draws(n: int, seed: int) -> npt.NDArray[np.uint64]:
    return np.asarray(np.random.PCG64(seed).random_raw(n), np.uint64)


def _share(n: int, test: float) -> int:
    """Return a part of n, rounded half up."""
    if not 0 < test < 1:
        raise ValueError(f"test {test}, expected a part between 0 and 1")
    return int(test * n + 0.5)
