"""Many pictures under one fixed key, no plain one: neighbors are told by going together.

Has: the encrypted files of many pictures of one size. Metric: share of blocks whose nearest
relative, by the correlation of what both show over all pictures, is one of their eight neighbors;
and the mean error of places in a layout made from all correlations, in units of what random places
give. Chance: about 8 in n, and 1. With nonces a place holds another block in every file, and
nothing goes together.

The series of a block are its |DC| and the logarithm of its AC energy, ranked within each picture.
The layout is classical multidimensional scaling, put on the grid by an assignment; of the turned
and mirrored layouts, which the attacker tells apart by eye, the best counts.
"""

from collections.abc import Sequence

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
from jpegcrypt.audit.target import Lu2022, Pixels, Target
from jpegcrypt.codec.coefficients import Blocks

RELATIVES = 6  # of a block that the layout walks along


def series(blocks: Blocks, table: npt.NDArray[np.uint16]) -> Float:
    """Return what a picture shows at each place: two features, ranked, (2, n)."""
    dc = np.abs(blocks[:, :, 0, 0]).ravel().astype(np.float64)
    energy = np.log1p(ac_energy(blocks, table))
    ranks: Float = np.stack([rankdata(dc), rankdata(energy)]) / len(dc)
    return ranks


def correlations(observed: Float) -> Float:
    """Return how much places go together, (n, n), from series (pictures, features, n)."""
    total = np.zeros((observed.shape[2],) * 2)
    for k in range(observed.shape[1]):
        centered = observed[:, k] - observed[:, k].mean(0)
        norms = np.sqrt((centered**2).sum(0)) + 1e-12
        total += (centered / norms).T @ (centered / norms)
    np.fill_diagonal(total, -np.inf)
    mean: Float = total / observed.shape[1]
    return mean


def nearest_is_neighbor(together: Float, places: npt.NDArray[np.integer]) -> float:
    """Return the share of blocks whose best correlated one is among their eight neighbors.

    `places` holds the true (row, column) of each block, (n, 2).
    """
    distance = np.abs(places - places[together.argmax(1)]).max(1)
    return float((distance == 1).mean())


def layout(together: Float, rows: int, columns: int) -> npt.NDArray[np.int64]:
    """Return a place (row, column) for each block, (n, 2), from how they go together."""
    n = len(together)
    nearest = np.argpartition(-together, RELATIVES, 1)[:, :RELATIVES]
    steps = np.full((n, n), np.inf)
    source = np.arange(n)[:, None]
    steps[source, nearest] = np.sqrt(np.maximum(1e-6, 1 - together[source, nearest]))
    walked = shortest_path(np.minimum(steps, steps.T), directed=False)
    walked[~np.isfinite(walked)] = 2 * walked[np.isfinite(walked)].max()
    squared = walked**2
    centered = -(squared - squared.mean(0) - squared.mean(1)[:, None] + squared.mean()) / 2
    _, vectors = np.linalg.eigh(centered)
    first, second = vectors[:, -1], vectors[:, -2]  # along the longer side, along the shorter
    along = (second, first) if columns >= rows else (first, second)
    wanted = np.stack(
        [rankdata(values) / n * size for values, size in zip(along, (rows, columns), strict=True)],
        1,
    )
    grid = np.stack(np.divmod(np.arange(n), columns), 1)
    _, chosen = linear_sum_assignment(cdist(wanted, grid + 0.5, "sqeuclidean"))
    places: npt.NDArray[np.int64] = grid[chosen]
    return places


def displacement(
    found: npt.NDArray[np.int64], places: npt.NDArray[np.int64], rows: int, columns: int
) -> tuple[float, npt.NDArray[np.int64]]:
    """Return the mean error of places over that of random ones, and the layout as it fits best."""
    size = np.array([rows - 1, columns - 1])
    best, fitting = np.inf, found
    for flip in ((0, 0), (0, 1), (1, 0), (1, 1)):
        turned = np.where(flip, size - found, found)
        error = float(np.linalg.norm(turned - places, axis=1).mean())
        if error < best:
            best, fitting = error, turned
    rng = np.random.default_rng(0)
    random = float(np.linalg.norm(places[rng.permutation(len(places))] - places, axis=1).mean())
    return best / random, fitting


def observe(target: Target, pictures: Sequence[Pixels]) -> tuple[Float, list[bytes]]:
    """Return the series of all pictures, (pictures, 2, n), and their files."""
    files = [target.encrypt(picture, serial) for serial, picture in enumerate(pictures)]
    coefficients = [target.coefficients(data) for data in files]
    return np.stack([series(c.Y, c.qt[0]) for c in coefficients]), files


def run(target: Lu2022, pictures: Sequence[Pixels]) -> list[Outcome]:
    """Watch all pictures, and lay out the last of them."""
    observed, files = observe(target, pictures)
    c = target.coefficients(files[-1])
    rows, columns = c.Y.shape[:2]
    permutation = target.plan(files[-1])[0].permutation.astype(np.int64)
    places = np.stack(np.divmod(permutation, columns), 1)
    together = correlations(observed)
    share = nearest_is_neighbor(together, places)
    error, found = displacement(layout(together, rows, columns), places, rows, columns)
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
