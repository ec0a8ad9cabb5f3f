"""The contact sheet finds room for everything, and letters for every name."""

import numpy as np
import pytest
from PIL import Image, ImageFont

from benchmarks import contact_sheet
from benchmarks.contact_sheet import CELL, MOST, ONE_GROUP, Strip, readable, thumbnail

HEADINGS = ("one", "two", "three")


def strips(count: int) -> list[Strip]:
    picture = Image.new("RGB", (CELL, 20), "teal")
    return [Strip([picture] * 3, [("name", "size")] * 3)] * count


def teal(sheet: Image.Image) -> int:
    found = (np.asarray(sheet) == (0, 128, 128)).all(axis=2).sum()
    return int(found) // (CELL * 20)


def test_two_groups_side_by_side() -> None:
    few = contact_sheet.contact_sheet(HEADINGS, strips(ONE_GROUP), [])
    many = contact_sheet.contact_sheet(HEADINGS, strips(ONE_GROUP + 1), [])
    assert teal(few) == 3 * ONE_GROUP
    assert teal(many) == 3 * (ONE_GROUP + 1)
    assert many.width > 2 * (few.width - 2 * contact_sheet.GAP)
    assert many.height < few.height


def test_more_than_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    written = []
    monkeypatch.setattr(contact_sheet, "write", lambda *a, **k: written.append(a[2]))
    sheet = contact_sheet.contact_sheet(HEADINGS, strips(MOST + 3), ["footer"])
    assert teal(sheet) == 3 * MOST
    assert written[-2:] == ["footer", "3 more did not fit."]


def test_thumbnails_fit_and_are_not_enlarged() -> None:
    assert thumbnail(Image.new("L", (1, 60000))).size == (1, CELL * 3 // 4)
    assert thumbnail(Image.new("L", (8, 4))).size == (8, 4)
    assert thumbnail(Image.new("RGB", (2 * CELL, CELL))).size == (CELL, CELL // 2)


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        ("lake_01.jpg*", "lake_01.jpg*"),
        ("Grüße.jpg", "Gru\\xdfe.jpg"),
        ("Ma\u0301laga", "Malaga"),
        ("山", "\\u5c71"),
        ("tab\there", "tab\\there"),
        ("\udcff\u202e", "\\udcff\\u202e"),
    ],
)
def test_names_that_the_font_lacks(name: str, plain: str, monkeypatch: pytest.MonkeyPatch) -> None:
    text, font = readable(name, 16)  # with whatever fonts there are
    assert all(contact_sheet._has(font, character) for character in text)
    only = [ImageFont.load_default(16)]
    monkeypatch.setattr(contact_sheet, "_fonts", lambda size: only)
    assert readable(name, 16)[0] == plain
