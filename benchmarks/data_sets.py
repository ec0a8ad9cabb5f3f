"""Pictures to measure compression with: the photographs of scikit-image, or a folder of files.

Pictures that have been JPEGs are refused unless asked for: their pixels carry the block grid and
the quantization of that file. A plain JPEG on the same grid can find them nearly free of loss, and
PSNR then says more of the first encoder than of the one that is measured. Only the type of a file
tells; a picture that became lossless after it had been a JPEG passes.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.photographs import COLOR, GRAY, JPEG_BORN, Pixels, photograph
from jpegcrypt.errors import JpegcryptError
from jpegcrypt.images import read_image

ROOT = Path(__file__).parents[1]
SCIKIT_IMAGE = "scikit-image"
SUFFIXES = (".png", ".tif", ".tiff", ".bmp", ".ppm", ".pgm", ".webp", ".jpg", ".jpeg")
JPEG = b"\xff\xd8"
SMALLEST = 16  # pixels each way
MOST = 100  # pictures of a set, as many as the papers take


class Unusable(Exception):
    """A data set that cannot be measured, and why."""


@dataclass(frozen=True)
class DataSet:
    """Pictures by name, in order.

    Parameters
    ----------
    name : str
    folder : Path or None
        None for the photographs of scikit-image.
    names : tuple of str
        Paths in the folder, or names of photographs.
    available : int
        Pictures that these were taken from.
    jpeg_sources : bool
        If there are JPEGs among them.
    """

    name: str
    folder: Path | None
    names: tuple[str, ...]
    available: int
    jpeg_sources: bool = False

    def __iter__(self) -> Iterator[tuple[str, Pixels]]:
        """Yield name and pixels of each picture, uint8 (H, W, 3) or (H, W)."""
        for name in self.names:
            if self.folder is None:
                picture = photograph(name)
            else:
                try:
                    picture, _ = read_image((self.folder / name).read_bytes(), background="white")
                except JpegcryptError as error:
                    raise Unusable(f"{name}: {error}") from error
            if min(picture.shape[:2]) < SMALLEST:
                raise Unusable(
                    f"{name}: {picture.shape[1]}x{picture.shape[0]} pixels, "
                    f"expected {SMALLEST} or more each way"
                )
            yield name, picture


def data_root() -> Path:
    """Return where folders of pictures are looked for by name: JPEGCRYPT_DATA says where."""
    return Path(os.environ.get("JPEGCRYPT_DATA") or ROOT.parent / "shared" / "data")


def default_name() -> str:
    """Return the data set of a run that names none."""
    return "cid22" if (data_root() / "cid22").is_dir() else SCIKIT_IMAGE


def folder_of(data: str) -> Path:
    """Return the folder of a data set by its name or path.

    Raises
    ------
    Unusable
    """
    folder = next((path for path in (data_root() / data, Path(data)) if path.is_dir()), None)
    if folder is None:
        raise Unusable(
            f"no folder {data}, here or among the data sets: give a folder, "
            "or set JPEGCRYPT_DATA to where the data sets are"
        )
    return folder


def find(data: str, *, most: int, allow_jpeg_sources: bool = False) -> DataSet:
    """Return a data set by its name or folder, of `most` pictures at even distances.

    The photographs of scikit-image are those that never were a JPEG.

    Raises
    ------
    Unusable
    """
    if data == SCIKIT_IMAGE:
        names = [name for name in (*COLOR, *GRAY) if name not in JPEG_BORN]
        return DataSet(data, None, _spread(names, most), len(names))
    folder = folder_of(data)
    files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)
    names = [path.relative_to(folder).as_posix() for path in files]
    if not names:
        raise Unusable(f"no picture in {data}, expected files of type {', '.join(SUFFIXES)}")
    jpegs = [name for name, path in zip(names, files, strict=True) if _is_jpeg(path)]
    if jpegs and not allow_jpeg_sources:
        raise Unusable(
            f"{len(jpegs)} of {len(names)} pictures in {data} are JPEGs, such as {jpegs[0]}: their "
            "pixels carry the grid and the losses of that file, which flatters the plain JPEG and "
            "falsifies PSNR; give lossless pictures, or --allow-jpeg-sources"
        )
    return DataSet(folder.resolve().name, folder, _spread(names, most), len(names), bool(jpegs))


def _spread(names: list[str], most: int) -> tuple[str, ...]:
    """Return `most` names at even distances, or all where there are no more."""
    count = min(most, len(names))
    return tuple(names[i * len(names) // count] for i in range(count))


def _is_jpeg(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(2) == JPEG
