"""What the sdist and the wheel carry, and that the package imports from wherever it came."""

import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

import jpegcrypt._core
import jpegcrypt.retrieval

ROOT = Path(__file__).parents[1]
NOT_SOURCE = (".*", "build", "dist", "demo", "*.egg-info", "*.so", "__pycache__")

pytestmark = pytest.mark.skipif(
    not (ROOT / "setup.py").is_file(), reason="the tests do not stand in a source tree"
)


@pytest.fixture(scope="module")
def artifacts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the sdist from a copy of the tree, and the wheel from that sdist."""
    if importlib.util.find_spec("build") is None:
        pytest.skip("the package 'build' is not installed; the dev extra has it")
    folder = tmp_path_factory.mktemp("packaging")
    shutil.copytree(ROOT, folder / "tree", ignore=shutil.ignore_patterns(*NOT_SOURCE))
    # -O1: these tests look at what is inside, not at how fast it is.
    done = subprocess.run(
        [sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, folder / "tree"],
        env=os.environ | {"JPEGCRYPT_DEBUG": "1"},
        capture_output=True,
        text=True,
    )
    if "Missing dependencies" in done.stdout + done.stderr:
        pytest.skip("a build requirement of pyproject.toml is not installed; the dev extra has it")
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.fixture(scope="module")
def wheel(artifacts: Path) -> Path:
    (path,) = artifacts.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def sdist(artifacts: Path) -> Path:
    (path,) = artifacts.glob("*.tar.gz")
    return path


def sources(folder: str, *patterns: str) -> set[str]:
    """Return the files of the tree under a folder, as POSIX paths relative to the root."""
    found = (path for pattern in patterns for path in (ROOT / folder).rglob(pattern))
    return {path.relative_to(ROOT).as_posix() for path in found}


@pytest.mark.slow
def test_the_sdist_holds_every_source(sdist: Path) -> None:
    with tarfile.open(sdist) as archive:
        held = {name.partition("/")[2] for name in archive.getnames()}
    wanted = sources("src", "*.py", "*.pyi", "*.pyx", "*.c", "*.h") | sources("retrieval", "*.py")
    wanted |= sources("tests", "*.py") | {"src/jpegcrypt/py.typed", "setup.py", "pyproject.toml"}
    wanted |= {"LICENSE", "README.md", "CHANGELOG.md", "SECURITY.md", "Makefile", "constraints.txt"}
    assert wanted - held == set()
    assert [name for name in held if name.endswith((".so", ".pyc"))] == []
    assert "src/jpegcrypt/_core.c" not in held


@pytest.mark.slow
def test_the_wheel_holds_the_package_and_no_source(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if ".dist-info/" not in name}
    package = {name.removeprefix("src/") for name in sources("src", "*.py", "*.pyi", "py.typed")}
    package |= {f"jpegcrypt/{name}" for name in sources("retrieval", "*.py")}
    assert "jpegcrypt/retrieval/__init__.py" in package
    (core,) = held - package
    assert re.fullmatch(r"jpegcrypt/_core\..*(so|pyd)", core)
    assert package - held == set()


@pytest.mark.slow
def test_the_wheel_imports(wheel: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
    code = (
        "import jpegcrypt._core as core, jpegcrypt.retrieval as retrieval;"
        "print(core.__file__, retrieval.__file__)"
    )
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert all(Path(path).is_relative_to(tmp_path) for path in done.stdout.split())


def test_what_is_installed_here_imports() -> None:
    assert jpegcrypt._core.__file__.endswith((".so", ".pyd"))
    assert jpegcrypt.retrieval.__doc__ is not None


def test_importing_loads_nothing_heavy() -> None:
    code = "import sys, jpegcrypt, jpegcrypt.retrieval; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert {"torch", "matplotlib", "scipy", "skimage", "rich"} & set(done.stdout.split()) == set()


def test_setup_decides_bounds_checks() -> None:
    # A directive at the head of the file would win over JPEGCRYPT_DEBUG without a word.
    head = re.match(r"(#.*\n)*", (ROOT / "src/jpegcrypt/_core.pyx").read_text("utf-8"))
    assert head is not None
    assert "boundscheck" not in head[0]
