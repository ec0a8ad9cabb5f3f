"""The header segment: every byte in its place, and every byte checked."""

from dataclasses import FrozenInstanceError, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jpegcrypt.errors import MalformedJpeg, UnsupportedJpeg
from jpegcrypt.header import DC_MODES, FORMAT_VERSION, KEY_MODES, SEGMENT_MARKER, Header, is_header

KEY_ID = bytes(range(0x10, 0x18))
NONCE = bytes(range(0x20, 0x30))
TAG = bytes(range(0x30, 0x40))
SALT = bytes(range(0x40, 0x50))
LEVELS = bytes(range(0x50, 0x53))
PLAIN = Header(
    scheme=1, bank=3, key_mode=2, dc=1, levels=LEVELS, key_id=KEY_ID, nonce=NONCE, tag=TAG
)
SALTED = replace(PLAIN, salt=SALT)

headers = st.builds(
    Header,
    scheme=st.integers(0, 255),
    bank=st.integers(0, 255),
    key_mode=st.integers(0, 255),
    dc=st.integers(0, 255),
    levels=st.binary(min_size=3, max_size=3),
    key_id=st.binary(min_size=8, max_size=8),
    nonce=st.binary(min_size=16, max_size=16),
    tag=st.binary(min_size=16, max_size=16),
    salt=st.none() | st.binary(min_size=16, max_size=16),
)


def test_layout():
    start = b"jpegcrypt\0" + bytes((1, 1, 3, 2, 1)) + LEVELS
    assert PLAIN.pack() == start + b"\0" + KEY_ID + NONCE + TAG
    assert SALTED.pack() == start + b"\1" + KEY_ID + NONCE + TAG + SALT


def test_constants():
    assert SEGMENT_MARKER == 0xEB
    assert FORMAT_VERSION == 1
    assert KEY_MODES == {"nonce": 0, "content": 1, "fixed": 2}
    assert DC_MODES == {"permuted": 0, "residual": 1}


def test_sizes():
    """With marker and length the segment stays under 64 bytes; a salt adds its 16."""
    assert len(PLAIN.pack()) + 4 == 63
    assert len(SALTED.pack()) == 75


@given(headers)
def test_round_trip(header):
    assert Header.unpack(header.pack()) == header
    assert is_header(header.pack())


@given(headers)
def test_authenticated_zeroes_the_tag_alone(header):
    packed = header.pack()
    assert header.authenticated() == packed[:43] + bytes(16) + packed[59:]


def test_authenticated_covers_every_other_field():
    others = [
        replace(SALTED, scheme=2),
        replace(SALTED, bank=1),
        replace(SALTED, key_mode=0),
        replace(SALTED, dc=0),
        *(replace(SALTED, levels=LEVELS[:i] + b"\0" + LEVELS[i + 1 :]) for i in range(3)),
        replace(SALTED, key_id=bytes(8)),
        replace(SALTED, nonce=bytes(16)),
        replace(SALTED, salt=bytes(16)),
        replace(SALTED, salt=None),
    ]
    assert len({header.authenticated() for header in [SALTED, *others]}) == 12


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("scheme", -1),
        ("bank", 256),
        ("key_mode", 256),
        ("dc", -1),
        ("levels", bytes(2)),
        ("levels", bytes(4)),
        ("key_id", bytes(7)),
        ("key_id", bytes(9)),
        ("nonce", bytes(15)),
        ("nonce", bytes(17)),
        ("tag", b""),
        ("tag", bytes(32)),
        ("salt", b""),
        ("salt", bytes(15)),
    ],
)
def test_a_field_that_does_not_fit_is_refused(field, value):
    with pytest.raises(ValueError, match=field):
        replace(PLAIN, **{field: value})


def test_headers_are_frozen():
    with pytest.raises(FrozenInstanceError):
        PLAIN.bank = 2


@pytest.mark.parametrize(
    "payload", [b"", b"JP", b"jpegcrypt", b"JPEGCRYPT\0", b"jpegcrypt\1" + bytes(45), b"Exif\0\0"]
)
def test_other_segments_are_no_headers(payload):
    assert not is_header(payload)
    with pytest.raises(MalformedJpeg, match="no jpegcrypt header at byte 20"):
        Header.unpack(payload, offset=20)


@pytest.mark.parametrize("header", [PLAIN, SALTED])
def test_every_wrong_length(header):
    packed = header.pack()
    for length in range(10, len(packed)):
        with pytest.raises(MalformedJpeg, match=f"of {length} bytes, expected .* at byte 6"):
            Header.unpack(packed[:length], offset=6)
    with pytest.raises(MalformedJpeg, match="bytes, expected"):
        Header.unpack(packed + b"\0")


def test_a_salt_must_be_announced():
    with pytest.raises(MalformedJpeg, match="75 bytes, expected 59"):
        Header.unpack(PLAIN.pack() + SALT)


@pytest.mark.parametrize("version", [0, 2, 255])
@pytest.mark.parametrize("length", [11, 59, 64])
def test_another_version_is_named_before_all_else(version, length):
    payload = (b"jpegcrypt\0" + bytes((version,))).ljust(length, b"\xff")
    assert is_header(payload)
    with pytest.raises(UnsupportedJpeg, match=f"format version {version}, .* reads 1") as caught:
        Header.unpack(payload)
    assert "newer jpegcrypt" in str(caught.value.hint)


@pytest.mark.parametrize("flags", [*(1 << bit for bit in range(1, 8)), 3, 255])
@pytest.mark.parametrize("header", [PLAIN, SALTED])
def test_unknown_flags(header, flags):
    packed = bytearray(header.pack())
    packed[18] = flags
    with pytest.raises(MalformedJpeg, match=f"unknown flags 0x{flags:02x} at byte 6"):
        Header.unpack(bytes(packed), offset=6)


@pytest.mark.parametrize("mode", [3, 255])
def test_unknown_ids_are_left_to_whoever_looks_them_up(mode):
    packed = bytearray(PLAIN.pack())
    packed[11:15] = 200, 201, mode, 202
    header = Header.unpack(bytes(packed))
    assert (header.scheme, header.bank, header.key_mode, header.dc) == (200, 201, mode, 202)


@given(st.binary(max_size=80))
def test_hostile_payloads_raise_nothing_else(tail):
    for payload in (tail, b"jpegcrypt\0" + tail, b"jpegcrypt\0\1" + tail):
        try:
            header = Header.unpack(payload)
        except (MalformedJpeg, UnsupportedJpeg):
            continue
        assert header.pack() == payload
