"""What an attack must succeed on: a scheme that encrypts nothing."""

import numpy as np

from jpegcrypt import encode, read_coefficients
from jpegcrypt.audit.target import OWNER


class Plain:
    """A scheme that encrypts nothing, known by its files and where their blocks are: in place."""

    name = "plain"

    @property
    def settings(self):
        return {"scheme": "plain"}

    def encode(self, picture):
        return encode(picture, quality=75)

    def coefficients(self, data):
        return read_coefficients(data)

    def encrypt(self, picture, serial, *, key=OWNER):
        return self.encode(picture)

    def luma_order(self, data):
        rows, columns = self.coefficients(data).Y.shape[:2]
        return np.arange(rows * columns)
