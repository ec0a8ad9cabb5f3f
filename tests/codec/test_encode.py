"""Plain JPEG, no key: as good and as small as libjpeg's, at every size, with its tables."""

import io
import itertools
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Literal

import numpy as np
import pytest
from PIL import Image, ImageCms

import oracle
from checks import (
    PHOTOS,
    SAMPLINGS,
    check_same_coefficients,
    check_same_pixels,
    check_valid,
    patterns,
    photo,
    pillow_jpeg,
    pillow_pixels,
    psnr,
)
from jpegcrypt import _core, decode, encode, read_coefficients
from jpegcrypt.codec.tables import ANNEX_K_HUFFMAN, quality_tables
from jpegcrypt.codec.write import SUBSAMPLING

EFFORTS: dict[Literal["fast", "default"], dict[str, bool]] = {  # ours, and the same of Pillow
    "fast": {},
    "default": {"optimize": True},
}


# --- quality and size ---------------------------------------------------------------------------


def check_as_good_as_pillow(image: np.ndarray, subsampling: str, quality: int) -> None:
    for effort, flags in EFFORTS.items():
        ours = encode(image, quality=quality, subsampling=subsampling, effort=effort)
        theirs = pillow_jpeg(image, quality=quality, subsampling=subsampling, **flags)
        assert len(ours) <= 1.01 * len(theirs)
        assert psnr(decode(ours), image) >= psnr(pillow_pixels(theirs), image) - 0.05


@pytest.mark.parametrize("subsampling", ["4:4:4", "4:2:2", "4:2:0"])
@pytest.mark.parametrize("quality", [10, 50, 75, 90, 97])
def test_photographs(quality, subsampling):
    for name in PHOTOS:
        check_as_good_as_pillow(photo(name), subsampling, quality)


@pytest.mark.parametrize("quality", [50, 75, 90])
def test_gray_photographs(quality):
    for name in PHOTOS:
        check_as_good_as_pillow(photo(name)[:, :, 1].copy(), "4:2:0", quality)


@pytest.mark.exhaustive
@pytest.mark.parametrize("subsampling", ["4:4:4", "4:2:0"])
@pytest.mark.parametrize("quality", [50, 75, 90])
def test_cid22(data_folder, quality, subsampling):
    for path in sorted(data_folder("cid22").glob("*.png")):
        with Image.open(path) as file:
            check_as_good_as_pillow(np.asarray(file.convert("RGB")), subsampling, quality)


def test_color_conversion():
    """Full-range BT.601 (T.871, clause 7), rounded: flat blocks at quality 100 say it exactly."""
    levels = np.arange(0, 256, 17)
    colors = np.stack(np.meshgrid(levels, levels, levels, indexing="ij"), 3).reshape(64, 64, 3)
    image = colors.astype(np.uint8).repeat(8, 0).repeat(8, 1)
    c = read_coefficients(encode(image, quality=100, subsampling="4:4:4"))
    r, g, b = np.moveaxis(colors.astype(float), 2, 0)
    expected = (
        0.299 * r + 0.587 * g + 0.114 * b,
        128 + (b - (0.299 * r + 0.587 * g + 0.114 * b)) / 1.772,
        128 + (r - (0.299 * r + 0.587 * g + 0.114 * b)) / 1.402,
    )
    for array, samples in zip((c.Y, c.Cb, c.Cr), expected, strict=True):
        assert np.abs(array[:, :, 0, 0] / 8 + 128 - samples).max() <= 0.5 + 0.01
        assert np.count_nonzero(array) == np.count_nonzero(array[:, :, 0, 0])


@pytest.mark.parametrize("quality", [75, 100])
@pytest.mark.parametrize("subsampling", [*SAMPLINGS, "gray"])
def test_coefficients_are_those_of_the_definition(subsampling, quality):
    """Edge replication, mean of pixels, DCT by its formula (A.3.3), quantization (A.3.4)."""
    image = photo("coffee.png")[51:120, 33:136]
    if subsampling == "gray":
        image, subsampling = image[:, :, 1], "4:2:0"
    c = read_coefficients(encode(image, quality=quality, subsampling=subsampling))
    dct = oracle.matrix(3, 0)
    arrays = [array for array in (c.Y, c.Cb, c.Cr) if array is not None]
    for array, steps, samples in zip(
        arrays, c.qt, oracle.component_blocks(image, c.sampling), strict=True
    ):
        exact = dct @ (samples - 128) @ dct.T
        error = np.abs(array.reshape(-1, 8, 8) * steps.astype(float) - exact)
        # A sample rounded the other way moves a coefficient by a quarter; fixed point by less.
        assert (error <= steps / 2 + 0.5).all()
        assert (error <= steps / 2 + 0.05).mean() > 0.99


# --- sizes and pictures -------------------------------------------------------------------------


@pytest.mark.parametrize("subsampling", [*SAMPLINGS, "gray"])
def test_every_size(subsampling):
    """From 1x1 to 40x40; quality, effort, restart interval and picture take turns."""
    settings = itertools.cycle(
        itertools.product((1, 50, 100), ("fast", "default", "best"), (0, 1, 3))
    )
    names = itertools.cycle(["photograph", *patterns(1, 1)])
    for height, width in itertools.product(range(1, 41), repeat=2):
        pictures = {"photograph": photo("coffee.png")[:height, :width], **patterns(height, width)}
        image = pictures[next(names)]
        kind = dict(zip(("quality", "effort", "restart_interval"), next(settings), strict=True))
        if subsampling == "gray":
            check_valid(encode(image[:, :, 1], **kind))
        else:
            check_valid(encode(image, subsampling=subsampling, **kind))


@pytest.mark.parametrize(("height", "width"), [(1, 4099), (4099, 1), (1031, 517), (8, 65500)])
def test_long_sizes(height, width):
    """Up to the 65500 that libjpeg reads; T.81 ends at 65535."""
    image = np.resize(photo("astronaut.png"), (height, width, 3))
    for subsampling in SAMPLINGS:
        check_valid(encode(image, subsampling=subsampling))


@pytest.mark.parametrize("quality", [1, 50, 100])
@pytest.mark.parametrize("name", patterns(1, 1))
def test_extreme_pictures(name, quality):
    image = patterns(53, 70)[name]
    for subsampling in SAMPLINGS:
        data = encode(image, quality=quality, subsampling=subsampling)
        c = check_same_coefficients(data)
        check_same_pixels(data)
        assert max(np.abs(array).max() for array in (c.Y, c.Cb, c.Cr)) <= 1023


def test_the_largest_side():
    image = np.arange(65501, dtype=np.uint16).astype(np.uint8)[None]
    for wide in (image, image.T):
        with pytest.raises(ValueError, match="expected 1 to 65500 each way"):
            encode(wide)


def test_flat_pictures_come_back_exactly():
    """Also black, whose DC of -1024 is clamped to -1023."""
    for level in range(256):
        image = np.full((9, 10), level, np.uint8)
        assert np.array_equal(decode(encode(image, quality=100)), image)


# --- tables -------------------------------------------------------------------------------------


def test_quality_scale_is_that_of_libjpeg():
    for quality in range(1, 101):
        data = pillow_jpeg(np.zeros((8, 8, 3), np.uint8), quality=quality)
        with Image.open(io.BytesIO(data)) as image:
            theirs = list(image.quantization.values())
        assert [table.tolist() for table in quality_tables(quality)] == theirs


def test_annex_k_tables_are_those_of_libjpeg():
    """`effort="fast"` writes the very tables that libjpeg writes by default."""
    image = photo("coffee.png")[:40, :40]
    ours, theirs = encode(image, effort="fast"), pillow_jpeg(image)
    assert oracle.huffman_tables(ours) == oracle.huffman_tables(theirs)
    for bits, values in ANNEX_K_HUFFMAN:
        assert sum(bits) == len(values) == len(set(values))


STEPS = [list(range(1, 65)), list(range(100, 164)), [7] * 64]


@pytest.mark.parametrize(
    ("qtables", "used"),
    [
        (STEPS[:1], [0, 0, 0]),
        (STEPS[:2], [0, 1, 1]),
        (STEPS, [0, 1, 2]),
        (dict(enumerate(STEPS[:2])), [0, 1, 1]),
        (np.array(STEPS).reshape(3, 8, 8), [0, 1, 2]),
        (tuple(map(tuple, STEPS)), [0, 1, 2]),
    ],
)
def test_own_quantization_tables(qtables, used):
    data = encode(photo("coffee.png")[:33, :47], qtables=qtables)
    check_valid(data)
    expected = [np.reshape(STEPS[i], (8, 8)) for i in used]
    assert np.array_equal(check_same_coefficients(data).qt, expected)
    with Image.open(io.BytesIO(data)) as image:
        assert image.quantization == {i: STEPS[i] for i in set(used)}


def test_the_tables_of_another_file():
    """`qtables=image.quantization` is what Pillow's users write to keep a quality."""
    with Image.open(io.BytesIO(pillow_jpeg(photo("coffee.png")[:33, :47], quality=83))) as image:
        data = encode(image, qtables=image.quantization)
        with Image.open(io.BytesIO(data)) as again:
            assert again.quantization == image.quantization


@pytest.mark.parametrize(
    "sampling",
    [
        [(4, 4), (1, 1), (1, 1)],
        [(4, 4)] * 3,
        [(2, 2), (2, 2), (1, 1)],
        [(1, 1)] * 2 + [(1, 2)],
        [(3, 1), (1, 1), (1, 1)],
        [(1, 3), (1, 1), (1, 1)],
    ],
)
def test_the_core_refuses_what_it_cannot_write(sampling):
    """Frames that only the decoder takes."""
    image = np.zeros((64, 64, 3), np.uint8)
    steps = [_core.Quantizer(np.ones(64, np.uint16))] * 3
    bank = _core.TransformBank(np.zeros((1, 8, 8), np.int16))
    with pytest.raises(ValueError, match="at most 10 blocks in an MCU"):
        _core.image_to_planes(image, _core.Frame(64, 64, sampling))
    with pytest.raises(ValueError, match="at most 10 blocks in an MCU"):
        _core.encode_scan(_core.Planes(_core.Frame(64, 64, sampling)), steps, bank)


# --- restart intervals --------------------------------------------------------------------------


@pytest.mark.parametrize("effort", EFFORTS)
@pytest.mark.parametrize("interval", [1, 2, 3, 7, 16, 17, 34, 65535])
def test_restart_interval(interval, effort):
    image = photo("coffee.png")[:99, :269]  # 17 x 7 MCUs
    data = encode(image, restart_interval=interval, effort=effort)
    check_valid(data)
    (scan,) = oracle.payloads(data, 0xDA)
    markers = [i for i in range(len(scan) - 1) if scan[i] == 0xFF and 0xD0 <= scan[i + 1] <= 0xD7]
    assert [scan[i + 1] - 0xD0 for i in markers] == [i % 8 for i in range((7 * 17 - 1) // interval)]
    plain = read_coefficients(encode(image))
    for name in ("Y", "Cb", "Cr"):
        assert np.array_equal(getattr(check_same_coefficients(data), name), getattr(plain, name))


@pytest.mark.parametrize(
    ("height", "width", "subsampling", "rows"),
    [
        (1023, 1024, "4:2:0", None),
        (1024, 1024, "4:2:0", 16),
        (1024, 1024, "4:4:4", 32),
        (1100, 1001, "4:1:1", 32),  # 8 lines of 1024 pixels
        (17, 65500, "4:2:0", 1),
    ],
)
def test_large_pictures_have_restart_markers(height, width, subsampling, rows):
    image = np.resize(photo("coffee.png"), (height, width, 3))
    data = encode(image, subsampling=subsampling, effort="fast")
    columns = -(-width // (8 * SUBSAMPLING[subsampling][0]))
    assert oracle.payloads(data, 0xDD) == ([] if rows is None else [(rows * columns).to_bytes(2)])
    check_same_pixels(data)
    without = encode(image, subsampling=subsampling, effort="fast", restart_interval=0)
    assert oracle.payloads(without, 0xDD) == []
    assert np.array_equal(decode(data), decode(without))
    assert len(data) - len(without) < 1e-4 * len(data) + 100


# --- the file -----------------------------------------------------------------------------------


def test_segments_in_order():
    data = encode(photo("coffee.png")[:20, :20], restart_interval=1, comment=b"hi", exif=b"II*\0")
    markers = [s.marker for s in oracle.segments(data)]
    assert markers == [0xD8, 0xE0, 0xE1, 0xFE, 0xDB, 0xC0, 0xC4, 0xDD, 0xDA, 0xD9]
    assert oracle.payloads(data, 0xE0) == [b"JFIF\0\1\1\0\0\1\0\1\0\0"]


def test_metadata_as_pillow_writes_it():
    """Whatever Pillow's writer takes, its reader finds the same in our file."""
    exif = Image.Exif()
    exif[0x010E] = "a description"
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    image = photo("coffee.png")[:20, :30]
    metadata = {
        "exif": exif.tobytes(),
        "icc_profile": profile,
        "comment": b"at the lake",
        "dpi": (300, 72),
        "xmp": b"<x:xmpmeta/>",
    }
    found = []
    for data in (encode(image, **metadata), pillow_jpeg(image, **metadata)):
        with Image.open(io.BytesIO(data)) as file:
            assert file.getexif()[0x010E] == "a description"
            found.append(file.info)
    assert found[0] == found[1]


def test_a_long_profile_is_split():
    profile = np.random.default_rng(1).bytes(200_000)
    data = encode(np.zeros((8, 8, 3), np.uint8), icc_profile=profile)
    assert len(oracle.payloads(data, 0xE2)) == 4
    with Image.open(io.BytesIO(data)) as file:
        assert file.info["icc_profile"] == profile


# --- memory layout ------------------------------------------------------------------------------

VIEWS = {
    "rows upside down": lambda a: a[::-1],
    "mirrored": lambda a: a[:, ::-1],
    "every other row": lambda a: a[::2],
    "every third pixel": lambda a: a[:, ::3],
    "a cut": lambda a: a[3:29, 5:40],
    "one column": lambda a: a[:, 7:8],
    "one row": lambda a: a[4:5],
    "Fortran order": np.asfortranarray,
    "transposed": lambda a: a.swapaxes(0, 1),
    "repeated": lambda a: np.broadcast_to(a[:1], a.shape),
    "read-only": lambda a: np.frombuffer(a.tobytes(), np.uint8).reshape(a.shape),
}


@pytest.mark.parametrize("gray", [False, True])
@pytest.mark.parametrize("view", VIEWS.values(), ids=VIEWS)
def test_any_memory_layout(view, gray):
    image = photo("coffee.png")[100:137, 100:154]
    array = view(image[:, :, 1] if gray else image)
    copy = np.array(array, order="C")
    assert encode(array) == encode(copy)
    assert encode(Image.fromarray(copy)) == encode(copy)


def test_channels_in_another_order():
    image = photo("coffee.png")[:30, :30]
    assert encode(image[:, :, ::-1]) == encode(np.ascontiguousarray(image[:, :, ::-1]))


class OwnPlan:
    def __init__(self, permutation):
        self.records = np.zeros((len(permutation), 16), np.uint8)
        self.permutation = np.array(permutation, np.uint32)


def test_the_core_refuses_a_plan_that_leaves_the_picture():
    image = np.zeros((16, 16, 1), np.uint8)
    frame, steps = _core.Frame(16, 16, [(1, 1)]), [_core.Quantizer(np.ones(64, np.uint16))]
    planes = _core.image_to_planes(image, frame)
    bank = _core.TransformBank(np.zeros((1, 8, 8), np.int16))
    for bad in ([0, 1, 2, 4], [0, 1, 2, 1 << 31], [0, 1, 2], [0, 1, 2, 3, 0]):
        with pytest.raises(ValueError, match=r"permutation|records"):
            _core.encode_scan(planes, steps, bank, plan=[OwnPlan(bad)])
    scan, _, _ = _core.encode_scan(planes, steps, bank, plan=[OwnPlan([3, 1, 0, 2])])
    assert scan
    with pytest.raises(ValueError, match="encoded before"):
        _core.encode_scan(planes, steps, bank)
    with pytest.raises(ValueError, match="encoded before"):
        _core.planes_to_image(frame, planes, image)


def test_one_of_two_threads_gets_the_planes():
    frame, steps = _core.Frame(2000, 2000, [(1, 1)]), [_core.Quantizer(np.ones(64, np.uint16))]
    planes = _core.image_to_planes(np.zeros((2000, 2000, 1), np.uint8), frame)
    bank = _core.TransformBank(np.zeros((1, 8, 8), np.int16))
    barrier = threading.Barrier(2, timeout=5)

    def work(_):
        barrier.wait()
        try:
            _core.encode_scan(planes, steps, bank)
        except ValueError as error:
            return str(error)
        return ""

    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(work, range(2))) == ["", "planes that were encoded before"]


def test_the_core_refuses_incomplete_tables():
    image = np.zeros((16, 16, 1), np.uint8)
    planes = _core.image_to_planes(image, _core.Frame(16, 16, [(1, 1)]))
    steps = [_core.Quantizer(np.ones(64, np.uint16))]
    bank = _core.TransformBank(np.zeros((1, 8, 8), np.int16))
    only_eob = (bytes([1, *[0] * 15]), b"\0")
    for tables in (ANNEX_K_HUFFMAN[:1], [only_eob, ANNEX_K_HUFFMAN[1]], [ANNEX_K_HUFFMAN[0]] * 2):
        with pytest.raises(ValueError, match="Huffman tables"):
            _core.encode_scan(planes, steps, bank, tables=tables)


def test_the_core_refuses_what_goes_with_a_plan():
    planes = _core.image_to_planes(np.zeros((8, 8, 1), np.uint8), _core.Frame(8, 8, [(1, 1)]))
    steps = [_core.Quantizer(np.ones(64, np.uint16))]
    bank = _core.TransformBank(np.zeros((1, 8, 8), np.int16))
    for alone in ({"levels": [100]}, {"dc_residuals": True}):
        with pytest.raises(ValueError, match="go with a plan"):
            _core.encode_scan(planes, steps, bank, **alone)
    for levels, text in (([], "0 level shifts for 1"), ([256], "256, expected 0 to 255")):
        with pytest.raises(ValueError, match=text):
            _core.encode_scan(planes, steps, bank, plan=[OwnPlan([0])], levels=levels)
    with pytest.raises(ValueError, match="a trellis makes its own Huffman tables"):
        _core.encode_scan(planes, steps, bank, tables=ANNEX_K_HUFFMAN[:2], trellis_lambda=0.1)


def test_means():
    """Of all samples of whole blocks, rounded, however many threads add them up."""
    image = np.ascontiguousarray(photo("coffee.png")[:203, :301, 1:2])
    frame = _core.Frame(301, 203, [(1, 1)])
    whole = np.pad(image, ((0, 5), (0, 3), (0, 0)), "edge")
    for threads in (1, 3):
        (mean,) = _core.image_to_planes(image, frame, threads=threads).means
        assert mean == int(whole.mean() + 0.5)


def test_the_core_refuses_planes_of_another_frame():
    small, large = (_core.Frame(side, side, [(1, 1)]) for side in (8, 64))
    with pytest.raises(ValueError, match="another frame"):
        _core.planes_to_image(large, _core.Planes(small), np.zeros((64, 64, 1), np.uint8))
