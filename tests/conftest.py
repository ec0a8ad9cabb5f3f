"""Fixtures: pictures that are at hand, and tools that may be missing.

More pictures, never shipped, are looked for in the folder that the environment variable
JPEGCRYPT_DATA names, or else in ../shared/data beside the repository.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

MEMORY = 2 << 30  # for a tool; the suite has no picture of more than a few megabytes
ROOT = Path(__file__).parents[1]
DATA = Path(os.environ.get("JPEGCRYPT_DATA") or ROOT.parent / "shared" / "data")


@pytest.fixture(scope="session")
def data_folder() -> Callable[[str], Path]:
    """Find a folder of extra pictures by its name, or skip the test."""

    def find(name: str) -> Path:
        if not (DATA / name).is_dir():
            pytest.skip(f"no folder {name} of extra pictures: set JPEGCRYPT_DATA to where it is")
        return DATA / name

    return find


def limit_memory() -> None:
    import resource

    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))


@pytest.fixture(scope="session")
def tool() -> Callable[..., bytes]:
    """Run a command line tool from bytes to bytes, or skip if it is not installed."""

    def run(name: str, *arguments: str, data: bytes) -> bytes:
        if shutil.which(name) is None:
            pytest.skip(f"{name} is not installed")
        done = subprocess.run(
            [name, *arguments],
            input=data,
            capture_output=True,
            check=True,
            timeout=60,
            preexec_fn=limit_memory if sys.platform == "linux" else None,
        )
        assert not done.stderr or done.stderr.startswith(b"Caution: ")  # about 16-bit tables
        return done.stdout

    return run
