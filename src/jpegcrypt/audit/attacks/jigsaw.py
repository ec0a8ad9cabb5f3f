"""Jigsaw puzzle: blocks are put together by how well their rims fit.

Has: one encrypted file; in the bound, the content of every block, so that only their places are
secret. Metrics of the field (Chuman, Kurihara and Kiya 2017): Dc, the share of blocks in their
place; Nc, the share of neighboring pairs; Lc, the share of the largest part that is right in
itself. Chance, nearly: 1 in n for Dc and for Nc, and 2 in n for Lc, as a random arrangement has two
right pairs. Luma only. Schemes that keep no block together have no such puzzle. Of one that moves
no block, the file itself is the solution. Pieces are neither turned nor inverted.

The solver follows Gallagher (2012): pairs in the order of how much better they fit than the second
best, joined as a minimum spanning tree wherever parts do not overlap; the largest part goes into
the frame, and the rest where it fits best.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from jpegcrypt.audit.exact import Float, render
from jpegcrypt.audit.outcome import ATTACKED, Measure, Outcome, Panel, over_pictures
from jpegcrypt.audit.target import Pixels, Placed, Target
from jpegcrypt.codec.coefficients import read_coefficients

Grid = npt.NDArray[np.int64]  # (rows, columns) of piece numbers

CANDIDATES = 8  # partners of a piece in a direction that the tree may use


def mismatch(pieces: Float) -> tuple[Float, Float]:
    """Return how badly piece j fits right of, and below, piece i, (n, n) each.

    Rims are extrapolated by half a sample from both sides (Pomeranz et al. 2011).
    """
    right = _gap(
        1.5 * pieces[:, :, -1] - 0.5 * pieces[:, :, -2],
        1.5 * pieces[:, :, 0] - 0.5 * pieces[:, :, 1],
    )
    below = _gap(1.5 * pieces[:, -1] - 0.5 * pieces[:, -2], 1.5 * pieces[:, 0] - 0.5 * pieces[:, 1])
    return right, below


def _gap(out: Float, into: Float) -> Float:
    gap: Float = np.maximum((out**2).sum(1)[:, None] + (into**2).sum(1)[None] - 2 * out @ into.T, 0)
    np.fill_diagonal(gap, np.inf)
    return gap


def assemble(pieces: Float, rows: int, columns: int) -> Grid:
    """Arrange pieces (n, height, width) in a frame of rows x columns."""
    costs = mismatch(pieces)
    parts = _grow(costs, len(pieces))
    largest = max(parts, key=len)
    return _fill(_trim(largest, rows, columns), costs, len(pieces))


def _grow(costs: tuple[Float, Float], n: int) -> list[dict[int, tuple[int, int]]]:
    """Join pieces by their best pairs, as places relative to each other."""
    edges = []
    for direction, cost in enumerate(costs):
        second = np.minimum(np.partition(cost, 1, 1)[:, 1, None], np.partition(cost, 1, 0)[1][None])
        ratio = (cost + 1e-9) / (second + 1e-9)
        for i in range(n):
            for j in np.argpartition(ratio[i], min(CANDIDATES, n - 2))[:CANDIDATES]:
                if i != j:
                    edges.append((float(ratio[i, j]), i, int(j), direction))
    part_of = {i: {i: (0, 0)} for i in range(n)}
    for _, i, j, direction in sorted(edges):
        a, b = part_of[i], part_of[j]
        if a is b:
            continue
        dy = a[i][0] + (direction == 1) - b[j][0]
        dx = a[i][1] + (direction == 0) - b[j][1]
        moved = {piece: (y + dy, x + dx) for piece, (y, x) in b.items()}
        if not set(moved.values()).isdisjoint(a.values()):
            continue
        a.update(moved)
        for piece in b:
            part_of[piece] = a
    return list({id(part): part for part in part_of.values()}.values())


def _trim(part: dict[int, tuple[int, int]], rows: int, columns: int) -> Grid:
    """Put the frame where it holds most of a part; -1 marks empty places."""
    places = np.array(list(part.values()))
    places -= places.min(0)
    occupied = np.zeros((places[:, 0].max() + rows + 1, places[:, 1].max() + columns + 1))
    occupied[tuple(places.T)] = 1
    integral = np.pad(occupied, ((1, 0), (1, 0))).cumsum(0).cumsum(1)
    held = (
        integral[rows:, columns:] - integral[:-rows, columns:]
        - integral[rows:, :-columns] + integral[:-rows, :-columns]
    )  # fmt: skip
    top, left = np.unravel_index(held.argmax(), held.shape)
    grid = np.full((rows, columns), -1, np.int64)
    for piece, (y, x) in zip(part, places - (top, left), strict=True):
        if 0 <= y < rows and 0 <= x < columns:
            grid[y, x] = piece
    return grid


def _fill(grid: Grid, costs: tuple[Float, Float], n: int) -> Grid:
    """Fill empty places, always the one with most neighbors, by the piece that fits best."""
    right, below = costs
    rows, columns = grid.shape
    free = np.ones(n, bool)
    free[grid[grid >= 0]] = False
    while (grid < 0).any():
        there = np.pad(grid >= 0, 1).astype(int)
        neighbors = there[:-2, 1:-1] + there[2:, 1:-1] + there[1:-1, :-2] + there[1:-1, 2:]
        y, x = np.unravel_index(np.where(grid < 0, neighbors, -1).argmax(), grid.shape)
        pieces = np.flatnonzero(free)
        cost = np.zeros(len(pieces))
        if y > 0 and grid[y - 1, x] >= 0:
            cost += below[grid[y - 1, x], pieces]
        if y < rows - 1 and grid[y + 1, x] >= 0:
            cost += below[pieces, grid[y + 1, x]]
        if x > 0 and grid[y, x - 1] >= 0:
            cost += right[grid[y, x - 1], pieces]
        if x < columns - 1 and grid[y, x + 1] >= 0:
            cost += right[pieces, grid[y, x + 1]]
        grid[y, x] = pieces[cost.argmin()]
        free[grid[y, x]] = False
    return grid


def scores(grid: Grid, truth: Grid) -> tuple[float, float, float]:
    """Return Dc, Nc and Lc of an arrangement; `truth` holds the piece of each place."""
    rows, columns = truth.shape
    place = np.empty(truth.size, np.int64)
    place[truth.ravel()] = np.arange(truth.size)
    at = place[grid]  # true place of what stands in each place
    right = (at[:, 1:] == at[:, :-1] + 1) & (at[:, :-1] % columns != columns - 1)
    below = at[1:] == at[:-1] + columns
    index = np.arange(truth.size).reshape(rows, columns)
    a = np.concatenate([index[:, :-1][right], index[:-1][below]])
    b = np.concatenate([index[:, 1:][right], index[1:][below]])
    joined = coo_array((np.ones(len(a)), (a, b)), shape=(truth.size, truth.size))
    _, labels = connected_components(joined, directed=False)
    pairs = right.size + below.size
    return (
        float((grid == truth).mean()),
        float((right.sum() + below.sum()) / pairs),
        float(np.bincount(labels).max() / truth.size),
    )


def solve(attacker: str, plain: Pixels, picture: Pixels, truth: Grid, *, is_bound: bool) -> Outcome:
    """Assemble the blocks of a gray picture; `truth` holds the block of each place."""
    pieces = _pieces(picture)
    # From a random order, or ties between flat blocks would keep those that did not move in place.
    order = np.random.default_rng(0).permutation(len(pieces))
    grid = order[assemble(pieces[order], *truth.shape)]
    return _outcome(attacker, plain, picture, grid, truth, is_bound=is_bound)


def _pieces(picture: Pixels) -> Float:
    rows, columns = picture.shape[0] // 8, picture.shape[1] // 8
    blocks = picture.reshape(rows, 8, columns, 8).swapaxes(1, 2)
    return blocks.reshape(-1, 8, 8).astype(np.float64)


def _outcome(
    attacker: str, plain: Pixels, picture: Pixels, grid: Grid, truth: Grid, *, is_bound: bool
) -> Outcome:
    dc, nc, lc = scores(grid, truth)
    n = truth.size
    shown = _pieces(picture)[grid].swapaxes(1, 2).reshape(picture.shape).astype(np.uint8)
    return Outcome(
        "jigsaw",
        attacker,
        [
            Measure("Nc, neighbors", nc, 1 / n, 1),
            Measure("Dc, places", dc, 1 / n, 1),
            Measure("Lc, largest part", lc, 2 / n, 1),
        ],
        [Panel("plain", plain), Panel("in cipher order", picture), Panel("assembled", shown)],
        is_bound,
    )


def run(target: Target, pictures: Sequence[Pixels]) -> list[Outcome]:
    """Attack the first pictures."""
    return over_pictures([attack(target, *one) for one in enumerate(pictures[:ATTACKED])])


def attack(target: Target, serial: int, picture: Pixels) -> list[Outcome]:
    """Attack a picture: as its file shows it, and with every block restored."""
    data = target.encrypt(picture, serial)
    order = target.luma_order(data) if isinstance(target, Placed) else None
    if order is None:
        return []
    plain, cipher = read_coefficients(target.encode(picture)), read_coefficients(data)
    rows, columns = cipher.Y.shape[:2]
    place = np.argsort(order)
    truth = place.reshape(rows, columns)  # the cipher block of each plain place
    restored = plain.Y.reshape(-1, 8, 8)[order].reshape(plain.Y.shape)
    shown = render(plain.Y, plain.qt[0])
    seen, whole = render(cipher.Y, cipher.qt[0]), render(restored, plain.qt[0])
    if np.array_equal(order, np.arange(rows * columns)):  # the scheme is known, so this is, too
        found = _outcome("one file", shown, seen, truth, truth, is_bound=False)
    else:
        found = solve("one file", shown, seen, truth, is_bound=False)
    return [found, solve("one file, every block restored", shown, whole, truth, is_bound=True)]
