"""What the rate-distortion benchmark compares: each scheme makes a JPEG and shows what comes back.

Plain files come back through Pillow, that is through libjpeg-turbo, so that no decoder of ours
judges them; encrypted ones through our `decrypt`, as nobody else has the key. That of lu2022 and of
lisitu2019 puts AC values a little nearer to zero, see `dequantizer`. All with chroma subsampling
4:2:0, but for feng2021. A scheme of `jpegcrypt.schemes` whose files are JPEGs takes part without an
entry here, with the Huffman tables of Annex K like Pillow's default.
"""

import io
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

import jpegcrypt
import jpegcrypt.schemes
from benchmarks import rate_steps
from benchmarks.photographs import Pixels
from benchmarks.sources import LIBRARY, digest, sources
from jpegcrypt.encoder import EFFORTS
from jpegcrypt.header import DC_MODES
from jpegcrypt.schemes import feng2021

PILLOW, PILLOW_OPTIMIZE = "pillow", "pillow optimize"
LU2022, FENG2021 = "lu2022, as the paper", "feng2021, a quarter substituted"

QUALITIES = (10, 20, 25, 30, 40, 50, 60, 70, 75, 80, 90)  # 10 to 90 as the paper, and the targets'
DIFFERENCE_QUALITIES = (10, 25, 50, 75, 90)  # of the Bjontegaard differences

# Sizes and PSNR change a little with key and nonce: one key, and nonces that follow the pictures.
KEY = jpegcrypt.Key(bytes(32))

RoundTrip = Callable[[Pixels, int], tuple[bytes, Pixels]]


@dataclass(frozen=True)
class Scheme:
    """One way to write a picture as a JPEG.

    Parameters
    ----------
    kind : {"plain", "encrypted", "compared", "step"}
        Compared are the schemes of others. A step is the scheme taken apart, see `rate_steps`; its
        files are not for use.
    round_trip : callable
        From a picture and a quality to the file, and the picture that comes back from it.
    package : str
        Whose code it is.
    qualities : tuple of int
        At which it is measured.
    module : str
        In `jpegcrypt.schemes`: a change of another scheme leaves its rows true.
    """

    name: str
    kind: str
    round_trip: RoundTrip
    package: str = "jpegcrypt"
    qualities: tuple[int, ...] = QUALITIES
    module: str = "lu2022"

    @property
    def installed(self) -> bool:
        """Tell if the package is at hand."""
        try:
            return bool(version(self.package))
        except PackageNotFoundError:
            return False

    @property
    def code(self) -> str:
        """Return what identifies the code that a row was measured with, short hexadecimal."""
        return _code(self.package, self.module)


@cache
def schemes() -> dict[str, Scheme]:
    """Return all schemes by name, plain ones first; not each is `installed`."""
    encode = partial(Scheme, kind="plain")
    encrypt = partial(Scheme, kind="encrypted")
    optimize = partial(with_pillow, optimize=True)
    found = [
        encode(PILLOW, round_trip=plain(with_pillow), package="pillow"),
        encode(PILLOW_OPTIMIZE, round_trip=plain(optimize), package="pillow"),
        encode("simplejpeg", round_trip=plain(with_simplejpeg), package="simplejpeg"),
        encode("jpegli", round_trip=plain(with_jpegli), package="pyjpegli"),
    ]
    for effort in EFFORTS:
        found.append(encode(f"encode {effort}", round_trip=plain(partial(ours, effort=effort))))
    found.append(encrypt(LU2022, round_trip=partial(rate_steps.as_the_paper, KEY)))
    for dc in DC_MODES:
        for effort in EFFORTS:
            name = f"encrypt {effort}" + (f", dc {dc}" if dc != "permuted" else "")
            found.append(encrypt(name, round_trip=partial(encrypted, effort=effort, dc=dc)))
    flat: dict[str, Any] = {"effort": "best", "qtables": "flat"}
    found += [
        encode("encode best, flat tables", round_trip=plain(partial(ours, **flat))),
        encrypt("encrypt best, flat tables", round_trip=partial(encrypted, **flat)),
        encrypt(
            "encrypt best, dc residual, flat tables",
            round_trip=partial(encrypted, dc="residual", **flat),
        ),
    ]
    compare = partial(Scheme, kind="compared", qualities=DIFFERENCE_QUALITIES)
    found += [
        compare(name, round_trip=partial(compared, name), module=name)
        for name in jpegcrypt.schemes.names()
        if jpegcrypt.schemes.load(name).is_jpeg
    ]
    found.append(compare(FENG2021, round_trip=substituted, module="feng2021"))
    found += [
        Scheme(name, "step", partial(rate_steps.round_trip, KEY, steps), "jpegcrypt",
               DIFFERENCE_QUALITIES)
        for name, steps in rate_steps.COMBINATIONS.items()
    ]  # fmt: skip
    return {scheme.name: scheme for scheme in found}


# --- plain ----------------------------------------------------------------------------------------


def plain(encode: Callable[[Pixels, int], bytes]) -> RoundTrip:
    """Return the round trip of an encoder whose files Pillow reads."""
    return partial(_through_pillow, encode)


def _through_pillow(
    encode: Callable[[Pixels, int], bytes], picture: Pixels, quality: int
) -> tuple[bytes, Pixels]:
    file = encode(picture, quality)
    with Image.open(io.BytesIO(file)) as image:
        return file, np.asarray(image.convert("L" if picture.ndim == 2 else "RGB"))


def with_pillow(picture: Pixels, quality: int, *, optimize: bool = False) -> bytes:
    file = io.BytesIO()
    Image.fromarray(picture).save(
        file, "JPEG", quality=quality, subsampling="4:2:0", optimize=optimize
    )
    return file.getvalue()


def with_simplejpeg(picture: Pixels, quality: int) -> bytes:
    import simplejpeg

    color = "GRAY" if picture.ndim == 2 else "RGB"
    pixels = np.atleast_3d(picture)
    file: bytes = simplejpeg.encode_jpeg(
        pixels, quality, colorspace=color, colorsubsampling="Gray" if color == "GRAY" else "420"
    )
    return file


def with_jpegli(picture: Pixels, quality: int) -> bytes:
    """Encode with its own tables and adaptive quantization; gray is written as RGB."""
    import pyjpegli

    pixels = np.asarray(Image.fromarray(picture).convert("RGB"))
    file: bytes = pyjpegli.encode(pixels.tobytes(), pixels.shape[1], pixels.shape[0], quality)
    return file


def ours(picture: Pixels, quality: int, **settings: Any) -> bytes:
    return jpegcrypt.encode(picture, quality=quality, **settings)


# --- encrypted ------------------------------------------------------------------------------------


def encrypted(picture: Pixels, quality: int, **settings: Any) -> tuple[bytes, Pixels]:
    file = jpegcrypt.encrypt(picture, KEY, quality=quality, key_mode="content", **settings)
    return file, jpegcrypt.decrypt(file, KEY)


def compared(name: str, picture: Pixels, quality: int) -> tuple[bytes, Pixels]:
    """Encrypt with a scheme of `jpegcrypt.schemes.names`."""
    scheme = jpegcrypt.schemes.load(name, quality=quality, optimize=False)
    file = scheme.encrypt(picture, KEY, KEY.content_nonce(picture))
    return file, scheme.decrypt(file, KEY)


def substituted(picture: Pixels, quality: int) -> tuple[bytes, Pixels]:
    """Encrypt with feng2021: 4:4:4, gray as RGB, padded to whole blocks."""
    height, width = picture.shape[:2]
    color = np.asarray(Image.fromarray(picture).convert("RGB"))
    padded = np.pad(color, [(0, -height % 8), (0, -width % 8), (0, 0)], mode="edge")
    file = feng2021.encrypt(padded, KEY, key_mode="content", quality=quality)
    shown = Image.fromarray(feng2021.decrypt(file, KEY)[:height, :width])
    return file, np.asarray(shown.convert("L" if picture.ndim == 2 else "RGB"))


# --- which code it was ----------------------------------------------------------------------------

SOURCES = ("", "cipher", "codec", "native", "schemes")  # folders of the package


@cache
def _code(package: str, module: str) -> str:
    """Hash the version of a package, or our sources; with Pillow's and this benchmark's own."""
    read = [Path(__file__).with_name(f"rate_{name}.py") for name in ("rows", "schemes", "steps")]
    packages = ["pillow"]
    if package == "jpegcrypt":
        folders = [LIBRARY / name for name in SOURCES]
        others = {f"{name}.py" for name in jpegcrypt.schemes.names() if name != module}
        read += [p for p in sources(LIBRARY) if p.parent in folders and p.name not in others]
    else:
        packages.append(package)
    return digest(read, *(f"{one} {version(one)}" for one in packages)).hexdigest()[:10]
