"""The key stream: AES-256 in counter mode over zeros, read front to back.

The counter starts at zero (NIST SP 800-38A 6.5), which is safe because each key drives exactly one
stream: keys come from `ImageKeys.expand`, one a component.
"""

import numpy as np
import numpy.typing as npt
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from jpegcrypt import _core

_FROM_ZERO = modes.CTR(bytes(16))
_CHUNK = 1 << 16  # stays in the cache
_ZEROS = memoryview(bytes(_CHUNK))


class KeyStream:
    """Pseudorandom bytes from a 32-byte key.

    Parameters
    ----------
    key : bytes
        Exactly 32 bytes, never used for another stream.

    Raises
    ------
    ValueError
        If `key` has another length.

    Examples
    --------
    >>> KeyStream(bytes(32)).read(4)
    array([220, 149, 192, 120], dtype=uint8)
    """

    __slots__ = ("_encryptor",)

    def __init__(self, key: bytes) -> None:
        self._encryptor = Cipher(algorithms.AES256(key), _FROM_ZERO).encryptor()

    def read(self, n: int) -> npt.NDArray[np.uint8]:
        """Return the next `n` bytes, uint8 (n,), as a fresh writable array.

        Examples
        --------
        >>> stream = KeyStream(bytes(32))
        >>> stream.read(2), stream.read(2)
        (array([220, 149], dtype=uint8), array([192, 120], dtype=uint8))
        """
        stream = _core.new_bytes(n)
        if n <= _CHUNK:
            self._encryptor.update_into(_ZEROS[:n], stream.data)
            return stream
        for start in range(0, n, _CHUNK):
            part = stream[start : start + _CHUNK].data
            self._encryptor.update_into(_ZEROS[: len(part)], part)
        return stream
