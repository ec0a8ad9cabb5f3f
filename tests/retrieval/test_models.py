"""The networks: sizes, equations, and what a feature must not depend on."""

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch

import jpegcrypt
from jpegcrypt import Key
from jpegcrypt.cipher.additional_bits import category
from jpegcrypt.codec.tables import ZIGZAG
from jpegcrypt.retrieval import encoder
from jpegcrypt.retrieval.arrays import load_pixels
from jpegcrypt.retrieval.batches import Blocks, Pixels, take
from jpegcrypt.retrieval.dropout import Dropout, drop
from jpegcrypt.retrieval.encoder import Attention
from jpegcrypt.retrieval.head import Head
from jpegcrypt.retrieval.models import create, describe
from jpegcrypt.retrieval.models.block_set import count, count_levels, magnitudes
from jpegcrypt.retrieval.models.code_transformer import code_counts
from jpegcrypt.retrieval.models.dct_histogram import magnitude_histograms
from jpegcrypt.retrieval.models.gmlp import Block, Config, SpatialGatingUnit
from jpegcrypt.retrieval.patches import normalize, to_patches
from jpegcrypt.schemes import statistics

TINY: dict[str, dict[str, Any]] = {
    "gmlp": {
        "height": 32,
        "width": 16,
        "dimension": 24,
        "hidden": 48,
        "depth": 2,
        "features": 20,
        "gating": "linear",
    },
    "vit": {"height": 32, "width": 16, "dimension": 24, "mlp": 48, "depth": 2, "features": 20},
    "resnet": {"blocks": (1, 1), "channels": 8, "features": 20},
    "block_set": {
        "words": 6,
        "chroma_words": 5,
        "hidden": 24,
        "features": 20,
        "dropout": 0.0,
        "input_dropout": 0.0,
    },
    "dct_histogram": {"hidden": 32, "depth": 2, "features": 20, "dropout": 0.0},
    "code_transformer": {"dimension": 24, "heads": 2, "mlp": 48, "depth": 2, "features": 20},
}


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(1)


def pictures(n: int, height: int = 32, width: int = 16) -> Pixels:
    pixels = torch.randint(0, 256, (n, height, width, 3), dtype=torch.uint8)
    return Pixels(pixels, 128 + 30 * torch.randn(n, 3))


def blocks(n: int, component=(0,) * 24 + (1,) * 6 + (2,) * 6) -> Blocks:
    """Coefficients that fall with frequency, as those of photographs."""
    spread = 40 / (1 + torch.arange(64)) * (1 + torch.rand(n, 1, 64))
    coefficients = (torch.randn(n, len(component), 64) * spread).round().to(torch.int16)
    steps = torch.arange(8, 72).float().expand(n, 3, 64)
    levels = 128 + 30 * torch.randn(n, 3)
    return Blocks(coefficients, torch.tensor(component), steps, levels)


def batch_for(model, n: int):
    return blocks(n) if model.domain == "coefficients" else pictures(n)


def part(batch, index):
    if isinstance(batch, Blocks):
        rows = (batch.coefficients, batch.steps, batch.levels)
        coefficients, steps, levels = (row[index] for row in rows)
        return Blocks(coefficients, batch.component, steps, levels)
    return Pixels(*(row[index] for row in batch))


def parameters(model) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


@pytest.mark.parametrize("name", TINY)
def test_features_do_not_depend_on_the_batch(name: str) -> None:
    model = create(name, classes=7, **TINY[name]).eval()
    batch = batch_for(model, 5)
    with torch.no_grad():
        features, logits = model(batch)
        alone, _ = model(part(batch, [3]))
        reverse, _ = model(part(batch, [4, 3, 2, 1, 0]))
    assert features.shape == (5, 27 if model.config.head == "posterior" else 20)
    assert logits.shape == (5, 7)
    assert torch.isfinite(features).all()
    assert (features[0] - features[1]).abs().max() > 1e-3
    torch.testing.assert_close(alone[0], features[3], rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(reverse.flip(0), features, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", TINY)
def test_a_description_builds_the_model_again(name: str) -> None:
    model = create(name, classes=7, **TINY[name])
    again = create(**describe(model))
    assert again.config == model.config
    again.load_state_dict(model.state_dict())


@pytest.mark.parametrize("name", TINY)
def test_every_parameter_learns(name: str) -> None:
    model = create(name, classes=7, **TINY[name])
    features, logits = model(batch_for(model, 6))
    (features.square().sum() + logits.square().sum()).backward()
    silent = [n for n, p in model.named_parameters() if p.grad is None or not p.grad.any()]
    # A bias in front of batch norm is taken out again, and so is whatever is all zeros at first.
    assert set(silent) <= {"head.project.bias"}


def test_published_sizes() -> None:
    D, F, L, N, f, classes = 128, 256, 12, 385, 128, 50
    block = 2 * D + (D + 1) * F + 2 * (F // 2) + (N + 1) * N + (F // 2 + 1) * D
    gmlp = create("gmlp", classes=classes)
    assert parameters(gmlp) == 193 * D + D + L * block + (D + 1) * f + 2 * f + (f + 1) * classes
    # He et al.'s network without its last layer, as counted in every implementation of it.
    resnet = create("resnet", classes=classes)
    assert parameters(resnet) - parameters(resnet.head) == 23_508_032
    D, N, L, mlp = 384, 384, 8, 1536
    layer = 4 * D + 4 * (D + 1) * D + (D + 1) * mlp + (mlp + 1) * D
    vit = create("vit", classes=classes)
    outside = 193 * D + D + (N + 1) * D + 2 * D
    assert parameters(vit) - parameters(vit.head) == outside + L * layer


def test_gating_unit_is_its_equation() -> None:
    unit = SpatialGatingUnit(4, 6, "linear").double()
    torch.nn.init.normal_(unit.norm.weight)
    torch.nn.init.normal_(unit.norm.bias)
    z = torch.randn(3, 6, 8, dtype=torch.float64)
    with torch.no_grad():
        out = unit(z).numpy()
    z1, z2 = z[..., :4].numpy(), z[..., 4:].numpy()
    mean, variance = z2.mean(-1, keepdims=True), z2.var(-1, keepdims=True)
    norm = (z2 - mean) / np.sqrt(variance + 1e-5)
    norm = norm * unit.norm.weight.detach().numpy() + unit.norm.bias.detach().numpy()
    W, b = (value.detach().numpy() for value in unit.mix.parameters())
    expected = z1 * (np.einsum("ij,njc->nic", W[:, :, 0], norm) + b[None, :, None])
    np.testing.assert_allclose(out, expected, rtol=1e-10)


def test_gates_begin_open() -> None:
    unit = SpatialGatingUnit(4, 6, "identity")
    z = torch.randn(3, 6, 8)
    torch.testing.assert_close(unit(z), z[..., :4], atol=0.02, rtol=0)


def test_gmlp_tells_positions_apart() -> None:
    """Trained with a fixed permutation it can learn it: W has a weight for each pair of places."""
    model = create("gmlp", classes=7, **TINY["gmlp"]).eval()
    picture = pictures(1)
    pixels = torch.cat([picture.pixels[:, 8:], picture.pixels[:, :8]], dim=1)  # rows of patches
    moved = picture._replace(pixels=pixels)
    with torch.no_grad():
        assert (model(picture)[0] - model(moved)[0]).abs().max() > 1e-3


def test_stochastic_depth_of_the_authors() -> None:
    config = Config(classes=7, **TINY["gmlp"])
    last = Block(config, 9, skipped=1.0)
    x = torch.randn(2, 9, 24)
    assert last.train()(x) is x
    assert (last.eval()(x) - x).abs().max() > 1e-3


def test_heads() -> None:
    z = torch.randn(8, 5)
    for kind in ("batchnorm", "bnneck", "tanh"):
        head = Head(5, 3, 2, kind)
        feature, logits = head(z)
        before = head.project(z)
        expected = before if kind == "bnneck" else head.norm(before)
        torch.testing.assert_close(feature, expected)
        head.eval()
        feature, logits = head(z)
        torch.testing.assert_close(feature, head.norm(before))
        torch.testing.assert_close(logits, head.classify(feature))


def test_posterior_head_ranks_by_class_probability() -> None:
    head = Head(5, 4, 3, "posterior").eval()
    with torch.no_grad():
        features, logits = head(torch.randn(6, 5))
    p, direction = features[:, :3].square(), features[:, 3:] * 4
    torch.testing.assert_close(p, (1.5 * logits).softmax(1))
    torch.testing.assert_close(direction.norm(dim=1), torch.ones(6))
    assert logits.abs().max() <= 16


def scramble(batch: Blocks) -> Blocks:
    """Do to each block what a key with a bank of signs does: signs, transposition, a new place."""
    n, count, _ = batch.coefficients.shape
    natural = batch.coefficients[..., np.argsort(ZIGZAG)].reshape(n, count, 8, 8)
    turned = torch.rand(n, count, 1, 1) < 0.5
    natural = torch.where(turned, natural.transpose(2, 3), natural)
    natural = natural * (torch.randint(0, 2, natural.shape) * 2 - 1)
    out = natural.reshape(n, count, 64)[..., ZIGZAG].clone()
    for i in range(n):
        for component in range(3):
            places = torch.where(batch.component == component)[0]
            out[i, places] = out[i, places[torch.randperm(len(places))]]
    return batch._replace(coefficients=out.to(torch.int16))


def test_block_set_sees_nothing_that_the_key_decides() -> None:
    model = create("block_set", classes=7, **TINY["block_set"]).eval()
    batch = blocks(4)
    # Transposition is invisible where the steps are symmetric, as it is to pixels.
    steps = torch.ones(8, 8) + torch.arange(8.0) + torch.arange(8.0)[:, None]
    batch = batch._replace(steps=steps.reshape(64)[ZIGZAG].expand(4, 3, 64))
    scrambled = scramble(batch)
    assert not torch.equal(scrambled.coefficients, batch.coefficients)
    with torch.no_grad():
        features, _ = model(batch)
        torch.testing.assert_close(model(scrambled)[0], features, rtol=1e-4, atol=1e-5)
        other = model(batch._replace(coefficients=batch.coefficients.roll(1, 0)))[0]
    assert (other - features).abs().max() > 1e-3


@pytest.mark.parametrize("name", ["dct_histogram", "code_transformer"])
def test_references_see_neither_signs_nor_places(name: str) -> None:
    model = create(name, classes=7, **TINY[name]).eval()
    batch = blocks(4)
    signs = torch.randint(0, 2, batch.coefficients.shape, dtype=torch.int16) * 2 - 1
    order = torch.cat([torch.randperm(24), 24 + torch.randperm(6), 30 + torch.randperm(6)])
    with torch.no_grad():
        features, _ = model(batch)
        hidden = batch._replace(coefficients=(batch.coefficients * signs)[:, order])
        torch.testing.assert_close(model(hidden)[0], features, rtol=1e-4, atol=1e-5)
        other = model(batch._replace(coefficients=batch.coefficients * 2))[0]
    assert (other - features).abs().max() > 1e-3


def test_histograms_of_magnitudes_are_those_of_lisitu2019() -> None:
    batch = blocks(2)
    found = magnitude_histograms(batch.coefficients[:, :24], batch.steps[:, 0])
    for row, coefficients, steps in zip(
        found, batch.coefficients[:, :24].numpy(), batch.steps[:, 0].numpy(), strict=True
    ):
        size = np.abs(coefficients * steps.astype(np.int32))
        columns = statistics.column_histograms(size[:, 1:], statistics.AC_MAGNITUDES)
        expected = np.concatenate([statistics.dc_magnitudes(size[:, 0]), *columns])
        np.testing.assert_allclose(row.numpy(), expected, atol=1e-6)


def test_codes_are_counted_as_the_file_has_them() -> None:
    batch = blocks(3)
    batch.coefficients[1, :, 20:60] = 0  # runs of more than 15 zeros
    found = code_counts(batch.coefficients)
    for row, coefficients in zip(found, batch.coefficients.numpy(), strict=True):
        expected = statistics.normalized(statistics.ac_symbols(coefficients))
        np.testing.assert_allclose(row[12:].numpy(), expected, atol=1e-6)
        sizes = np.bincount(category(coefficients[:, 0]), minlength=12)
        np.testing.assert_allclose(row[:12].numpy(), statistics.normalized(sizes), atol=1e-6)


def test_histograms_count_blocks() -> None:
    size = magnitudes(blocks(2).coefficients, torch.ones(2, 64))
    squares = count(size, diagonals=3).square()
    # Four pairs of frequencies below the third diagonal, two of them of two; then the blocks.
    torch.testing.assert_close(squares[:, :48].reshape(2, 6, 8).sum(2), torch.ones(2, 6))
    ends = [48, 80, 208, 272, 336]
    for start, end in pairwise(ends):
        torch.testing.assert_close(squares[:, start:end].sum(1), torch.ones(2))
    assert squares.shape[1] == ends[-1]


def test_a_block_counts_above_and_below_the_mean() -> None:
    size = magnitudes(blocks(2).coefficients, torch.ones(2, 64))
    squares = count_levels(size, torch.tensor([128.0, 60.0]), width=8).square()
    torch.testing.assert_close(squares[:, :32].sum(1), torch.ones(2))
    torch.testing.assert_close(squares[:, 32:].sum(1), torch.ones(2))
    mirrored = squares[0, :32].flip(0)
    assert (squares[0, :32] - mirrored).abs().max() < 0.05  # but for values on an edge
    middle = (squares[:, :32] * torch.arange(32)).sum(1)
    torch.testing.assert_close(middle, torch.tensor([15.5, 15.5 - 68 / 8]), atol=0.5, rtol=0)


def test_means_are_seen_and_can_be_left_out() -> None:
    batch = blocks(4)
    other = batch._replace(levels=batch.levels + 20)
    for levels in (True, False):
        model = create("block_set", classes=7, **TINY["block_set"], levels=levels).eval()
        with torch.no_grad():
            moved = (model(batch)[0] - model(other)[0]).abs().max()
        assert moved > 1e-3 if levels else moved == 0


def test_gray_pictures_have_one_mean() -> None:
    model = create("block_set", classes=7, **TINY["block_set"], components=1).eval()
    batch = blocks(3, component=(0,) * 24)
    batch = batch._replace(steps=batch.steps[:, :1], levels=batch.levels[:, :1])
    assert model(batch)[1].shape == (3, 7)


def test_a_part_of_the_blocks_is_enough_to_learn_from() -> None:
    model = create("block_set", classes=7, **TINY["block_set"] | {"keep": 0.25})
    batch = blocks(8)
    first, second = (model(batch)[1] for _ in range(2))
    assert not torch.equal(first, second)
    model.eval()
    assert torch.equal(model(batch)[1], model(batch)[1])


def test_attention_in_training_is_that_of_pytorch() -> None:
    torch.manual_seed(0)
    ours = Attention(32, 4, 0.0, batch_first=True)
    torch.nn.init.normal_(ours.in_proj_bias)
    theirs = torch.nn.MultiheadAttention(32, 4, batch_first=True)
    theirs.load_state_dict(ours.state_dict())
    found = []
    for attention in (ours, theirs):
        x = torch.linspace(-2, 3, 2 * 7 * 32).sin().view(2, 7, 32).requires_grad_()
        out, _ = attention(x, x, x, need_weights=False)
        out.square().sum().backward()
        found.append([out, x.grad, *(p.grad for p in attention.parameters())])
    torch.testing.assert_close(*found)


def test_attention_takes_no_more_memory_than_it_may(monkeypatch) -> None:
    monkeypatch.setattr(encoder, "_WEIGHTS", 2 * 4 * 7**2)
    attention = encoder.Attention(32, 4, 0.0, batch_first=True)
    for n in (2, 3):
        x = torch.ones(n, 7, 32)
        out, weights = attention(x, x, x, need_weights=True)
        assert out.shape == x.shape
        assert (weights is None) == (n == 2)  # PyTorch's own gives them


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_dropout_zeroes_its_share_and_scales_the_rest(share: float, dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    x = torch.full((301, 333), 3.0, dtype=dtype, requires_grad=True)
    out = drop(x, share)
    out.sum().backward()
    zeros = (out == 0).double()
    bound = 4 * (share * (1 - share) / x.numel()) ** 0.5
    assert abs(zeros.mean().item() - share) < bound
    beside = (zeros[:, 1:] * zeros[:, :-1]).mean().item()  # independent of its neighbor
    assert beside == pytest.approx(share**2, abs=2 * bound)
    left = out.detach()[out != 0].double() / 3
    precision = 1e-4 if dtype == torch.float32 else 2**-7
    torch.testing.assert_close(left, torch.full_like(left, 1 / (1 - share)), rtol=precision, atol=0)
    torch.testing.assert_close(x.grad, out.detach() / 3)


def test_dropout_hangs_on_the_seed_and_is_none_in_evaluation() -> None:
    layer, x = Dropout(0.25), torch.arange(1.0, 12.0)
    outs = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        outs.append(layer(x.expand(9, -1)))
    first, second, third = outs
    assert torch.equal(first, second)
    assert not torch.equal(first, third)
    assert layer.eval()(x) is x
    assert torch.equal(drop(x, 0), x)
    assert torch.equal(drop(x, 1), torch.zeros(11))
    assert drop(x[:0], 0.5).shape == (0,)


def test_encoders_drop_behind_every_dense_layer() -> None:
    layers = encoder.encoder(
        16, heads=2, mlp=24, depth=2, dropout=0.25, attention_dropout=0.5
    ).layers
    for layer in layers:
        shares = [m.p for m in (layer.dropout, layer.dropout1, layer.dropout2)]
        assert shares == [0.25] * 3
        assert layer.self_attn.dropout == 0.5


def test_attention_drops_weights_as_told() -> None:
    torch.manual_seed(0)
    attention = Attention(8, 2, 0.5, batch_first=True)
    x = torch.randn(1, 400, 8)
    learning = [attention(x, x, x)[0] for _ in range(2)]
    assert not torch.equal(*learning)
    torch.testing.assert_close(sum(learning) / 2, attention.eval()(x, x, x)[0], atol=0.1, rtol=0)


def test_patches_lie_where_they_lay() -> None:
    picture = pictures(1, 24, 16)
    row = to_patches(normalize(picture, levels=False), 8)
    assert row.shape == (1, 6, 192)
    patch = picture.pixels[0, 16:24, 8:16].reshape(-1)  # third row, second column
    np.testing.assert_allclose(row[0, 5].numpy(), patch.numpy() / 127.5 - 1, atol=1e-6)


def test_levels_give_a_cipher_picture_its_color_back(tmp_path) -> None:
    color = np.array([200, 90, 60])
    pixels = (color + np.random.default_rng(3).integers(-20, 20, (32, 16, 3))).astype(np.uint8)
    path = tmp_path / "cipher.jpg"
    path.write_bytes(jpegcrypt.encrypt(pixels, Key(bytes(32))))
    batch = take(load_pixels([path]), np.array([0]))
    assert isinstance(batch, Pixels)
    seen, put_back = (
        127.5 * (1 + normalize(batch, levels=levels).mean(dim=(0, 1, 2)).numpy())
        for levels in (False, True)
    )
    np.testing.assert_allclose(seen, 128, atol=5)
    np.testing.assert_allclose(put_back, color, atol=5)


@pytest.mark.parametrize("name", ["gmlp", "vit", "resnet"])
def test_levels_count_where_they_are_asked_for(name: str) -> None:
    batch = pictures(3)
    other = batch._replace(levels=batch.levels.flip(0))
    for levels in (False, True):
        model = create(name, classes=7, **TINY[name], levels=levels).eval()
        with torch.no_grad():
            assert torch.equal(model(batch)[0], model(other)[0]) is not levels


def test_levels_move_colors_no_further_than_told() -> None:
    corners = torch.cartesian_prod(*[torch.tensor([0.0, 255.0])] * 4)
    pixels = corners[:, :1, None, None].expand(-1, 8, 8, 3).to(torch.uint8)
    found = normalize(Pixels(pixels, corners[:, 1:]), levels=True).abs().max().item()
    assert found == pytest.approx(1 + 2.772 * 128 / 127.5)


def test_wrong_names_and_sizes() -> None:
    with pytest.raises(ValueError, match=r"no model 'mlp', expected one of .*gmlp"):
        create("mlp", classes=2)
    with pytest.raises(ValueError, match="128x190"):
        create("gmlp", classes=2, height=190)
    with pytest.raises(ValueError, match="hidden 7"):
        create("gmlp", classes=2, hidden=7)
    with pytest.raises(TypeError, match="sizee"):
        create("gmlp", classes=2, sizee=3)


def test_no_dropout_may_be_written_as_a_whole_number() -> None:
    assert create("vit", classes=2, dropout=0, depth=1).config.dropout == 0
    assert create("block_set", classes=2, words=0, keep=1).config.keep == 1
