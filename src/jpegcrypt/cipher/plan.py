"""The plan of one component: what the key decides for each of its blocks, as plain arrays.

The key stream of the component is cut once and never overlaps:

::

    16 bytes a block ............ records: matrices and rotation
    4 bytes a draw, little-endian ... the permutation, see `cipher.permutation`
"""

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from jpegcrypt.cipher.permutation import permutation
from jpegcrypt.cipher.stream import KeyStream

RECORD_SIZE = 16


@dataclass(slots=True, eq=False)
class ComponentPlan:
    """What the key decides for one component. Secret: the repr hides it.

    Parameters
    ----------
    records : ndarray of uint8
        (n, 16), one a block of the cipher picture in raster order: byte 0 is the index of the row
        matrix, bytes 1 to 8 those of the column matrices, each modulo the size of the bank; byte 9
        modulo 4 is the rotation; bytes 10 to 15 are not used.
    permutation : ndarray of uint32
        (n,), raster order: cipher block o holds plain block permutation[o].
    """

    records: npt.NDArray[np.uint8] = field(repr=False)
    permutation: npt.NDArray[np.uint32] = field(repr=False)


def component_plan(key: bytes, n_blocks: int) -> ComponentPlan:
    """Expand the key of a component into its plan.

    Parameters
    ----------
    key : bytes
        32 bytes, from `ImageKeys.expand`.
    n_blocks : int
        Blocks of the component that take part.

    Raises
    ------
    ValueError
        If `key` is not 32 bytes or `n_blocks` is negative.

    Examples
    --------
    >>> plan = component_plan(bytes(32), n_blocks=6)
    >>> plan.records.shape, sorted(plan.permutation.tolist())
    ((6, 16), [0, 1, 2, 3, 4, 5])
    """
    stream = KeyStream(key)
    records = stream.read(RECORD_SIZE * n_blocks).reshape(n_blocks, RECORD_SIZE)
    return ComponentPlan(records, permutation(stream, n_blocks))
