"""What every scheme offers, so that one benchmark, one audit and one test serve all of them.

::

    picture ── plain ────────────────────────────────> file, nothing encrypted
    picture ── encrypt (key, nonce) ─────────────────> file
    file ── decrypt (key) ───────────────────────────> picture
    file ── features ── (words, classes) ────────────> descriptor ── metric ──> distance

The server has the file alone. `features` and `invariants` work without a key, on the plain file as
on the encrypted one.
"""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal, Protocol

import numpy as np
import numpy.typing as npt

from jpegcrypt.key import Key

Pixels = npt.NDArray[np.uint8]
Features = npt.NDArray[np.float32]
Metric = Literal["cityblock", "euclidean"]  # as SciPy's `cdist` names them
Descriptor = Literal["features", "words", "classes"]
Domain = Literal["coefficients", "codes", "transforms", "pixels"]


class Scheme(Protocol):
    """A published scheme with its settings, which are the fields of a frozen data class.

    Attributes
    ----------
    ID : int
        In the file header, another one for each scheme.
    domain : {"coefficients", "codes", "transforms", "pixels"}
        What is encrypted: quantized coefficients; the additional bits and places of Huffman codes;
        the choice of transforms; pixels.
    is_jpeg : bool
        Whether files are JPEGs that any decoder opens.
    lossless : bool
        Whether `decrypt` returns the very pixels. Otherwise it returns what a JPEG of the quality
        keeps of them.
    tolerance : float
        How far the invariants of the plain and the encrypted file may lie apart, as a share of
        their norm: 0, but where quantization follows encryption.
    descriptor : {"features", "words", "classes"}
        What stands for a picture in a search: its features, one vector; how often each visual word
        occurs among its features, rows of local ones; or how likely each class is, as a classifier
        says that was trained on features.
    words : int
        How many visual words there are; 0 without any.
    metric : {"cityblock", "euclidean"}
        Distance between descriptors.
    """

    ID: ClassVar[int]
    domain: ClassVar[Domain]
    is_jpeg: ClassVar[bool]
    lossless: ClassVar[bool]
    tolerance: ClassVar[float]
    descriptor: ClassVar[Descriptor]
    words: ClassVar[int]
    metric: ClassVar[Metric]

    def plain(self, picture: Pixels) -> bytes:
        """Return the file of the same form with nothing encrypted and no header.

        Parameters
        ----------
        picture : uint8 array (H, W, 3) or (H, W)
        """

    def encrypt(self, picture: Pixels, key: Key, nonce: bytes) -> bytes:
        """Return the encrypted file; the same arguments give the same file.

        Parameters
        ----------
        picture : uint8 array (H, W, 3) or (H, W)
        nonce : bytes
            16 bytes, never twice with one key.
        """

    def decrypt(self, data: bytes, key: Key) -> Pixels:
        """Return the picture.

        Nothing is authenticated: the papers do not, and a changed file decrypts to a changed
        picture.

        Raises
        ------
        NotEncrypted
            If the file has no header of this scheme.
        WrongKey
        MalformedJpeg, UnreadableImage
            If the file is broken: a JPEG or a container, or a PNG.
        """

    def features(self, data: bytes) -> Features:
        """Return what the server computes: one vector (d,), or local features (n, d)."""

    def invariants(self, data: bytes) -> Mapping[str, npt.NDArray[Any]]:
        """Return what encryption leaves unchanged, of the plain file or of the encrypted one."""
