"""Cipher files as arrays: pixels as any viewer shows them, or quantized coefficients.

::

    files ── content hashes ──> cache, there already? ──> memory-mapped arrays
                                  └── no: read, decode in parallel ──> written once, renamed whole

A data set meets broken files, pictures of another size, and plain pictures that somebody forgot to
encrypt: these are left out and named, and the rest is used.
"""

import hashlib
import io
import json
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import joblib
import numpy as np
import numpy.typing as npt
from PIL import Image

from jpegcrypt.codec.coefficients import decode_scans
from jpegcrypt.codec.decode import decode_planes, planes_to_image
from jpegcrypt.codec.parse import Segment, parse
from jpegcrypt.codec.tables import ZIGZAG
from jpegcrypt.header import PNG_KEYWORD, SEGMENT_MARKER, Header, is_header
from jpegcrypt.retrieval.folders import Indices

Array = npt.NDArray[Any]

_FORMAT = "jpegcrypt arrays 3"  # part of every cache key: a change of what is stored changes it
_RECORD = "record.json"
_CHUNK = 64  # files handed to a process at a time
_WORTH_A_PROCESS = 30_000_000  # bytes of files; below, starting one and sending takes longer
_PNG = b"\x89PNG\r\n\x1a\n"


@dataclass(frozen=True, slots=True)
class Skipped:
    """A file that was left out, and why."""

    path: Path
    reason: str


@dataclass(frozen=True, slots=True, eq=False)
class PixelArrays:
    """Pictures as a viewer shows them.

    Attributes
    ----------
    pixels : uint8 array (n, H, W, 3)
        Upright: H >= W.
    levels : uint8 array (n, 3)
        The sample values of Y, Cb and Cr that viewers show as 128: the level shifts in the header
        of a file of lu2022, which are the means of the components; 128 in all others.
    kept : intp array (n,)
        Which of the files given each row is.
    skipped : list of Skipped
        The others.
    """

    pixels: npt.NDArray[np.uint8]
    levels: npt.NDArray[np.uint8]
    kept: Indices
    skipped: list[Skipped]


@dataclass(frozen=True, slots=True, eq=False)
class CoefficientArrays:
    """Quantized coefficients.

    Attributes
    ----------
    coefficients : int16 array (n, blocks, 64)
        Zig-zag order; the blocks of Y, then of Cb, then of Cr, each row by row as the file has
        them: a landscape is not turned.
    component : uint8 array (blocks,)
        0, 1 or 2 for each block.
    steps : uint16 array (n, components, 64)
        Quantization steps, zig-zag order.
    levels : uint8 array (n, components)
        The sample value for which DC values stand at zero: the level shifts in the header, which
        are the means of the components. Plain pictures, too, have their means taken off.
    kept : intp array (n,)
    skipped : list of Skipped
        As for `PixelArrays`.
    """

    coefficients: npt.NDArray[np.int16]
    component: npt.NDArray[np.uint8]
    steps: npt.NDArray[np.uint16]
    levels: npt.NDArray[np.uint8]
    kept: Indices
    skipped: list[Skipped]


def load_pixels(
    files: Sequence[str | os.PathLike[str]],
    *,
    cipher_only: bool = True,
    cache: str | os.PathLike[str] | None = None,
    workers: int | None = None,
) -> PixelArrays:
    """Decode pictures of one size as any viewer does, landscapes turned by 90 degrees.

    Parameters
    ----------
    files : sequence of paths
        JPEGs that our decoder reads, or PNGs. The first that can be read sets the size.
    cipher_only : bool
        Leave out what carries no jpegcrypt header. False takes plain pictures, too.
    cache : path, optional
        A folder for the arrays, which are then memory-mapped, and found again for the same
        contents of the files.
    workers : int, optional
        Processes; by default as many as pay.

    Returns
    -------
    PixelArrays

    Raises
    ------
    ValueError
        If no file can be used, with the reason of the first.

    Examples
    --------
    >>> import jpegcrypt
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "a.jpg")
    ...     data = jpegcrypt.encrypt(np.zeros((8, 16, 3), np.uint8), jpegcrypt.Key.generate())
    ...     _ = path.write_bytes(data)
    ...     loaded = load_pixels([path, Path(folder, "b.jpg")])
    >>> loaded.pixels.shape, loaded.skipped[0].reason
    ((1, 16, 8, 3), 'No such file or directory')
    >>> loaded.levels
    array([[  0, 128, 128]], dtype=uint8)
    """
    found = _load(files, _read_pixels, cipher_only, cache, workers)
    return PixelArrays(found.rows["pixels"], found.rows["levels"], found.kept, found.skipped)


def load_coefficients(
    files: Sequence[str | os.PathLike[str]],
    *,
    cipher_only: bool = True,
    cache: str | os.PathLike[str] | None = None,
    workers: int | None = None,
) -> CoefficientArrays:
    """Read the quantized coefficients of JPEGs with equally many blocks.

    Parameters and errors are those of `load_pixels`; PNGs are left out.

    Examples
    --------
    >>> import jpegcrypt
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "a.jpg")
    ...     data = jpegcrypt.encrypt(np.zeros((8, 16, 3), np.uint8), jpegcrypt.Key.generate())
    ...     _ = path.write_bytes(data)
    ...     loaded = load_coefficients([path])
    >>> loaded.coefficients.shape, loaded.component.tolist(), loaded.steps.shape
    ((1, 4, 64), [0, 0, 1, 2], (1, 3, 64))
    >>> loaded.levels
    array([[  0, 128, 128]], dtype=uint8)
    """
    found = _load(files, _read_coefficients, cipher_only, cache, workers)
    component = np.repeat(np.arange(len(found.layout), dtype=np.uint8), found.layout)
    return CoefficientArrays(
        found.rows["coefficients"],
        component,
        found.rows["steps"],
        found.rows["levels"],
        found.kept,
        found.skipped,
    )


# --- one file -------------------------------------------------------------------------------------


class _Picture(NamedTuple):
    """What was read of a file: a row of each array, and what all files must have in common."""

    rows: dict[str, Array]
    layout: tuple[int, ...]


_Reader = Callable[[bytes, bool], _Picture]


def _read_pixels(data: bytes, cipher_only: bool) -> _Picture:
    levels = np.full(3, 128, np.uint8)
    if data.startswith(_PNG):
        with Image.open(io.BytesIO(data), formats=["PNG"]) as image:
            if cipher_only and not is_header(bytes.fromhex(image.info.get(PNG_KEYWORD, ""))):
                raise ValueError(_PLAIN)
            pixels = np.asarray(image.convert("RGB"))
    else:
        jpeg = parse(data)
        header = _header(jpeg.segments)
        if cipher_only and header is None:
            raise ValueError(_PLAIN)
        if header is not None:
            levels = np.frombuffer(header.levels, np.uint8)
        pixels = planes_to_image(jpeg, decode_planes(jpeg)[0])
        if pixels.ndim == 2:
            pixels = np.repeat(pixels[:, :, None], 3, axis=2)
    if pixels.shape[0] < pixels.shape[1]:
        pixels = np.rot90(pixels)
    return _Picture({"pixels": pixels, "levels": levels}, pixels.shape)


def _read_coefficients(data: bytes, cipher_only: bool) -> _Picture:
    jpeg = parse(data)
    header = _header(jpeg.segments)
    if cipher_only and header is None:
        raise ValueError(_PLAIN)
    components = [blocks.reshape(-1, 64) for blocks in decode_scans(jpeg)]
    coefficients = np.concatenate(components)[:, ZIGZAG]
    steps = np.stack(jpeg.tables)[:, ZIGZAG]
    layout = tuple(len(blocks) for blocks in components)
    if header is None:
        levels = _take_off_means(coefficients, steps[:, 0], layout)
    else:
        levels = np.frombuffer(header.levels, np.uint8)[: len(layout)]
    return _Picture({"coefficients": coefficients, "steps": steps, "levels": levels}, layout)


def _take_off_means(coefficients: Array, dc_steps: Array, layout: Sequence[int]) -> Array:
    """Take the mean of each component off the DC values, as encryption does; return the means."""
    levels = np.empty(len(layout), np.uint8)
    parts = np.split(coefficients[:, 0], np.cumsum(layout)[:-1])
    for index, (dc, step) in enumerate(zip(parts, dc_steps.tolist(), strict=True)):
        levels[index] = min(max(round(128 + dc.mean() * step / 8), 0), 255)
        dc -= round((int(levels[index]) - 128) * 8 / step)
    return levels


_PLAIN = "a picture without a jpegcrypt header, expected an encrypted one"


def _header(segments: Sequence[Segment]) -> Header | None:
    """Return the header, None if there is none; other formats' segments do not count."""
    for segment in segments:
        if segment.marker == SEGMENT_MARKER and is_header(segment.payload):
            return Header.unpack(segment.payload, offset=segment.offset)
    return None


# --- many files -----------------------------------------------------------------------------------


class _Loaded(NamedTuple):
    """Rows of all pictures that could be used."""

    rows: dict[str, Array]
    layout: tuple[int, ...]
    kept: Indices
    skipped: list[Skipped]


def _load(
    files: Sequence[str | os.PathLike[str]],
    read: _Reader,
    cipher_only: bool,
    cache: str | os.PathLike[str] | None,
    workers: int | None,
) -> _Loaded:
    paths = [Path(file) for file in files]
    if cache is None:
        return _decode(paths, read, cipher_only, workers, None)
    entry = Path(cache, _cache_key(paths, read, cipher_only))
    if not entry.is_dir():
        entry.parent.mkdir(parents=True, exist_ok=True)
        # Written beside its place and moved there: an entry is whole or not there.
        with tempfile.TemporaryDirectory(dir=cache) as folder:
            made = Path(folder, "made")
            made.mkdir()
            _decode(paths, read, cipher_only, workers, made)
            try:
                made.rename(entry)
            except OSError:
                if not entry.is_dir():  # somebody else was quicker
                    raise
    record = json.loads(Path(entry, _RECORD).read_text("utf-8"))
    return _Loaded(
        {
            name: np.load(entry / f"{name}.npy", mmap_mode="r")[: len(record["kept"])]
            for name in record["rows"]
        },
        tuple(record["layout"]),
        np.array(record["kept"], np.intp),
        [Skipped(paths[int(index)], reason) for index, reason in record["skipped"].items()],
    )


def _cache_key(paths: Sequence[Path], read: _Reader, cipher_only: bool) -> str:
    """Hash the contents of all files in their order; their names do not count."""
    key = hashlib.blake2b(f"{_FORMAT} {read.__name__} {cipher_only}".encode(), digest_size=16)
    for path in paths:
        try:
            content = path.read_bytes()
        except OSError as error:
            content = str(error.strerror).encode()
        key.update(hashlib.blake2b(content).digest())
    return key.hexdigest()


def _decode(
    paths: Sequence[Path],
    read: _Reader,
    cipher_only: bool,
    workers: int | None,
    folder: Path | None,
) -> _Loaded:
    """Decode all files into arrays in memory, or into a folder, with a record beside them."""
    rows: dict[str, Array] = {}
    layout: tuple[int, ...] = ()
    kept: list[int] = []
    skipped: dict[int, str] = {}
    for index, picture in enumerate(_pictures(paths, read, cipher_only, workers)):
        if isinstance(picture, str):
            skipped[index] = picture
        elif rows and picture.layout != layout:
            name = next(iter(rows))
            skipped[index] = f"{name} {picture.layout}, expected {layout} as the first file has"
        else:
            if not rows:
                layout = picture.layout
                rows = {
                    name: _allocate(folder, name, (len(paths), *row.shape), row.dtype)
                    for name, row in picture.rows.items()
                }
            for name, row in picture.rows.items():
                rows[name][len(kept)] = row
            kept.append(index)
    if not rows:
        first = f"; {paths[0]}: {skipped[0]}" if paths else ""
        raise ValueError(f"none of {len(paths)} files can be used{first}")
    if folder is not None:
        record = {"rows": list(rows), "layout": layout, "kept": kept, "skipped": skipped}
        Path(folder, _RECORD).write_text(json.dumps(record), "utf-8")
    return _Loaded(
        {name: values[: len(kept)] for name, values in rows.items()},
        layout,
        np.array(kept, np.intp),
        [Skipped(paths[index], reason) for index, reason in skipped.items()],
    )


def _allocate(
    folder: Path | None, name: str, shape: tuple[int, ...], dtype: np.dtype[Any]
) -> Array:
    if folder is None:
        return np.empty(shape, dtype)
    return np.lib.format.open_memmap(folder / f"{name}.npy", mode="w+", dtype=dtype, shape=shape)


def _pictures(
    paths: Sequence[Path], read: _Reader, cipher_only: bool, workers: int | None
) -> Iterator[_Picture | str]:
    """Yield what was read of each file, or why it could not be."""
    if workers is None:
        size = sum(path.stat().st_size for path in paths if path.is_file())
        workers = max(1, min(joblib.cpu_count(), size // _WORTH_A_PROCESS))
    chunks = [paths[i : i + _CHUNK] for i in range(0, len(paths), _CHUNK)]
    parallel = joblib.Parallel(n_jobs=workers, return_as="generator", batch_size=1)
    for pictures in parallel(joblib.delayed(_read_chunk)(c, read, cipher_only) for c in chunks):
        yield from pictures


def _read_chunk(paths: Sequence[Path], read: _Reader, cipher_only: bool) -> list[_Picture | str]:
    return [_read_file(path, read, cipher_only) for path in paths]


def _read_file(path: Path, read: _Reader, cipher_only: bool) -> _Picture | str:
    try:
        return read(path.read_bytes(), cipher_only)
    except Exception as error:  # whatever a file does, the others go on
        return getattr(error, "strerror", None) or str(error) or type(error).__name__
