"""The outline family: maps of what each block keeps, as pictures of one pixel a block.

Has: one encrypted file. Metric: rank correlation of a map of the encrypted file with the same map
of the plain file, and how well their edges overlap; chance is what random orders reach. Maps, after
Li and Yuan (2007), Minemura et al. (2012) and He et al. (2018): NZCA counts coefficients that are
not zero, EAC adds up AC energy, PLZ is the place of the last coefficient, and the DC category is
the size of the block's mean.

In cipher order the permutation hides all of it. The second outcome is a bound, with the permutation
removed: what the transforms alone would hide, and what shows once a plan is known.
"""

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata, spearmanr

from jpegcrypt.audit.exact import in_place
from jpegcrypt.audit.histograms import ac_energy, last_nonzero
from jpegcrypt.audit.outcome import Measure, Outcome, Panel
from jpegcrypt.audit.picture import edge_similarity, enlarged
from jpegcrypt.audit.target import Lu2022, Pixels, Target
from jpegcrypt.cipher.additional_bits import category
from jpegcrypt.codec.coefficients import Blocks, read_coefficients
from jpegcrypt.codec.tables import ZIGZAG

Map = npt.NDArray[np.float64]  # (rows, columns)


def nzca(blocks: Blocks, table: npt.NDArray[np.uint16]) -> Map:
    """Count of AC coefficients that are not zero."""
    return _as_map((blocks.reshape(-1, 64)[:, 1:] != 0).sum(1), blocks)


def eac(blocks: Blocks, table: npt.NDArray[np.uint16]) -> Map:
    """Root of the AC energy."""
    return _as_map(np.sqrt(ac_energy(blocks, table)), blocks)


def plz(blocks: Blocks, table: npt.NDArray[np.uint16]) -> Map:
    """Zig-zag position of the last coefficient that is not zero."""
    return _as_map(last_nonzero(blocks.reshape(-1, 64)[:, ZIGZAG]), blocks)


def dc_category(blocks: Blocks, table: npt.NDArray[np.uint16]) -> Map:
    """Bits of the DC value."""
    return _as_map(category(blocks[:, :, 0, 0].ravel()), blocks)


MAPS: dict[str, Callable[[Blocks, npt.NDArray[np.uint16]], Map]] = {
    "NZCA": nzca,
    "EAC": eac,
    "PLZ": plz,
    "DC category": dc_category,
}


ORDERS = 100


def run(target: Target, pictures: Sequence[Pixels]) -> list[Outcome]:
    """Draw the maps of the first picture."""
    picture = pictures[0]
    plain = read_coefficients(target.encode(picture))
    data = target.encrypt(picture, 0)
    cipher = target.coefficients(data)
    outcomes = [compare("one file", plain.Y, cipher.Y, cipher.qt[0], picture, is_bound=False)]
    if isinstance(target, Lu2022):
        placed = in_place(cipher.Y, target.plan(data)[0].permutation)
        given = "one file, and the permutation"
        outcomes.append(compare(given, plain.Y, placed, cipher.qt[0], picture, is_bound=True))
    return outcomes


def compare(
    attacker: str,
    plain: Blocks,
    cipher: Blocks,
    table: npt.NDArray[np.uint16],
    picture: Pixels,
    *,
    is_bound: bool,
) -> Outcome:
    """Compare the maps of two files; the one that correlates best comes first."""
    found = []
    for name, make in MAPS.items():
        a, b = make(plain, table), make(cipher, table)
        edges = edge_similarity(enlarged(a), enlarged(b))
        found.append((correlation(a, b), name, edges, b))
    found.sort(key=lambda one: -one[0])
    shuffled = np.random.default_rng(0).permutation(found[0][3].ravel()).reshape(found[0][3].shape)
    by_chance = edge_similarity(enlarged(MAPS[found[0][1]](plain, table)), enlarged(shuffled))
    by_luck = luck([MAPS[name](plain, table) for _, name, _, _ in found], [one[3] for one in found])
    measures = [Measure(f"{name}, correlation", rho, by_luck, 1) for rho, name, _, _ in found]
    measures += [
        Measure(f"{name}, edges shared", edges, by_chance, 1) for _, name, edges, _ in found
    ]
    panels = [Panel("plain", picture)]
    panels += [Panel(name, enlarged(values)) for _, name, _, values in found[:3]]
    return Outcome("outline", attacker, measures, panels, is_bound)


def luck(plain: Sequence[Map], cipher: Sequence[Map]) -> float:
    """Return what the best of all maps correlates in 95 of 100 random orders of the blocks."""
    rng = np.random.default_rng(0)
    ranks = [[rankdata(one) for one in maps] for maps in (plain, cipher)]
    best = []
    for _ in range(ORDERS):
        order = rng.permutation(plain[0].size)
        best.append(max(correlation(a, b[order]) for a, b in zip(ranks[0], ranks[1], strict=True)))
    return float(np.quantile(best, 0.95))


def correlation(a: Map, b: Map) -> float:
    """Return the rank correlation of two maps; 0 where one of them is flat."""
    if np.ptp(a) == 0 or np.ptp(b) == 0:
        return 0.0
    return float(spearmanr(a.ravel(), b.ravel()).statistic)


def _as_map(values: npt.NDArray[np.generic], blocks: Blocks) -> Map:
    return values.reshape(blocks.shape[:2]).astype(np.float64)
