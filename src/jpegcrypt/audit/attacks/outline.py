"""The outline family: maps of what each block keeps, as pictures of one pixel a block.

Has: one encrypted file. Metric: rank correlation of a map of the encrypted file with the same map
of the plain file, and how well their edges overlap; chance is what random orders reach. Maps, after
Li and Yuan (2007), Minemura et al. (2012) and He et al. (2018): NZCA counts coefficients that are
not zero, EAC adds up AC energy, PLZ is the place of the last coefficient, the DC category is the
size of what the block tells of its mean, and the DC code the size of the difference that the file
codes for it, from the block before.

In cipher order the permutation hides all of it. The second outcome is a bound, with the permutation
removed: what the transforms alone would hide, and what shows once a plan is known.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata

from jpegcrypt.audit.exact import in_place
from jpegcrypt.audit.histograms import ac_energy, last_nonzero
from jpegcrypt.audit.outcome import ATTACKED, Measure, Outcome, Panel, mean
from jpegcrypt.audit.picture import edge_similarity, enlarged
from jpegcrypt.audit.target import Lu2022, Pixels, Target
from jpegcrypt.cipher.additional_bits import category
from jpegcrypt.codec.coefficients import Blocks, Coefficients, coded_order, read_coefficients
from jpegcrypt.codec.tables import ZIGZAG
from jpegcrypt.schemes.quantized import dc_differences

Map = npt.NDArray[np.float64]  # (rows, columns)
Maps = dict[str, Map]


def nzca(c: Coefficients) -> Map:
    """Count of AC coefficients that are not zero."""
    return _as_map((c.Y.reshape(-1, 64)[:, 1:] != 0).sum(1), c.Y)


def eac(c: Coefficients) -> Map:
    """Root of the AC energy."""
    return _as_map(np.sqrt(ac_energy(c.Y, c.qt[0])), c.Y)


def plz(c: Coefficients) -> Map:
    """Zig-zag position of the last coefficient that is not zero."""
    return _as_map(last_nonzero(c.Y.reshape(-1, 64)[:, ZIGZAG]), c.Y)


def dc_category(c: Coefficients) -> Map:
    """Bits of the DC value."""
    return _as_map(category(c.Y[:, :, 0, 0].ravel()), c.Y)


def dc_code(c: Coefficients) -> Map:
    """Bits of the DC difference, which its Huffman code tells (F.1.2.1), of a file as it stands."""
    rows, columns = c.Y.shape[:2]
    order = coded_order(rows, columns, *(c.sampling[0] if len(c.sampling) > 1 else (1, 1)))
    differences = np.empty(rows * columns, np.int16)
    differences[order] = dc_differences(c.Y.reshape(-1, 64)[order])
    return _as_map(category(differences), c.Y)


MAPS: dict[str, Callable[[Coefficients], Map]] = {
    "NZCA": nzca,
    "EAC": eac,
    "PLZ": plz,
    "DC category": dc_category,
}
NAMES = (*MAPS, "DC code")

ORDERS = 100


def run(target: Target, pictures: Sequence[Pixels]) -> list[Outcome]:
    """Draw the maps of the first pictures."""
    pairs, placed = [], []
    for serial, picture in enumerate(pictures[:ATTACKED]):
        data = target.encrypt(picture, serial)
        file = read_coefficients(target.encode(picture))
        plain, cipher = maps(file, dc_code(file)), target.coefficients(data)
        codes = dc_code(read_coefficients(data))
        pairs.append((plain, maps(cipher, codes)))
        if isinstance(target, Lu2022):
            permutation = target.plan(data)[0].permutation
            Y = in_place(cipher.Y, permutation)
            placed.append((plain, maps(replace(cipher, Y=Y), in_place(codes, permutation))))
    outcomes = [compare("one file", pairs, pictures[0], is_bound=False)]
    if placed:
        given = "one file, and the permutation"
        outcomes.append(compare(given, placed, pictures[0], is_bound=True))
    return outcomes


def maps(c: Coefficients, codes: Map) -> Maps:
    """Return all maps of what a file tells of its blocks, and of their DC codes."""
    return {name: make(c) for name, make in MAPS.items()} | {"DC code": codes}


def compare(
    attacker: str, pairs: Sequence[tuple[Maps, Maps]], first: Pixels, *, is_bound: bool
) -> Outcome:
    """Compare maps of plain and of encrypted files; the one that correlates best comes first."""
    found = {name: [correlation(a[name], b[name]) for a, b in pairs] for name in NAMES}
    names = sorted(NAMES, key=lambda name: -float(np.mean(found[name])))
    by_luck = luck(pairs)
    measures = [
        mean([Measure(f"{name}, correlation", rho, by_luck, 1) for rho in found[name]])
        for name in names
    ]
    measures += [mean([edges(name, a[name], b[name]) for a, b in pairs]) for name in names]
    panels = [Panel("plain", first)]
    panels += [Panel(name, enlarged(pairs[0][1][name])) for name in names[:3]]
    return Outcome("outline", attacker, measures, panels, is_bound)


def edges(name: str, plain: Map, cipher: Map) -> Measure:
    """Return how many edges two maps share, and how many with the blocks in a random order."""
    anywhere = np.random.default_rng(0).permutation(cipher.ravel()).reshape(cipher.shape)
    shared, chance = (edge_similarity(enlarged(plain), enlarged(b)) for b in (cipher, anywhere))
    return Measure(f"{name}, edges shared", shared, chance, 1)


def luck(pairs: Sequence[tuple[Maps, Maps]]) -> float:
    """Return what the best of all maps correlates in 95 of 100 random orders of the blocks."""
    rng = np.random.default_rng(0)
    standard = [[{name: _standard(one[name]) for name in NAMES} for one in pair] for pair in pairs]
    best = []
    for _ in range(ORDERS):
        reached = np.zeros(len(NAMES))
        for a, b in standard:
            order = rng.permutation(a["NZCA"].size)
            reached += [(a[name] * b[name][order]).mean() for name in NAMES]
        best.append(reached.max() / len(pairs))
    return float(np.quantile(best, 0.95))


def _standard(values: Map) -> npt.NDArray[np.float64]:
    """Return ranks of mean 0 and variance 1, all 0 of a flat map."""
    ranks = rankdata(values) - (values.size + 1) / 2
    standard: npt.NDArray[np.float64] = ranks / (ranks.std() or 1)
    return standard


def correlation(a: Map, b: Map) -> float:
    """Return the rank correlation of two maps; 0 where one of them is flat."""
    return float((_standard(a) * _standard(b)).mean())


def _as_map(values: npt.NDArray[np.generic], blocks: Blocks) -> Map:
    return values.reshape(blocks.shape[:2]).astype(np.float64)
