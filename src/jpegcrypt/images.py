"""Pixels from whatever Pillow opens, and pixels into the formats worth decrypting to."""

import io
import os
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import ExifTags, Image, ImageColor, ImageFile, PngImagePlugin, UnidentifiedImageError

from jpegcrypt.api import Opened, decode, encode
from jpegcrypt.codec import markers
from jpegcrypt.codec import write as jpeg
from jpegcrypt.codec.parse import signature
from jpegcrypt.encoder import MAX_SIDE
from jpegcrypt.errors import ImageTooLarge, JpegcryptError, MetadataWarning, UnreadableImage
from jpegcrypt.exif import BROKEN_EXIF, collect_exif, hidden_xmp, parse_exif, read_exif
from jpegcrypt.header import is_header
from jpegcrypt.left_out import find_left_out
from jpegcrypt.metadata import Metadata, Segment, Text

Pixels = npt.NDArray[np.uint8]
Background = str | tuple[int, int, int]

# Files that Pillow names but does not read, or hands to another program.
_NO_PICTURES = {"BUFR", "EPS", "GRIB", "HDF5", "MPEG", "WMF"}


# --- reading --------------------------------------------------------------------------------------


def read_image(
    data: bytes, *, background: Background | None = None, strip: bool = False
) -> tuple[Pixels, Metadata]:
    """Read a picture as `encrypt` wants it: 8 bits, gray or RGB, the first frame.

    Palettes, CMYK and other colors become RGB, 1 and 16 bits become 8. The orientation that EXIF
    asks for is left to EXIF, unless that is stripped. A `MetadataWarning` tells what else a JPEG,
    PNG, TIFF or WebP holds that `Metadata` does not, such as a video behind the picture.

    Parameters
    ----------
    data : bytes
        A file of any type that Pillow knows; its name does not matter.
    background : color name or (r, g, b), optional
        What shines through where the picture is transparent.
    strip : bool
        True leaves all metadata out, and turns the picture as its EXIF asks for.

    Returns
    -------
    pixels : uint8 array (H, W) or (H, W, 3)
    metadata : Metadata
        Without a color profile that the conversion made wrong.

    Raises
    ------
    UnreadableImage
        No image, a broken one, one with transparency and no `background`, floating point.
    ImageTooLarge
        Beyond what a JPEG holds, or a decompression bomb to Pillow.
    JpegcryptError
        The file is encrypted already.

    Examples
    --------
    >>> file = io.BytesIO()
    >>> Image.new("CMYK", (4, 2)).save(file, "TIFF")
    >>> pixels, metadata = read_image(file.getvalue())
    >>> pixels.shape
    (2, 4, 3)
    """
    color = None if background is None else parse_color(background)
    image, pixels, metadata = _load(data)
    if pixels is None:
        pixels = np.asarray(_to_gray_or_rgb(image, color))
    if strip:
        return _upright(pixels, lambda: read_exif(image)), Metadata()
    if metadata.icc_profile and metadata.icc_profile[16:20] != _PROFILE_SPACE[pixels.ndim]:
        metadata = replace(metadata, icc_profile=None)
    if lost := find_left_out(data, image):
        warnings.warn(
            _about_file(f"the {image.format} file holds {', '.join(lost)}: left out"),
            MetadataWarning,
            stacklevel=4,  # who called encrypt_file
        )
    return pixels, metadata


@contextmanager
def warning_about(name: str) -> Iterator[None]:
    """Put the name of a file before the warnings about what it loses."""
    token = _subject.set(name)
    try:
        yield
    finally:
        _subject.reset(token)


_subject: ContextVar[str | None] = ContextVar("subject", default=None)  # each thread has its own


def _about_file(text: str) -> str:
    name = _subject.get()
    return f"{name}: {text}" if name else text


_PROFILE_SPACE = {2: b"GRAY", 3: b"RGB "}  # ICC.1 7.2.6


def _load(data: bytes) -> tuple[Image.Image, Pixels | None, Metadata]:
    """Open and decode an image, to pixels or in place, all failures of Pillow turned into ours."""
    kind = None
    try:
        image = _open(io.BytesIO(data))
        kind = image.format
        _check_loadable(image)
        pixels = _decode_jpeg(data, image)
        if pixels is None:
            _drop_text(image)
            with hidden_xmp(image):
                image.load()
            _drop_text(image)  # what stood behind the pixels
        metadata = Metadata.from_pillow(image)
        if not metadata.exif:
            metadata = replace(metadata, exif=collect_exif(image)[0])
        return image, pixels, metadata
    except UnidentifiedImageError as error:
        raise UnreadableImage(
            f"found {signature(data)}, expected an image that Pillow reads"
        ) from error
    except Image.DecompressionBombError as error:
        raise ImageTooLarge(
            f"a decompression bomb to Pillow: {_text(error)}",
            hint="if you trust the file, raise PIL.Image.MAX_IMAGE_PIXELS",
        ) from error
    except (JpegcryptError, MemoryError, Warning):
        raise
    except Exception as error:  # whatever the plugins of Pillow meet in a broken file
        raise UnreadableImage(
            f"a broken {kind or 'image'} file: {_text(error)}", format=kind or "unknown"
        ) from error


def _drop_text(image: ImageFile.ImageFile) -> None:
    """Take out text of a PNG that has the name of a field that Pillow makes of other chunks."""
    decoder = getattr(image, "png", None)  # until all is read
    text: dict[str, str] = decoder.im_text if decoder else getattr(image, "text", {})
    for name in _FIELDS & text.keys():
        if image.info.get(name) in (text[name], text[name].encode("latin-1", "replace")):
            del image.info[name]


_FIELDS = {"aspect", "dpi", "exif", "icc_profile", "transparency", "xmp"}


def _open(file: io.BytesIO) -> ImageFile.ImageFile:
    try:
        return Image.open(file)
    except UnidentifiedImageError:
        # Pillow overlooks plugins that another thread is just importing; now they are there.
        return Image.open(file)


def _decode_jpeg(data: bytes, image: ImageFile.ImageFile) -> Pixels | None:
    """The pixels that Pillow would load, sooner; None where it is quicker or forgives more."""
    jpeg = image.format in ("JPEG", "MPO") and image.mode in ("L", "RGB")
    if not jpeg or "progressive" in image.info:
        return None
    try:
        return decode(data, max_pixels=image.width * image.height)
    except JpegcryptError:
        return None


def _check_loadable(image: ImageFile.ImageFile) -> None:
    if image.format in _NO_PICTURES:
        raise UnreadableImage(f"found {image.format}, expected a picture made of pixels")
    if max(image.size) > MAX_SIDE:
        raise ImageTooLarge(
            f"{image.width}x{image.height} pixels, expected at most {MAX_SIDE} each way",
            hint="cut or scale the picture first",
        )
    if getattr(image, "tag_v2", {}).get(ExifTags.Base.NewSubfileType, 0) & 1:  # TIFF 6.0
        raise UnreadableImage(
            "the picture is only a preview of another one, as in the raw files of cameras",
            format=image.format, hint="develop the raw file first",
        )  # fmt: skip
    if any(name == "APP11" and is_header(p) for name, p in getattr(image, "applist", ())):
        raise JpegcryptError(
            "the picture is encrypted already", hint="decrypt it first to encrypt it anew"
        )


def _text(error: Exception) -> str:
    return (str(error) or type(error).__name__).rstrip(".")


def _upright(pixels: Pixels, read: Callable[[], Image.Exif]) -> Pixels:
    """Turn pixels as the EXIF asks for that they lose; as they are if it is broken."""
    try:
        orientation = read().get(ExifTags.Base.Orientation)
    except BROKEN_EXIF:
        return pixels
    turn = _UPRIGHT.get(orientation)
    return pixels if turn is None else turn(pixels)


_UPRIGHT: dict[Any, Callable[[Pixels], Pixels]] = {
    2: lambda p: p[:, ::-1], 3: lambda p: p[::-1, ::-1], 4: lambda p: p[::-1],
    5: lambda p: p.swapaxes(0, 1), 6: lambda p: np.rot90(p, -1),
    7: lambda p: p[::-1, ::-1].swapaxes(0, 1), 8: np.rot90,
}  # fmt: skip


def _to_gray_or_rgb(image: Image.Image, background: tuple[int, int, int] | None) -> Image.Image:
    if image.mode.startswith("I"):
        image = _scale_to_8_bits(image)
    if image.has_transparency_data:
        return _flatten(image, background)
    if image.mode in ("L", "RGB"):
        return image
    if image.mode == "F":
        raise UnreadableImage(
            "floating-point samples, expected 8 or 16 bits", format=image.format,
            hint="scale them to 0..255 and save 8 bits",
        )  # fmt: skip
    return _convert(image, "L" if image.mode == "1" else "RGB")


def _convert(image: Image.Image, mode: str) -> Image.Image:
    try:
        return image.convert(mode)
    except (ValueError, TypeError, OSError) as error:
        raise UnreadableImage(
            f"mode {image.mode}, which Pillow does not convert to {mode}", format=image.format
        ) from error


def _scale_to_8_bits(image: Image.Image) -> Image.Image:
    """Scale gray of 16 bits, which Pillow may hold in 32, so that 65535 becomes 255."""
    extrema: Any = image.getextrema() if image.mode == "I" else (0, 65535)
    low, high = extrema
    if low < 0 or high > 65535:
        raise UnreadableImage(
            f"samples of {low} to {high}, expected at most 16 bits",
            format=image.format,
            hint="scale them to 0..255 and save 8 bits",
        )
    transparent = image.info.get("transparency")
    gray = Image.new("L" if transparent is None else "LA", image.size)
    gray.format = image.format
    rows = max(1, _BAND_PIXELS // image.width)
    for top in range(0, image.height, rows):
        bottom = min(top + rows, image.height)
        wide = np.asarray(image.crop((0, top, image.width, bottom))).astype(np.uint32)
        band = Image.fromarray(((wide + 128) // 257).astype(np.uint8))
        if transparent is not None:
            band.putalpha(Image.fromarray(np.where(wide == transparent, 0, 255).astype(np.uint8)))
        gray.paste(band, (0, top))
    return gray


_BAND_PIXELS = 1 << 16  # at a time: in 32 bits, a whole picture would take more than all else


def _flatten(image: Image.Image, background: tuple[int, int, int] | None) -> Image.Image:
    """Lay a transparent picture over a color; alpha that hides nothing is dropped."""
    gray = image.mode in ("1", "L", "LA", "La")
    layers = _convert(image, "LA" if gray else "RGBA")
    alpha = layers.getchannel("A")
    if alpha.getextrema() == (255, 255):
        return layers.convert("L" if gray else "RGB")
    if background is None:
        raise UnreadableImage(
            "the picture is transparent in places, a JPEG cannot be",
            format=image.format,
            hint="give a background, such as white",
        )
    if gray and len(set(background)) == 1:
        below = Image.new("L", image.size, background[0])
    else:
        below = Image.new("RGB", image.size, background)
    below.paste(layers.convert(below.mode), mask=alpha)
    return below


def parse_color(background: Background) -> tuple[int, int, int]:
    """Read a color name, "#rrggbb" or three numbers of 0 to 255."""
    color = ImageColor.getrgb(background) if isinstance(background, str) else tuple(background)
    if len(color) != 3 or not all(c in range(256) for c in color):
        raise ValueError(f"background {background!r}, expected a color name or 3 numbers to 255")
    return int(color[0]), int(color[1]), int(color[2])


def format_of_name(name: str) -> str | None:
    """Return what photograph a file of that name should be, also one that `read_image` cannot read.

    Examples
    --------
    >>> format_of_name("photo.JPG"), format_of_name("IMG_0001.HEIC"), format_of_name("notes.txt")
    ('JPEG', 'HEIF', None)
    """
    suffix = os.path.splitext(name)[1].lower()
    if known := FORMATS.get(suffix) or _CAMERA_FORMATS.get(suffix):
        return known  # spares the import of all plugins of Pillow
    format = Image.registered_extensions().get(suffix)
    return format if format in Image.OPEN and format not in _NO_PICTURES else None


# Photographs as cameras store them, which Pillow alone does not read.
_CAMERA_FORMATS = {
    ".heic": "HEIF", ".heif": "HEIF", ".hif": "HEIF", ".jxl": "JPEG XL",
    **dict.fromkeys(
        (
            ".3fr", ".arw", ".cr2", ".cr3", ".crw", ".dcr", ".dng", ".erf", ".iiq", ".kdc", ".mos",
            ".mrw", ".nef", ".nrw", ".orf", ".pef", ".raf", ".rw2", ".rwl", ".sr2", ".srf", ".srw",
            ".x3f",
        ),
        "raw file",
    ),
}  # fmt: skip


# --- writing --------------------------------------------------------------------------------------

FORMATS = {
    ".bmp": "BMP", ".jfif": "JPEG", ".jpe": "JPEG", ".jpeg": "JPEG", ".jpg": "JPEG",
    ".pgm": "PPM", ".png": "PNG", ".ppm": "PPM", ".tif": "TIFF", ".tiff": "TIFF", ".webp": "WEBP",
}  # fmt: skip


def find_format(name: str) -> str:
    """Return the format that goes with the extension of a file name.

    Raises
    ------
    ValueError

    Examples
    --------
    >>> find_format("photo.JPG")
    'JPEG'
    """
    suffix = os.path.splitext(name)[1].lower()
    if suffix not in FORMATS:
        raise ValueError(
            f"no format goes with {suffix or 'a name without extension'}, "
            f"expected .png or one of {', '.join(sorted(FORMATS.keys() - {'.png'}))}"
        )
    return FORMATS[suffix]


def write_image(picture: Opened, format: str, *, quality: int = 95) -> bytes:
    """Write a decrypted picture with its metadata.

    JPEG carries all metadata but the text chunks of a PNG; PNG all but the other segments of a
    JPEG; TIFF the profile and the resolution; WebP EXIF, XMP and the profile; BMP the resolution;
    PPM none. What is left out is told by a `MetadataWarning`; without its EXIF, a picture is turned
    as that asks for.

    Parameters
    ----------
    format : str
        One of the values of `FORMATS`; all but JPEG keep every pixel.
    quality : int
        Of a JPEG, whose chroma is sampled as in the encrypted file.

    Raises
    ------
    ValueError
        If the format has no room for so many pixels.

    Examples
    --------
    >>> from jpegcrypt import Key, encrypt, open_encrypted
    >>> key = Key.generate()
    >>> data = encrypt(np.zeros((8, 8), np.uint8), key, comment=b"at the lake")
    >>> png = write_image(open_encrypted(data, key), "PNG")
    >>> Image.open(io.BytesIO(png)).info
    {'Comment': 'at the lake'}
    """
    pixels, options = picture.pixels, _keep_what_fits(picture.metadata, format).keywords()
    exif = picture.metadata.exif
    if exif and "exif" not in options:
        pixels = np.ascontiguousarray(_upright(pixels, lambda: parse_exif(exif)))
    if format == "JPEG":
        return encode(
            pixels,
            quality=quality,
            subsampling=_SAMPLING_NAMES.get(picture.sampling[0], "4:4:4"),
            **options,
        )
    if format == "PNG":
        options["pnginfo"] = _png_text(
            options.pop("comment", None), options.pop("xmp", None), options.pop("text", ())
        )
    if format == "WEBP":
        height, width = pixels.shape[:2]
        if max(height, width) > _WEBP_SIDE:
            raise ValueError(
                f"{width}x{height} pixels, but WebP has room for {_WEBP_SIDE} each way; "
                "choose .png or .tif"
            )
        options["lossless"] = True
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, format, **options)
    return file.getvalue()


_WEBP_SIDE = 16_383
_SAMPLING_NAMES = {factors: name for name, factors in jpeg.SUBSAMPLING.items()}


def _png_text(
    comment: bytes | None, xmp: bytes | None, text: Iterable[Text]
) -> PngImagePlugin.PngInfo:
    chunks = PngImagePlugin.PngInfo()
    if comment:
        chunks.add_itxt("Comment", _decode_comment(comment))
    if xmp:
        chunks.add_itxt("XML:com.adobe.xmp", xmp.decode())
    for keyword, value in text:
        chunks.add_text(keyword, value)  # tEXt, or iTXt if it is not all Latin-1
    return chunks


def _decode_comment(comment: bytes) -> str:
    try:
        text = comment.decode()
    except UnicodeDecodeError:
        text = comment.decode("latin-1")
    return text.replace("\0", "")  # ends a string in PNG


def _keep_what_fits(metadata: Metadata, format: str) -> Metadata:
    lost = [name for name, value in metadata.keywords().items() if not _fits(name, value, format)]
    if lost:
        names = [
            ", ".join(_segment_names(metadata.segments or ())) if name == "segments" else name
            for name in lost
        ]
        better = "JPEG" if format == "PNG" or "segments" in lost else "PNG"
        warnings.warn(
            _about_file(
                f"{format} does not carry this {', '.join(names)}: left out; {better} carries more"
            ),
            MetadataWarning,
            stacklevel=5,  # who called decrypt_file
        )
    return replace(metadata, **dict.fromkeys(lost))


def _segment_names(segments: Iterable[Segment]) -> list[str]:
    """What the segments are called, each name once."""
    names = [
        next((name for start, name in _SEGMENT_NAMES if payload.startswith(start)), None)
        or markers.name(marker)
        for marker, payload in segments
    ]
    return list(dict.fromkeys(names))


_SEGMENT_NAMES = ((markers.EXTENDED_XMP, "extended XMP"), (markers.PHOTOSHOP, "IPTC"))


def _fits(name: str, value: Any, format: str) -> bool:
    if name not in _CARRIES.get(format, ()):
        return False
    try:
        if format == "PNG" and name == "xmp":
            value.decode()  # iTXt is UTF-8
        if name in _JPEG_SEGMENTS and (format == "JPEG" or name == "dpi"):
            _JPEG_SEGMENTS[name](value)  # for the limits of a segment
    except ValueError:
        return False
    return True


_ALL = {"exif", "xmp", "icc_profile", "comment", "dpi"}
_CARRIES: dict[str, set[str]] = {
    "BMP": {"dpi"},
    "JPEG": _ALL | {"segments"},
    "PNG": _ALL | {"text"},
    "TIFF": {"icc_profile", "dpi"},
    "WEBP": {"exif", "xmp", "icc_profile"},
}
_JPEG_SEGMENTS: dict[str, Callable[[Any], object]] = {
    "exif": jpeg.exif_segment,
    "xmp": jpeg.xmp_segment,
    "icc_profile": jpeg.icc_segments,
    "comment": jpeg.comment_segment,
    "dpi": jpeg.jfif_segment,
}
