"""Coefficients to a scan and back, with neither pixels nor keys."""

import numpy as np
import pytest

import jpegcrypt
from checks import SAMPLINGS, patterns, photo
from jpegcrypt import _core
from jpegcrypt.cipher.bank import dct_bank
from jpegcrypt.codec.coefficients import coded_order, decode_scans
from jpegcrypt.codec.parse import parse
from jpegcrypt.codec.tables import ANNEX_K_HUFFMAN, huffman_decoder, quantizer


@pytest.mark.parametrize("effort", ["fast", "default"])
@pytest.mark.parametrize("subsampling", [*SAMPLINGS, "gray"])
def test_a_scan_from_coefficients_is_the_one_they_came_from(subsampling, effort):
    for picture in (photo("coffee.png")[40:141, 60:215], patterns(33, 41)["extremes"]):
        gray = subsampling == "gray"
        picture = picture[:, :, 0] if gray else picture
        data = jpegcrypt.encode(
            picture, quality=95, subsampling="4:2:0" if gray else subsampling, effort=effort
        )
        jpeg = parse(data)
        tables = ANNEX_K_HUFFMAN[: 2 if gray else 4] if effort == "fast" else None
        for threads in (1, 3):
            scan, _ = _core.encode_coefficients(
                jpeg.frame, decode_scans(jpeg), tables=tables, threads=threads
            )
            assert data.endswith(bytes(scan) + b"\xff\xd9")


@pytest.mark.parametrize("subsampling", [*SAMPLINGS, "gray"])
def test_planes_to_coefficients_is_what_a_file_holds(subsampling):
    gray = subsampling == "gray"
    picture = photo("coffee.png")[40:141, 60:215]
    picture = np.ascontiguousarray(picture[:, :, :1]) if gray else picture
    data = jpegcrypt.encode(
        picture[:, :, 0] if gray else picture, subsampling="4:2:0" if gray else subsampling
    )
    jpeg = parse(data)
    planes = _core.image_to_planes(picture, jpeg.frame)
    quantizers = [quantizer(table.tobytes()) for table in jpeg.tables]
    ours = _core.planes_to_coefficients(planes, quantizers, dct_bank())
    for a, b in zip(ours, decode_scans(jpeg), strict=True):
        assert np.array_equal(a, b)
    with pytest.raises(ValueError, match="encoded before"):
        _core.planes_to_coefficients(planes, quantizers, dct_bank())


def test_dc_codes_alone_are_a_first_progressive_scan():
    frame = _core.Frame(100, 60, [(2, 2), (1, 1), (1, 1)])
    rng = np.random.default_rng(1)
    arrays = [
        rng.integers(-1000, 1000, (*shape, 64)).astype(np.int16) for shape in frame.block_shapes
    ]
    scan, tables = _core.encode_coefficients(frame, arrays, dc_only=True)
    back = [np.zeros_like(array) for array in arrays]
    dc = [huffman_decoder(tables[1 if i == 0 else 3], True) for i in range(3)]
    entropy = _core.EntropyData(bytes(scan), 0)
    _core.decode_scan(frame, entropy, (0, 1, 2), dc, [None] * 3, back, progression=(0, 0, 0, 0))
    for a, b in zip(arrays, back, strict=True):
        assert np.array_equal(a[:, :, 0], b[:, :, 0])
        assert not b[:, :, 1:].any()


def test_dc_values_wrap_at_16_bits():
    frame = _core.Frame(160, 8, [(1, 1)])
    blocks = np.zeros((1, 20, 64), np.int16)
    blocks[0, :, 0] = np.cumsum(np.full(20, 2040), dtype=np.int16)
    assert (np.diff(blocks[0, :, 0].astype(int)) < 0).any()
    scan, tables = _core.encode_coefficients(frame, [blocks])
    back = [np.zeros_like(blocks)]
    ac, dc = (huffman_decoder(table, bool(i)) for i, table in enumerate(tables))
    _core.decode_scan(frame, _core.EntropyData(bytes(scan), 0), (0,), [dc], [ac], back)
    assert np.array_equal(back[0], blocks)


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ((0, 1, 5), 1024),
        ((0, 1, 63), -1024),
        ((0, 0, 0), 2048),
        ((0, 1, 1), -32768),
        ((0, 1, 15), -32768),
    ],
)
def test_values_without_a_code_are_refused(place, value):
    frame = _core.Frame(16, 8, [(1, 1)])
    blocks = np.zeros((1, 2, 64), np.int16)
    blocks[place] = value
    for tables in (None, ANNEX_K_HUFFMAN[:2]):
        with pytest.raises(ValueError, match="no code in baseline JPEG"):
            _core.encode_coefficients(frame, [blocks], tables=tables)


def test_arrays_of_the_wrong_shape_are_refused():
    frame = _core.Frame(16, 8, [(1, 1)])
    with pytest.raises(ValueError, match="shape"):
        _core.encode_coefficients(frame, [np.zeros((2, 1, 64), np.int16)])
    with pytest.raises(ValueError, match="2 arrays for 1"):
        _core.encode_coefficients(frame, [np.zeros((1, 2, 64), np.int16)] * 2)


@pytest.mark.parametrize("subsampling", SAMPLINGS)
def test_coded_order_is_that_of_the_scan(subsampling):
    """Blocks with rising DC values have equal differences in it, MCU padding left out."""
    jpeg = parse(jpegcrypt.encode(np.zeros((50, 75, 3), np.uint8), subsampling=subsampling))
    arrays = [np.zeros((*shape, 64), np.int16) for shape in jpeg.frame.block_shapes]
    for array, factors in zip(arrays, jpeg.frame.sampling, strict=True):
        order = coded_order(*array.shape[:2], *factors)
        array.reshape(-1, 64)[order, 0] = np.arange(len(order)) + 1
    _, tables = _core.encode_coefficients(jpeg.frame, arrays, dc_only=True)
    for _, values in (tables[1], tables[3]):
        assert set(values) <= {0, 1}  # categories: 0 of padding, 1
