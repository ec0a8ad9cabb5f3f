"""The histograms against loops that follow the text of T.81, and against cases counted by hand."""

import numpy as np
import pytest

from checks import components, photo
from jpegcrypt import Coefficients, encode, read_coefficients
from jpegcrypt.audit import histograms
from jpegcrypt.codec.tables import ZIGZAG
from jpegcrypt.schemes.statistics import AC_SYMBOLS

SAMPLING = {"4:4:4": (1, 1), "4:2:0": (2, 2), "4:2:2": (2, 1)}


def coefficients(subsampling: str) -> Coefficients:
    # One MCU more than a multiple, so that the grid of luma has blocks that only pad it.
    image = photo("coffee.png")[40:136, 60:212]
    return read_coefficients(encode(image, quality=60, subsampling=subsampling))


def ac_codes_by_the_book(block: np.ndarray) -> list[int]:
    """Code the AC coefficients of one block as in T.81 Figure F.2."""
    codes, run = [], 0
    for k in range(1, 64):
        value = int(block.ravel()[ZIGZAG[k]])
        if value == 0:
            run += 1
            continue
        while run > 15:
            codes.append(0xF0)
            run -= 16
        codes.append(run << 4 | abs(value).bit_length())
        run = 0
    return [*codes, 0x00] if run else codes


@pytest.mark.parametrize("subsampling", SAMPLING)
def test_ac_codes(subsampling):
    c = coefficients(subsampling)
    expected = []
    for blocks in components(c):
        counts = dict.fromkeys(AC_SYMBOLS.tolist(), 0)
        for block in blocks.reshape(-1, 8, 8):
            for code in ac_codes_by_the_book(block):
                counts[code] += 1
        expected += counts.values()
    assert histograms.ach(c).tolist() == expected
    assert sum(expected) > 1000
    assert len(AC_SYMBOLS) == 162


@pytest.mark.parametrize("subsampling", SAMPLING)
def test_dc_codes(subsampling):
    """Differences along the MCUs of an interleaved scan (A.2.3), predicted from 0 at the start."""
    c = coefficients(subsampling)
    h, v = SAMPLING[subsampling]
    expected = []
    for blocks, (ch, cv) in zip(components(c), [(h, v), (1, 1), (1, 1)], strict=True):
        counts, last = [0] * 12, 0
        rows, columns = blocks.shape[:2]
        for my in range(-(-rows // cv)):
            for mx in range(-(-columns // ch)):
                for y in range(my * cv, min(rows, my * cv + cv)):
                    for x in range(mx * ch, min(columns, mx * ch + ch)):
                        dc = int(blocks[y, x, 0, 0])
                        counts[abs(dc - last).bit_length()] += 1
                        last = dc
        expected += counts
    assert histograms.dch(c).tolist() == expected


def test_value_histograms():
    c = coefficients("4:2:0")
    dcc, acc = (f(c).reshape(3, 2049) for f in (histograms.dcc, histograms.acc))
    for i, blocks in enumerate(components(c)):
        n = blocks.shape[0] * blocks.shape[1]
        assert (dcc[i].sum(), acc[i].sum()) == (n, 63 * n)
        for value in (-3, 0, 5):
            assert dcc[i, 1024 + value] == (blocks[:, :, 0, 0] == value).sum()
            everywhere = (blocks == value).sum()
            assert acc[i, 1024 + value] == everywhere - dcc[i, 1024 + value]
    nonzero = histograms.acc_nonzero(c).reshape(3, 2049)
    assert (nonzero[:, 1024] == 0).all()
    assert (np.delete(nonzero, 1024, 1) == np.delete(acc, 1024, 1)).all()


def by_hand(*blocks: dict[tuple[int, int], int]) -> Coefficients:
    Y = np.zeros((1, len(blocks), 8, 8), np.int16)
    for i, block in enumerate(blocks):
        for place, value in block.items():
            Y[0, i][place] = value
    qt = np.full((1, 8, 8), 2, np.uint16)
    return Coefficients(Y, None, None, qt, ((1, 1),), 8 * len(blocks), 8)


def test_features_counted_by_hand():
    c = by_hand({(0, 0): -7, (0, 1): 3, (1, 0): -4}, {(0, 0): 1, (7, 7): 1}, {})
    assert np.flatnonzero(histograms.nonzero_counts(c)).tolist() == [0, 1, 2]
    assert np.flatnonzero(histograms.eob_positions(c)).tolist() == [0, 2, 63]
    assert np.flatnonzero(histograms.dch(c)).tolist() == [1, 3, 4]  # -1, -7, 8
    energies = histograms.block_energies(c)
    assert energies[0] == pytest.approx(0, abs=0.02)
    assert energies[-1] == pytest.approx(10, abs=0.02)  # steps of 2: 6 and -8
    absolute = histograms.absolute(histograms.dcc)(c)
    assert np.flatnonzero(absolute).tolist() == [0, 1, 7]


def test_differences_beyond_the_categories_are_left_out():
    c = by_hand({(0, 0): 2047}, {(0, 0): 32767}, {(0, 0): -32768}, {(0, 0): -32767})
    counts = histograms.dch(c)
    assert (counts[1], counts[11], counts.sum()) == (2, 1, 3)  # 2047, 30720, 1 modulo 2**16, 1


def test_a_value_without_a_magnitude_of_16_bits():
    c = by_hand({(0, 0): -32768}, {(0, 1): 5})
    for name, feature in histograms.FEATURES.items():
        assert np.isfinite(feature(c)).all(), name
    assert histograms.per_frequency(c)[histograms.TOP] == 1


def test_what_each_feature_does_not_see():
    """Signs, transposition, order: the extended features are blind to them on purpose."""
    c = by_hand({(0, 0): -7, (0, 1): 3, (2, 0): -4}, {(0, 0): 1, (5, 3): 9})
    turned = by_hand({(0, 0): 1, (3, 5): -9}, {(0, 0): 7, (1, 0): 3, (0, 2): 4})
    for name in ("|DCC|", "|ACC|", "per frequency", "nonzero counts", "block energies"):
        feature = histograms.FEATURES[name]
        assert np.array_equal(feature(c), feature(turned)), name
    for name in ("DCC", "ACC", "ACH", "DCH"):
        feature = histograms.FEATURES[name]
        assert not np.array_equal(feature(c), feature(turned)), name
    other = by_hand({(0, 0): 1, (3, 4): -9}, {(0, 0): 7, (1, 0): 3, (0, 2): 4})
    assert not np.array_equal(histograms.per_frequency(c), histograms.per_frequency(other))
