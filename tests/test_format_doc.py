"""docs/format.md says what is true: its example, its hashes, its tables."""

import re
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest

from jpegcrypt import Key, Metadata, decrypt, open_encrypted
from jpegcrypt.cipher.bank import BANKS, fixed_point
from jpegcrypt.cipher.plan import RECORD_SIZE, component_plan
from jpegcrypt.header import DC_MODES, FORMAT_VERSION, KEY_MODES, SEGMENT_MARKER, Header

example = pytest.importorskip(
    "format_example", reason="jpeglib is not installed; the dev extra has it"
)

DOCUMENT = Path(__file__).parents[1] / "docs" / "format.md"
TEXT = DOCUMENT.read_text("utf-8")
KEY = Key(example.SECRET)


def value(name: str) -> str:
    """Return what the document gives behind a name: the rest of the line, or the lines below."""
    found = re.search(rf"^{re.escape(name)}:(?: (.+)|\n((?:[0-9a-f ]+\n)+))", TEXT, re.M)
    assert found is not None, name
    return found[1] or found[2]


def from_hex(name: str) -> bytes:
    return bytes.fromhex(value(name))


def test_the_example_is_current() -> None:
    assert example.with_example(TEXT) == TEXT, "run: python tests/format_example.py --write"


def test_the_file_in_the_document_decrypts() -> None:
    data = from_hex(re.findall(r"^(\d+ bytes):$", TEXT, re.M)[0])
    opened = open_encrypted(data, Key(from_hex("master key K")))
    assert opened.metadata.comment == example.COMMENT
    pixels = opened.pixels
    assert sha256(pixels.tobytes()).hexdigest() == value("SHA-256 of all pixels, row by row, R G B")
    assert pixels[0].ravel().tolist() == [int(v) for v in value("first row, R G B").split()]
    assert np.abs(pixels.astype(int) - example.picture()).max() < 25  # a small picture at 4:2:0
    assert data == example.encrypted_file()


def test_the_records_in_the_document() -> None:
    metadata = Metadata(comment=b"two", segments=[(0xFE, b"one")], text=[("Title", "lake")])
    assert from_hex("records") == metadata.pack()


def test_the_library_agrees_with_the_values() -> None:
    header = Header.unpack(from_hex("header payload"))
    assert header.key_id == KEY.id == from_hex("key id")
    assert header.nonce == from_hex("nonce N")
    assert header.tag == from_hex("tag")
    keys = KEY.derive(header.nonce)
    labels = re.findall(r'^key\("(.+)"\):', TEXT, re.M)
    assert len(labels) == 7
    for label in labels:
        assert keys.expand(label) == from_hex(f'key("{label}")')
    plan = component_plan(keys.expand(labels[0]), 6)
    assert plan.records.tobytes() == from_hex("key stream: a record a line")
    assert plan.permutation.tolist() == [int(i) for i in value("permutation p").split()]


def test_bank_hashes() -> None:
    listed = dict(re.findall(r"^(\w+) +([0-9a-f]{64})$", TEXT, re.M))
    assert listed == {
        name: sha256(fixed_point(name).astype("<i2").tobytes()).hexdigest() for name in BANKS
    }


def test_ids() -> None:
    for name, number in BANKS.items():
        assert re.search(rf"bank: .*\b{number} `{name}`", TEXT)
    for name, number in KEY_MODES.items():
        assert re.search(rf"key mode: .*\b{number} {name}\b", TEXT)
    for name, number in DC_MODES.items():
        assert re.search(rf"DC mode: .*\b{number} {name}\b", TEXT)
    assert f"format version: {FORMAT_VERSION} " in TEXT
    assert f"(marker FF {SEGMENT_MARKER:02X})" in TEXT
    assert f"n records of {RECORD_SIZE} bytes" in TEXT


def test_header_offsets() -> None:
    table = re.findall(r"^\| (\d+) \| (\d+) \| (\w+)", TEXT, re.M)
    offsets = {name: (int(offset), int(size)) for offset, size, name in table}
    fields = {"nonce": bytes(range(16)), "tag": bytes(range(16, 32)), "salt": bytes(range(32, 48))}
    packed = Header(1, 2, 0, 7, b"abc", key_id=bytes(range(48, 56)), **fields).pack()
    fields |= {"key": bytes(range(48, 56)), "bank": b"\2", "DC": b"\7", "level": b"abc"}
    for name, content in fields.items():
        offset, size = offsets[name]
        assert packed[offset : offset + size] == content


def test_the_reader_reads_the_example() -> None:
    pixels, metadata = example.reader.decrypt(example.encrypted_file(), example.SECRET)
    np.testing.assert_array_equal(pixels, decrypt(example.encrypted_file(), KEY))
    assert metadata == {"comment": example.COMMENT}
