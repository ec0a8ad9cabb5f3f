"""Optimal Huffman tables: never longer than Annex K's, as short as Huffman allows, always legal."""

import heapq

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import oracle
from checks import KEY, NONCE, SAMPLINGS, check_valid, patterns, photo, pillow_jpeg
from jpegcrypt import encode, encrypt, read_coefficients

MAX_LENGTH = 16
DC, AC = 0x00, 0x10  # Tc << 4 | Th of the luma tables


def huffman_lengths(weights: list[int]) -> list[int]:
    """Return the code length of each weight by Huffman's algorithm, with a heap."""
    heap = [(weight, i, [i]) for i, weight in enumerate(weights)]
    heapq.heapify(heap)
    lengths = [0] * len(weights)
    while len(heap) > 1:
        (a, _, left), (b, i, right) = heapq.heappop(heap), heapq.heappop(heap)
        for leaf in left + right:
            lengths[leaf] += 1
        heapq.heappush(heap, (a + b, i, left + right))
    return lengths


def best_cost(weights: list[int]) -> tuple[int, int]:
    """Return the least number of bits and the longest code, with one code kept unused (K.2)."""
    lengths = huffman_lengths([*weights, 0])
    cost = sum(w * n for w, n in zip(weights, lengths, strict=False))
    return cost, max(lengths)


def limited_cost(weights: list[int]) -> int:
    """Return the least number of bits with codes of at most 16: package-merge, one code unused."""
    leaves = sorted((w, [w]) for w in [*weights, 0])
    packages: list[tuple[int, list[int]]] = []
    for _ in range(MAX_LENGTH):
        packages = sorted(packages + leaves, key=lambda p: p[0])
        packages = [
            (a[0] + b[0], a[1] + b[1]) for a, b in zip(packages[::2], packages[1::2], strict=False)
        ]
    return sum(w for w, _ in packages[: len(leaves) - 1])


def costs(data: bytes) -> dict[int, tuple[int, list[int]]]:
    """Return, for each table, the bits its codes take and the counts of its symbols."""
    symbols, tables = oracle.read_symbols(data), oracle.huffman_tables(data)
    used: dict[int, tuple[int, list[int]]] = {}
    for table, codes in tables.items():
        lengths = {symbol: len(code) for code, symbol in codes.items()}
        counts = {s: n for (t, s), n in symbols.histogram.items() if t == table}
        used[table] = sum(n * lengths[s] for s, n in counts.items()), list(counts.values())
    return used


def check_optimal(data: bytes) -> int:
    """Check each table of a file; return the longest code that Huffman would have given."""
    deepest = 0
    for bits, counts in costs(data).values():
        least, depth = best_cost(counts)
        deepest = max(deepest, depth)
        if depth <= MAX_LENGTH:
            assert bits == least
        else:  # Figure K.3 limits the lengths by a rule of thumb
            assert limited_cost(counts) <= bits <= 1.01 * limited_cost(counts)
    return deepest


def check_legal(data: bytes) -> None:
    """Kraft's inequality with the code of all ones left over, no symbol twice or unknown."""
    for table, codes in oracle.huffman_tables(data).items():
        assert sum(2.0 ** -len(code) for code in codes) <= 1 - 2.0**-MAX_LENGTH
        assert len(set(codes.values())) == len(codes) > 0
        assert max(map(len, codes)) <= MAX_LENGTH
        for symbol in codes.values():
            run, size = (0, symbol) if table < AC else (symbol >> 4, symbol & 15)
            assert size <= (11 if table < AC else 10)
            assert size or run in (0, 15)


def test_the_judges_agree():
    """Package-merge equals Huffman where no code is too long."""
    rng = np.random.default_rng(3)
    for n in (1, 2, 3, 10, 50):
        weights = rng.integers(1, 1000, n).tolist()
        assert limited_cost(weights) == best_cost(weights)[0]


# --- pictures -----------------------------------------------------------------------------------


@pytest.mark.parametrize("quality", [5, 50, 90, 100])
@pytest.mark.parametrize("subsampling", [*SAMPLINGS, "gray"])
def test_photographs(subsampling, quality):
    image = photo("coffee.png")[60:171, 100:205]
    if subsampling == "gray":
        image, subsampling = image[:, :, 1], "4:2:0"
    kind = {"quality": quality, "subsampling": subsampling}
    for optimal, annex_k in (
        (encode(image, **kind), encode(image, effort="fast", **kind)),
        (
            encrypt(image, KEY, nonce=NONCE, **kind),
            encrypt(image, KEY, nonce=NONCE, effort="fast", **kind),
        ),
    ):
        check_legal(optimal)
        check_optimal(optimal)
        ours, theirs = costs(optimal), costs(annex_k)
        assert sorted(map(sorted, (c for _, c in ours.values()))) == sorted(
            map(sorted, (c for _, c in theirs.values()))
        )
        for table in ours:
            assert ours[table][0] <= theirs[table][0]
        assert oracle.read_symbols(optimal).blocks == oracle.read_symbols(annex_k).blocks
        assert len(optimal) <= len(annex_k)


@given(st.data())
@settings(max_examples=40, deadline=None)
def test_random_pictures(data):
    height, width = data.draw(st.integers(1, 40)), data.draw(st.integers(1, 40))
    name = data.draw(st.sampled_from(list(patterns(1, 1))))
    image = patterns(height, width)[name]
    file = encode(image, quality=data.draw(st.integers(1, 100)))
    check_legal(file)
    check_optimal(file)
    fast = encode(image, quality=50, effort="fast")
    for table, (bits, _) in costs(encode(image, quality=50)).items():
        assert bits <= costs(fast)[table][0]


def test_never_larger_than_libjpeg():
    """`optimize=True` of libjpeg finds the same cost from the same coefficients."""
    image = photo("astronaut.png")[:128, :128]
    for quality in (50, 75, 90):
        theirs = pillow_jpeg(image, quality=quality, optimize=True)
        check_legal(theirs)
        check_optimal(theirs)


# --- adversarial histograms ---------------------------------------------------------------------


def picture_of(symbols: list[int]) -> tuple[np.ndarray, list[list[int]]]:
    """Return a gray picture whose block b holds a single AC symbol, and its coarse tables.

    Symbol 16 r + s is a coefficient of size s at zig-zag position r + 1, s up to 5: one cosine,
    which rounding to whole levels does not blur, with steps of 16.
    """
    dct, side = oracle.dct(), int(np.ceil(np.sqrt(len(symbols))))
    blocks = np.zeros((side * side, 8, 8))
    for block, symbol in zip(blocks, symbols, strict=False):
        v, u = oracle.ZIGZAG[1 + (symbol >> 4)]
        block[:] = dct.T[:, [v]] @ dct[[u], :] * 16 * (1 << (symbol & 15) - 1)
    tiles = np.rint(blocks + 128).reshape(side, side, 8, 8).swapaxes(1, 2)
    assert tiles.min() >= 0
    assert tiles.max() <= 255
    return tiles.reshape(8 * side, 8 * side).astype(np.uint8), [[16] * 64]


def fibonacci(n: int) -> list[int]:
    numbers = [1, 1]
    while len(numbers) < n:
        numbers.append(numbers[-1] + numbers[-2])
    return numbers[:n]


SYMBOLS = [run << 4 | size for run in range(16) for size in range(1, 6)]


@pytest.mark.parametrize("n", [10, 14, 15, 16, 17, 18, 19])
def test_fibonacci(n):
    """Frequencies that make Huffman's tree as deep as it can be: beyond 16 levels from 16 on."""
    symbols = [s for s, count in zip(SYMBOLS, fibonacci(n), strict=False) for _ in range(count)]
    image, qtables = picture_of(symbols)
    data = encode(image, qtables=qtables)
    check_valid(data)
    counts = {s: c for (t, s), c in oracle.read_symbols(data).histogram.items() if t == AC}
    assert [counts[s] for s in SYMBOLS[:n]] == fibonacci(n)
    check_legal(data)
    deepest = check_optimal(data)
    assert (deepest > MAX_LENGTH) == (n > 15), deepest


@pytest.mark.parametrize("base", [2, 3])
def test_geometric(base):
    """Powers of two and three."""
    counts = [base**i for i in range(14 if base == 2 else 9)]
    symbols = [s for s, count in zip(SYMBOLS[::-1], counts, strict=False) for _ in range(count)]
    image, qtables = picture_of(symbols)
    data = encode(image, qtables=qtables)
    check_valid(data)
    check_legal(data)
    check_optimal(data)


def test_every_symbol_once():
    image, qtables = picture_of(SYMBOLS)
    data = encode(image, qtables=qtables)
    check_legal(data)
    check_optimal(data)


def test_all_162_symbols():
    """Noise at quality 100 needs nearly every symbol there is."""
    rng = np.random.default_rng(5)
    noise = (rng.integers(0, 2, (256, 256)) * rng.integers(0, 256, (256, 256))).astype(np.uint8)
    image = np.vstack([noise, photo("coffee.png")[:256, :256, 0]])
    data = encode(image, qtables=[[1] * 20 + [60] * 44])
    check_valid(data)
    check_legal(data)
    check_optimal(data)
    assert len(oracle.huffman_tables(data)[AC]) > 70


@pytest.mark.parametrize("size", [1, 8, 9, 200])
def test_one_symbol(size):
    """A flat picture: one DC difference, then zeros; one AC symbol, EOB."""
    data = encode(np.full((size, size), 128, np.uint8))
    check_valid(data)
    check_legal(data)
    tables = oracle.huffman_tables(data)
    assert tables[AC] == {"0": 0}
    assert tables[DC] == {"0": 0}


def test_zero_runs():
    """Runs beyond 15 zeros take ZRL, and a block that ends in a value has no EOB."""
    dct = oracle.dct()
    for position in (1, 16, 17, 32, 33, 48, 49, 62, 63):
        v, u = oracle.ZIGZAG[position]
        block = np.rint(dct.T[:, [v]] @ dct[[u], :] * 400 + 128).astype(np.uint8)
        data = encode(np.tile(block, (2, 2)), qtables=[[40] * 64])
        counts = {s: n for (t, s), n in oracle.read_symbols(data).histogram.items() if t == AC}
        runs, rest = divmod(position - 1, 16)
        assert counts.get(0xF0, 0) == 4 * runs
        assert counts[rest << 4 | 4] == 4
        assert counts.get(0, 0) == (0 if position == 63 else 4)
        assert np.count_nonzero(read_coefficients(data).Y) == 4


def test_the_oracle_reads_other_peoples_files():
    data = pillow_jpeg(photo("coffee.png")[:50, :60], restart_marker_blocks=3)
    (scan,) = oracle.payloads(data, 0xDA)
    assert 0 < oracle.read_symbols(data).bits <= 8 * len(scan)
