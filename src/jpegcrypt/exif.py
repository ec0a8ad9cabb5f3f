"""EXIF from where Pillow does not keep it whole: a TIFF, a text chunk of a PNG."""

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from PIL import ExifTags, Image

# What Pillow raises of EXIF that is none.
BROKEN_EXIF = (
    struct.error, LookupError, SyntaxError, TypeError, ValueError, OSError, AttributeError,
)  # fmt: skip
DIRECTORIES = {ExifTags.Base.ExifOffset, ExifTags.Base.GPSInfo}

# Tags that describe the picture; a TIFF mixes them with those that describe the file.
_TAGS = DIRECTORIES | {
    ExifTags.Base.ImageDescription, ExifTags.Base.Make, ExifTags.Base.Model,
    ExifTags.Base.Orientation, ExifTags.Base.Software, ExifTags.Base.DateTime,
    ExifTags.Base.Artist, ExifTags.Base.Copyright,
}  # fmt: skip


def read_exif(image: Image.Image) -> Image.Exif:
    """Return the EXIF of an image, without the orientation that Pillow takes from its XMP.

    Viewers do not: a picture would be turned that they show as it is.

    Raises
    ------
    BROKEN_EXIF

    Examples
    --------
    >>> image = Image.new("L", (8, 8))
    >>> image.info["xmp"] = b'tiff:Orientation="6"'
    >>> dict(read_exif(image))
    {}
    """
    if kept := image.info.get("exif"):  # Pillow may have looked at the XMP by now
        return parse_exif(kept)
    with hidden_xmp(image):
        return image.getexif()


def parse_exif(exif: bytes) -> Image.Exif:
    """Read EXIF as it stands in a file; raises one of BROKEN_EXIF if it is none."""
    parsed = Image.Exif()
    parsed.load(exif)
    return parsed


@contextmanager
def hidden_xmp(image: Image.Image) -> Iterator[None]:
    """Take the XMP out of the sight of Pillow, which turns a TIFF by it while loading."""
    names = {"xmp", "XML:com.adobe.xmp"} & image.info.keys()
    hidden = {name: image.info.pop(name) for name in names}
    try:
        yield
    finally:
        image.info.update(hidden)


def collect_exif(image: Image.Image) -> tuple[bytes | None, list[str]]:
    """Return as bytes what describes the picture, and the names of what is broken.

    Examples
    --------
    >>> collect_exif(Image.new("L", (8, 8)))
    (None, [])
    """
    wanted, broken = Image.Exif(), []
    try:
        found = read_exif(image)
    except BROKEN_EXIF:
        return None, ["broken EXIF"]
    wanted.endian = found.endian  # some text and notes of makers go by it
    for tag in sorted(_TAGS & found.keys()):
        try:
            value = found.get_ifd(tag) if tag in DIRECTORIES else found[tag]
        except BROKEN_EXIF:
            broken.append(f"a broken {_name(tag)}")
            continue
        if not isinstance(value, dict):
            value = _kept(value)
            if _is_written(tag, value):
                wanted[tag] = value
            else:
                broken.append(f"a broken {_name(tag)}")
            continue
        inner = {key: _kept(one) for key, one in value.items()}
        if ExifTags.IFD.Interop in inner:  # a place in the file
            inner[ExifTags.IFD.Interop] = found.get_ifd(ExifTags.IFD.Interop)
        bad = [key for key, one in inner.items() if not _is_written(tag, {key: one})]
        broken += [f"a broken {_name(key)}" for key in bad]
        wanted[tag] = {key: one for key, one in inner.items() if key not in bad}
    return wanted.tobytes() if len(wanted) else None, broken


class _Latin1(str):
    """Text as Pillow reads it, each byte a character, which it would write as ASCII."""

    def encode(self, encoding: str = "", errors: str = "") -> bytes:
        """Return the bytes that were read."""
        return super().encode("latin-1")


def _kept(value: Any) -> Any:
    return _Latin1(value) if isinstance(value, str) else value


def _is_written(tag: int, value: Any) -> bool:
    alone = Image.Exif()
    alone[tag] = value
    try:
        return bool(alone.tobytes())
    except BROKEN_EXIF:
        return False


def _name(tag: int) -> str:
    return ExifTags.TAGS.get(tag, f"tag {tag}")
