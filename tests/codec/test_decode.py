"""Files that other encoders wrote: jpeglib's coefficients and Pillow's pixels, all of them."""

import io
import itertools

import numpy as np
import pytest
from PIL import Image

import jpegcrypt
import oracle
import recode
from checks import (
    KEY,
    NONCE,
    PHOTOS,
    SAMPLINGS,
    check_same_coefficients,
    check_same_pixels,
    components,
    on_disk,
    patterns,
    photo,
    pillow_jpeg,
    pillow_pixels,
)
from format_reader import Picture, read_picture
from jpegcrypt import decode, read_coefficients

PILLOW_SAMPLINGS = ("4:4:4", "4:2:2", "4:2:0")
FLAGS = {
    "baseline": {},
    "optimized": {"optimize": True},
    "progressive": {"progressive": True},
    "restart": {"restart_marker_blocks": 7},
    "restart rows": {"restart_marker_rows": 1, "progressive": True},
}


def check_same(data: bytes) -> None:
    check_same_coefficients(data)
    check_same_pixels(data)


def random_coefficients(
    sampling: list[tuple[int, int]], width: int, height: int, seed: int = 0
) -> Picture:
    """Return coefficients of a picture-like kind: low frequencies are large, others sparse."""
    rng = np.random.default_rng(seed)
    h_max, v_max = (max(f[i] for f in sampling) for i in range(2))
    scale = 90 / (1 + np.add.outer(np.arange(8), np.arange(8))) ** 2
    arrays = [
        np.rint(
            rng.laplace(
                0, scale, (-(-height * v // (8 * v_max)), -(-width * h // (8 * h_max)), 8, 8)
            )
        ).astype(np.int16)
        for h, v in sampling
    ]
    tables = [rng.integers(1, 9, (8, 8)).astype(np.uint16) for _ in sampling]
    return Picture(width, height, sampling, tables, arrays)


# --- Pillow -------------------------------------------------------------------------------------


@pytest.mark.parametrize("flags", FLAGS.values(), ids=FLAGS)
@pytest.mark.parametrize("subsampling", PILLOW_SAMPLINGS)
@pytest.mark.parametrize("name", ["coffee.png", "rocket.jpg"])
def test_pillow(name, subsampling, flags):
    image = photo(name)[:203, 5:310]
    check_same(pillow_jpeg(image, subsampling=subsampling, **flags))


@pytest.mark.parametrize("flags", FLAGS.values(), ids=FLAGS)
def test_pillow_gray(flags):
    check_same(pillow_jpeg(photo("coffee.png")[:77, :131, 0], **flags))


@pytest.mark.parametrize("progressive", [False, True])
def test_pillow_every_quality(progressive):
    image = photo("astronaut.png")[40:117, 170:261]
    for quality in range(1, 101):
        for subsampling in ("4:4:4", "4:2:0"):
            check_same(
                pillow_jpeg(
                    image, quality=quality, subsampling=subsampling, progressive=progressive
                )
            )


@pytest.mark.parametrize("subsampling", PILLOW_SAMPLINGS)
def test_pillow_small_sizes(subsampling):
    """Edges of upsampling: one or two chroma samples, odd widths and heights."""
    for height, width in itertools.product([*range(1, 20), 33], repeat=2):
        for name in ("noise", "extremes") if (height + width) % 3 else ("ramp",):
            image = patterns(height, width)[name]
            check_same_pixels(pillow_jpeg(image, subsampling=subsampling, quality=90))


def test_pillow_rgb():
    """RGB by Adobe's marker."""
    image = photo("coffee.png")[:61, :90]
    for progressive in (False, True):
        data = pillow_jpeg(image, keep_rgb=True, quality=95, progressive=progressive)
        check_same(data)
        assert np.abs(decode(data) - image.astype(int)).max() < 20


@pytest.mark.parametrize("name", PHOTOS)
def test_pillow_photographs(name):
    check_same(pillow_jpeg(photo(name), quality=85))
    check_same(pillow_jpeg(photo(name), quality=30, subsampling="4:2:2", progressive=True))


@pytest.mark.parametrize("interval", [1, 2, 3, 8, 9, 1000])
def test_pillow_restart_intervals(interval):
    image = photo("chelsea.png")[:130, :150]
    for progressive in (False, True):
        check_same(pillow_jpeg(image, restart_marker_blocks=interval, progressive=progressive))


# --- ours ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("effort", ["fast", "default"])
@pytest.mark.parametrize("subsampling", [*SAMPLINGS, "gray"])
def test_ours(subsampling, effort):
    image = photo("coffee.png")[60:171, 100:305]
    if subsampling == "gray":
        image, subsampling = image[:, :, 1], "4:2:0"
    for quality, interval in ((1, 0), (60, 5), (100, 0)):
        settings = {
            "quality": quality,
            "subsampling": subsampling,
            "effort": effort,
            "restart_interval": interval,
        }
        check_same(jpegcrypt.encode(image, **settings))
        check_same(jpegcrypt.encrypt(image, KEY, nonce=NONCE, **settings))


# --- files as jpegtran and odd encoders write them ----------------------------------------------

SCRIPTS = {
    "extended sequential": {},
    "one scan a component": {"script": recode.SEPARATE},
    "one component apart": {"script": (((0, 2), 0, 63, 0, 0), ((1,), 0, 63, 0, 0))},
    "progressive": {"script": recode.PROGRESSIVE},
    "restart": {"restart_interval": 3},
    "progressive, restart": {"script": recode.PROGRESSIVE, "restart_interval": 4},
    "16-bit tables": {"wide_tables": True},
    "16-bit codes": {"script": recode.PROGRESSIVE, "code_length": 16},
    "11-bit codes": {"code_length": 11},
}


@pytest.mark.parametrize("settings", SCRIPTS.values(), ids=SCRIPTS)
@pytest.mark.parametrize("subsampling", [*SAMPLINGS, "gray"])
def test_scans(subsampling, settings):
    image = photo("astronaut.png")[100:161, 200:283]
    if subsampling == "gray":
        image, subsampling = image[:, :, 1], "4:2:0"
    data = jpegcrypt.encode(image, quality=90, subsampling=subsampling)
    other = recode.recode(data, read_picture(data), **settings)
    check_same(other)
    assert np.array_equal(decode(other), decode(data))


@pytest.mark.parametrize("scans", range(1, len(recode.PROGRESSIVE)))
def test_unfinished_progression(scans):
    """What came so far is read; libjpeg smooths its pixels, so only coefficients are compared."""
    data = jpegcrypt.encode(photo("astronaut.png")[100:161, 200:283], quality=90)
    other = recode.recode(data, read_picture(data), script=recode.PROGRESSIVE[:scans])
    check_same_coefficients(other)
    assert decode(other).shape == (61, 83, 3)


def factor_triples():
    """Yield every triple of factors that baseline allows and libjpeg can upsample, 1 to 4."""
    pairs = list(itertools.product((1, 2, 3, 4), repeat=2))
    for luma, cb, cr in itertools.product(pairs, repeat=3):
        triple = [luma, cb, cr]
        blocks = sum(h * v for h, v in triple)
        whole = all(
            max(f[i] for f in triple) % factor[i] == 0 for factor in triple for i in range(2)
        )
        if blocks <= 10 and whole:
            yield triple


def test_sampling_factors():
    """Every legal triple of factors, also with chroma finer than luma."""
    triples = list(factor_triples())
    assert len(triples) > 250
    for i, triple in enumerate(triples):
        c = random_coefficients(triple, 21 + i % 13, 19 + i % 17, i)
        data = recode.recode(b"", c, script=recode.SEPARATE if i % 3 == 0 else None)
        try:
            check_same(data)
        except AssertionError as error:
            raise AssertionError(f"sampling {triple}") from error


@pytest.mark.parametrize(
    "triple", [[(4, 4)] * 3, [(4, 4), (2, 4), (4, 1)], [(1, 1), (4, 4), (2, 2)]]
)
def test_factors_too_large_to_interleave(triple):
    """More blocks than an MCU may have (B.2.3): each component has a scan of its own."""
    c = random_coefficients(triple, 45, 38)
    check_same(recode.recode(b"", c, script=recode.SEPARATE))


def test_fractional_sampling():
    """Factors that libjpeg cannot upsample: 3 beside 2. The coefficients are read all the same."""
    for triple in ([(3, 1), (2, 1), (1, 1)], [(1, 3), (1, 2), (1, 2)], [(2, 2), (3, 1), (1, 1)]):
        c = random_coefficients(triple, 50, 41)
        data = recode.recode(b"", c)
        for ours, theirs in zip(components(read_coefficients(data)), c.blocks, strict=True):
            assert np.array_equal(ours, theirs)
        assert decode(data).shape == (41, 50, 3)


def test_gray_ignores_its_factors():
    """A single component is never interleaved, whatever its factors say (A.2.2)."""
    c = random_coefficients([(1, 1)], 37, 21)
    data = recode.recode(b"", c)
    at = next(s.start for s in oracle.segments(data) if s.marker == 0xC1) + 7
    for factors in (0x22, 0x41, 0x14, 0x33):
        other = data[:at] + bytes([factors]) + data[at + 1 :]
        assert np.array_equal(read_coefficients(other).Y, c.blocks[0])
        assert np.array_equal(decode(other), pillow_pixels(other))


def test_large_steps():
    """16-bit tables with steps beyond 255, as 12-bit encoders and some scanners write."""
    c = random_coefficients([(2, 2), (1, 1), (1, 1)], 45, 50)
    for table in c.steps:
        table[2:, 3:] = 300
        table[7, 7] = 2000
    c.blocks = [np.sign(array) * (np.abs(array) > 20) for array in c.blocks]
    c.blocks = [array.astype(np.int16) for array in c.blocks]
    data = recode.recode(b"", c, wide_tables=True)
    check_same_coefficients(data)
    assert np.abs(decode(data).astype(int) - pillow_pixels(data)).max() <= 1


# --- tools of libjpeg, where they are installed -------------------------------------------------

SEQUENTIAL_SCRIPT = "1 2: 0-63, 0, 0;\n0: 0-63, 0, 0;\n"
PROGRESSIVE_SCRIPT = """0 1 2: 0-0, 0, 2;
0: 1-9, 0, 3; 2: 1-63, 0, 1; 1: 1-63, 0, 1;
0: 10-63, 0, 3;
0 1 2: 0-0, 2, 1;
0: 1-63, 3, 2; 0: 1-63, 2, 1;
0 1 2: 0-0, 1, 0;
1: 1-63, 1, 0; 2: 1-63, 1, 0; 0: 1-63, 1, 0;
"""
CJPEG = {
    "4:4:0": ["-sample", "1x2"],
    "4:1:1": ["-sample", "4x1"],
    "4:1:0": ["-sample", "4x2"],
    "3x1": ["-sample", "3x1"],
    "mixed": ["-sample", "2x2,1x2,2x1"],
    "chroma finer": ["-sample", "1x1,2x2,1x1"],
    "RGB": ["-rgb"],
    "gray": ["-grayscale"],
    "restart": ["-restart", "1"],
    "16-bit tables": ["-quality", "1"],
    "progressive": ["-progressive", "-sample", "1x2"],
}


def ppm(image: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(image).save(file, "PPM")
    return file.getvalue()


@pytest.mark.parametrize("arguments", CJPEG.values(), ids=CJPEG)
def test_cjpeg(tool, arguments):
    data = tool("cjpeg", *arguments, data=ppm(photo("coffee.png")[:101, :143]))
    check_same(data)


@pytest.mark.parametrize(
    "script", [SEQUENTIAL_SCRIPT, PROGRESSIVE_SCRIPT], ids=["sequential", "progressive"]
)
@pytest.mark.parametrize("sample", ["1x1", "2x2", "2x1", "1x2"])
def test_cjpeg_scripts(tool, tmp_path, sample, script):
    path = tmp_path / "script"
    path.write_text(script)
    image = ppm(photo("coffee.png")[:101, :143])
    check_same(tool("cjpeg", "-scans", str(path), "-sample", sample, data=image))


# --- data sets ----------------------------------------------------------------------------------


def test_corel5k(data_folder):
    files = sorted(data_folder("corel5k").rglob("*.jpg"))[:500]
    assert len(files) == 500
    for path in files:
        check_same(path.read_bytes())


@pytest.mark.exhaustive
def test_all_of_corel(data_folder):
    for name in ("corel5k", "corel1k"):
        for path in data_folder(name).rglob("*.jpg"):
            check_same(path.read_bytes())


def test_jpeglib_reads_from_the_same_bytes():
    """The judge is awake: a changed coefficient is noticed."""
    import jpeglib

    data = jpegcrypt.encode(photo("coffee.png")[:32, :32])
    with on_disk(data) as path:
        theirs = jpeglib.read_dct(path)
        theirs.Y[0, 0, 0, 0] += 1
        theirs.write_dct(path)
        with open(path, "rb") as file:
            changed = read_coefficients(file.read())
    assert changed.Y[0, 0, 0, 0] == read_coefficients(data).Y[0, 0, 0, 0] + 1
