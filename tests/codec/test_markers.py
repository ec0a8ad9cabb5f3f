"""Markers of a JPEG are found up to EOI, in whatever stands between them."""

import time

from hypothesis import given
from hypothesis import strategies as st

from checks import patterns, pillow_jpeg
from jpegcrypt.codec import markers
from jpegcrypt.codec.markers import walk

PICTURE = patterns(40, 50)["noise"]


def test_every_marker_of_a_file():
    data = pillow_jpeg(PICTURE, progressive=True, restart_marker_blocks=2, comment=b"\xff\xd9")
    found = [markers.name(marker) for marker, _ in walk(data + b"\xff\xd8\xff\xd9")]
    assert found[:5] == ["APP0", "COM", "DQT", "DQT", "SOF2"]
    assert found[-1] == "EOI"
    assert set(found) == {"APP0", "COM", "DQT", "SOF2", "DHT", "DRI", "SOS", "EOI"}
    *_, (_, end) = walk(data + b"behind")
    assert end == len(data)


@given(st.lists(st.sampled_from([b"\xff", b"\0", b"\xd9", b"\xda", b"\xe1", b"\2", b"x"])))
def test_any_bytes(pieces):
    ends = [end for _, end in walk(b"\xff\xd8" + b"".join(pieces))]
    assert ends == sorted(set(ends))


def test_fill_bytes_take_no_time():
    start = time.process_time()
    assert list(walk(b"\xff\xd8" + b"\xff" * 5_000_000)) == []
    assert time.process_time() - start < 2
