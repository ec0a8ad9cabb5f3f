"""Imports point one way: every module of the package stands in a layer and looks only down."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

# What each part may import of the package, besides itself. A part is a module or a subpackage.
# codec and cipher do not know each other; codec and retrieval never meet a key; what
# a header says is for everyone.
BASE = {"errors", "_core"}
MAY_IMPORT: dict[str, set[str]] = {
    "errors": set(),
    "atomic": {"errors"},
    "_core": {"errors"},
    "walk": set(),
    "codec": BASE,
    "cipher": BASE,
    "retrieval": BASE | {"atomic", "walk", "codec", "header"},
    "key": {"errors", "atomic"},
    "header": {"errors"},
    "metadata": {"errors", "codec", "key"},
    "exif": set(),
    "left_out": {"codec", "metadata", "exif"},
    "tag": BASE | {"codec", "header", "key"},
    "encoder": BASE | {"codec"},
    "schemes": BASE | {"codec", "cipher", "encoder", "key", "header", "metadata", "tag"},
    "api": BASE
    | {"atomic", "codec", "cipher", "encoder", "key", "header", "metadata", "tag", "schemes"},
    "images": {"errors", "codec", "encoder", "header", "metadata", "exif", "left_out", "api"},
    "settings": {"encoder", "key", "api"},
    "former_jpeg": {"errors"},
    "files": {
        "errors",
        "atomic",
        "codec",
        "key",
        "metadata",
        "former_jpeg",
        "api",
        "images",
        "settings",
    },
    "batch": {"codec", "encoder", "key", "api", "settings"},
    "dataset": {
        "errors",
        "atomic",
        "walk",
        "encoder",
        "key",
        "api",
        "batch",
        "images",
        "schemes",
        "settings",
    },
    "audit": BASE | {"walk", "codec", "cipher", "key", "header", "schemes", "api"},
}
TOP = {"__init__", "__main__", "cli", "pillow"}  # nobody below imports these; they import anything

# The one name that retrieval hands over without knowing what it is: see its `__init__`.
HANDED_OVER = {"retrieval.__init__": {"dataset"}}


def modules() -> Iterator[tuple[str, Path]]:
    """Yield every module as its name from the root of the package, and its file."""
    for top, package in ((ROOT / "src/jpegcrypt", ""), (ROOT / "retrieval", "retrieval.")):
        for path in sorted([*top.rglob("*.py"), *top.rglob("*.pyi")]):
            yield package + ".".join(path.relative_to(top).with_suffix("").parts), path


def imports(source: str, module: str) -> Iterator[str]:
    """Yield the parts of the package that a source imports; `__init__` is the package itself."""
    package = ["jpegcrypt", *module.split(".")[:-1]]
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            names = [f"{base}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Call) and "import_module" in ast.dump(node.func):
            names = [str(n.value) for n in node.args if isinstance(n, ast.Constant)]
        else:
            continue
        for name in names:
            root, _, rest = name.partition(".")
            if root == "jpegcrypt":
                part = rest.partition(".")[0]
                yield part if part in MAY_IMPORT.keys() | TOP else "__init__"
            elif root == "retrieval":
                yield "retrieval"


def upward(source: str, module: str) -> set[str]:
    """Return the parts that a module imports and must not."""
    part = module.partition(".")[0]
    if part in TOP:
        return set()
    return set(imports(source, module)) - MAY_IMPORT[part] - {part} - HANDED_OVER.get(module, set())


def test_every_module_has_its_place() -> None:
    found = {name.partition(".")[0] for name, _ in modules()}
    assert found - MAY_IMPORT.keys() - TOP == set(), "give the new part its row in MAY_IMPORT"


@pytest.mark.parametrize(("module", "path"), [pytest.param(*m, id=m[0]) for m in modules()])
def test_imports_point_down(module: str, path: Path) -> None:
    assert upward(path.read_text("utf-8"), module) == set()


def test_no_module_of_retrieval_brings_a_key_in() -> None:
    names = [f"jpegcrypt.{name.removesuffix('.__init__')}" for name, _ in modules()]
    ours = [name for name in names if name.startswith("jpegcrypt.retrieval")]
    code = f"""
import importlib, sys
for name in {ours}:
    try:
        importlib.import_module(name)
    except ModuleNotFoundError as error:  # the retrieval extra is not installed
        assert not error.name.startswith("jpegcrypt"), error
print(*sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = {name.split(".")[1] for name in done.stdout.split() if name.startswith("jpegcrypt.")}
    assert "retrieval" in loaded
    assert loaded <= MAY_IMPORT["retrieval"] | {"retrieval"}


def test_nothing_imports_in_a_circle() -> None:
    below = dict(MAY_IMPORT)
    while lowest := {part for part, needs in below.items() if not needs & below.keys()}:
        below = {part: needs for part, needs in below.items() if part not in lowest}
    assert below == {}


@pytest.mark.parametrize(
    ("module", "source", "found"),
    [
        ("codec.parse", "import jpegcrypt.key", {"key"}),
        ("codec.parse", "from jpegcrypt.cipher.plan import ComponentPlan", {"cipher"}),
        ("codec.parse", "from jpegcrypt import key, _core", {"key"}),
        ("codec.parse", "from ..cipher import bank", {"cipher"}),
        ("codec.parse", "from .. import api", {"api"}),
        ("codec.__init__", "from ..key import Key", {"key"}),
        ("codec.parse", "def f():\n    from jpegcrypt import Key", {"__init__"}),
        ("codec.parse", "from . import key", set()),
        ("codec.parse", "from .key import x\nimport numpy\nfrom jpegcrypt._core import y", set()),
        ("cipher.plan", "from jpegcrypt.codec import tables", {"codec"}),
        ("cipher.plan", "from jpegcrypt import _core, errors", set()),
        ("retrieval.model", "from jpegcrypt.key import Key", {"key"}),
        ("retrieval.model", "from jpegcrypt.schemes import lu2022", {"schemes"}),
        ("retrieval.model", "from ..codec import read_coefficients", set()),
        ("schemes.lu2022", "from ..codec import frame\nfrom ..cipher import plan", set()),
        ("schemes.lu2022", "import jpegcrypt.api\nimport retrieval", {"api", "retrieval"}),
        ("api", "from .retrieval import model\nfrom . import cli, schemes", {"retrieval", "cli"}),
        ("errors", "from . import key", {"key"}),
        ("retrieval.model", "import_module('jpegcrypt.dataset')", {"dataset"}),
        ("retrieval.__init__", "importlib.import_module('jpegcrypt.dataset')", set()),
        ("retrieval.__init__", "importlib.import_module('jpegcrypt.key')", {"key"}),
    ],
)
def test_the_rule_sees_an_import(module: str, source: str, found: set[str]) -> None:
    assert upward(source, module) == found
