"""A picture that was a JPEG before: whether its old steps show through the file it becomes."""

import warnings

from jpegcrypt.codec import markers
from jpegcrypt.codec.parse import read_quantization
from jpegcrypt.errors import FormerJpegWarning

BANK = "givens128"  # the bank whose signs follow from what the old steps tell
COARSER = 1.5  # times the new steps, from where on the audit finds several times what guessing does


def warn_if_it_shows(source: bytes, encrypted: bytes, bank: str) -> None:
    """Warn if a source of clearly lower quality gives transforms away (docs/threat_model.md).

    Parameters
    ----------
    source : bytes
        A file of any type.
    encrypted : bytes
        The JPEG that it has become, on the same grid of blocks.
    bank : str
        That it was encrypted with.
    """
    if bank != BANK or not source.startswith(b"\xff\xd8"):
        return
    old, new = luma_steps(source), luma_steps(encrypted)
    if old is not None and new is not None and old >= COARSER * new:
        warnings.warn(
            "pictures that were JPEGs of clearly lower quality than they are encrypted with give "
            f"transforms of {bank} away: take bank signs256, or a lower quality",
            FormerJpegWarning,
            stacklevel=4,  # who called encrypt_file
        )


def luma_steps(data: bytes) -> int | None:
    """Return the sum of the first quantization table of a JPEG, None if there is none.

    Examples
    --------
    >>> import numpy as np
    >>> from jpegcrypt import encode
    >>> gray = np.zeros((8, 8), np.uint8)
    >>> luma_steps(encode(gray, quality=50)), luma_steps(encode(gray, quality=75))
    (3688, 1858)
    """
    before = 2
    for marker, end in markers.walk(data):
        if marker == markers.DQT:
            start = data.index(bytes([0xFF, marker]), before) + 4  # behind marker and length
            try:
                tables = dict(read_quantization(data[start:end]))
            except ValueError:
                return None
            if 0 in tables:
                return int(tables[0].sum())
        elif marker == markers.SOS:
            return None
        before = end
    return None
