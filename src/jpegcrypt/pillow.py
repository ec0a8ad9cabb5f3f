"""Teach Pillow to save encrypted JPEGs: importing this module registers the format JPEGCRYPT.

The keywords are those of `jpegcrypt.write`: a comment comes along in ``image.info``; EXIF and color
profile must be given, as for Pillow's own JPEG writer: ``exif=image.info.get("exif")``.

Pillow opens the file before it asks for the data, so a failed save loses what was there;
`jpegcrypt.write` and `encrypt_file` do not. No file extension is registered: the format must be
named.

Examples
--------
>>> import io
>>> import jpegcrypt.pillow
>>> from PIL import Image
>>> file, key = io.BytesIO(), jpegcrypt.Key.generate()
>>> Image.new("RGB", (20, 10), "teal").save(file, format="JPEGCRYPT", key=key, quality=90)
>>> jpegcrypt.decrypt(file.getvalue(), key).shape
(10, 20, 3)
"""

from typing import IO

from PIL import Image

from jpegcrypt.api import write
from jpegcrypt.key import Key

FORMAT = "JPEGCRYPT"


def save(image: Image.Image, file: IO[bytes], filename: str | bytes) -> None:
    """Save as Pillow asks its plugins to: the keywords are those of `jpegcrypt.write`."""
    options = dict(image.encoderinfo)
    key = options.pop("key", None)
    if not isinstance(key, Key):
        raise TypeError(
            f"format {FORMAT} needs key=, a jpegcrypt.Key, got {type(key).__name__}: "
            "make one with Key.generate(), or save as JPEG"
        )
    write(file, image, key, **options)


Image.register_save(FORMAT, save)
