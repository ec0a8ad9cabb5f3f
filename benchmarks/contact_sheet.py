"""A sheet of pictures in columns, captions below them; two groups of columns when there are many.

Captions are file names, too: what no font at hand can show is taken apart or escaped.
"""

import functools
import math
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageFont

CELL = 280  # pixels, the longest side of a picture; 4:3
GAP, BETWEEN_GROUPS = 20, 44
HEAD, CAPTION, FOOT = 52, 50, 22
ONE_GROUP = 6  # rows; more of them stand in two groups side by side
MOST = 48  # rows, in both groups
PAPER, INK, FAINT = "#fbfaf7", "#191817", "#4d4a45"
HEADING_SIZE, SIZE, SMALL = 20, 16, 15

# Pillow's own font has little more than ASCII; these, where a system has them, have more.
WIDE_FONTS = ("DejaVuSans.ttf", "NotoSans-Regular.ttf", "NotoSansCJK-Regular.ttc",
              "Arial Unicode.ttf", "arial.ttf", "msyh.ttc")  # fmt: skip

Font = ImageFont.ImageFont | ImageFont.FreeTypeFont
Caption = tuple[str, str]  # two lines


@dataclass(frozen=True)
class Strip:
    """Pictures that stand side by side, and what is written below each."""

    pictures: Sequence[Image.Image]
    captions: Sequence[Caption]

    @property
    def height(self) -> int:
        return max(picture.height for picture in self.pictures)


def contact_sheet(
    headings: Sequence[str], strips: Sequence[Strip], footer: Sequence[str]
) -> Image.Image:
    """Return the sheet. It shows the first `MOST` strips and tells how many more there are."""
    if len(strips) > MOST:
        footer = [*footer, f"{len(strips) - MOST} more did not fit."]
        strips = strips[:MOST]
    rows = len(strips) if len(strips) <= ONE_GROUP else math.ceil(len(strips) / 2)
    groups = [strips[start : start + rows] for start in range(0, len(strips), rows)]
    group_width = len(headings) * (CELL + GAP) - GAP
    width = 2 * GAP + len(groups) * (group_width + BETWEEN_GROUPS) - BETWEEN_GROUPS
    body = max(sum(strip.height + CAPTION + GAP for strip in group) for group in groups)
    sheet = Image.new("RGB", (width, HEAD + body + len(footer) * FOOT + GAP), PAPER)
    draw = ImageDraw.Draw(sheet)
    for number, group in enumerate(groups):
        left = GAP + number * (group_width + BETWEEN_GROUPS)
        centers = [left + CELL // 2 + column * (CELL + GAP) for column in range(len(headings))]
        for center, heading in zip(centers, headings, strict=True):
            write(draw, (center, HEAD // 2), heading, INK, HEADING_SIZE)
        top = HEAD
        for strip in group:
            for center, picture, (first, second) in zip(
                centers, strip.pictures, strip.captions, strict=True
            ):
                corner = center - picture.width // 2, top + (strip.height - picture.height) // 2
                sheet.paste(picture, corner)
                below = top + strip.height
                write(draw, (center, below + 16), first, INK, SIZE)
                write(draw, (center, below + 37), second, FAINT, SMALL)
            top += strip.height + CAPTION + GAP
    for number, line in enumerate(footer):
        at = width // 2, HEAD + body + number * FOOT + FOOT // 2
        write(draw, at, line, FAINT, SMALL, room=width - 2 * GAP)
    return sheet


def thumbnail(image: Image.Image) -> Image.Image:
    """Return an RGB copy that fits a cell; never enlarged."""
    scale = min(1, CELL / image.width, CELL * 3 / 4 / image.height)
    size = max(1, round(image.width * scale)), max(1, round(image.height * scale))
    return image.convert("RGB").resize(size, Image.Resampling.LANCZOS)


def write(
    draw: ImageDraw.ImageDraw,
    at: tuple[int, int],
    text: str,
    color: str,
    size: int,
    room: int = CELL,
) -> None:
    """Write centered; of a text too long for the room, its end: file names differ there."""
    text, font = readable(text, size)
    cut = text
    while font.getlength(cut) > room:
        text = text[1:]
        cut = "..." + text
    draw.text(at, cut, color, font, anchor="mm")


def readable(text: str, size: int) -> tuple[str, Font]:
    """Return the text as a font at hand can show it, and that font."""
    text = unicodedata.normalize("NFC", text)
    text = "".join(c if c.isprintable() else _escaped(c) for c in text)
    for font in _fonts(size):
        if all(_has(font, c) for c in text):
            return text, font
    plain = _fonts(size)[0]
    return "".join(c if _has(plain, c) else _spelled(c) for c in text), plain


@functools.cache
def _fonts(size: int) -> list[Font]:
    fonts = [ImageFont.load_default(size)]
    for name in WIDE_FONTS:
        try:
            fonts.append(ImageFont.truetype(name, size))
        except OSError:
            continue
    return fonts


def _has(font: Font, character: str) -> bool:
    """Compare with what stands for a missing one: U+10FFFF is no character."""
    return bytes(font.getmask(character)) != bytes(font.getmask("\U0010ffff"))


def _spelled(character: str) -> str:
    base = unicodedata.normalize("NFKD", character).encode("ascii", "ignore").decode()
    return base or _escaped(character)


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode()
