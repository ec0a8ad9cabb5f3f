"""The keywords of `encrypt` that concern the encoder, for those who hand them on."""

from collections.abc import Mapping
from typing import TypedDict

import numpy as np

from jpegcrypt.api import DcMode, KeyMode, encrypt
from jpegcrypt.encoder import Effort, QuantizationTables
from jpegcrypt.key import Key


class EncoderSettings(TypedDict, total=False):
    """Keywords of `encrypt`, with its defaults; one set serves any number of pictures."""

    quality: int | None
    subsampling: str
    qtables: QuantizationTables
    bank: str
    dc: DcMode
    key_mode: KeyMode
    effort: Effort
    trellis_lambda: float | None
    restart_interval: int | None


def check_settings(function: str, settings: Mapping[str, object], key: Key) -> None:
    """Raise what `encrypt` would raise about the keywords, before there is a picture.

    Raises
    ------
    TypeError, ValueError

    Examples
    --------
    >>> check_settings("encrypt_many", {"quality": 90}, Key.generate())
    >>> check_settings("encrypt_many", {"color": 90}, Key.generate())
    Traceback (most recent call last):
    TypeError: encrypt_many() got an unexpected keyword argument 'color'
    """
    for name in settings.keys() - EncoderSettings.__annotations__.keys():
        raise TypeError(f"{function}() got an unexpected keyword argument {name!r}")
    encrypt(np.zeros((1, 1), np.uint8), key, **settings)  # type: ignore[arg-type]
