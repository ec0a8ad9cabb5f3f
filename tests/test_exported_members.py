"""The public names: sorted, importable, each the one object of its home module."""

import importlib.metadata
import subprocess
import sys

import pytest

import jpegcrypt


def test_all_is_sorted():
    assert sorted(jpegcrypt.__all__) == jpegcrypt.__all__


@pytest.mark.parametrize("name", jpegcrypt.__all__)
def test_every_name_is_there_and_public_where_it_lives(name):
    value = getattr(jpegcrypt, name)
    assert value.__name__ == name
    assert value.__module__.startswith("jpegcrypt.")
    assert value.__doc__
    assert getattr(sys.modules[value.__module__], name) is value


def test_the_version_is_that_of_the_package():
    assert jpegcrypt.__version__ == importlib.metadata.version("jpegcrypt")
    assert "__version__" in dir(jpegcrypt)


def test_nothing_else_is_there():
    shown = {name for name in dir(jpegcrypt) if not name.startswith("_")}
    modules = {name for name in shown if f"jpegcrypt.{name}" in sys.modules}
    assert shown - modules == {*jpegcrypt.__all__, "import_module", "TYPE_CHECKING"}
    with pytest.raises(AttributeError, match="'jpegcrypt' has no attribute 'encypt'"):
        jpegcrypt.encypt  # noqa: B018


def test_a_name_is_imported_at_its_first_use():
    code = (
        "import sys, jpegcrypt; assert 'numpy' not in sys.modules;"
        "from jpegcrypt import WrongKey; assert 'numpy' not in sys.modules;"
        "from jpegcrypt import *; print(encrypt.__module__, inspect.__module__, Key)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "jpegcrypt.api jpegcrypt.api <class 'jpegcrypt.key.Key'>\n"
