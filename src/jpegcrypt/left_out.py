"""What a source file holds besides its picture that `Metadata` has no place for."""

from collections.abc import Iterator

from PIL import ExifTags, Image

from jpegcrypt.codec import markers
from jpegcrypt.exif import BROKEN_EXIF, DIRECTORIES, collect_exif
from jpegcrypt.metadata import is_keyword


def find_left_out(data: bytes, image: Image.Image) -> list[str]:
    """Name what is lost when an image that Pillow has read from `data` is encrypted.

    What only says how the pixels are coded is not named.

    Examples
    --------
    >>> import io
    >>> Image.new("L", (8, 8)).save(file := io.BytesIO(), "JPEG")
    >>> find_left_out(file.getvalue() + bytes(10) + b"a video", Image.open(file))
    ['17 bytes behind the picture']
    """
    return list(_find(data, image))


def _find(data: bytes, image: Image.Image) -> Iterator[str]:
    if image.info.get("icc_profile", b"") is None:
        yield "a broken color profile"
    if image.format != "MPO" and _has_frames(image):
        yield "further frames or pages"
    yield from _aspect(image)
    if image.format in ("JPEG", "MPO"):
        yield from _of_jpeg(data)
    elif image.format == "PNG":
        yield from _of_png(data, getattr(image, "text", {}))
    elif image.format == "WEBP":
        yield from _of_webp(data)
    elif image.format == "TIFF":
        yield from _of_tiff(image)


def _aspect(image: Image.Image) -> Iterator[str]:
    """Tell of pixels that are not square, where no unit makes a resolution of them."""
    ratio = None
    if image.format in ("JPEG", "MPO") and image.info.get("jfif_unit") == 0:
        ratio = image.info.get("jfif_density")
    elif image.format == "PNG":
        ratio = image.info.get("aspect")
    if isinstance(ratio, tuple) and ratio[0] != ratio[1] and all(ratio):
        yield f"pixels that are not square, {ratio[0]}:{ratio[1]} of them to a length"


def _has_frames(image: Image.Image) -> bool:
    try:
        return bool(getattr(image, "is_animated", False))
    except (*BROKEN_EXIF, EOFError):  # a second frame, but a broken one
        return True


def _of_tiff(image: Image.Image) -> Iterator[str]:
    yield from collect_exif(image)[1]
    lost = sorted(getattr(image, "tag_v2", {}).keys() - _TIFF_TAGS - DIRECTORIES)
    yield from (ExifTags.TAGS.get(tag, f"tag {tag}") for tag in lost[:_LISTED])
    if len(lost) > _LISTED:
        yield f"{len(lost) - _LISTED} other tags"


def _of_jpeg(data: bytes) -> Iterator[str]:
    scanned, n_late, end = False, 0, len(data)
    for marker, position in markers.walk(data):
        if marker == markers.SOS:
            scanned = True
        elif marker == markers.EOI:
            end = position
        elif scanned and marker >= markers.APP0:
            n_late += 1  # where Pillow does not look
    if n_late:
        yield f"{n_late} APPn or COM segments behind a scan"
    yield from _behind(data, end)


def _of_webp(data: bytes) -> Iterator[str]:
    end, position = 8 + int.from_bytes(data[4:8], "little"), 12
    others = set()
    while position + 8 <= min(end, len(data)):  # name, length; padded to even ones
        kind = data[position : position + 4]
        if kind not in _WEBP_CHUNKS:
            others.add(kind)
        length = int.from_bytes(data[position + 4 : position + 8], "little")
        position += 8 + length + length % 2
    yield from _chunks(others)
    yield from _behind(data, end)


def _of_png(data: bytes, text: dict[str, str]) -> Iterator[str]:
    n_texts, position = 0, 8
    colors: dict[bytes, bytes] = {}
    others: set[bytes] = set()
    while position + 12 <= len(data):  # length, type, CRC: PNG 5.3
        kind, start = data[position + 4 : position + 8], position + 8
        position += 12 + int.from_bytes(data[position : position + 4])
        if kind in _PNG_TEXT:
            n_texts += 1
        elif kind == b"IEND":
            break
        elif kind in _PNG_COLORS:
            colors[kind] = data[start : position - 4][:32]
        elif kind not in _PNG_CHUNKS:
            others.add(kind)
    others |= _other_colors(colors)
    n_read = sum(map(is_keyword, text))
    if n_texts > n_read:
        yield f"{n_texts - n_read} text chunks that are repeated, broken or behind further frames"
    yield from _chunks(others)
    yield from _behind(data, position)


def _chunks(kinds: set[bytes]) -> Iterator[str]:
    if kinds:
        names = [ascii(kind.decode("latin-1"))[1:-1] for kind in sorted(kinds)[:_LISTED]]
        more = " and others" if len(kinds) > _LISTED else ""
        yield f"chunks {', '.join(names)}{more}"


def _other_colors(chunks: dict[bytes, bytes]) -> set[bytes]:
    """Return those by which samples are not sRGB; of several kinds the first counts, PNG 4.3."""
    if b"cICP" in chunks:
        return set() if chunks[b"cICP"] == _SRGB_CICP else {b"cICP"}
    if b"iCCP" in chunks or b"sRGB" in chunks:
        return set()
    return {kind for kind, body in chunks.items() if not _is_near(body, _SRGB_VALUES[kind])}


def _is_near(body: bytes, expected: tuple[int, ...]) -> bool:
    values = [int.from_bytes(body[i : i + 4]) for i in range(0, len(body), 4)]
    return len(values) == len(expected) and all(
        abs(value - near) <= _TOLERANCE for value, near in zip(values, expected, strict=True)
    )


def _behind(data: bytes, end: int) -> Iterator[str]:
    if data[end:].strip(b"\0\r\n"):  # padding
        yield f"{len(data) - end:,} bytes behind the picture"


_LISTED = 5
_PNG_TEXT = {b"tEXt", b"zTXt", b"iTXt"}
_PNG_COLORS = {b"cICP", b"iCCP", b"sRGB", b"gAMA", b"cHRM"}
_SRGB_CICP = bytes([1, 13, 0, 1])  # PNG 11.3.2.6, after ITU-T H.273
_SRGB_VALUES = {  # PNG 11.3.2.5, in 1/100000
    b"gAMA": (45455,),
    b"cHRM": (31270, 32900, 64000, 33000, 30000, 60000, 15000, 6000),
}
_TOLERANCE = 500  # of what is written a little off
_PNG_CHUNKS = {  # those of pixels, and those that a field holds
    b"IHDR", b"PLTE", b"IDAT", b"tRNS", b"bKGD", b"hIST", b"sBIT", b"sPLT", b"mDCV", b"cLLI",
    b"acTL", b"fcTL", b"fdAT", b"pHYs", b"eXIf",
    b"tIME", b"oFFs", b"vpAg",  # when this file was written, and where on a page
    b"iDOT",  # where Apple's decoder may begin a second time
}  # fmt: skip
_WEBP_CHUNKS = {b"VP8 ", b"VP8L", b"VP8X", b"ALPH", b"ANIM", b"ANMF", b"ICCP", b"EXIF", b"XMP "}
_TIFF_TAGS = {  # of pixels and pages, and those that a field holds
    *range(254, 260), 262, 263, 264, 265, 266, 273, 274, 277, 278, 279, 280, 281, 282, 283, 284,
    286, 287, 288, 289, 290, 291, 292, 293, 296, 297, 317, 320, 321, *range(322, 326), 332, 334,
    336, 338, 339, 340, 341, 347, *range(512, 522), 529, 530, 531, 532,
    ExifTags.Base.ImageDescription, ExifTags.Base.Make, ExifTags.Base.Model,
    ExifTags.Base.Software, ExifTags.Base.DateTime, ExifTags.Base.Artist, ExifTags.Base.Copyright,
    ExifTags.Base.XMLPacket, ExifTags.Base.InterColorProfile,
}  # fmt: skip
