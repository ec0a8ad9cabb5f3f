"""The transform banks: frozen in fixed point, orthogonal, and with the properties they promise."""

import hashlib
import math

import numpy as np
import pytest

from jpegcrypt import _core
from jpegcrypt.cipher.bank import (
    BANKS,
    FRACTION_BITS,
    dct_matrix,
    fixed_point,
    matrices,
    transform_bank,
)

GIVENS_SHA256 = "68ee9c8f02d656910c1dbdf2c0411a444809b2d73c7879c1ab1fda2234f63f8c"
DISTINCT = {"givens128": 128, "authors16": 16, "signs256": 256}
SIGN_BANKS = ("authors16", "signs256")

all_banks = pytest.mark.parametrize("name", BANKS)
sign_banks = pytest.mark.parametrize("name", SIGN_BANKS)


def bit(k, position):
    return k >> position & 1


def coding_gain(bank, rho=0.95):
    """Mean coding gain in dB on an AR(1) source: arithmetic over geometric mean of variances."""
    i = np.arange(8)
    covariance = rho ** np.abs(i[:, None] - i)
    variances = np.einsum("kij,jl,kil->ki", bank, covariance, bank)
    return float(np.mean(-10 * np.log10(variances)))


def test_ids_in_the_file_never_change():
    assert BANKS == {"givens128": 1, "authors16": 2, "signs256": 3}


def test_dct_by_its_definition():
    for i in range(8):
        for n in range(8):
            a = math.sqrt(1 / 8) if i == 0 else 1 / 2
            expected = a * math.cos(math.pi * (2 * n + 1) * i / 16)
            assert dct_matrix()[i, n] == pytest.approx(expected, abs=1e-14)


@all_banks
def test_shape_and_type(name):
    n = 256 if name == "signs256" else 128
    assert matrices(name).shape == fixed_point(name).shape == (n, 8, 8)
    assert matrices(name).dtype == np.float64
    assert fixed_point(name).dtype == np.int16


@all_banks
def test_orthogonal(name):
    bank = matrices(name)
    assert np.abs(bank @ bank.transpose(0, 2, 1) - np.eye(8)).max() < 1e-12


@all_banks
def test_distinct_matrices(name):
    assert len(np.unique(fixed_point(name), axis=0)) == DISTINCT[name]
    rounded = matrices(name).round(12) + 0.0  # + 0.0: one zero
    assert len(np.unique(rounded, axis=0)) == DISTINCT[name]


@all_banks
def test_fixed_point_is_the_rounded_bank(name):
    assert FRACTION_BITS == 14
    assert np.abs(fixed_point(name) - 16384 * matrices(name)).max() <= 0.5
    assert np.abs(fixed_point(name).astype(int)).max() < 16384


@all_banks
def test_rounding_does_not_depend_on_the_math_library(name):
    """No entry is so near a tie that the last bits of a cosine could decide it."""
    scaled = 16384 * matrices(name)
    assert np.abs(scaled - np.floor(scaled) - 0.5).min() > 1e-5


@all_banks
def test_cached_and_read_only(name):
    for make in (matrices, fixed_point):
        assert make(name) is make(name)
        with pytest.raises(ValueError, match="read-only"):
            make(name)[0, 0, 0] = 0


@all_banks
def test_no_row_is_larger_than_the_kernels_expect(name):
    """The bounds of ``native/block.c`` and ``dc.h`` follow from it."""
    assert np.abs(fixed_point(name).astype(int)).sum(axis=2).max() == 46344
    row = (46344 * 128 + (1 << 7) + 255) >> 8
    assert row < 1 << 15
    assert (46344 * row + (1 << 15)) >> 16 <= (1 << 14) + 4


@pytest.mark.parametrize("make", [matrices, fixed_point, transform_bank])
def test_unknown_bank(make):
    with pytest.raises(ValueError, match="unknown bank 'givens', expected one of givens128"):
        make("givens")


@all_banks
def test_transform_bank(name):
    assert isinstance(transform_bank(name), _core.TransformBank)
    assert transform_bank(name) is transform_bank(name)


# --- givens128 ----------------------------------------------------------------------------------


def test_givens128_is_frozen():
    packed = fixed_point("givens128").astype("<i2").tobytes()
    assert hashlib.sha256(packed).hexdigest() == GIVENS_SHA256


def test_givens128_first_rows():
    assert fixed_point("givens128")[0, :2].tolist() == [
        [5793] * 8,
        [6847, 6283, 4959, 2683, -480, -4046, -7195, -9051],
    ]


def test_givens128_one_matrix_from_the_formula():
    """Scalar arithmetic, k = 77 = 0b1001101: another way to the same numbers."""
    k = 77
    rows = dct_matrix().tolist()
    angles = zip((23, 43, 67, 89, 109, 121), (90, 35, 121, 62, 8, 103), strict=True)
    for j, (alpha, beta) in enumerate(angles, start=1):
        theta = 0.35 * (((alpha * k + beta) % 128) - 63.5) / 63.5
        pairs = list(zip(rows[j], rows[j + 1], strict=True))
        rows[j] = [math.cos(theta) * a - math.sin(theta) * b for a, b in pairs]
        rows[j + 1] = [math.sin(theta) * a + math.cos(theta) * b for a, b in pairs]
    signs = [-1 if bit(k, 0) ^ bit(k, 6) else 1] + [-1 if bit(k, i - 1) else 1 for i in range(1, 8)]
    expected = [[sign * x for x in row] for sign, row in zip(signs, rows, strict=True)]
    assert np.abs(matrices("givens128")[k] - expected).max() < 1e-14


def test_givens128_smallest_distance():
    flat = matrices("givens128").reshape(128, 64)
    distance = np.linalg.norm(flat[:, None] - flat, axis=2) + 9 * np.eye(128)
    assert distance.min() == pytest.approx(2.06, abs=0.005)


def test_givens128_signs_carry_the_key_bits():
    """Row i >= 1 still points along its DCT row; its sign is bit i - 1, that of row 0 bit 0 ^ 6."""
    along = np.einsum("kin,in->ki", matrices("givens128"), dct_matrix())
    k = np.arange(128)
    assert np.array_equal(along[:, 1:] < 0, bit(k[:, None], np.arange(7)) == 1)
    assert np.array_equal(along[:, 0] < 0, bit(k, 0) != bit(k, 6))


def test_givens128_entry_0_is_rotated_but_not_flipped():
    entry = matrices("givens128")[0]
    assert np.array_equal(entry[0], dct_matrix()[0])
    assert np.einsum("in,in->i", entry, dct_matrix()).min() > 0.8
    assert np.abs(entry - dct_matrix()).max() > 0.1


def test_givens128_keeps_the_mean_apart():
    """Only row 0 sees the mean of a block, so that AC stays small on flat blocks."""
    sums = matrices("givens128").sum(axis=2)
    assert np.abs(sums[:, 1:]).max() < 1e-12
    assert np.allclose(np.abs(sums[:, 0]), math.sqrt(8))


def test_givens128_costs_little_compression():
    loss = coding_gain(dct_matrix()[None]) - coding_gain(matrices("givens128"))
    assert loss == pytest.approx(0.056, abs=0.001)


# --- sign banks ---------------------------------------------------------------------------------


@sign_banks
def test_sign_banks_start_with_the_dct(name):
    assert np.array_equal(matrices(name)[0], dct_matrix())


@sign_banks
def test_sign_banks_keep_all_magnitudes(name):
    x = np.random.default_rng(1).normal(size=8)
    assert np.array_equal(
        np.abs(matrices(name)), np.abs(dct_matrix())[None].repeat(len(matrices(name)), 0)
    )
    assert np.allclose(np.abs(matrices(name) @ x), np.abs(dct_matrix() @ x), atol=1e-14)


def test_authors16_flips_pairs():
    pairs = {6: (0, 4), 5: (2, 6), 3: (1, 7), 1: (3, 5), 4: (), 2: (), 0: ()}
    for k, matrix in enumerate(matrices("authors16")):
        signs = np.ones(8)
        for position, rows in pairs.items():
            if bit(k, position):
                signs[list(rows)] *= -1
        assert np.array_equal(matrix, np.diag(signs) @ dct_matrix())


def test_authors16_lists_each_matrix_8_times():
    _, counts = np.unique(fixed_point("authors16"), axis=0, return_counts=True)
    assert counts.tolist() == [8] * 16


def test_signs256_flips_row_i_by_bit_i():
    for k, matrix in enumerate(matrices("signs256")):
        signs = [-1 if bit(k, i) else 1 for i in range(8)]
        assert np.array_equal(matrix, np.diag(signs) @ dct_matrix())
