"""The rate-distortion benchmark: what a row says, which rows are kept, what the report says."""

import dataclasses
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("skimage", reason="scikit-image is not installed; the dev extra has it")
pytest.importorskip("joblib", reason="joblib is not installed; the dev extra has it")
pytest.importorskip("matplotlib", reason="matplotlib is not installed; the dev extra has it")

import jpegcrypt
from benchmarks import (
    data_sets,
    dequantizer,
    rate_distortion,
    rate_report,
    rate_rows,
    rate_steps,
)
from benchmarks.photographs import mosaic
from benchmarks.rate_rows import Row, Rows, load, save
from benchmarks.rate_schemes import (
    DIFFERENCE_QUALITIES,
    FENG2021,
    KEY,
    PILLOW,
    PILLOW_OPTIMIZE,
    schemes,
)
from jpegcrypt.cipher.bank import dct_matrix, matrices
from jpegcrypt.codec.coefficients import decode_scans
from jpegcrypt.codec.parse import parse

PICTURE = mosaic(96, 64, tile=64)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of two small pictures, one of them gray."""
    folder = tmp_path_factory.mktemp("pictures") / "small"
    (folder / "gray").mkdir(parents=True)
    Image.fromarray(PICTURE).save(folder / "color.png")
    Image.fromarray(mosaic(80, 72, tile=64, seed=1)[:, :, 1]).save(folder / "gray" / "one.tif")
    (folder / "LICENSE").touch()
    return folder


def run(folder: Path, out: Path) -> Path:
    """Run the benchmark as --quick does and return its file of rows."""
    arguments = ["--data", str(folder), "--quick", "--out", str(out), "--jobs", "1"]
    assert rate_distortion.main(arguments) == 0
    return out / "small.csv.gz"


@pytest.fixture(scope="module")
def finished(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return run(folder, tmp_path_factory.mktemp("finished"))


@pytest.fixture
def out(finished: Path, tmp_path: Path) -> Path:
    """Return a folder with the rows of a finished run."""
    (tmp_path / finished.name).write_bytes(finished.read_bytes())
    return tmp_path


# --- rows -----------------------------------------------------------------------------------------


def test_every_scheme_has_its_rows(finished: Path) -> None:
    rows = load(finished)
    assert set(rows) == {
        (picture, scheme.name, quality)
        for picture in ("color.png", "gray/one.tif")
        for scheme in schemes().values()
        for quality in DIFFERENCE_QUALITIES
        if scheme.installed
    }
    for row in rows.values():
        assert 0 < row.payload < row.size
        assert (0.5 < row.ssim < 1) or row.scheme == FENG2021  # which loses substituted blocks


def test_a_row_says_what_was_written(finished: Path) -> None:
    rows = load(finished)
    row = rows["color.png", PILLOW, 50]
    file = io.BytesIO()
    Image.fromarray(PICTURE).save(file, "JPEG", quality=50)
    shown = np.asarray(Image.open(file)).astype(float)
    assert (row.width, row.height) == (96, 64)
    assert row.size == len(file.getvalue())
    assert row.bpp == 8 * row.size / (96 * 64)
    assert row.psnr == pytest.approx(
        10 * np.log10(255**2 / ((shown - PICTURE) ** 2).mean()), abs=1e-3
    )
    assert row.psnr_luma > row.psnr  # chroma is subsampled
    smaller = rows["color.png", PILLOW_OPTIMIZE, 50]
    assert smaller.size < row.size
    assert (smaller.psnr, smaller.ssim) == (row.psnr, row.ssim)
    ours = jpegcrypt.encrypt(PICTURE, KEY, quality=50, key_mode="content", effort="fast")
    assert rows["color.png", "encrypt fast", 50].size == len(ours)


def test_pictures_that_are_the_same() -> None:
    off = PICTURE.copy()
    off[0, 0, 0] ^= 1
    assert rate_rows.psnr(PICTURE, PICTURE) == rate_rows.psnr(PICTURE, off)


# --- a run that goes on ---------------------------------------------------------------------------


def test_a_finished_run_measures_nothing(
    folder: Path, out: Path, finished: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rate_distortion, "measure", None)
    assert run(folder, out).read_bytes() == finished.read_bytes()
    for path in finished.parent.iterdir():
        assert (out / path.name).read_bytes() == path.read_bytes()


def test_a_killed_run_goes_on(
    folder: Path, tmp_path: Path, finished: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[int] = []
    end = 3

    def killed_at_the_end(*arguments: Any) -> list[Row]:
        if len(calls) == end:
            raise KeyboardInterrupt
        calls.append(arguments[2])
        return rate_rows.measure(*arguments)

    monkeypatch.setattr(rate_distortion, "measure", killed_at_the_end)
    with pytest.raises(KeyboardInterrupt):
        run(folder, tmp_path)
    kept = load(tmp_path / finished.name)
    assert {(row.picture, row.quality) for row in kept.values()} == {
        ("color.png", quality) for quality in DIFFERENCE_QUALITIES[:3]
    }
    end = -1
    assert run(folder, tmp_path).read_bytes() == finished.read_bytes()
    assert calls == 2 * [*DIFFERENCE_QUALITIES]


@pytest.mark.parametrize(
    ("changed", "again"), [({}, False), ({"code": "0"}, True), ({"pixels": "0"}, True)]
)
def test_what_is_measured_again(
    folder: Path, out: Path, finished: Path, changed: dict[str, str], again: bool
) -> None:
    """A wrong size shows what was kept: only a row of other code or another picture is not."""
    rows, key = load(finished), ("color.png", "encrypt default", 25)
    wrong = dataclasses.replace(rows[key], size=1, **changed)  # type: ignore[arg-type]
    save(out / finished.name, (rows | {key: wrong}).values())
    assert load(run(folder, out))[key] == (rows[key] if again else wrong)


def test_a_row_that_nobody_asked_for_goes(folder: Path, out: Path, finished: Path) -> None:
    rows = load(finished)
    other = dataclasses.replace(next(iter(rows.values())), picture="gone.png")
    save(out / finished.name, [*rows.values(), other])
    assert load(run(folder, out)) == rows


def test_our_code_and_theirs() -> None:
    """Pillow's rows outlive a change of ours, and both are of a known form."""
    codes = {scheme.package: scheme.code for scheme in schemes().values() if scheme.installed}
    assert len(set(codes.values())) == len(codes)
    assert all(len(code) == 10 for code in codes.values())


# --- which pictures -------------------------------------------------------------------------------


def test_jpegs_are_refused(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mixed = tmp_path / "mixed"
    mixed.mkdir()
    Image.fromarray(PICTURE).save(mixed / "fine.png")
    Image.fromarray(PICTURE).save(mixed / "disguised.png", "JPEG")
    with pytest.raises(SystemExit, match="2"):
        run(mixed, tmp_path / "out")
    assert "1 of 2 pictures" in (error := capsys.readouterr().err)
    assert "disguised.png" in error
    assert "--allow-jpeg-sources" in error
    assert not (tmp_path / "out").exists()
    found = data_sets.find(str(mixed), most=9, allow_jpeg_sources=True)
    assert found.jpeg_sources
    assert found.names == ("disguised.png", "fine.png")
    assert not data_sets.find(str(folder), most=9).jpeg_sources


def test_pictures_at_even_distances(folder: Path) -> None:
    found = data_sets.find(data_sets.SCIKIT_IMAGE, most=3)
    assert (len(found.names), found.available) == (3, 7)
    assert found.names[0] == "astronaut"
    assert not {*data_sets.find(data_sets.SCIKIT_IMAGE, most=100).names} & {"rocket", "retina"}
    assert [name for name, _ in data_sets.find(str(folder), most=2)] == [
        "color.png",
        "gray/one.tif",
    ]


def test_folders_by_name(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JPEGCRYPT_DATA", str(folder.parent))
    assert data_sets.find("small", most=9).names == data_sets.find(str(folder), most=9).names
    assert data_sets.default_name() == data_sets.SCIKIT_IMAGE
    (folder.parent / "cid22").mkdir()
    assert data_sets.default_name() == "cid22"
    with pytest.raises(data_sets.Unusable, match="no picture"):
        data_sets.find("cid22", most=9)
    with pytest.raises(data_sets.Unusable, match="no folder"):
        data_sets.find("elsewhere", most=9)


@pytest.mark.parametrize(
    ("data", "reason"), [(b"\x89PNG\r\n", "broken.png"), (None, "8x8 pixels, expected 16")]
)
def test_pictures_that_do_not_serve(tmp_path: Path, data: bytes | None, reason: str) -> None:
    if data is None:
        Image.new("RGB", (8, 8)).save(tmp_path / "tiny.png")
    else:
        (tmp_path / "broken.png").write_bytes(data)
    with pytest.raises(data_sets.Unusable, match=reason):
        list(data_sets.find(str(tmp_path), most=9))


# --- what is committed ---------------------------------------------------------------------------


def test_the_committed_results() -> None:
    folder = rate_distortion.RESULTS
    assert sum(path.stat().st_size for path in folder.iterdir()) < 2_500_000
    results = rate_report.read(folder)
    assert {one.name for one in results} >= {data_sets.SCIKIT_IMAGE}
    for one in results:
        pictures = {name for rows in one.rows.values() for name in rows}
        assert len(pictures) == one.facts["pictures"]
        for scheme, rows in one.rows.items():
            wanted = list(schemes()[scheme].qualities)
            assert all([row.quality for row in rows[name]] == wanted for name in pictures)
            assert len({row.code for of in rows.values() for row in of}) == 1  # measured together
        assert one.rows.keys() >= {
            name for name, s in schemes().items() if s.package == "jpegcrypt"
        }


def test_the_report_tells_what_our_decoder_gives() -> None:
    results = rate_report.read(rate_distortion.RESULTS)
    text = rate_report.report(results)
    stored = (rate_distortion.RESULTS / "report.md").read_text("utf-8")
    assert text == stored, "run: python benchmarks/rate_distortion.py"
    cid22 = next(one for one in results if one.name == "cid22")
    alone = rate_report.mean(cid22.differences(rate_steps.NONE, "encode default"))
    assert alone < -1
    assert text.count(f"worth\n{alone:+.1f} % at equal PSNR") == 1
    for name in rate_report.NEARER:
        assert text.count(f"\n| {name}\\* |") == len(results)
    for row in ("liang2019", "zhang2014"):
        assert text.count(f"\n| {row} |") == len(results)


def test_what_is_said_of_psnr_and_ssim() -> None:
    """README's sentence: the trellis gains by PSNR and loses by SSIM, with the default tables."""
    for one in rate_report.read(rate_distortion.RESULTS):
        for scheme in ("encode best", "encrypt best", "jpegli"):
            by_psnr, by_ssim = (
                rate_report.mean(one.differences(scheme, PILLOW_OPTIMIZE, quality))
                for quality in (rate_report.RGB, rate_report.SSIM)
            )
            assert by_ssim > 0
            assert by_ssim > by_psnr
            if scheme == "encode best":
                assert by_psnr < -5
        default_tables, flat = (
            rate_report.mean(one.differences(name, PILLOW_OPTIMIZE, rate_report.SSIM))
            for name in ("encode best", "encode best, flat tables")
        )
        assert flat < min(0, default_tables)


def test_ssim_as_decibel() -> None:
    row = Row("a", "b", 75, 8, 8, 100, 90, 30.0, 31.0, 0.99, "c", "d")
    assert row.ssim_db == pytest.approx(20)
    assert dataclasses.replace(row, ssim=1.0).ssim_db == float("inf")


def test_what_our_decoder_gives_in_decibel() -> None:
    gain = dequantizer.gains("cid22", (75, 99))
    rows = [one for one in rate_report.read(rate_distortion.RESULTS) if one.name == "cid22"]
    no_step, plain = (
        rows[0].mean(name, 75, lambda row: row.psnr)
        for name in (rate_steps.NONE, dequantizer.PLAIN)
    )
    assert gain == f"{no_step - plain:+.2f} dB at quality 75"
    encrypted, decoded = rate_steps.round_trip(KEY, (), PICTURE, 75)
    assert rate_rows.psnr(PICTURE, decoded) > rate_rows.psnr(PICTURE, jpegcrypt.decode(encrypted))


# --- the steps ------------------------------------------------------------------------------------


def test_all_steps_are_the_encryption() -> None:
    file, shown = rate_steps.round_trip(KEY, rate_steps.STEPS, PICTURE, 50)
    whole = jpegcrypt.encrypt(PICTURE, KEY, quality=50, key_mode="content")
    assert parse(file).scans[0].entropy.size == parse(whole).scans[0].entropy.size
    np.testing.assert_array_equal(shown, jpegcrypt.decrypt(whole, KEY))


def test_no_step_is_an_ordinary_jpeg() -> None:
    file, _ = rate_steps.round_trip(KEY, (), PICTURE, 50)
    plain = jpegcrypt.encode(PICTURE, quality=50)
    for ours, expected in zip(decode_scans(parse(file)), decode_scans(parse(plain)), strict=True):
        assert np.abs(ours.astype(int) - expected).max() <= 1  # two roundings of a forward DCT
        assert (ours != expected).mean() < 0.01


@pytest.mark.parametrize("step", rate_steps.STEPS)
def test_every_step_does_something_that_comes_back(step: str) -> None:
    none, _ = rate_steps.round_trip(KEY, (), PICTURE, 75)
    one, shown = rate_steps.round_trip(KEY, {step}, PICTURE, 75)
    assert one != none
    assert rate_rows.psnr(PICTURE, shown) > 30


def test_a_bank_in_parts() -> None:
    full, dct = matrices(rate_steps.BANK), dct_matrix()
    np.testing.assert_array_equal(rate_steps.partial_bank(rate_steps.STEPS), full)
    np.testing.assert_array_equal(rate_steps.partial_bank(()), np.broadcast_to(dct, full.shape))
    signs = rate_steps.partial_bank((rate_steps.AC_SIGNS, rate_steps.DC_SIGN))
    np.testing.assert_array_equal(np.abs(signs), np.broadcast_to(np.abs(dct), full.shape))
    assert len(np.unique(signs, axis=0)) == 128
    angles = rate_steps.partial_bank((rate_steps.AC_ANGLES,))
    np.testing.assert_allclose(
        angles @ angles.transpose(0, 2, 1), np.broadcast_to(np.eye(8), full.shape), atol=1e-12
    )
    assert (np.einsum("kin,in->ki", angles, dct) > 0.8).all()  # cos(0.35)^2


# --- the report -----------------------------------------------------------------------------------


def made_up(factors: dict[str, list[float]]) -> Rows:
    """Return rows of schemes that need some factors of Pillow's bytes, one a picture."""
    rows: Rows = {}
    for scheme, of_pictures in factors.items():
        for number, factor in enumerate(of_pictures):
            for quality in DIFFERENCE_QUALITIES:
                row = Row(
                    picture=f"{number}.png", scheme=scheme, quality=quality, width=100, height=50,
                    size=round(1000 * (quality + number) * factor), payload=500 * quality,
                    psnr=25 + quality / 10, psnr_luma=26 + quality / 10, code="",
                    pixels="", ssim=0.8 + quality / 1000,
                )  # fmt: skip
                rows[row.picture, scheme, quality] = row
    return rows


def test_a_report(tmp_path: Path) -> None:
    factors: dict[str, list[float]] = {
        PILLOW: [1, 1, 1],
        PILLOW_OPTIMIZE: [0.75, 0.75, 0.75],
        "encode default": [0.75, 0.75, 0.75],
        "encrypt fast": [1.1, 1.2, 1.15],
        "encrypt default": [1, 1.02, 0.98],
    }
    save(tmp_path / "one.csv.gz", made_up(factors).values())
    save(tmp_path / "two.csv.gz", made_up(factors).values())
    names = ("0.png", "1.png", "2.png")
    rate_report.remember(tmp_path, data_sets.DataSet("two", None, names, 30, jpeg_sources=True))
    rate_report.remember(tmp_path, data_sets.DataSet("one", None, names, 3))
    verdicts = rate_report.write(tmp_path)
    text = (tmp_path / "report.md").read_text()
    one, two = text.split("## two: 3 of 30 pictures")
    assert "rate_distortion.py --data one two --allow-jpeg-sources --pictures 3\n" in one
    assert "## one: 3 pictures" in one
    rows = {
        line.split(" | ")[0][2:]: line for line in reversed(one.splitlines()) if line[:1] == "|"
    }
    assert rows["encrypt fast"].endswith(
        "| +15.0 | +15.0 | +15.0 | +0.0 | +53.3 | +53.3 | +53.3 "
        "| ≤ +12 | **missed**: 3.0 over default |"
    )
    assert (
        "| -0.0 | -0.0 |" in rows["encrypt default"] or "| +0.0 | +0.0 |" in rows["encrypt default"]
    )
    assert "**missed**: 22.3 over optimize" in rows["encrypt default"]
    assert "| encrypt fast | +46.7 | +53.3 | +60.0 | 0.png | 1.png |" in one
    assert "have been JPEGs" in two
    assert "missed" not in two
    assert len(verdicts) == 2
    assert "one, encrypt fast: +15.0 | +53.3 %, target ≤ +12: missed: 3.0 over default" in verdicts
    assert (tmp_path / "summary.csv").read_text().splitlines()[
        1
    ] == "one,pillow,10,17.6,8.0,26.0,27.0,0.81"
    assert (
        "one,encrypt fast,1.png,20.00,20.00,20.00,60.00,60.00,60.00"
        in (tmp_path / "differences.csv").read_text()
    )
    for name in ("one.svg", "two.svg"):
        assert "encrypt fast" in (tmp_path / name).read_text()
    assert str(tmp_path) not in text


def test_a_picture_without_a_difference(tmp_path: Path) -> None:
    """Where two qualities give equal PSNR, the picture is counted apart."""
    rows = made_up({PILLOW: [1, 1], PILLOW_OPTIMIZE: [1, 1], "encrypt default": [1.1, 1.3]})
    for scheme in (PILLOW, PILLOW_OPTIMIZE, "encrypt default"):
        flat = rows["1.png", scheme, 10]
        rows["1.png", scheme, 10] = dataclasses.replace(flat, psnr=rows["1.png", scheme, 25].psnr)
    save(tmp_path / "one.csv.gz", rows.values())
    rate_report.remember(tmp_path, data_sets.DataSet("one", None, ("0.png", "1.png"), 2))
    rate_report.write(tmp_path)
    assert "| encrypt default | +10.0 (1) | +20.0 |" in (tmp_path / "report.md").read_text()
