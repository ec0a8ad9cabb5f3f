"""Where the luma blocks of other schemes go: the truth that attacks on places are scored against.

Every scheme moves blocks in a way of its own, or not at all, so each is named here.
"""

import numpy as np
import numpy.typing as npt

from jpegcrypt.cipher.permutation import permutation
from jpegcrypt.codec.coefficients import coded_order
from jpegcrypt.codec.parse import parse
from jpegcrypt.key import Key
from jpegcrypt.schemes import chuman2019, envelope, lisitu2019
from jpegcrypt.schemes.cheng2016_blockwise import Cheng2016Blockwise
from jpegcrypt.schemes.cheng2016_markov import Cheng2016Markov
from jpegcrypt.schemes.interface import Scheme
from jpegcrypt.schemes.liang2019 import Liang2019
from jpegcrypt.schemes.quantized import component_streams

Order = npt.NDArray[np.intp]  # (n,): encrypted block i is plain block order[i], raster order


def luma_order(scheme: Scheme, data: bytes, key: Key) -> Order | None:
    """Return the order of the luma blocks of a file, None where no block stays together.

    Of a scheme that moves the AC values of a block but not its DC value, that of the AC values; of
    one that makes a gray picture of all components, that of all blocks.

    Raises
    ------
    NotEncrypted, WrongKey, MalformedJpeg
    """
    jpeg = parse(data)
    header = envelope.open_header(envelope.jpeg_header(jpeg), scheme.ID, key)
    keys = key.derive(header.nonce)
    rows, columns = jpeg.frame.block_shapes[0]
    n = rows * columns
    if isinstance(scheme, Cheng2016Markov):
        return np.arange(n)
    if isinstance(scheme, lisitu2019.Lisitu2019):
        return lisitu2019.make_plan(keys, jpeg.frame)[0].permutation.astype(np.intp)
    if isinstance(scheme, chuman2019.Chuman2019):
        return chuman2019.make_plan(keys, n)[0].astype(np.intp)
    if isinstance(scheme, Cheng2016Blockwise | Liang2019):
        coded = coded_order(rows, columns, *jpeg.frame.sampling[0])
        stream = component_streams(type(scheme).__name__, keys, jpeg.frame)[0]
        order = np.empty(n, np.intp)
        order[coded] = coded[permutation(stream, n)]
        return order
    return None
