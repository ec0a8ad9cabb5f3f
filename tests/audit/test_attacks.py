"""Every attack meets a case where it must succeed, and one where only chance is left."""

from itertools import pairwise, product

import numpy as np
import pytest
from plain_scheme import Plain
from scipy.ndimage import gaussian_filter

from checks import photo, tiles
from jpegcrypt import api
from jpegcrypt import read_coefficients as api_coefficients
from jpegcrypt.audit import exact, picture
from jpegcrypt.audit.attacks import (
    file_level,
    jigsaw,
    key_schedule,
    many_pictures,
    outline,
    randomness,
    replacement,
    smoothness,
)
from jpegcrypt.audit.outcome import Measure, Outcome, mean, over_pictures
from jpegcrypt.audit.target import OWNER, Lu2022, make
from jpegcrypt.cipher.additional_bits import category
from jpegcrypt.cipher.bank import BANKS
from jpegcrypt.codec.coefficients import coded_order

RNG = np.random.default_rng(11)
FLAT = np.full((8, 8), 4, np.uint16)


def smooth(rows: int, columns: int, seed: int, sigma: float = 10) -> np.ndarray:
    """A gray picture without edges, uint8."""
    noise = np.random.default_rng(seed).normal(size=(8 * rows, 8 * columns))
    field = gaussian_filter(noise, sigma)
    gray: np.ndarray = (128 + 60 * field / np.abs(field).max()).astype(np.uint8)
    return gray


def textured(rows: int, columns: int, seed: int) -> np.ndarray:
    """A gray picture whose brightness and noise both change slowly, uint8."""
    light, depth = (smooth(rows, columns, 2 * seed + i, 12) / 1.0 for i in range(2))
    noise = np.random.default_rng(seed).normal(size=light.shape) * 4 * np.exp((depth - 128) / 25)
    gray: np.ndarray = np.clip(light + noise, 0, 255).astype(np.uint8)
    return gray


def named(outcome: Outcome) -> dict[str, Measure]:
    return {measure.name: measure for measure in outcome.measures}


# --- the scale ----------------------------------------------------------------------------------


def test_success_runs_from_chance_to_perfect():
    assert Measure("a", 0.1, 0.1, 1).success == 0
    assert Measure("a", 1, 0.1, 1).success == 1
    assert Measure("a", 0.05, 0.1, 1).success == 0
    assert Measure("error", 0.25, 1, 0).success == 0.75  # small is good
    verdicts = [Outcome("a", "b", [Measure("c", v, 0, 1)]).verdict for v in (0.09, 0.3, 0.6)]
    assert verdicts == ["fails", "partly", "works"]
    assert Outcome("a", "b", [Measure("c", 0.9)]).verdict == "no verdict"


def test_measures_over_pictures():
    found = [[Outcome("a", "b", [Measure("c", v, chance, 1)])] for v, chance in ((0, 0.2), (1, 0))]
    (outcome,) = over_pictures(found)
    assert outcome.measures == [Measure("c", 0.5, 0.1, 1, low=0, high=1)]
    assert outcome.verdict == "partly"
    assert over_pictures(found[:1]) == found[0]
    assert over_pictures([[], []]) == []
    assert mean([Measure("c", 1.0), Measure("c", 2.0)]) == Measure("c", 1.5, low=1, high=2)


@pytest.mark.parametrize(
    ("attack", "target"),
    [
        (outline, Plain()),
        (jigsaw, Plain()),
        (replacement, Plain()),
        (smoothness, Lu2022(key_mode="fixed")),
    ],
)
def test_attacks_on_one_file_take_each_picture(attack, target, monkeypatch):
    monkeypatch.setattr(smoothness, "SWEEPS", 100)
    several = attack.run(target, tiles(3))
    each = [attack.run(target, [one]) for one in tiles(3)]
    for outcome, *ones in zip(several, *each, strict=True):
        for name, measure in named(outcome).items():
            values = [named(one)[name].value for one in ones]
            assert measure.value == pytest.approx(np.mean(values))
            assert (measure.low, measure.high) == (min(values), max(values))


def test_pictures_are_compared():
    a, b = tiles(2)
    noise = RNG.integers(0, 256, a.shape, np.uint8)
    assert picture.ssim(a, a) == picture.edge_similarity(a, a) == 1
    assert picture.psnr(a, a) == 100
    assert picture.ssim(a, noise) < 0.05
    assert picture.edge_similarity(a, noise) < picture.edge_similarity(a, a // 2 + 20)
    assert picture.psnr(a, np.where(a < 255, a + 1, a).astype(np.uint8)) > 47
    assert picture.psnr(a, b) < 20


# --- outline ------------------------------------------------------------------------------------


def test_outline_of_a_plain_file():
    (outcome,) = outline.run(Plain(), tiles(2))
    assert [m.value for m in outcome.measures] == pytest.approx([1] * 10)
    assert outcome.verdict == "works"


def test_edges_of_each_map_have_a_chance_of_their_own():
    """A map of many edges shares more of them by luck than a map of few."""
    rng = np.random.default_rng(0)
    plain, noise = rng.random((2, 16, 24))
    step = np.repeat([0.0, 1.0], 12)[None].repeat(16, 0)
    busy, calm = outline.edges("busy", plain, noise), outline.edges("calm", step, step)
    assert abs(busy.value - busy.chance) < 0.1
    assert calm.value == 1
    assert calm.chance < busy.chance


@pytest.mark.parametrize("dc", ["permuted", "residual"])
@pytest.mark.parametrize("bank", BANKS)
def test_outline(bank, dc):
    hidden, bound = outline.run(Lu2022(bank=bank, dc=dc), tiles(2))
    assert hidden.verdict == "fails"
    assert all(abs(m.value) < 0.25 for m in hidden.measures[:5])
    assert bound.verdict == "works"
    assert bound.is_bound
    found = named(bound)
    for name in ("NZCA", "EAC", "PLZ"):
        assert found[f"{name}, correlation"].value > 0.9


@pytest.mark.parametrize("dc", ["permuted", "residual"])
def test_codes_are_those_of_the_file(dc):
    target, image = Lu2022(dc=dc), tiles(1)[0]
    data = target.encrypt(image, 0)
    file = api_coefficients(data)
    codes = outline.dc_code(file)
    order = coded_order(*file.Y.shape[:2], *file.sampling[0])
    values = file.Y[:, :, 0, 0].ravel()[order].tolist()
    sizes = [abs(b - a).bit_length() for a, b in pairwise([0, *values])]
    assert codes.ravel()[order].tolist() == sizes
    if dc == "residual":  # what a block takes along is what is coded, but where it wraps
        assert (outline.maps(target.coefficients(data), codes)["DC category"] == codes).mean() > 0.9


@pytest.mark.parametrize("color", [True, False])
def test_outline_of_codes_in_place(color):
    """AC codes move, DC codes do not: the map of these is that of the plain file."""
    images = [image if color else image[:, :, 1].copy() for image in tiles(2)]
    (outcome,) = outline.run(make("cheng2016_blockwise"), images)
    assert outcome.measures[0].name == "DC code, correlation"
    assert outcome.measures[0].value == pytest.approx(1)
    assert named(outcome)["NZCA, correlation"].value < 0.3
    assert outcome.verdict == "works"


# --- key schedule -------------------------------------------------------------------------------


def test_the_authors_schedule_gives_its_key_stream_away():
    for seed in range(3):
        bits = key_schedule.key_stream(bytes([seed] * 16), 392)
        (permutation,) = key_schedule.shuffle(bits[None], 384)
        assert sorted(permutation) == list(range(384))
        known, left = key_schedule.derive_bits(permutation)
        fixed = known >= 0
        assert (known[fixed] == bits[fixed]).all()
        assert left < 16
        assert fixed.sum() >= 392 - 16


def test_bits_left_are_those_of_all_streams():
    """By brute force: how many streams of 8 bits give each permutation of 6."""
    streams = np.array(list(product((0, 1), repeat=6 + key_schedule.window(6) - 2)), np.uint8)
    found, counts = np.unique(key_schedule.shuffle(streams, 6), axis=0, return_counts=True)
    assert len(found) > 100
    for permutation, count in zip(found, counts, strict=True):
        assert key_schedule.derive_bits(permutation)[1] == pytest.approx(np.log2(count))


def test_an_unrelated_permutation_gives_no_key_stream():
    """It needs draws that no stream of overlapping windows makes."""
    with np.errstate(divide="ignore", invalid="ignore"):
        known, left = key_schedule.derive_bits(RNG.permutation(96))
    assert not left >= 0
    assert (known == -1).all()


def test_p_values_of_uniform_permutations_are_uniform():
    """Of 400, 20 are expected below 0.05, with a standard deviation of 4.4."""
    rng = np.random.default_rng(0)
    sets = (rng.permuted(np.tile(np.arange(24), (400, 1)), axis=1) for _ in range(400))
    values = np.array([key_schedule.uniformity(one) for one in sets])
    assert 8 <= (values < 0.05).sum() <= 36
    assert 0.45 < values.mean() < 0.55


def test_uniformity():
    uniform = np.stack([RNG.permutation(24) for _ in range(3000)])
    assert key_schedule.uniformity(uniform) > 1e-4
    biased = uniform.copy()
    biased[:300] = np.arange(24)
    assert key_schedule.uniformity(biased) < 1e-12
    (outcome,) = key_schedule.run(Plain(), tiles(2))
    found = named(outcome)
    assert found["p-value of uniformity, authors' shuffle"].value < 1e-12
    assert found["p-value of uniformity, our shuffle"].value > 1e-4
    assert outcome.verdict == "works"


# --- jigsaw -------------------------------------------------------------------------------------


def puzzle(image: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    rows, columns = image.shape[0] // size, image.shape[1] // size
    pieces = image.reshape(rows, size, columns, size).swapaxes(1, 2).reshape(-1, size, size)
    order = np.random.default_rng(5).permutation(len(pieces))
    return pieces[order].astype(float), np.argsort(order).reshape(rows, columns)


def test_a_puzzle_of_large_pieces_is_solved():
    pieces, truth = puzzle(photo("coffee.png")[:384, :576, 1], 48)
    assert jigsaw.scores(jigsaw.assemble(pieces, *truth.shape), truth) > (0.95, 0.95, 0.95)


def test_a_puzzle_of_noise_is_not():
    pieces, truth = puzzle(RNG.integers(0, 256, (96, 144)), 8)
    grid = jigsaw.assemble(pieces, *truth.shape)
    assert sorted(grid.ravel()) == list(range(216))
    assert max(jigsaw.scores(grid, truth)) < 0.06


def test_chance_of_an_arrangement():
    """Random arrangements score what an outcome says, nearly."""
    truth = np.arange(24 * 16).reshape(16, 24)
    found = [jigsaw.scores(RNG.permuted(truth.ravel()).reshape(16, 24), truth) for _ in range(400)]
    gray = RNG.integers(0, 256, (128, 192), np.uint8)
    chance = named(jigsaw.solve("one file", gray, gray, truth, is_bound=False))
    names = ("Dc, places", "Nc, neighbors", "Lc, largest part")
    for name, value in zip(names, np.mean(found, 0), strict=True):
        assert value == pytest.approx(chance[name].chance, rel=0.2), name


def test_scores_of_an_arrangement():
    truth = RNG.permutation(24).reshape(4, 6)
    assert jigsaw.scores(truth, truth) == (1, 1, 1)
    shifted = np.roll(truth, 1, 1)  # no piece in its place; 5 of 6 columns hold together
    dc, nc, lc = jigsaw.scores(shifted, truth)
    assert (dc, lc) == (0, pytest.approx(20 / 24))
    assert nc == pytest.approx((4 * 4 + 3 * 6) / (4 * 5 + 3 * 6))


@pytest.mark.parametrize("bank", ["authors16", "givens128"])
def test_jigsaw(bank):
    one_file, bound = jigsaw.run(Lu2022(bank=bank), tiles(2))
    assert one_file.verdict == "fails"
    assert named(bound)["Nc, neighbors"].value > 10 * named(bound)["Nc, neighbors"].chance


@pytest.mark.parametrize("target", [Plain(), make("cheng2016_markov")])
def test_jigsaw_of_blocks_that_did_not_move(target):
    one_file, bound = jigsaw.run(target, tiles(2))
    assert [m.value for m in one_file.measures] == [1, 1, 1]
    assert one_file.verdict == "works"
    assert bound.verdict == "partly"  # put together from a random order
    assert named(bound)["Nc, neighbors"].value < 0.5


@pytest.mark.parametrize(
    "scheme", ["cheng2016_blockwise", "chuman2019", "liang2019", "lisitu2019", "lu2022"]
)
def test_jigsaw_of_other_schemes(scheme):
    """Also whether blocks are where `luma_order` says: by the energy of their AC categories."""
    target = make(scheme, quality=90)
    image = tiles(1)[0]
    data = target.encrypt(image, 0)
    plain, cipher = (
        category(target.coefficients(one).Y.reshape(-1, 64)[:, 1:]).astype(int).sum(1)
        for one in (target.encode(image), data)
    )
    order = target.luma_order(data)
    assert sorted(order) == list(range(len(plain)))
    assert np.corrcoef(plain[order], cipher)[0, 1] > 0.99
    assert abs(np.corrcoef(plain, cipher)[0, 1]) < 0.3
    one_file, bound = jigsaw.run(target, [image])
    assert one_file.verdict == "fails"
    assert named(bound)["Nc, neighbors"].value > 10 * named(bound)["Nc, neighbors"].chance


def test_no_jigsaw_where_no_block_stays_together():
    assert jigsaw.run(make("zhang2014"), tiles(1)) == []


# --- many pictures ------------------------------------------------------------------------------


@pytest.mark.parametrize("dc", ["permuted", "residual"])
def test_many_pictures_of_one_key(dc):
    pictures = [textured(10, 14, seed) for seed in range(150)]
    (fixed,) = many_pictures.run(Lu2022(key_mode="fixed", dc=dc), pictures)
    (nonce,) = many_pictures.run(Lu2022(key_mode="nonce", dc=dc), pictures)
    assert fixed.verdict == "works"
    assert fixed.measures[0].value > 0.9
    assert fixed.measures[1].value < 0.4
    assert nonce.verdict == "fails"
    assert nonce.measures[0].value < 0.2
    assert nonce.measures[1].value > 0.8


@pytest.mark.parametrize("scale", [(1, 1), (1, 0.5), (0.5, 1)])
def test_a_layout_is_found_whichever_side_is_longer(scale):
    """Blocks may go together less from row to row than from column to column, or the other way."""
    grid = np.stack(np.divmod(np.arange(8 * 12), 12), 1)
    places = RNG.permutation(grid)
    points = places * scale
    together = -np.linalg.norm(points[:, None] - points, axis=2)
    np.fill_diagonal(together, -np.inf)
    error, found = many_pictures.displacement(many_pictures.layouts(together, 8, 12), places)
    assert error < 0.2
    assert sorted(map(tuple, found)) == [*map(tuple, grid)]


def test_blocks_of_opposite_signs_go_together():
    ranked = RNG.random((40, 2, 3))
    dc = RNG.normal(size=(40, 3))
    dc[:, 2] = -dc[:, 0] + RNG.normal(0, 0.1, 40)
    assert many_pictures.correlations(ranked, dc)[0].argmax() == 2
    assert many_pictures.correlations(ranked, dc).max() <= 1
    ranked[:, :, 1] = ranked[:, :, 0]
    assert many_pictures.correlations(ranked)[0].argmax() == 1


def test_chance_of_a_neighbor():
    """Random correlations hit one of the eight neighbors as often as the outcome says."""
    places = np.stack(np.divmod(np.arange(30 * 40), 40), 1)
    together = RNG.random((1200, 1200))
    np.fill_diagonal(together, -1)
    chance = ((3 * 30 - 2) * (3 * 40 - 2) / 1200 - 1) / 1199
    found = many_pictures.nearest_is_neighbor(together, places)
    assert found == pytest.approx(chance, abs=0.008)


# --- replacement and smoothness -----------------------------------------------------------------


def test_replacement_shows_what_was_not_protected():
    """A block without negative coefficients survives it whole."""
    blocks = np.abs(RNG.integers(-9, 9, (6, 8, 8, 8))).astype(np.int16)
    again = replacement.all_plus(-blocks, blocks[:, :, 0, 0])
    assert np.array_equal(exact.render(again, FLAT), exact.render(blocks, FLAT))
    thumbnail = replacement.without_ac(blocks[:, :, 0, 0])
    assert np.array_equal(thumbnail[:, :, 0, 0], blocks[:, :, 0, 0])
    assert (thumbnail.reshape(-1, 64)[:, 1:] == 0).all()


@pytest.mark.parametrize("dc", ["permuted", "residual"])
def test_replacement(dc):
    one_file, placed, thumbnail = replacement.run(Lu2022(dc=dc), tiles(2))
    assert one_file.verdict == "fails"
    assert placed.verdict == "fails"
    assert thumbnail.measures[0].value > placed.measures[0].value + 0.2


def test_a_flat_picture_is_no_success():
    """Of a picture with two halves it shows more than noise does."""
    image = np.zeros((96, 96, 3), np.uint8)
    image[:, 48:] = 255
    target = Lu2022()
    c = api_coefficients(target.encode(image))
    flat = np.full((96, 96), target.levels(target.encrypt(image, 0))[0], np.uint8)
    least = picture.ssim(exact.render(c.Y, c.qt[0]), flat) - 1e-9
    for outcome in replacement.attack(target, 0, image):
        assert outcome.measures[0].chance >= least


def test_means_of_a_smooth_picture():
    image = smooth(12, 16, 3)
    (blocks,) = exact.planes(image)
    dct = exact.dct_matrix()
    values = dct @ blocks @ dct.T
    without = values.copy()
    without[:, :, 0, 0] = 0
    found = smoothness.means(without)
    dc = values[:, :, 0, 0]
    assert np.corrcoef(found.ravel(), dc.ravel())[0, 1] > 0.99
    noise = smoothness.means(RNG.normal(size=values.shape) * 50)
    assert abs(np.corrcoef(noise.ravel(), dc.ravel())[0, 1]) < 0.4


@pytest.mark.parametrize("bank", ["authors16", "signs256"])
def test_signs_of_a_smooth_bright_picture(bank):
    """All DC values positive, so that only signs of AC are open; with noise there is no telling."""
    image = (smooth(12, 16, 4).astype(int) // 2 + 120).astype(np.uint8)
    (blocks,) = exact.planes(image)
    dct = exact.dct_matrix()
    values = dct @ blocks @ dct.T
    together = np.broadcast_to(smoothness.units(bank), values.shape)
    unknown = RNG.choice([-1, 1], size=(*values.shape[:2], 64))
    unknown = np.take_along_axis(unknown, together.reshape(*values.shape[:2], 64), 2)
    for given, at_least, at_most in ((values, 0.8, 1), (RNG.normal(size=values.shape), 0, 0.6)):
        given = given.copy()
        given[:, :, 0, 0] = values[:, :, 0, 0]
        flipped = given * unknown.reshape(given.shape)
        found = smoothness.signs(flipped, together)
        same = found == flipped
        assert np.array_equal(np.abs(found), np.abs(given))
        if bank == "authors16":  # rows 0 and 4, 1 and 7, ... of a column flip as one
            assert np.array_equal(same[:, :, [0, 1, 2, 3]], same[:, :, [4, 7, 6, 5]])
        weight = np.abs(given)
        weight[:, :, 0, 0] = 0
        right = ((np.sign(found) == np.sign(given)) * weight).sum() / weight.sum()
        assert at_least <= right <= at_most


def test_what_a_bank_flips_as_one():
    """In files of authors16, the signs of a unit are those of the plain file, or all the others."""
    target, image = Lu2022(bank="authors16", quality=90), tiles(1)[0]
    data = target.encrypt(image, 0)
    plan = target.plan(data)[0]
    plain = target.coefficients(target.encode(image)).Y.reshape(-1, 64)[plan.permutation]
    for block, original, record in zip(
        target.coefficients(data).Y.reshape(-1, 8, 8), plain, plan.records, strict=True
    ):
        turned = record[9] % 2 == 1
        same = np.sign((block.T if turned else block).ravel()) * np.sign(original)
        unit = smoothness.units("authors16", turned=turned).ravel()
        # Not those of the mean, which travels as its distance from the level; rounding makes 0.
        for number in set(unit) - {0}:
            assert len(set(same[unit == number]) - {0}) <= 1


def test_smoothness(monkeypatch):
    monkeypatch.setattr(smoothness, "SWEEPS", 100)
    signs, means = smoothness.run(Lu2022(), tiles(2))
    assert signs.is_bound
    assert [one.attacker for one in smoothness.run(Lu2022(dc="residual"), tiles(2))] == [
        means.attacker
    ]
    assert means.measures[0].value > means.measures[0].chance
    assert means.measures[1].value > means.measures[1].chance + 6  # dB: brightness is told, too


# --- numbers of papers, and the file ------------------------------------------------------------


def test_measures_of_randomness():
    a, b = (RNG.integers(0, 256, (256, 256), np.uint8) for _ in range(2))
    assert randomness.npcr(a, b) == pytest.approx(255 / 256, abs=0.001)
    assert randomness.uaci(a, b) == pytest.approx(0.3346, abs=0.003)
    assert randomness.entropy(a) > 7.99
    assert randomness.entropy(np.zeros((8, 8), np.uint8)) == 0
    assert abs(randomness.neighbor_correlation(a)) < 0.02
    assert randomness.neighbor_correlation(smooth(16, 16, 1)) > 0.95
    assert randomness.npcr(a, a) == randomness.uaci(a, a) == 0


@pytest.mark.parametrize(("key_mode", "moves"), [("nonce", False), ("content", True)])
def test_one_pixel_changes_everything_in_content_mode_only(key_mode, moves):
    (outcome,) = randomness.run(Lu2022(key_mode=key_mode), tiles(2))
    found = named(outcome)
    assert (found["blocks changed, one pixel changed"].value > 0.9) == moves
    assert found["blocks changed, another key"].value > 0.9
    assert (found["blocks changed, encrypted again"].value > 0.9) == (key_mode == "nonce")


def test_planted_metadata_is_found():
    image = tiles(1)[0]
    assert file_level.metadata_in_clear(api.encode(image, **file_level.PLANTED))
    assert not file_level.metadata_in_clear(api.encrypt(image, OWNER, **file_level.PLANTED))
    assert not file_level.metadata_in_clear(api.encode(image))


@pytest.mark.parametrize("color", [True, False])
def test_flips_are_counted(color):
    image = tiles(1)[0]
    data = api.encrypt(image if color else image[:, :, 0].copy(), OWNER, comment=b"\xff\xda")
    changed: list[bytes] = []
    assert file_level.flips_accepted(data, changed.append) == 1
    coded = data.rindex(b"\xff\xda") + (14 if color else 10)
    flipped = {i for one in changed for i in range(len(data)) if one[i] != data[i]}
    assert min(flipped) >= coded
    assert max(flipped) < len(data) - 2
    assert file_level.flips_accepted(data, lambda changed: api.decrypt(changed, OWNER)) == 0


def test_lengths():
    (outcome,) = file_level.run(Plain(), tiles(12))
    assert [m.value for m in outcome.measures] == [1, 1]
    (outcome,) = file_level.run(Lu2022(), tiles(12))
    assert 0.3 < outcome.measures[0].value <= 1


@pytest.mark.parametrize("key_mode", ["nonce", "fixed"])
def test_the_file_looked_into_has_the_settings_of_the_target(key_mode, monkeypatch):
    seen = []
    real = file_level.metadata_in_clear
    monkeypatch.setattr(file_level, "metadata_in_clear", lambda d: seen.append(d) or real(d))
    target = Lu2022(bank="authors16", key_mode=key_mode, dc="residual", quality=60)
    (outcome,) = file_level.run(target, tiles(2))
    assert [m.value for m in outcome.measures[2:]] == [0, 0]
    (data,) = seen
    info = api.inspect(data)
    assert (info.bank, info.key_mode, info.dc) == ("authors16", key_mode, "residual")
    assert len(data) > len(target.encrypt(tiles(1)[0], 2)) + len(file_level.SECRET)
