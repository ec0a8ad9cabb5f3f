"""Cipher files as arrays: pixels as any viewer shows them, or quantized coefficients.

::

    files ── content hashes ──> cache, there already? ──> memory-mapped arrays
                                  └── no: read, decode in parallel ──> written once, renamed whole

A data set meets broken files, pictures of another size, and plain pictures that somebody forgot to
encrypt: these are left out and named, and the rest is used. The first picture sets the size; of the
others no more is decoded than tells theirs, and rows are written as they come: what is held at a
time hangs on the size of the pictures that are used, not on what else lies in the folder.
"""

import contextlib
import hashlib
import io
import json
import os
import stat
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

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

_FORMAT = "jpegcrypt arrays 5"  # part of every cache key: a change of what is stored changes it
_RECORD = "record.json"
_CHUNK = 64  # files handed to a process at a time, or fewer:
_CHUNK_SIZE = 64_000_000  # bytes of rows
_AHEAD = 8  # chunks for each process that may wait for who takes them
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


_Layout = tuple[int, ...] | None  # None: the picture is the first, and any will do
_Reader = Callable[[bytes, bool, _Layout], _Picture]


def _read_pixels(data: bytes, cipher_only: bool, layout: _Layout) -> _Picture:
    levels = np.full(3, 128, np.uint8)
    if data.startswith(_PNG):
        with Image.open(io.BytesIO(data), formats=["PNG"]) as image:
            if cipher_only and not is_header(bytes.fromhex(image.info.get(PNG_KEYWORD, ""))):
                raise ValueError(_PLAIN)
            _compare("pixels", _upright(image.height, image.width), layout)
            pixels = np.asarray(image.convert("RGB"))
    else:
        jpeg = parse(data)
        header = _header(jpeg.segments)
        if cipher_only and header is None:
            raise ValueError(_PLAIN)
        if header is not None:
            levels = np.frombuffer(header.levels, np.uint8)
        _compare("pixels", _upright(jpeg.frame.height, jpeg.frame.width), layout)
        pixels = planes_to_image(jpeg, decode_planes(jpeg)[0])
        if pixels.ndim == 2:
            pixels = np.repeat(pixels[:, :, None], 3, axis=2)
    if pixels.shape[0] < pixels.shape[1]:
        pixels = np.rot90(pixels)
    return _Picture({"pixels": pixels, "levels": levels}, pixels.shape)


def _read_coefficients(data: bytes, cipher_only: bool, layout: _Layout) -> _Picture:
    jpeg = parse(data)
    header = _header(jpeg.segments)
    if cipher_only and header is None:
        raise ValueError(_PLAIN)
    n_blocks = tuple(rows * columns for rows, columns in jpeg.frame.block_shapes)
    _compare("coefficients", n_blocks, layout)
    components = [blocks.reshape(-1, 64) for blocks in decode_scans(jpeg)]
    coefficients = np.concatenate(components)[:, ZIGZAG].clip(-_LARGEST, _LARGEST)
    steps = np.stack(jpeg.tables)[:, ZIGZAG]
    if header is None:
        levels = _take_off_means(coefficients, steps[:, 0], n_blocks)
    else:
        levels = np.frombuffer(header.levels, np.uint8)[: len(n_blocks)]
    return _Picture({"coefficients": coefficients, "steps": steps, "levels": levels}, n_blocks)


def _take_off_means(coefficients: Array, dc_steps: Array, layout: Sequence[int]) -> Array:
    """Take the mean of each component off the DC values, as encryption does; return the means."""
    levels = np.empty(len(layout), np.uint8)
    parts = np.split(coefficients[:, 0], np.cumsum(layout)[:-1])
    for index, (dc, step) in enumerate(zip(parts, dc_steps.tolist(), strict=True)):
        levels[index] = min(max(round(128 + dc.mean() * step / 8), 0), 255)
        dc -= round((int(levels[index]) - 128) * 8 / step)
    return levels


def _upright(height: int, width: int) -> tuple[int, int, int]:
    return max(height, width), min(height, width), 3


def _compare(what: str, found: tuple[int, ...], layout: _Layout) -> None:
    if layout is not None and found != layout:
        raise ValueError(f"{what} {found}, expected {layout} as the first file has")


# Categories of T.81, tables F.1 and F.2: DC values are differences at most, AC values have 10 bits.
# A damaged file may have others, for which models have no place.
_LARGEST = np.array([2047, *[1023] * 63], np.int16)
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
    try:
        record = json.loads(Path(entry, _RECORD).read_text("utf-8"))
        n = len(record["kept"])
        return _Loaded(
            {
                name: np.memmap(entry / name, dtype, "r", shape=(n, *shape))
                for name, (dtype, shape) in record["rows"].items()
            },
            tuple(record["layout"]),
            np.array(record["kept"], np.intp),
            [Skipped(paths[int(index)], reason) for index, reason in record["skipped"].items()],
        )
    except (FileNotFoundError, ValueError, KeyError) as error:
        raise ValueError(f"{entry}: a broken part of the cache ({error}); remove it") from error


def _cache_key(paths: Sequence[Path], read: _Reader, cipher_only: bool) -> str:
    """Hash the contents of all files in their order; their names do not count."""
    key = hashlib.blake2b(f"{_FORMAT} {read.__name__} {cipher_only}".encode(), digest_size=16)
    for path in paths:
        try:
            content = _content(path)
        except (OSError, ValueError) as error:
            content = str(getattr(error, "strerror", error)).encode()
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
    layout: tuple[int, ...] = ()
    files: dict[str, BinaryIO] = {}
    rows: dict[str, tuple[str, tuple[int, ...]]] = {}
    kept: list[int] = []
    skipped: dict[int, str] = {}
    try:
        with contextlib.ExitStack() as opened:
            for index, picture in enumerate(_pictures(paths, read, cipher_only, workers)):
                if isinstance(picture, str):
                    skipped[index] = picture
                    continue
                if not files:
                    layout = picture.layout
                    rows = {name: (row.dtype.str, row.shape) for name, row in picture.rows.items()}
                    for name in rows:
                        files[name] = (
                            io.BytesIO()
                            if folder is None
                            else opened.enter_context(open(folder / name, "wb"))
                        )
                for name, row in picture.rows.items():
                    files[name].write(np.ascontiguousarray(row).data)
                kept.append(index)
    except OSError as error:  # of a full disk: what a file to read does is caught before
        error.filename = folder
        raise
    if not files:
        first = f"; {paths[0]}: {skipped[0]}" if paths else ""
        raise ValueError(f"none of {len(paths)} files can be used{first}")
    if folder is not None:
        record = {"rows": rows, "layout": layout, "kept": kept, "skipped": skipped}
        Path(folder, _RECORD).write_text(json.dumps(record), "utf-8")
    return _Loaded(
        {
            name: np.frombuffer(file.getbuffer(), rows[name][0]).reshape(-1, *rows[name][1])
            for name, file in files.items()
            if isinstance(file, io.BytesIO)
        },
        layout,
        np.array(kept, np.intp),
        [Skipped(paths[index], reason) for index, reason in skipped.items()],
    )


def _pictures(
    paths: Sequence[Path], read: _Reader, cipher_only: bool, workers: int | None
) -> Iterator[_Picture | str]:
    """Yield what was read of each file, or why it could not be."""
    rest = iter(paths)
    for path in rest:
        first = _read_file(path, read, cipher_only, None)
        yield first
        if not isinstance(first, str):
            break
    left = list(rest)
    if not left or isinstance(first, str):
        return
    if workers is None:
        workers = max(1, min(joblib.cpu_count(), sum(map(_size, left)) // _WORTH_A_PROCESS))
    size = sum(row.nbytes for row in first.rows.values())
    n = max(1, min(_CHUNK, _CHUNK_SIZE // size))
    chunks = [left[i : i + n] for i in range(0, len(left), n)]
    window = _AHEAD * workers  # joblib does not wait for who takes what it has done
    with joblib.Parallel(n_jobs=workers, return_as="generator", batch_size=1) as parallel:
        for i in range(0, len(chunks), window):
            for pictures in parallel(
                joblib.delayed(_read_chunk)(chunk, read, cipher_only, first.layout)
                for chunk in chunks[i : i + window]
            ):
                yield from pictures


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except (OSError, ValueError):
        return 0


def _read_chunk(
    paths: Sequence[Path], read: _Reader, cipher_only: bool, layout: _Layout
) -> list[_Picture | str]:
    return [_read_file(path, read, cipher_only, layout) for path in paths]


def _read_file(path: Path, read: _Reader, cipher_only: bool, layout: _Layout) -> _Picture | str:
    try:
        return read(_content(path), cipher_only, layout)
    except Exception as error:  # whatever a file does, the others go on
        return getattr(error, "strerror", None) or str(error) or type(error).__name__


def _content(path: Path) -> bytes:
    """Return what a file holds; a pipe that is named like a picture would wait forever."""
    if not stat.S_ISREG(path.stat().st_mode):
        raise ValueError("no file but a folder, a device or a pipe")
    return path.read_bytes()
