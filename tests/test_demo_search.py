"""The search step of the demo: what a server finds without the key, as one picture."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

pytest.importorskip("skimage", reason="scikit-image is not installed; the dev extra has it")

from benchmarks import contact_sheet, demo_search

ROOT = Path(demo_search.__file__).parents[1]


@pytest.mark.slow
def test_it_finds_and_shows(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("torch", reason="torch is not installed; the retrieval extra brings it")
    assert demo_search.main(["--out", str(tmp_path), "--epochs", "2"]) == 0
    said = re.search(r"mAP ([\d.]+), by chance ([\d.]+)", capsys.readouterr().out)
    assert said is not None
    assert float(said[1]) > 2 * float(said[2])
    with Image.open(tmp_path / "search.png") as sheet:
        cell = contact_sheet.CELL + contact_sheet.GAP
        assert sheet.width == contact_sheet.GAP + (1 + demo_search.K) * cell


def test_without_torch(tmp_path: Path) -> None:
    code = f"""
import sys
sys.modules["torch"] = None
from benchmarks import demo_search
sys.exit(demo_search.main(["--out", {str(tmp_path)!r}]))
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert "takes torch, which is not installed; `make demo-search`" in done.stdout
    assert not (tmp_path / "search.png").exists()
