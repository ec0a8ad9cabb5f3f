"""One file, one published scheme; the file's name is the scheme's id everywhere.

A file named author and year that defines the class of that name (`cheng2016_ac`: ``Cheng2016Ac``)
is found; there is no list to add it to. What the class offers is `interface.Scheme`.
"""

import pkgutil
import re
from functools import cache
from importlib import import_module
from typing import Any

from jpegcrypt.schemes.interface import Scheme

_WITH_DRIVERS = ("lu2022", "feng2021")  # of their own, not `interface.Scheme`
_AUTHOR_AND_YEAR = re.compile(r"[a-z]+\d{4}(_[a-z]+)?")


@cache
def names() -> tuple[str, ...]:
    """Return the ids of all schemes with the common interface, sorted.

    Examples
    --------
    >>> "zhang2014" in names()
    True
    """
    found = (module.name for module in pkgutil.iter_modules(__path__))
    return tuple(name for name in sorted(found) if _class(name) is not None)


@cache
def name_of(number: int) -> str | None:
    """Return the id of the scheme that a header means by a number, None if there is none.

    Examples
    --------
    >>> name_of(3), name_of(99)
    ('zhang2014', None)
    """
    drivers = {import_module(f"{__name__}.{name}").ID: name for name in _WITH_DRIVERS}
    if number in drivers:
        return drivers[number]
    return {load(name).ID: name for name in names()}.get(number)


def load(name: str, **settings: Any) -> Scheme:
    """Return a scheme by its id, with settings of its own.

    Raises
    ------
    ValueError
        If there is no such scheme.

    Examples
    --------
    >>> load("zhang2014", quality=90)
    Zhang2014(quality=90, subsampling='4:2:0', optimize=True)
    """
    if name not in names():
        raise ValueError(f"unknown scheme {name!r}, expected one of {', '.join(names())}")
    scheme: Scheme = _class(name)(**settings)
    return scheme


def _class(name: str) -> Any:
    """Return the class of a file, None if the file is no scheme or has a driver of its own."""
    if not _AUTHOR_AND_YEAR.fullmatch(name):
        return None
    module = import_module(f"{__name__}.{name}")
    return getattr(module, "".join(part.capitalize() for part in name.split("_")), None)
