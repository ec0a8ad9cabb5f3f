"""A folder of pictures into a folder of cipher files, for whoever has the key.

What the server gets is the result. `jpegcrypt.retrieval`, which runs there, only knows the name
`encrypt_dataset` and never imports this module for itself.
"""

import functools
import json
import os
import warnings
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from stat import S_ISREG
from typing import Any, Literal

import numpy as np
from PIL import Image

from jpegcrypt import atomic, walk
from jpegcrypt.api import encrypt
from jpegcrypt.batch import in_order
from jpegcrypt.encoder import ImageLike, Pixels
from jpegcrypt.errors import FixedKeyWarning, JpegcryptError, UnreadableImage
from jpegcrypt.images import read_image
from jpegcrypt.key import Key
from jpegcrypt.schemes import feng2021
from jpegcrypt.settings import check_settings

Scheme = Literal["lu2022", "feng2021"]

RECORD = ".jpegcrypt-dataset.json"
SUFFIXES = (".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".bmp", ".ppm", ".tif", ".tiff", ".webp")


@dataclass(frozen=True, slots=True)
class DatasetReport:
    """What became of the pictures of a data set.

    Attributes
    ----------
    written, there_already : int
        Files.
    failed : list of (Path, str)
        Pictures that could not be encrypted, and why.
    """

    written: int
    there_already: int
    failed: list[tuple[Path, str]]


def encrypt_dataset(
    src: str | os.PathLike[str],
    dst: str | os.PathLike[str],
    key: Key,
    *,
    scheme: Scheme = "lu2022",
    size: tuple[int, int] | None = None,
    progress: Callable[[int, int], object] | None = None,
    threads: int | None = None,
    **settings: Any,
) -> DatasetReport:
    """Encrypt every picture below a folder into the same tree below another.

    Names stay, but for the extension: .png for feng2021 without a quality, .jpg otherwise. Files
    that are there and not empty are passed over, so the same call goes on where it stopped. What
    has no name of a picture (BMP, JPEG, PNG, PPM, TIFF, WebP) or is hidden is left out, and so is
    metadata; links to folders are followed.

    Parameters
    ----------
    src, dst : path
        `dst` may be made, and must not lie in `src`.
    key : Key
    scheme : {"lu2022", "feng2021"}
    size : (long, short), optional
        Resize to these sides, landscapes lying and the others standing, as both papers do with
        (192, 128).
    progress : callable, optional
        Called with the number of pictures done and of all, after each.
    threads : int, optional
        As many as there are processors.
    **settings
        As for `jpegcrypt.encrypt_many` (quality, bank, key_mode, effort, ...), or for
        `jpegcrypt.schemes.feng2021.encrypt` (block, quarters, key_mode, quality). They are written
        down in clear in `dst`.

    Returns
    -------
    DatasetReport

    Raises
    ------
    TypeError, ValueError
        For bad arguments; if `dst` lies in `src`, holds a data set made with another key or other
        settings, or such files without a record, or would get two pictures of one name.
    OSError
        If `dst` cannot be written to.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     Path(folder, "plain", "lake").mkdir(parents=True)
    ...     Image.new("RGB", (16, 8), "teal").save(f"{folder}/plain/lake/1.png")
    ...     report = encrypt_dataset(f"{folder}/plain", f"{folder}/cipher", Key.generate())
    ...     [path.name for path in Path(folder, "cipher", "lake").iterdir()], report.written
    (['1.jpg'], 1)
    """
    source, target = Path(src), Path(dst)
    if target.resolve().is_relative_to(source.resolve()):
        raise ValueError(f"{target} lies in {source}: write to a folder beside it")
    encrypt_one = _encryption(scheme, key, settings)
    suffix = ".png" if scheme == "feng2021" and settings.get("quality") is None else ".jpg"
    tasks = list(list_tasks(source, target, suffix))
    there = next((goal for _, goal in tasks if goal.exists()), None)
    _agree(target, {"scheme": scheme, "key id": key.id.hex(), "size": size, **settings}, there)
    todo = [task for task in tasks if not task[1].is_file() or task[1].stat().st_size == 0]

    def run(task: tuple[Path, Path]) -> bool:
        pixels, _ = read_image(_read(task[0]), strip=True)
        task[1].parent.mkdir(parents=True, exist_ok=True)
        data = encrypt_one(_resized(pixels, size))
        atomic.write(task[1], data, overwrite=True, durable=False)
        return True

    failed: list[tuple[Path, str]] = []
    try:
        with warnings.catch_warnings(), closing(in_order(run, todo, threads)) as results:
            warnings.simplefilter("ignore", FixedKeyWarning)  # said once, by the check of settings
            for done, (task, result) in enumerate(zip(todo, results, strict=True), start=1):
                if isinstance(result.error, JpegcryptError | ValueError):
                    failed.append((task[0], str(result.error)))
                else:
                    result.unwrap()
                if progress is not None:
                    progress(done + len(tasks) - len(todo), len(tasks))
    finally:
        atomic.sync_all()
    return DatasetReport(len(todo) - len(failed), len(tasks) - len(todo), failed)


def _encryption(scheme: str, key: Key, settings: dict[str, Any]) -> Callable[[ImageLike], bytes]:
    """Return what encrypts one picture, its keywords tried out."""
    schemes: dict[str, Callable[..., bytes]] = {"lu2022": encrypt, "feng2021": feng2021.encrypt}
    if scheme not in schemes:
        raise ValueError(f"unknown scheme {scheme!r}, expected one of {', '.join(schemes)}")
    if "nonce" in settings:
        raise TypeError("a nonce serves one picture, not a data set")
    encrypt_one = functools.partial(schemes[scheme], key=key, **settings)
    if scheme == "lu2022":  # and nothing that is sealed: settings are written down in clear
        check_settings("encrypt_dataset", settings, key)
    else:
        encrypt_one(np.zeros((16, 16, 3), np.uint8))
    return encrypt_one


def list_tasks(source: Path, target: Path, suffix: str) -> Iterator[tuple[Path, Path]]:
    """Yield each picture and what it becomes, in order of names; hidden files are left out."""
    if not source.is_dir():
        raise NotADirectoryError(f"{source}: expected a folder of pictures")
    taken: dict[Path, Path] = {}
    for path in sorted(walk.files(source)):
        if path.suffix.lower() not in SUFFIXES or _is_special(path):
            continue
        goal = (target / path.relative_to(source)).with_suffix(suffix)
        if goal in taken:
            raise ValueError(f"{path} would become {goal}, as {taken[goal]} does: rename one")
        taken[goal] = path
        yield path, goal


def _is_special(path: Path) -> bool:
    """Folders, pipes and devices; of a link to nowhere, reading will tell what is wrong."""
    try:
        return not S_ISREG(path.stat().st_mode)
    except OSError:
        return False


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UnreadableImage(f"cannot be read: {error.strerror}") from error


def _agree(target: Path, settings: dict[str, Any], there: Path | None) -> None:
    """Write down what the data set is made with, or compare with what is written there."""
    record = target / RECORD
    wanted = json.loads(json.dumps(settings, default=repr))
    if record.exists():
        found = json.loads(record.read_text("utf-8"))
        for name in sorted(found.keys() | wanted.keys()):
            if found.get(name) != wanted.get(name):
                raise ValueError(
                    f"{target} holds a data set made with {name} {found.get(name)}, now it is "
                    f"{wanted.get(name)}: take another folder"
                )
    else:
        if there is not None:
            raise ValueError(
                f"{there} is there, and no record of what made it: take another folder"
            )
        target.mkdir(parents=True, exist_ok=True)
        atomic.write(record, json.dumps(wanted, indent=1).encode(), overwrite=False)


def _resized(pixels: Pixels, size: tuple[int, int] | None) -> Pixels:
    if size is None:
        return pixels
    long, short = size
    lying = pixels.shape[1] > pixels.shape[0]
    resized = Image.fromarray(pixels).resize(
        (long, short) if lying else (short, long), Image.Resampling.LANCZOS
    )
    return np.asarray(resized)
