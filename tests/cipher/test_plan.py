"""The plan of a component: an unbiased shuffle, from stream bytes that serve one purpose each."""

import math

import numpy as np
import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from hypothesis import given
from hypothesis import strategies as st

from jpegcrypt import _core
from jpegcrypt.cipher import plan
from jpegcrypt.cipher.plan import ComponentPlan, component_plan

KEY = bytes(range(32))
WORD = 1 << 32


def oracle(permutation, i, draws):
    """Fisher-Yates with Lemire's rejection, as defined: a draw serves or is thrown away.

    Shuffles a list in place; returns the index where the draws ran out and how many were rejected.
    """
    rejected = 0
    for draw in draws:
        if i == 0:
            break
        s = i + 1
        if draw * s % WORD < WORD % s:
            rejected += 1
            continue
        j = draw * s // WORD
        permutation[i], permutation[j] = permutation[j], permutation[i]
        i -= 1
    return max(i, 0), rejected


def core_shuffle(permutation, i, draws):
    """The compiled shuffle on a list."""
    array = np.array(permutation, np.uint32)
    i = _core.shuffle(array, i, np.array(draws, "<u4").view(np.uint8))
    permutation[:] = array.tolist()
    return i


def key_of(seed):
    return seed.to_bytes(32, "little")


def raw_stream(key, n):
    return Cipher(algorithms.AES(key), modes.CTR(bytes(16))).encryptor().update(bytes(n))


# --- the shuffle against the oracle -------------------------------------------------------------

draw_lists = st.lists(st.sampled_from([0, 1, WORD - 1]) | st.integers(0, WORD - 1), max_size=120)


@given(st.integers(1, 60), draw_lists)
def test_shuffle_equals_the_oracle(n, draws):
    expected, shuffled = list(range(n)), list(range(n))
    stopped, _ = oracle(expected, n - 1, draws)
    assert core_shuffle(shuffled, n - 1, draws) == stopped
    assert shuffled == expected


@given(st.integers(1, 40), draw_lists, st.lists(st.integers(0, 7), min_size=1, max_size=200))
def test_running_out_and_resuming_changes_nothing(n, draws, cuts):
    """Also where the last draw before a cut is a rejected one: index i then begins anew."""
    whole, pieces = list(range(n)), list(range(n))
    stopped = core_shuffle(whole, n - 1, draws)
    i, rest = n - 1, draws
    for cut in [*cuts, len(draws)]:
        i = core_shuffle(pieces, i, rest[:cut])
        rest = rest[cut:]
    assert (i, pieces) == (stopped, whole)


def test_draw_by_draw():
    draws = np.random.default_rng(2).integers(0, WORD, 300).tolist()
    draws[5:5] = [0, 0, 0]  # 0 is rejected unless i + 1 is a power of two
    whole, single = list(range(200)), list(range(200))
    assert core_shuffle(whole, 199, draws) == 0
    i = 199
    for draw in draws:
        before = i
        i = core_shuffle(single, i, [draw])
        assert i in (before, before - 1) or i == before == 0
    assert (i, single) == (0, whole)


def test_no_draws_no_change():
    for n in (1, 2, 9):
        shuffled = list(range(n))
        assert core_shuffle(shuffled, n - 1, []) == n - 1
        assert shuffled == list(range(n))


@pytest.mark.parametrize("s", [3, 5, 6, 7, 9, 100, 384, 12_345, 65_537, 187_501])
def test_the_edge_of_rejection(s):
    """With v the low half of draw * s: v < t = 2^32 mod s is rejected, v = t is the first to serve.

    Each j is then reached by exactly floor(2^32 / s) draws, which is what makes it uniform.
    """
    t, step = WORD % s, math.gcd(s, WORD)
    served = -(-t // step) * step  # the values that v can take are the multiples of step
    rejected = served - step
    assert rejected < t <= served
    for v, consumed in ((0, False), (rejected, False), (served, True)):
        draw = v // step * pow(s // step, -1, WORD // step) % (WORD // step)
        assert draw * s % WORD == v
        expected, shuffled = list(range(s)), list(range(s))
        assert oracle(expected, s - 1, [draw]) == ((s - 2, 0) if consumed else (s - 1, 1))
        assert core_shuffle(shuffled, s - 1, [draw]) == (s - 2 if consumed else s - 1)
        assert shuffled == expected


def test_draws_served_per_value_are_equal():
    """Lemire's rule with 8-bit words, counted in full: the rule itself is unbiased."""
    for s in range(2, 257):
        served = [x * s >> 8 for x in range(256) if x * s % 256 >= 256 % s]
        assert np.bincount(served, minlength=s).tolist() == [256 // s] * s


@pytest.mark.parametrize("s", [2, 4, 8, 256, 65_536])
def test_powers_of_two_reject_nothing(s):
    for draw in (0, 1, WORD - 1):
        shuffled = list(range(s))
        assert core_shuffle(shuffled, s - 1, [draw]) == s - 2


def test_largest_and_smallest_draw():
    assert core_shuffle(shuffled := list(range(4)), 3, [WORD - 1]) == 2
    assert shuffled == [0, 1, 2, 3]  # j = 3: stays
    assert core_shuffle(shuffled := list(range(4)), 3, [0]) == 2
    assert shuffled == [3, 1, 2, 0]  # j = 0


# --- uniformity ---------------------------------------------------------------------------------

N = 8
CRITICAL = 111.14  # exceeded by chi-square with 49 degrees of freedom with probability 1e-6
SAMPLES = 20_000


def chi_square(permutations):
    """Statistic of position x value in permutations (samples, N): chi-square, (N-1)^2 degrees.

    Rows and columns of the table are tied to each other (permutation matrices), which leaves
    (N-1)^2 directions, each with variance samples / (N-1): hence the factor (N-1) / N.
    """
    permutations = np.asarray(permutations)
    expected = len(permutations) / N
    table = np.stack([np.bincount(column, minlength=N) for column in permutations.T])
    return float(((table - expected) ** 2 / expected).sum() * (N - 1) / N)


def biased_shuffles():
    """Four classical mistakes, on good random numbers."""
    rng = np.random.default_rng(3)

    def swap_with_any(p):
        for i in range(N):
            j = rng.integers(N)
            p[i], p[j] = p[j], p[i]

    def never_stays(p):  # Sattolo's: only cycles
        for i in range(N - 1, 0, -1):
            j = rng.integers(i)
            p[i], p[j] = p[j], p[i]

    def stops_early(p):
        for i in range(N - 1, 1, -1):
            j = rng.integers(i + 1)
            p[i], p[j] = p[j], p[i]

    def four_bits_modulo(p):  # the bias that rejection is there to remove, in small
        for i in range(N - 1, 0, -1):
            j = rng.integers(16) % (i + 1)
            p[i], p[j] = p[j], p[i]

    return [swap_with_any, never_stays, stops_early, four_bits_modulo]


def test_plans_of_many_keys_are_uniform():
    permutations = [component_plan(key_of(seed), N).permutation for seed in range(SAMPLES)]
    assert chi_square(permutations) < CRITICAL


def test_plans_of_many_keys_reach_all_permutations_alike():
    """n = 4: all 24 permutations; chi-square with 23 degrees exceeds 70.5 with probability 1e-6."""
    codes = [
        int("".join(map(str, component_plan(key_of(seed), 4).permutation.tolist())))
        for seed in range(12_000)
    ]
    _, counts = np.unique(codes, return_counts=True)
    assert len(counts) == 24
    assert ((counts - 500) ** 2 / 500).sum() < 70.5


def test_the_check_accepts_a_good_shuffle():
    rng = np.random.default_rng(4)
    assert chi_square(rng.permuted(np.tile(np.arange(N), (SAMPLES, 1)), axis=1)) < CRITICAL


@pytest.mark.parametrize("shuffle", biased_shuffles(), ids=lambda shuffle: shuffle.__name__)
def test_the_check_refuses_a_biased_shuffle(shuffle):
    permutations = [list(range(N)) for _ in range(SAMPLES)]
    for permutation in permutations:
        shuffle(permutation)
    assert chi_square(permutations) > CRITICAL


def test_records_are_uniform():
    """Every byte of a record over 256 values; 16 x 255 degrees, normal approximation at 5 sigma."""
    records = component_plan(KEY, 50_000).records
    expected = len(records) / 256
    table = np.stack([np.bincount(column, minlength=256) for column in records.T])
    degrees = 16 * 255
    statistic = ((table - expected) ** 2 / expected).sum()
    assert abs(statistic - degrees) < 5 * math.sqrt(2 * degrees)


# --- the plan -----------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [0, 1, 2, 3, 96, 384, 5000])
def test_plan_against_stream_and_oracle(n):
    made = component_plan(KEY, n)
    raw = raw_stream(KEY, 16 * n + 8 * n)
    permutation = list(range(n))
    oracle(permutation, n - 1, np.frombuffer(raw, "<u4", offset=16 * n).tolist())
    assert made.records.tobytes() == raw[: 16 * n]
    assert made.permutation.tolist() == permutation
    assert made.records.shape == (n, 16)
    assert made.records.dtype == np.uint8
    assert made.permutation.shape == (n,)
    assert made.permutation.dtype == np.uint32
    assert made.records.flags.c_contiguous
    assert made.permutation.flags.c_contiguous


def test_frozen_plan():
    """Changes only with the file format."""
    made = component_plan(KEY, 8)
    assert made.permutation.tolist() == [7, 2, 3, 6, 5, 1, 4, 0]
    assert made.records[0].tobytes().hex() == "f29000b62a499fd0a9f39a6add2e7780"


def test_plans_are_deterministic_and_differ_by_key():
    one, again, other = (
        component_plan(KEY, 384),
        component_plan(KEY, 384),
        component_plan(key_of(1), 384),
    )
    assert np.array_equal(one.permutation, again.permutation)
    assert np.array_equal(one.records, again.records)
    assert not np.array_equal(one.permutation, other.permutation)
    assert not np.array_equal(one.records, other.records)


class Tape:
    """Stands in for KeyStream: plays given bytes and remembers which were read."""

    def __init__(self, content):
        self.content = content
        self.spans = []

    def read(self, n):
        start = self.spans[-1][1] if self.spans else 0
        self.spans.append((start, start + n))
        return np.frombuffer(self.content, np.uint8, n, start).copy()


def plan_from(tape, n, monkeypatch):
    monkeypatch.setattr(plan, "KeyStream", lambda _: tape)
    return component_plan(KEY, n)


def test_record_bytes_and_draw_bytes_never_overlap(monkeypatch):
    """Change any one byte: below 16 n it moves that byte of the records and no index, above it the
    records stay."""
    n = 7
    content = raw_stream(KEY, 16 * n + 4 * n)
    plain = plan_from(Tape(content), n, monkeypatch)
    moved = 0
    for place in range(16 * n + 4 * (n - 1)):
        changed = bytearray(content)
        changed[place] ^= 0x80
        made = plan_from(Tape(bytes(changed)), n, monkeypatch)
        difference = np.flatnonzero(made.records != plain.records).tolist()
        if place < 16 * n:
            assert difference == [place]
            assert np.array_equal(made.permutation, plain.permutation)
        else:
            assert difference == []
            moved += not np.array_equal(made.permutation, plain.permutation)
    assert moved >= n - 1  # the top bit of each of the n - 1 draws decides something


def test_rejected_draws_are_replaced_by_the_next_of_the_stream(monkeypatch):
    n = 7  # s = 7, 6, 5, 3 reject a draw of 0
    good = np.random.default_rng(5).integers(1 << 20, WORD, n - 1).tolist()
    draws = [0, 0, good[0], 0, *good[1:2], 0, 0, 0, *good[2:]]
    content = bytes(16 * n) + np.array(draws, "<u4").tobytes() + bytes(400)
    tape = Tape(content)
    made = plan_from(tape, n, monkeypatch)
    permutation = list(range(n))
    assert oracle(permutation, n - 1, good) == (0, 0)
    assert made.permutation.tolist() == permutation
    assert len(tape.spans) > 2  # the draws did run out
    ends = [end for _, end in tape.spans]
    assert [start for start, _ in tape.spans] == [0, *ends[:-1]]
    assert ends[:2] == [16 * n, 16 * n + 4 * (n - 1)]


def test_few_reads_an_image(monkeypatch):
    n = 50_000
    tape = Tape(raw_stream(KEY, 32 * n))
    plan_from(tape, n, monkeypatch)
    assert len(tape.spans) <= 5


@pytest.mark.parametrize("size", [0, 16, 31, 33])
def test_wrong_key_size(size):
    with pytest.raises(ValueError, match="key"):
        component_plan(bytes(size), 8)


def test_negative_block_count():
    with pytest.raises(ValueError, match="negative"):
        component_plan(KEY, -1)


def test_the_plan_is_not_shown():
    made = component_plan(KEY, 2)
    assert repr(made) == str(made) == "ComponentPlan()"
    assert isinstance(made, ComponentPlan)
