"""The hash of sources changes with any of them, and with nothing that is generated."""

from pathlib import Path

import pytest

from benchmarks import sources


def test_sources_are_found_in_order_and_hashed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "native").mkdir()
    for name in ("b.py", "a.pyx", "native/c.h", "_core.c", "_core.so", "notes.md"):
        (tmp_path / name).write_text(name)
    monkeypatch.setattr(sources, "GENERATED", tmp_path / "_core.c")
    found = sources.sources(tmp_path)
    assert [path.name for path in found] == ["a.pyx", "b.py", "c.h"]
    before = sources.digest(found, 75).digest()
    assert sources.digest(found, 90).digest() != before
    (tmp_path / "native" / "c.h").write_text("x")
    assert sources.digest(found, 75).digest() != before


def test_the_sources_of_this_project() -> None:
    library = {path.name for path in sources.sources(sources.LIBRARY)}
    assert {"_core.pyx", "dispatch.c", "jpegcrypt.h", "lu2022.py"} <= library
    assert "_core.c" not in library
    assert {path.name for path in sources.sources(sources.RETRIEVAL)} >= {"words.py", "classes.py"}
