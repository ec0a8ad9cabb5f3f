"""Checks that several tests share, pictures to check with, and decoders that nobody here wrote."""

import functools
import io
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import jpegcrypt
from jpegcrypt import Coefficients, Key

Pixels = np.ndarray

SAMPLINGS = ("4:4:4", "4:2:2", "4:2:0", "4:4:0", "4:1:1")
KEY = Key(bytes(range(32)))
NONCE = bytes(range(0x40, 0x50))

# --- pictures -----------------------------------------------------------------------------------

# Color photographs inside the wheel of scikit-image. Those that were JPEG files once are halved:
# on its own old grid a JPEG encoder finds the old coefficients again and beats everything else.
PHOTOS = {
    "astronaut.png": 1,
    "chelsea.png": 2,
    "coffee.png": 1,
    "hubble_deep_field.jpg": 2,
    "ihc.png": 2,
    "motorcycle_left.png": 1,
    "motorcycle_right.png": 1,
    "retina.jpg": 2,
    "rocket.jpg": 2,
}


@functools.cache
def photo(name: str) -> Pixels:
    """Return a photograph of `PHOTOS`, uint8 (H, W, 3)."""
    import skimage

    with Image.open(Path(skimage.__file__).parent / "data" / name) as file:
        pixels = np.asarray(file.convert("RGB").reduce(PHOTOS[name]))
    pixels.flags.writeable = False
    return pixels


@functools.cache
def tiles(count: int, height: int = 128, width: int = 192) -> list[Pixels]:
    """Return different parts of photographs, uint8 (height, width, 3)."""
    rng = np.random.default_rng(7)
    found = []
    for i in range(count):
        source = photo(list(PHOTOS)[i % len(PHOTOS)])
        top = rng.integers(source.shape[0] - height + 1)
        left = rng.integers(source.shape[1] - width + 1)
        found.append(np.ascontiguousarray(source[top : top + height, left : left + width]))
    return found


def patterns(height: int, width: int, channels: int = 3) -> dict[str, Pixels]:
    """Return pictures that push a codec to its limits, uint8 (H, W, 3) or (H, W)."""
    rng = np.random.default_rng(height << 16 | width)
    y, x = np.mgrid[:height, :width]
    random = rng.integers(0, 256, (height, width, 3))
    pictures = {
        "black": np.zeros((height, width, 3)),
        "white": np.full((height, width, 3), 255),
        "checker": ((x + y) % 2 * 255)[..., None].repeat(3, 2),
        "saturated checker": np.stack([(x + y) % 2, (x // 8 + y // 8) % 2, x % 2], 2) * 255,
        "noise": random,
        "extremes": random // 128 * 255,
        "ramp": np.stack([4 * x + y, 2 * y + 60, 255 - x - 3 * y], 2).clip(0, 255),
    }
    pictures = {name: picture.astype(np.uint8) for name, picture in pictures.items()}
    return pictures if channels == 3 else {n: p[:, :, 0].copy() for n, p in pictures.items()}


# --- files --------------------------------------------------------------------------------------


def pillow_jpeg(image: Pixels, **settings: Any) -> bytes:
    """Encode with Pillow."""
    file = io.BytesIO()
    Image.fromarray(image).save(file, "JPEG", **settings)
    return file.getvalue()


def pillow_pixels(data: bytes) -> Pixels:
    """Decode with Pillow."""
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image)


@contextmanager
def on_disk(data: bytes) -> Iterator[str]:
    """Lend a path to libraries that read files only."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "picture.jpg")
        path.write_bytes(data)
        yield str(path)


def components(coefficients: Any) -> list[np.ndarray]:
    """Return the arrays of our coefficients, or of jpeglib's."""
    arrays = (getattr(coefficients, name) for name in ("Y", "Cb", "Cr"))
    return [array for array in arrays if array is not None]


# --- checks -------------------------------------------------------------------------------------


def psnr(a: Pixels, b: Pixels) -> float:
    """Return the peak signal-to-noise ratio in dB, infinite for equal pictures."""
    error = np.mean((a.astype(np.float64) - b) ** 2)
    return float(10 * np.log10(255**2 / error)) if error else float("inf")


def check_valid(data: bytes) -> None:
    """Two strict decoders accept the file and show what our own decoder shows."""
    import simplejpeg

    ours = jpegcrypt.decode(data)
    space = "GRAY" if ours.ndim == 2 else "RGB"
    strict = simplejpeg.decode_jpeg(data, colorspace=space, strict=True)
    assert np.array_equal(ours, pillow_pixels(data))
    assert np.array_equal(ours, strict.reshape(ours.shape))


def check_same_coefficients(data: bytes) -> Coefficients:
    """`read_coefficients` finds what jpeglib finds: coefficients, tables, sampling, size."""
    import jpeglib

    ours = jpegcrypt.read_coefficients(data)
    with on_disk(data) as path:
        theirs = jpeglib.read_dct(path)
        assert (ours.width, ours.height) == (theirs.width, theirs.height)
        pairs = list(zip(components(ours), components(theirs), strict=True))
        for a, b in pairs:
            assert a.dtype == np.int16
            assert np.array_equal(a, b)
        tables = [theirs.get_component_qt(i) for i in range(len(pairs))]
        assert np.array_equal(ours.qt, tables)
        if len(pairs) == 3:
            assert [[v, h] for h, v in ours.sampling] == theirs.samp_factor.tolist()
    return ours


def check_same_pixels(data: bytes) -> Pixels:
    """`decode` shows what Pillow's libjpeg-turbo shows, bit for bit."""
    ours = jpegcrypt.decode(data)
    assert np.array_equal(ours, pillow_pixels(data))
    return ours


def error_bound(c: Coefficients) -> float:
    """Bound the root of the summed squared error that quantization alone can cause.

    Transforms are orthonormal: the squared error of a block is that of its coefficients, at most
    half a step each, and half a level more for rounding and for the clamp at 1023. Upsampling
    averages, so it multiplies the energy by no more than the pixels of a sample. Cb counts 1.772
    times in blue. Rounding pixels adds less than one.
    """
    h_max, v_max = (max(f[i] for f in c.sampling) for i in range(2))
    roots = [
        np.sqrt(
            np.prod(array.shape[:2]) * ((table / 2 + 0.5) ** 2).sum() * (h_max // h) * (v_max // v)
        )
        for array, table, (h, v) in zip(components(c), c.qt, c.sampling, strict=True)
    ]
    return float(roots[0] + 1.772 * max(roots[1:], default=0) + np.sqrt(c.width * c.height))


def check_round_trip(image: Pixels, **settings: Any) -> bytes:
    """Encrypt, look at the file as others do, decrypt: valid, bounded, and close enough."""
    data = jpegcrypt.encrypt(image, KEY, nonce=NONCE, **settings)
    check_valid(data)
    c = jpegcrypt.read_coefficients(data)
    assert all(np.abs(array).max() <= 1023 for array in components(c))

    decrypted = jpegcrypt.decrypt(data, KEY)
    assert decrypted.shape == image.shape
    bound, reference = error_bound(c), image
    if settings.get("effort") == "best":  # which leaves out what is not worth its bits
        bound *= 2
    if len(set(c.sampling)) > 1:  # subsampling alone changes the picture: take the plain JPEG
        plain = {name: value for name, value in settings.items() if name not in ("bank", "dc")}
        bound, reference = 2 * bound, jpegcrypt.decode(jpegcrypt.encode(image, **plain))
    error = decrypted.astype(np.float64) - reference
    for channel in np.moveaxis(np.atleast_3d(error), 2, 0):
        assert np.sqrt((channel**2).sum()) <= bound
    return data


def refusal(call: Callable[..., object], *arguments: object) -> jpegcrypt.JpegcryptError | None:
    """Return the error of ours that a call raises, None if it raises none; others pass through."""
    try:
        call(*arguments)
    except jpegcrypt.JpegcryptError as error:
        assert str(error)
        assert "\n" not in str(error)
        return error
    return None


# --- decoders that nobody here wrote ------------------------------------------------------------


def _opencv(data: bytes) -> Pixels:
    cv2 = pytest.importorskip("cv2")
    image: Pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    return image if image.ndim == 2 else image[:, :, ::-1]


def _simplejpeg(data: bytes) -> Pixels:
    simplejpeg = pytest.importorskip("simplejpeg")
    gray = simplejpeg.decode_jpeg_header(data)[2] == "Gray"
    image: Pixels = simplejpeg.decode_jpeg(data, colorspace="GRAY" if gray else "RGB", strict=True)
    return image[:, :, 0] if gray else image


def _imagecodecs(data: bytes) -> Pixels:
    image: Pixels = pytest.importorskip("imagecodecs").jpeg8_decode(data)
    return image


def _pyav(data: bytes) -> Pixels:
    av = pytest.importorskip("av")
    av.logging.set_level(av.logging.WARNING)
    with av.logging.Capture() as log, av.open(io.BytesIO(data), format="mjpeg") as container:
        (frame,) = container.decode(video=0)
    av.logging.set_level(None)
    assert log == []
    gray = "gray" in frame.format.name
    image: Pixels = frame.to_ndarray(format="gray" if gray else "rgb24")
    return image


def _kornia(data: bytes) -> Pixels:
    image: Pixels = pytest.importorskip("kornia_rs").io.decode_image_jpeg(data)
    return image[:, :, 0] if image.shape[2] == 1 else image


def _jpeglib(version: str, data: bytes) -> Pixels:
    jpeglib = pytest.importorskip("jpeglib")
    with on_disk(data) as path, jpeglib.version(version):
        image: Pixels = jpeglib.read_spatial(path).spatial
    return image[:, :, 0] if image.shape[2] == 1 else image


DECODERS: dict[str, Callable[[bytes], Pixels]] = {
    "Pillow": pillow_pixels,
    "simplejpeg": _simplejpeg,
    "OpenCV": _opencv,
    "imagecodecs": _imagecodecs,
    "FFmpeg (PyAV)": _pyav,
    "zune-jpeg (kornia-rs)": _kornia,
    **{
        f"jpeglib {version}": functools.partial(_jpeglib, version)
        for version in ("6b", "9e", "turbo210", "mozjpeg403")
    },
}
# Same upsampling filters as libjpeg-turbo, hence the same pixels at 4:2:0 too.
TURBO_FAMILY = ("Pillow", "simplejpeg", "OpenCV", "imagecodecs", "jpeglib turbo210")
