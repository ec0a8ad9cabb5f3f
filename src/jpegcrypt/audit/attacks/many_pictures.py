"""Many pictures under one fixed key, no plain one: neighbors are told by going together.

Has: the encrypted files of many pictures of one size. Metric: share of blocks whose nearest
relative, by the correlation of what both show over all pictures, is one of their eight neighbors;
and the mean error of places in a layout made from all correlations, in units of what random places
give. Chance: about 8 in n, and 1. With nonces a place holds another block in every file, and
nothing goes together.

The series of a block are its |DC| and its AC energy in three parts that transforms keep apart,
ranked within each picture; and with DC mode `permuted` its signed DC, as the sign that the key
gives a place is the same in all files. (A residual has a sign of its own in each picture.)
The layout is classical multidimensional scaling, put on the grid by an assignment. It may come out
turned and mirrored, which the attacker tells by eye: of all angles and mirrors the best counts, for
the random places, too.
"""

from collections.abc import Sequence
from itertools import product

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment
from scipy.sparse.csgraph import shortest_path
from scipy.spatial.distance import cdist
from scipy.stats import rankdata

from jpegcrypt.audit.exact import Float, in_place
from jpegcrypt.audit.histograms import ac_energy
from jpegcrypt.audit.outcome import Measure, Outcome, Panel
from jpegcrypt.audit.picture import enlarged
from jpegcrypt.audit.target import Lu2022, Pixels
from jpegcrypt.codec.coefficients import Blocks

RELATIVES = 6  # of a block that the layouts walk along
ANGLES = np.arange(0, np.pi, np.pi / 12)  # mirrored both ways, they go all around


def series(blocks: Blocks, table: npt.NDArray[np.uint16]) -> Float:
    """Return four ranked features of each place that need no signs, (4, n)."""
    squares = (blocks.reshape(-1, 8, 8) * table.astype(np.float64)) ** 2
    rims = squares[:, 0, 1:].sum(1) + squares[:, 1:, 0].sum(1)  # blocks may be turned
    low, inner = squares[:, 1:4, 1:4].sum((1, 2)), squares[:, 1:, 1:].sum((1, 2))
    features = np.stack([squares[:, 0, 0], rims, low, inner - low])
    ranks: Float = rankdata(features, axis=1) / len(squares)
    return ranks


def signed(blocks: Blocks) -> Float:
    """Return the DC value at each place, (n,), in units of their mean magnitude."""
    dc = blocks[:, :, 0, 0].ravel().astype(np.float64)
    scaled: Float = dc / (np.abs(dc).mean() or 1)
    return scaled


def correlations(ranked: Float, dc: Float | None = None) -> Float:
    """Return how much places go together, (n, n), the mean over all series.

    Parameters
    ----------
    ranked : float array (pictures, features, n)
    dc : float array (pictures, n)
        Signed values: these may go together with opposite signs, around 0.
    """
    total = np.zeros((ranked.shape[2],) * 2)
    for k in range(ranked.shape[1]):
        total += _alike(ranked[:, k] - ranked[:, k].mean(0))
    if dc is not None:
        total += np.abs(_alike(dc))
    np.fill_diagonal(total, -np.inf)
    mean: Float = total / (ranked.shape[1] + (dc is not None))
    return mean


def _alike(values: Float) -> Float:
    """Return the cosines between the columns of (pictures, n)."""
    unit = values / (np.linalg.norm(values, axis=0) + 1e-12)
    cosines: Float = unit.T @ unit
    return cosines


def nearest_is_neighbor(together: Float, places: npt.NDArray[np.integer]) -> float:
    """Return the share of blocks whose best correlated one is among their eight neighbors.

    `places` holds the true (row, column) of each block, (n, 2).
    """
    distance = np.abs(places - places[together.argmax(1)]).max(1)
    return float((distance == 1).mean())


def layouts(together: Float, rows: int, columns: int) -> npt.NDArray[np.int64]:
    """Return places (row, column) for all blocks, (k, n, 2), turned and mirrored in k ways."""
    n = len(together)
    nearest = np.argpartition(-together, RELATIVES, 1)[:, :RELATIVES]
    steps = np.full((n, n), np.inf)
    source = np.arange(n)[:, None]
    steps[source, nearest] = np.sqrt(np.maximum(1e-6, 1 - together[source, nearest]))
    walked = shortest_path(np.minimum(steps, steps.T), directed=False)
    walked[~np.isfinite(walked)] = 2 * walked[np.isfinite(walked)].max()
    squared = walked**2
    centered = -(squared - squared.mean(0) - squared.mean(1)[:, None] + squared.mean()) / 2
    values, vectors = np.linalg.eigh(centered)
    plane = vectors[:, -2:] * np.sqrt(np.maximum(values[-2:], 0))
    found = [_on_grid(plane @ _rotation(angle), rows, columns) for angle in ANGLES]
    last = np.array([rows - 1, columns - 1])
    return np.stack(
        [np.where(mirror, last - one, one) for one in found for mirror in product((0, 1), repeat=2)]
    )


def _rotation(angle: float) -> Float:
    cosine, sine = np.cos(angle), np.sin(angle)
    return np.array([[cosine, -sine], [sine, cosine]])


def _on_grid(plane: Float, rows: int, columns: int) -> npt.NDArray[np.int64]:
    """Return the place (row, column) for each point (n, 2) that fits its rank on both axes best."""
    n = len(plane)
    wanted = rankdata(plane, axis=0) / n * (rows, columns)
    grid = np.stack(np.divmod(np.arange(n), columns), 1)
    _, chosen = linear_sum_assignment(cdist(wanted, grid + 0.5, "sqeuclidean"))
    places: npt.NDArray[np.int64] = grid[chosen]
    return places


def displacement(
    found: npt.NDArray[np.int64], places: npt.NDArray[np.int64]
) -> tuple[float, npt.NDArray[np.int64]]:
    """Return the mean error of the best layout over that for random places, and the layout."""
    errors = np.linalg.norm(found - places, axis=2).mean(1)
    shuffled = np.random.default_rng(0).permutation(places)
    random = np.linalg.norm(found - shuffled, axis=2).mean(1)
    return float(errors.min() / random.min()), found[errors.argmin()]


def run(target: Lu2022, pictures: Sequence[Pixels]) -> list[Outcome]:
    """Watch all pictures, and lay out the last of them."""
    files = [target.encrypt(picture, serial) for serial, picture in enumerate(pictures)]
    seen = [target.coefficients(data) for data in files]
    ranked = np.stack([series(c.Y, c.qt[0]) for c in seen])
    dc = np.stack([signed(c.Y) for c in seen]) if target.dc == "permuted" else None
    together = correlations(ranked, dc)
    c = seen[-1]
    rows, columns = c.Y.shape[:2]
    permutation = target.plan(files[-1])[0].permutation.astype(np.int64)
    places = np.stack(np.divmod(permutation, columns), 1)
    share = nearest_is_neighbor(together, places)
    error, found = displacement(layouts(together, rows, columns), places)
    shown = np.sqrt(ac_energy(c.Y, c.qt[0])).reshape(rows, columns)
    plan = (found @ np.array([columns, 1])).astype(np.int64)
    n = rows * columns
    neighbors = (3 * rows - 2) * (3 * columns - 2) / n - 1  # on average
    return [
        Outcome(
            "many_pictures",
            f"{len(pictures)} files",
            [
                Measure("nearest relative is a neighbor", share, neighbors / (n - 1), 1),
                Measure("error of the layout", error, 1, 0, "of random"),
            ],
            [
                Panel("energy of blocks, plain", enlarged(in_place(shown, permutation))),
                Panel("in cipher order", enlarged(shown)),
                Panel(f"laid out from {len(pictures)} files", enlarged(in_place(shown, plan))),
            ],
        )
    ]
