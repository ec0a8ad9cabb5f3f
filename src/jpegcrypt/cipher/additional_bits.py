"""Stream cipher on the additional bits of Huffman codes (T.81 F.1.2.1), the codes left alone.

A value of category `s` is coded as a Huffman code for `s` and `s` additional bits. The cipher
changes those bits only: a value becomes another one of the same category, so no code changes its
length.
"""

import numpy as np
import numpy.typing as npt

from jpegcrypt.cipher.stream import KeyStream

Values = npt.NDArray[np.int16]

LARGEST = 1 << 15  # magnitude of a value
_CATEGORY = np.frexp(np.arange(LARGEST + 1))[1].astype(np.uint8)


def category(values: npt.NDArray[np.integer]) -> npt.NDArray[np.uint8]:
    """Return the category of values up to `LARGEST`: the number of bits that the magnitude takes.

    Examples
    --------
    >>> category(np.array([0, 1, -1, 2, -3, 1023], np.int16)).tolist()
    [0, 1, 1, 2, 2, 10]
    """
    return _CATEGORY[np.abs(values.astype(np.int32))]


def xor_additional_bits(values: Values, stream: KeyStream) -> Values:
    """Encrypt values; once more with the same stream, decrypt them. Zeros take no key stream.

    Parameters
    ----------
    values : int16 array
        Of any shape, in the order that the key stream goes.

    Examples
    --------
    >>> values = np.array([5, 0, -1, -700], np.int16)
    >>> secret = xor_additional_bits(values, KeyStream(bytes(32)))
    >>> secret.tolist(), xor_additional_bits(secret, KeyStream(bytes(32))).tolist()
    ([-6, 0, -1, -542], [5, 0, -1, -700])
    """
    result = values.copy()
    flat = result.reshape(-1)
    places = np.flatnonzero(flat)
    plain = flat[places].astype(np.int32)
    size = category(flat[places]).astype(np.int32)
    mask = (1 << size) - 1
    bits = plain + mask * (plain < 0)  # a negative value is sent as value - 1, in its low bits
    bits ^= stream.read(2 * len(places)).view("<u2").astype(np.int32) & mask
    flat[places] = bits - mask * (bits >> (size - 1) == 0)
    return result


def xor_offsets(values: Values, stream: KeyStream) -> Values:
    """Encrypt DC values as offsets of 11 bits from -1024; once more decrypts.

    Examples
    --------
    >>> xor_offsets(np.zeros(3, np.int16), KeyStream(bytes(32))).tolist()
    [-548, 192, 162]
    """
    offsets = values.reshape(-1).astype(np.int32) + 1024
    offsets ^= stream.read(2 * values.size).view("<u2").astype(np.int32) & 2047
    return (offsets - 1024).astype(np.int16).reshape(values.shape)
