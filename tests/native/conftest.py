"""C programs around the native core."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

NATIVE = Path(__file__).parents[2] / "src/jpegcrypt/native"


@pytest.fixture(scope="session")
def build(tmp_path_factory):
    """Compile a program of this folder with the core; returns its path.

    It ends at once where an index leaves an array of known size, which needs no runtime library.
    """

    def compile_program(name: str) -> Path:
        compiler = shutil.which(os.environ.get("CC", "cc"))
        if compiler is None:
            pytest.skip("no C compiler")
        program: Path = tmp_path_factory.mktemp("native") / Path(name).stem
        sources = [Path(__file__).with_name(name), *sorted(NATIVE.glob("*.c"))]
        options: list[str | Path] = [
            "-std=c11",
            "-O2",
            "-fwrapv",
            "-fsanitize=bounds",
            "-fsanitize-undefined-trap-on-error",
            f"-I{NATIVE}",
            "-lm",
            "-o",
            program,
        ]
        subprocess.run([compiler, *sources, *options], check=True)
        return program

    return compile_program
