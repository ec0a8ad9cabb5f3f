"""Signs and means from smoothness: natural pictures are continuous across the rims of blocks.

Bounds, not attacks on the whole: both are given the place and the transposition of every block.
`signs` has the magnitudes of all coefficients, and their signs as far as the bank flips them
together, and looks for the rest; `means` has the AC coefficients right and looks for the DC values
(Uehara, Safavi-Naini and Ogunbona 2006); their mean is the level shift, which files tell. Metric:
share of signs, weighted by magnitude, with chance 1/2; structural similarity, with that of all
signs plus, or of all means alike, or of a flat picture for chance, whichever is more. Luma only.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array
from scipy.sparse.linalg import lsqr

from jpegcrypt.audit import dc
from jpegcrypt.audit.exact import Float, in_place, render
from jpegcrypt.audit.outcome import ATTACKED, Measure, Outcome, Panel, over_pictures
from jpegcrypt.audit.picture import most_alike, psnr, ssim
from jpegcrypt.audit.target import Lu2022, Pixels
from jpegcrypt.cipher.bank import dct_matrix, matrices
from jpegcrypt.codec.coefficients import Blocks, read_coefficients

Units = npt.NDArray[np.intp]

SWEEPS = 2000
HOT, COLD = 200_000.0, 1.0  # squared samples: what large coefficients matter, and small ones

# From coefficients of a block, (64,), to samples of its rim: top, bottom, left, right, 8 each.
_DCT = dct_matrix()
_SAMPLES = np.einsum("vy,ux->yxvu", _DCT, _DCT).reshape(8, 8, 64)
_RIM = np.concatenate([_SAMPLES[0], _SAMPLES[7], _SAMPLES[:, 0], _SAMPLES[:, 7]])
_NEXT = np.concatenate([_SAMPLES[1], _SAMPLES[6], _SAMPLES[:, 1], _SAMPLES[:, 6]])
_BEYOND = 1.5 * _RIM - 0.5 * _NEXT  # half a sample further: where two blocks meet


def units(bank: str, *, turned: bool = False) -> Units:
    """Return the unit of each coefficient of a block, (8, 8): what all matrices flip as one.

    A unit is called after the natural index of its first coefficient. In a block that was turned by
    a right angle and is transposed back, what matrices flip in columns lies in rows.

    Examples
    --------
    >>> [len(np.unique(units(bank))) for bank in ("authors16", "signs256")]
    [32, 64]
    """
    flips = np.sign(np.einsum("mij,ij->mi", matrices(bank), _DCT))  # (matrices, 8)
    first_alike = (flips.T @ flips == len(flips)).argmax(1)
    index = np.arange(64).reshape(8, 8)
    return index[:, first_alike] if turned else index[first_alike]


def signs(values: Float, together: Units) -> Float:
    """Return values (rows, columns, 8, 8) with signs that fit their neighbors.

    Whether all of them have to be negated is not told.

    Starts with plus for the first coefficient of each unit and flips a unit of each block, in all
    blocks of one color of a checkerboard at a time: simulated annealing of the squared differences
    across rims, from a seed.

    Parameters
    ----------
    values : float array (rows, columns, 8, 8)
        With the right magnitudes, and the right signs relative to others of the same unit.
    together : int array (rows, columns, 8, 8)
        The unit of each coefficient, as of `units`.
    """
    rows, columns = values.shape[:2]
    flat, unit = values.reshape(rows, columns, 64), together.reshape(rows, columns, 64)
    parts = np.zeros((rows, columns, 64, 32))  # what each unit adds to the rim
    row, column = np.mgrid[:rows, :columns]
    for k in range(64):
        parts[row, column, unit[:, :, k]] += flat[:, :, k, None] * _RIM[:, k]
    sign = np.where(flat < 0, -1.0, 1.0)  # so that the first of each unit is positive
    counts = _neighbors(np.zeros((rows, columns, 4, 8)))[1]
    own = 4 * ((parts**2).reshape(rows, columns, 64, 4, 8).sum(4) @ counts[..., None])[..., 0]
    own[own == 0] = np.inf  # an empty unit never flips
    parity = np.add.outer(np.arange(rows), np.arange(columns)) % 2
    rng = np.random.default_rng(0)
    for sweep, heat in enumerate(np.geomspace(HOT, COLD, SWEEPS)):
        rims = (sign[:, :, None] @ parts).reshape(rows, columns, 4, 8)
        misfit = (rims - _neighbors(rims)[0]) * counts[..., None]
        pull = (parts @ misfit.reshape(rows, columns, 32, 1))[..., 0]
        gain = 4 * sign * pull - own
        # A random unit, likelier the more its flip gains; then the rule of Metropolis.
        chosen = (gain + heat * rng.gumbel(size=gain.shape)).argmax(2)
        gained = np.take_along_axis(gain, chosen[..., None], 2)[..., 0]
        take = (parity == sweep % 2) & (gained > heat * np.log(rng.random(gained.shape)))
        y, x = np.nonzero(take)
        sign[y, x, chosen[y, x]] *= -1
    flipped: Float = flat * np.take_along_axis(sign, unit, 2)
    return flipped.reshape(values.shape)


def _neighbors(rims: Float) -> tuple[Float, Float]:
    """Return what stands across each rim, (rows, columns, 4, 8), and whether something does."""
    wanted, there = np.zeros_like(rims), np.zeros(rims.shape[:3])
    wanted[1:, :, 0], there[1:, :, 0] = rims[:-1, :, 1], 1
    wanted[:-1, :, 1], there[:-1, :, 1] = rims[1:, :, 0], 1
    wanted[:, 1:, 2], there[:, 1:, 2] = rims[:, :-1, 3], 1
    wanted[:, :-1, 3], there[:, :-1, 3] = rims[:, 1:, 2], 1
    return wanted, there


def means(ac: Float) -> Float:
    """Return DC values (rows, columns) that make blocks of known AC coefficients continuous.

    Least squares over all rims; these leave the mean of all of them open, and it is set to 0.
    """
    rows, columns = ac.shape[:2]
    rims = (ac.reshape(rows, columns, 64) @ _BEYOND.T).reshape(rows, columns, 4, 8).mean(3)
    index = np.arange(rows * columns).reshape(rows, columns)
    a = np.concatenate([index[:-1].ravel(), index[:, :-1].ravel()])
    b = np.concatenate([index[1:].ravel(), index[:, 1:].ravel()])
    gap = np.concatenate(
        [(rims[:-1, :, 1] - rims[1:, :, 0]).ravel(), (rims[:, :-1, 3] - rims[:, 1:, 2]).ravel()]
    )
    equation = np.arange(len(a)).repeat(2)
    unknown, sign = np.stack([b, a], 1).ravel(), np.tile([1.0, -1.0], len(a))
    system = coo_array((sign, (equation, unknown)), shape=(len(a), rows * columns)).tocsr()
    level: Float = lsqr(system, gap, atol=1e-10, btol=1e-10)[0]
    dc: Float = 8 * (level - level.mean()).reshape(rows, columns)  # DC = 8 x mean
    return dc


def run(target: Lu2022, pictures: Sequence[Pixels]) -> list[Outcome]:
    """Attack the first pictures."""
    return over_pictures([attack(target, *one) for one in enumerate(pictures[:ATTACKED])])


def attack(target: Lu2022, serial: int, picture: Pixels) -> list[Outcome]:
    """Attack a picture."""
    data = target.encrypt(picture, serial)
    plain, cipher = read_coefficients(target.encode(picture)), target.coefficients(data)
    plan, table = target.plan(data)[0], cipher.qt[0]
    blocks = cipher.Y.reshape(-1, 8, 8).copy()
    turned = plan.records[:, 9] % 2 == 1
    blocks[turned] = blocks[turned].swapaxes(1, 2)
    placed = in_place(blocks.reshape(cipher.Y.shape), plan.permutation)
    upright, transposed = units(target.bank), units(target.bank, turned=True)
    together = np.where(turned[:, None, None], transposed, upright).reshape(cipher.Y.shape)
    together = in_place(together, plan.permutation)
    levels = target.levels(data)
    shift = dc.shift(levels[0], int(table[0, 0]))
    outcomes = [_means(plain.Y, shift, table)]
    if target.dc == "permuted":  # else no mean is there whose sign could be found
        values = target.travelling(plain, levels)[0]
        outcomes.insert(0, _signs(placed, together, plain.Y, values, shift, table))
    return outcomes


def _luck(shown: Pixels, start: Pixels, shift: int, table: npt.NDArray[np.uint16]) -> Pixels:
    """Return the start, or a flat picture if that looks more like the shown one."""
    none = np.zeros((shown.shape[0] // 8, shown.shape[1] // 8, 8, 8))
    none[:, :, 0, 0] = shift
    return most_alike(shown, [start, render(none, table)])


def _signs(
    cipher: Blocks,
    together: Units,
    plain: Blocks,
    carried: npt.NDArray[np.int64],
    shift: int,
    table: npt.NDArray[np.uint16],
) -> Outcome:
    """Look for signs; a shift of all means by one value, which is public, leaves all rims alike."""
    wanted = plain.copy()
    wanted[:, :, 0, 0] = carried

    def shown_as(blocks: Float) -> Pixels:
        raised = blocks.astype(np.float64)
        raised[:, :, 0, 0] += shift
        return render(raised, table)

    shown = render(plain, table)
    start = shown_as(np.abs(cipher))
    luck = _luck(shown, start, shift, table)
    values = signs(cipher.astype(np.float64) * table, together) / table
    if ssim(shown, shown_as(-values)) > ssim(shown, shown_as(values)):  # seen by eye
        values = -values
    found = shown_as(values)
    weight = np.abs(wanted).astype(np.float64) * table
    right = (np.sign(values) == np.sign(wanted)) * weight
    return Outcome(
        "smoothness",
        "one file, places and transpositions: signs wanted",
        [
            Measure("SSIM", ssim(shown, found), ssim(shown, luck), 1, ""),
            Measure("signs found, by magnitude", float(right.sum() / weight.sum()), 0.5, 1),
            Measure(
                "signs of AC found, by magnitude",
                float(right.reshape(-1, 64)[:, 1:].sum() / weight.reshape(-1, 64)[:, 1:].sum()),
                0.5,
                1,
            ),
            Measure("PSNR", psnr(shown, found), psnr(shown, luck), unit="dB"),
        ],
        [Panel("plain", shown), Panel("all signs plus", start), Panel("smoothest signs", found)],
        is_bound=True,
    )


def _means(plain: Blocks, shift: int, table: npt.NDArray[np.uint16]) -> Outcome:
    shown = render(plain, table)
    alike = plain.astype(np.float64)
    alike[:, :, 0, 0] = shift
    start = render(alike, table)
    luck = _luck(shown, start, shift, table)
    known = alike.copy()
    known[:, :, 0, 0] += means(alike * table) / table[0, 0]
    found = render(known, table)
    return Outcome(
        "smoothness",
        "all AC coefficients in place: DC wanted",
        [
            Measure("SSIM", ssim(shown, found), ssim(shown, luck), 1, ""),
            Measure("PSNR", psnr(shown, found), psnr(shown, luck), unit="dB"),
        ],
        [Panel("plain", shown), Panel("all means alike", start), Panel("DC from AC", found)],
        is_bound=True,
    )
