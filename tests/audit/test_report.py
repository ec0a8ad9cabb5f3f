"""Reports say what was measured, stand alone, and come from the command."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from checks import tiles
from jpegcrypt.audit import attacks, data, keyspace, report
from jpegcrypt.audit.attacks import key_schedule
from jpegcrypt.audit.outcome import Panel
from jpegcrypt.audit.target import Lu2022, jpeg_schemes, make
from jpegcrypt.cli import reports as command
from transcripts import jpegcrypt


@pytest.fixture(scope="module")
def found() -> report.Report:
    target = Lu2022(bank="authors16", key_mode="fixed")
    ticks: list[int] = []
    result = report.audit(target, tiles(6), data="tiles", tick=lambda: ticks.append(1))
    assert len(ticks) == report.steps(target, 6)
    return result


def test_a_report_as_data(found):
    stored = json.loads(report.to_json(found))
    assert stored["settings"] == {
        "scheme": "lu2022", "bank": "authors16", "key_mode": "fixed", "dc": "permuted",
        "quality": 75,
    }  # fmt: skip
    assert (stored["data"], stored["pictures"], stored["attacked_size"]) == ("tiles", 6, [192, 128])
    assert {row["feature"] for row in stored["leakage"]} >= {"DCC", "DCH", "ACC", "ACH", "|DCC|"}
    verdicts = {(one["attack"], one["attacker"]): one["verdict"] for one in stored["attacks"]}
    assert len(verdicts) == len(stored["attacks"])
    assert verdicts["reidentification", "one file, and 6 candidates"] == "works"
    assert verdicts["known_plaintext", "4 known pictures with their files"] == "works"
    assert verdicts["outline", "one file"] == "fails"


def test_a_report_to_read(found):
    text = report.to_markdown(found)
    assert "perceptual encryption with measured leakage" in text
    assert "| \\|DCC\\| |" in text
    assert "![" not in text
    assert "made on 5 of them, one at a time" in text
    assert re.search(r"\| replacement \| one file \| .* \| 0\.\d+ \(0\.\d+ to 0\.\d+\) \|", text)
    rows = [line for line in text.splitlines() if line.startswith("|")]
    widths = {line.replace("\\|", "").count("|") for line in rows}
    assert widths == {3, 5, 7, 10}
    assert "| ratio, raw | normalized | ratio, normalized |" in text


def test_a_page_that_stands_alone(found):
    page = report.to_html(found)
    figures = re.findall(r'src="(data:image/webp;base64,[^"]{2000,})"', page)
    assert len(figures) == sum(bool(outcome.panels) for outcome in found.outcomes)
    assert not re.search(r'(src|href)="(?!data:)', page)
    assert "<table>" in page


def test_a_panel_shows_no_pixels_in_text():
    panel = Panel("plain", np.full((2, 2), 77, np.uint8))
    assert repr(panel) == "Panel(label='plain')"


def test_numbers_that_are_missing():
    rounded = report.rounded({"a": [float("nan"), 0.123456, 3, "b"], "c": (1.0,)})
    assert rounded == {"a": [None, 0.1235, 3, "b"], "c": [1.0]}
    assert json.loads(json.dumps(rounded, allow_nan=False))


def test_key_space():
    components = keyspace.blocks(192, 128)
    assert keyspace.equation_10(components) == pytest.approx(41184.8, abs=0.05)
    bounds = [*keyspace.bounds(components).values()]
    assert bounds[1] == pytest.approx(22752.8, abs=0.05)
    assert bounds[2:] == [392 + 2 * 102, 768, 256]
    assert keyspace.log2_factorial(5) == pytest.approx(np.log2(120))
    assert key_schedule.window(384) == 10


def test_a_sample_of_a_folder(tmp_path: Path):
    for name in ("b/2.jpg", "b/10.jpg", "b/3.JPG", "a/1.png", "a/x.txt", "4.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    chosen = data.choose(tmp_path, [".jpg", ".png"], 3)
    assert len(chosen) == 3
    assert {path.parent.name for path in chosen} == {"a", "b", tmp_path.name}  # one of each
    assert chosen == data.choose(tmp_path, [".jpg", ".png"], 3)
    every = data.choose(tmp_path, [".jpg", ".png"], 100)
    assert len(every) == len({*every}) == 5
    assert every[:3] == chosen


def test_parts_that_are_too_small():
    with pytest.raises(ValueError, match=r"60x300 pixels, .* at least 64"):
        data.same_size([np.zeros((300, 60), np.uint8)] * 2)
    with pytest.raises(ValueError, match="at least 2"):
        report.audit(Lu2022(), tiles(1), data="one")


# --- the command --------------------------------------------------------------------------------


@pytest.fixture
def pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("photos").mkdir()
    for i, picture in enumerate(tiles(3, 64, 96)):
        Image.fromarray(picture).save(f"photos/{i}.png")
    return tmp_path


def test_the_command_writes_its_reports(pictures):
    said = jpegcrypt("audit --data photos --bank authors16 --key-mode fixed --key-mode nonce")
    assert said.exit_code == 0
    names = [f"audit/lu2022-authors16-{mode}-permuted-75" for mode in ("fixed", "nonce")]
    written = [f"{name}.{suffix}" for name in names for suffix in ("md", "json", "html")]
    assert said.stdout.split() == written
    for name in written:
        assert Path(name).stat().st_size > 1000
    stored = json.loads(Path("audit/lu2022-authors16-fixed-permuted-75.json").read_text())
    assert (stored["data"], stored["pictures"]) == ("photos", 3)
    again = jpegcrypt("audit --data photos --bank authors16 --key-mode fixed")
    assert again.exit_code == 1
    assert "file exists" in again.stderr


def test_the_command_refuses(pictures):
    Path("broken.jpg").write_bytes(b"no picture")
    Path("small").mkdir()
    Image.new("RGB", (64, 40)).save("small/1.png")
    for line, said in {
        "audit": "name pictures, or a folder",
        "audit a.jpg --data photos": "name pictures, or a folder",
        "audit photos/0.png": "expected at least 2",
        "audit photos/0.png broken.jpg": "broken.jpg: ",
        "audit photos/0.png small/1.png": "small/1.png: a picture of 64x40 pixels, ",
        "audit --data small": "small/1.png: a picture of 64x40 pixels, ",
        "audit --data nowhere/at/all": "nowhere/at/all: no such file or directory",
        "audit --data broken.jpg": "broken.jpg: not a directory",
        "audit photos/0.png missing.jpg": "missing.jpg: no such file",
    }.items():
        result = jpegcrypt(line)
        assert result.exit_code in (1, 2)
        assert said in result.stderr
    assert not Path("audit").exists()


def test_a_missing_extra_is_told(pictures, monkeypatch):
    monkeypatch.setattr(command, "PACKAGES", ("scipy", "matplotlip"))
    said = jpegcrypt("audit --data photos")
    assert said.exit_code == 1
    assert "packages that are not installed: matplotlip" in said.stderr
    assert "pip install 'jpegcrypt[audit]'" in said.stderr


@pytest.mark.parametrize("scheme", [name for name in jpeg_schemes() if name != "lu2022"])
def test_every_scheme_whose_files_are_jpegs(scheme: str) -> None:
    target = make(scheme, quality=90)
    found = report.audit(target, tiles(2, 64, 96), data="tiles")
    assert found.target.settings == {"scheme": scheme, "quality": 90}
    verdicts = {outcome.attack: outcome.verdict for outcome in found.outcomes}
    no_blocks = {"jigsaw"} if scheme == "zhang2014" else set()
    assert verdicts.keys() == {"reidentification", *attacks.ANY} - no_blocks
    assert verdicts["reidentification"] == "works"


def test_the_command_audits_schemes_of_others(pictures):
    said = jpegcrypt("audit --data photos --scheme zhang2014 --quality 90")
    assert said.exit_code == 0
    assert said.stdout.split() == [f"audit/zhang2014-90.{one}" for one in ("md", "json", "html")]
    for options, error in {
        "--scheme liu2017": "unknown scheme 'liu2017', expected one of lu2022, ",  # writes a PNG
        "--scheme zhang2014 --dc residual": "are of lu2022, not of zhang2014",
    }.items():
        refused = jpegcrypt(f"audit --data photos {options}")
        assert refused.exit_code == 2
        assert error in refused.stderr
