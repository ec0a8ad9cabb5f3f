"""A picture that was a JPEG before: whether its old steps show through the file it becomes."""

import io
import warnings

from PIL import Image, JpegImagePlugin

from jpegcrypt.errors import FormerJpegWarning

BANK = "givens128"  # the bank whose signs follow from what the old steps tell
COARSER = 1.5  # times the new steps, from where on the audit finds several times what guessing does


def warn_if_it_shows(source: bytes, encrypted: bytes, bank: str) -> None:
    """Warn if a source of clearly lower quality gives transforms away (docs/threat_model.md).

    The warning may be needless for a picture that was turned: its blocks may lie elsewhere.

    Parameters
    ----------
    source : bytes
        A file of any type that Pillow has read.
    encrypted : bytes
        The JPEG that it has become.
    bank : str
        That it was encrypted with.
    """
    if bank != BANK or not source.startswith(b"\xff\xd8"):
        return
    old, new = luma_steps(source), luma_steps(encrypted)
    if old and new and old >= COARSER * new:
        warnings.warn(
            "pictures that were JPEGs of clearly lower quality than they are encrypted with give "
            f"transforms of {bank} away: take bank signs256, or a lower quality",
            FormerJpegWarning,
            stacklevel=4,  # who called encrypt_file
        )


def luma_steps(data: bytes) -> int | None:
    """Return the sum of the quantization table of Y of a JPEG, None if there is no Y.

    Examples
    --------
    >>> import numpy as np
    >>> from jpegcrypt import encode
    >>> gray = np.zeros((8, 8), np.uint8)
    >>> luma_steps(encode(gray, quality=50)), luma_steps(encode(gray, quality=75))
    (3688, 1858)
    """
    with Image.open(io.BytesIO(data)) as image:
        if not isinstance(image, JpegImagePlugin.JpegImageFile) or image.mode not in ("L", "RGB"):
            return None
        identifier, _, _, table = image.layer[0]
        if identifier == ord("R") or image.info.get("adobe_transform") == 0:
            return None
        return sum(image.quantization.get(table, ()))
