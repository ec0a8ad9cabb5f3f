"""docs/performance.md holds what the committed results say."""

import re
from pathlib import Path

import pytest

pytest.importorskip("skimage", reason="scikit-image is not installed; the dev extra has it")

from benchmarks import instructions, performance_figures


def test_the_document_is_current() -> None:
    text = performance_figures.DOCUMENT.read_text("utf-8")
    hint = "run: python benchmarks/performance_figures.py"
    assert performance_figures.with_figures(text) == text, hint
    for name in ("speed", "instructions"):
        assert f"<!-- begin: {name} -->\n\n|" in text or f"<!-- begin: {name} -->\n\n**" in text


@pytest.mark.parametrize(
    ("line", "stage", "count"),
    [
        (
            "132,518 ( 6.7%)  /usr/lib/gcc/avx2intrin.h:forward_block",
            "blocks",
            132518,
        ),
        ("1,000 (0.1%)  native/avx2.c:tokenize [/x/_core.so]", "tokens and message", 1000),
        ("12 (0.1%)  ???:gcm_ghash_avx [/x/cryptography/_rust.abi3.so]", "cryptography", 12),
        ("12 (0.1%)  Objects/dictobject.c:_Py_dict_lookup [/x/libpython.so]", "Python", 12),
        ("7 (0.1%)  sysdeps/memset.S:__memset_avx2 [/x/libc.so.6]", "copying and clearing", 7),
        ("7 (0.1%)  Objects/listobject.c:list_append [/x/libpython.so]", "Python", 7),
    ],
)
def test_a_line_of_callgrind(line: str, stage: str, count: int) -> None:
    match = instructions.LINE.match(line)
    assert match is not None
    number, file, function = match.groups()
    assert int(number.replace(",", "")) == count
    assert instructions.stage(file, function) == stage


def test_every_stage_is_a_function_of_the_core() -> None:
    native = Path(__file__).parents[1] / "src" / "jpegcrypt"
    sources = "".join(
        path.read_text("utf-8")
        for path in native.rglob("*.[chp]*")
        if path.suffix in {".c", ".h", ".pyx"}
    )
    for pattern in instructions.STAGES.values():
        for name in pattern.split("|"):
            assert re.search(name, sources), name
