"""Known plaintext: pictures of which the attacker has both sides, and then the next file.

Has: one or more plain pictures with their encrypted files, bank and settings (all public), and a
further file to open. Metric: share of blocks whose place is found, share of transforms found, PSNR
of the further picture, decrypted with what was found. Chance: 1 in n for a place, the PSNR under a
wrong plan for the picture.

Blocks keep what orthogonal transforms keep. For banks of signs each plain block predicts the
quantized magnitudes of its cipher block, up to transposition. For the others it predicts, for each
rotation and row matrix, the magnitudes of the first row and the energies of the columns below it.
The cheapest assignment of predictions to cipher blocks is the permutation (Hungarian method); the
matrices of a block are then those that come nearest to it. Blocks that look alike are
interchangeable in this picture, but not in the next one, so further known pictures help. Where the
signs of DC values stay open, or residuals add up with their errors, DC values that make the next
picture smooth (`smoothness.means`) may do better; who attacks sees which of the two does.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment

from jpegcrypt.api import decode
from jpegcrypt.audit import exact
from jpegcrypt.audit.attacks.smoothness import means
from jpegcrypt.audit.dc import Values
from jpegcrypt.audit.exact import Float
from jpegcrypt.audit.histograms import components
from jpegcrypt.audit.outcome import Measure, Outcome, Panel
from jpegcrypt.audit.picture import psnr
from jpegcrypt.audit.target import ATTACKER, Lu2022, Pixels
from jpegcrypt.cipher.bank import dct_matrix, matrices
from jpegcrypt.cipher.plan import RECORD_SIZE, ComponentPlan
from jpegcrypt.codec.coefficients import Blocks, read_coefficients

TEACHERS = 4  # known pictures, at most
SHORTLIST = 8  # rotations and row matrices that are tried with every column matrix
DC_SLACK = 1.0  # steps that a DC value may be off: colors round, and ties
FAR = 1e6  # cost of what cannot be

_DCT = dct_matrix().astype(np.float32)  # enough for a signature, and the work is in moving them


@dataclass(frozen=True, slots=True)
class Known:
    """One component of a known picture.

    Attributes
    ----------
    samples : float32 array (n, 8, 8)
        Level-shifted, of the plain blocks.
    magnitudes : int array (n, 2, 64)
        Of the plain blocks as the codec quantizes them, as they are and transposed.
    cipher : int16 array (n, 8, 8)
        Quantized.
    steps : float32 array (8, 8)
    """

    samples: Float
    magnitudes: npt.NDArray[np.int16]
    cipher: Blocks
    steps: Float


def known(target: Lu2022, picture: Pixels, data: bytes) -> list[Known]:
    """Pair a plain picture with its encrypted file, component by component.

    The mean of each plain block becomes the DC value that it takes along (`audit.dc`): row 0 of all
    matrices is constant, so the mean touches no other coefficient.
    """
    c = target.coefficients(data)
    file = read_coefficients(target.encode(picture))
    plain = components(file)
    turned = components(read_coefficients(target.encode(picture.swapaxes(0, 1))))
    pairs = []
    for i, (samples, dc) in enumerate(
        zip(exact.planes(picture), target.travelling(file, target.levels(data)), strict=True)
    ):
        looks = np.abs(np.stack([plain[i], turned[i].swapaxes(0, 1)], 2))
        looks[..., 0, 0] = np.abs(dc)[:, :, None]
        mean = dc * (c.qt[i][0, 0] / 8) - samples.mean((2, 3))
        pairs.append(
            Known(
                (samples + mean[..., None, None]).reshape(-1, 8, 8).astype(np.float32),
                looks.reshape(-1, 2, 64),
                components(c)[i].reshape(-1, 8, 8),
                c.qt[i].astype(np.float32),
            )
        )
    return pairs


def recover(pairs: Sequence[Known], bank: str) -> ComponentPlan:
    """Find a plan of a component that explains all its known pictures."""
    predictor = _Predictor(bank)
    predictions = [predictor.predict(pair) for pair in pairs]
    cost = sum(
        predictor.cost(pair, predicted) for pair, predicted in zip(pairs, predictions, strict=True)
    )
    cipher_index, plain_index = linear_sum_assignment(cost)
    permutation = np.empty(len(cipher_index), np.uint32)
    permutation[cipher_index] = plain_index
    return ComponentPlan(predictor.records(pairs, predictions, permutation), permutation)


def costs(pair: Known, bank: str) -> Float:
    """Return how badly each plain block explains each cipher block, (cipher, plain)."""
    predictor = _Predictor(bank)
    return predictor.cost(pair, predictor.predict(pair))


class _Predictor:
    """What plain blocks predict of their cipher blocks, for one bank."""

    def __init__(self, bank: str) -> None:
        self.matrices = matrices(bank).astype(np.float32)
        mixing = matrices(bank) @ dct_matrix().T
        self.signs_only = bool(np.allclose(np.abs(mixing), np.eye(8)))
        if self.signs_only:
            # Columns absorb the signs of the row matrix, and all of a rotation but transposition.
            self.turns, self.rows = np.array([0, 1]), np.array([0, 0])
        else:
            self.turns, self.rows = (
                grid.ravel()
                for grid in np.meshgrid(np.arange(4), np.arange(len(self.matrices)), indexing="ij")
            )

    def predict(self, pair: Known) -> Float:
        """Return the signature under each rotation and row matrix, (n, candidates, features)."""
        if self.signs_only:
            return pair.magnitudes.astype(np.float32)
        turned = np.stack([np.rot90(pair.samples, -quarter, (1, 2)) for quarter in range(4)], 1)
        rows_done = turned[:, self.turns] @ self.matrices[self.rows].swapaxes(1, 2)
        return _mixed_signature(_DCT @ rows_done, pair.steps)

    def observe(self, pair: Known) -> Float:
        """Return the signature of cipher blocks, (n, features)."""
        if self.signs_only:
            return np.abs(pair.cipher.reshape(-1, 64)).astype(np.float32)
        return _mixed_signature(pair.cipher * pair.steps, pair.steps)

    def cost(self, pair: Known, predicted: Float) -> Float:
        """Return how badly plain block p explains cipher block o, (o, p); `FAR` if DC differs."""
        observed = self.observe(pair)
        cost = np.full((len(observed), len(predicted)), FAR, np.float32)
        squares = (predicted**2).sum(2)
        for o, seen in enumerate(observed):
            fits = np.flatnonzero(np.abs(predicted[:, 0, 0] - seen[0]) <= DC_SLACK)
            if len(fits):
                cost[o, fits] = (squares[fits] - 2 * predicted[fits] @ seen).min(1) + seen @ seen
        return cost

    def records(
        self,
        pairs: Sequence[Known],
        predictions: Sequence[Float],
        permutation: npt.NDArray[np.uint32],
    ) -> npt.NDArray[np.uint8]:
        """Return the matrices and rotation that explain the blocks best once they have places."""
        n = len(permutation)
        misfit = np.zeros((n, len(self.turns)), np.float32)
        for pair, predicted in zip(pairs, predictions, strict=True):
            off = predicted[permutation] - self.observe(pair)[:, None]
            misfit += (off**2).sum(2)
        best = np.full(n, np.inf)
        records = np.zeros((n, RECORD_SIZE), np.uint8)
        for choice in np.argsort(misfit, axis=1, kind="stable")[:, :SHORTLIST].T:
            turns, rows = self.turns[choice], self.rows[choice]
            error = np.zeros(
                (n, 8, len(self.matrices)), np.float32
            )  # of each column under each matrix
            for pair in pairs:
                turned = exact.rotate(pair.samples[permutation], turns)
                done = turned @ self.matrices[rows].swapaxes(1, 2)
                for u in range(8):
                    tried = (
                        done[:, :, u]
                        @ self.matrices.reshape(-1, 8).T
                        / np.tile(pair.steps[:, u], len(self.matrices))
                    )
                    off = tried.reshape(n, -1, 8) - pair.cipher[:, None, :, u]
                    error[:, u] += (off**2).sum(2)
            total = error.min(2).sum(1)
            better = total < best
            best[better] = total[better]
            records[better, 0] = rows[better]
            records[better, 1:9] = error[better].argmin(2)
            records[better, 9] = turns[better]
        return records


def _mixed_signature(vertical: Float, steps: Float) -> Float:
    """First row and energies below it, in steps: what banks keep that keep the DC row."""
    first = np.abs(vertical[..., 0, :]) / steps[0]
    below = np.sqrt((vertical[..., 1:, :] ** 2).sum(-2)) / np.sqrt((steps[1:] ** 2).mean(0))
    return np.concatenate([first, below], -1)


def placed(found: ComponentPlan, truth: ComponentPlan) -> float:
    """Return the share of blocks whose place is right."""
    return float((found.permutation == truth.permutation).mean())


def transforms_found(found: ComponentPlan, truth: ComponentPlan, bank: str) -> float:
    """Return the share of columns whose whole transform, rows and rotation included, is right."""
    probe = np.random.default_rng(0).normal(size=(8, 8))
    a, b = (_apply(plan.records, probe, bank) for plan in (found, truth))
    return float(np.isclose(a, b).all(1).mean())


def _apply(records: npt.NDArray[np.uint8], block: Float, bank: str) -> Float:
    blocks = exact.rotate(np.tile(block, (len(records), 1, 1)), records[:, 9])
    return exact.transform(blocks, *_chosen(records, bank))


def _chosen(
    records: npt.NDArray[np.uint8], bank: str
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], Float]:
    """Return the index of the row matrix of blocks, those of their columns, and all matrices."""
    choices = matrices(bank)
    indices = records[:, :9].astype(np.int64) % len(choices)
    return indices[:, 0], indices[:, 1:], choices


def run(target: Lu2022, pictures: Sequence[Pixels]) -> list[Outcome]:
    """Learn from the first picture, then from up to four, and open the next one."""
    *teachers, last = pictures[: TEACHERS + 1]
    files = [target.encrypt(picture, serial) for serial, picture in enumerate([*teachers, last])]
    data = files.pop()
    counts = sorted({1, len(teachers)})
    learned = [known(target, picture, file) for picture, file in zip(teachers, files, strict=True)]
    outcomes = []
    for count in counts:
        found = [recover(pairs, target.bank) for pairs in zip(*learned[:count], strict=True)]
        outcomes.append(
            score(target, "known_plaintext", found, files[0], learned[0][0], last, data, count)
        )
    return outcomes


def opened(target: Lu2022, data: bytes, plan: Sequence[ComponentPlan], picture: Pixels) -> Pixels:
    """Decrypt with a plan and DC values as they are, or smooth ones, whatever is more like it."""
    ways = (None, smooth_dc(target, data, plan))
    tries = [target.decrypt(data, plan, carried=carried) for carried in ways]
    return max(tries, key=lambda one: psnr(picture, one))


def smooth_dc(target: Lu2022, data: bytes, plan: Sequence[ComponentPlan]) -> list[Values]:
    """Return what blocks would carry, by component, if DC values were to make a picture smooth."""
    c = read_coefficients(data)
    carried = []
    for blocks, table, own in zip(components(c), c.qt, plan, strict=True):
        values = blocks.reshape(-1, 8, 8) * table.astype(np.float64)
        values[:, 0, 0] = 0
        row, column, choices = _chosen(own.records, target.bank)
        samples = exact.rotate(
            exact.inverse_transform(values, row, column, choices), -own.records[:, 9].astype(int)
        )
        ac = exact.in_place(samples.reshape(blocks.shape), own.permutation)
        wanted = np.rint(means(_DCT @ ac @ _DCT.T) / table[0, 0]).astype(np.int64)
        sign = np.sign(choices[row, 0, 0] * choices[column[:, 0], 0, 0]).astype(np.int64)
        carried.append((sign * wanted.ravel()[own.permutation]).reshape(wanted.shape))
    return carried


def score(
    target: Lu2022,
    attack: str,
    found: Sequence[ComponentPlan],
    learned_from: bytes,
    learned: Known,
    picture: Pixels,
    data: bytes,
    count: int,
) -> Outcome:
    """Say how good a plan is: for the file it was learned from, and for the next one."""
    own, truth = target.plan(learned_from), target.plan(data)
    looks = learned.magnitudes
    seen = opened(target, data, found, picture)
    wrong = opened(target, data, target.plan(data, key=ATTACKER), picture)
    right = target.decrypt(data, truth)
    n = len(truth[0].permutation)
    kind = attack.removesuffix("_plaintext")
    some = f"{count} {kind} picture{'s' if count > 1 else ''}"
    return Outcome(
        attack,
        f"{some} with {'their files' if count > 1 else 'its file'}",
        [
            Measure("luma blocks placed, next picture", placed(found[0], truth[0]), 1 / n, 1),
            Measure(f"luma blocks placed, {kind} picture", placed(found[0], own[0]), 1 / n, 1),
            Measure(
                "the same, up to blocks that look alike",
                float(
                    (looks[found[0].permutation] == looks[own[0].permutation]).all((1, 2)).mean()
                ),
                1 / n,
                1,
            ),
            Measure(
                "PSNR of the next picture", psnr(picture, seen), psnr(picture, wrong),
                psnr(picture, right), "dB",
            ),
            Measure(
                "luma transforms found, next picture",
                transforms_found(found[0], truth[0], target.bank),
                transforms_found(target.plan(data, key=ATTACKER)[0], truth[0], target.bank),
                1,
            ),
        ],
        [
            Panel("next picture", picture),
            Panel("encrypted", decode(data)),
            Panel(f"opened with {some}", seen),
        ],
    )  # fmt: skip
