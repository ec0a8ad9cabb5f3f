"""The tag: authenticates the header, the geometry, the tables and the coefficients of a file.

The entropy coding is left out on purpose, so that a lossless rewrite (other Huffman tables,
progressive scans, restart markers) keeps the tag valid. What is hashed, in this order:

::

    header segment with the tag zeroed            59 or 75 bytes
    width, height                                 2 bytes each, big-endian
    components                                    1 byte
    for each: H, V                                1 byte each
              64 quantization steps               2 bytes each, big-endian, natural order
    length of the sealed metadata, the metadata   4 bytes, big-endian, and as many as it says
    for each block, in the order of an interleaved scan, MCU padding left out:
              mask of the non-zero coefficients   8 bytes, little-endian, bit k for zig-zag place k
              those coefficients                  2 bytes each, little-endian, zig-zag order

A hash of that under a secret key, GHASH as AES-256-GCM computes it for associated data, goes
through HMAC-SHA-256 under a second key; the first 16 bytes are the tag. The GCM output itself
stays secret, so its zero nonce gives nothing away even where one key serves several files
(key modes `content` and `fixed`): a universal hash followed by a pseudorandom function.
"""

import hmac

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from jpegcrypt import _core
from jpegcrypt.errors import ImageTooLarge
from jpegcrypt.header import Header
from jpegcrypt.key import ImageKeys

SIZE = 16
_MAX_MESSAGE = 1 << 31  # of the library's associated data


def message_start(header: Header, geometry: bytes, sealed: bytes) -> bytes:
    """Return what is hashed before the blocks; the core appends those.

    Parameters
    ----------
    header : Header
        Its own tag field does not count.
    geometry : bytes
        Of `codec.write.frame_identity`.
    sealed : bytes
        The sealed metadata, empty if there is none.
    """
    return b"".join((header.authenticated(), geometry, len(sealed).to_bytes(4), sealed))


def compute_tag(keys: ImageKeys, message: _core.Buffer) -> bytes:
    """Return the tag of a message, 16 bytes.

    Raises
    ------
    ImageTooLarge
        If the message has 2**31 bytes or more: over 600 million pixels of noise.
    """
    if len(message) >= _MAX_MESSAGE:
        raise ImageTooLarge(f"{len(message)} bytes to authenticate, at most {_MAX_MESSAGE - 1}")
    ghash = AESGCM(keys.expand("hash")).encrypt(bytes(12), b"", memoryview(message))
    return hmac.digest(keys.expand("tag"), ghash, "sha256")[:SIZE]


def verify_tag(keys: ImageKeys, message: _core.Buffer, tag: bytes) -> bool:
    """Compare in constant time."""
    return hmac.compare_digest(compute_tag(keys, message), tag)
