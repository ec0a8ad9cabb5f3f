"""Permutations from a key stream: Fisher-Yates shuffle from the last index down.

Each draw takes 4 bytes, little-endian. Draws become bounded integers by rejection (Lemire, "Fast
random integer generation in an interval", 2019), so every permutation is equally likely.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from jpegcrypt import _core
from jpegcrypt.cipher.stream import KeyStream

Array = npt.NDArray[Any]
Permutation = npt.NDArray[np.uint32]


def permutation(stream: KeyStream, n: int) -> Permutation:
    """Draw a permutation of 0 to n - 1, uint32 (n,).

    Examples
    --------
    >>> sorted(permutation(KeyStream(bytes(32)), 6).tolist())
    [0, 1, 2, 3, 4, 5]
    """
    order = np.arange(n, dtype=np.uint32)
    i = n - 1
    # One draw an index is enough but for rejections, n^2 / 2^33 of them on average.
    while i > 0:
        i = _core.shuffle(order, i, stream.read(4 * i))
    return order


def inverse(order: Permutation) -> Permutation:
    """Return the permutation that undoes another one.

    Examples
    --------
    >>> inverse(np.array([2, 0, 1], np.uint32)).tolist()
    [1, 2, 0]
    """
    back = np.empty_like(order)
    back[order] = np.arange(len(order), dtype=np.uint32)
    return back


def permutations(stream: KeyStream, count: int, n: int) -> Permutation:
    """Draw one permutation of 0 to n - 1 after another, uint32 (count, n)."""
    orders = np.tile(np.arange(n, dtype=np.uint32), (count, 1))
    draws = stream.read(4 * (n - 1) * count).reshape(count, -1)
    for order, words in zip(orders, draws, strict=True):
        i = _core.shuffle(order, n - 1, words)
        while i > 0:
            i = _core.shuffle(order, i, stream.read(4 * i))
    return orders


def permute_columns(array: Array, stream: KeyStream) -> Array:
    """Permute each column of an array (n, k) by itself."""
    columns = np.ascontiguousarray(array.T)
    for column in columns:
        column[:] = column[permutation(stream, len(column))]
    return np.ascontiguousarray(columns.T)


def unpermute_columns(array: Array, stream: KeyStream) -> Array:
    """Undo `permute_columns`."""
    columns = np.ascontiguousarray(array.T)
    for column in columns:
        column[permutation(stream, len(column))] = column.copy()
    return np.ascontiguousarray(columns.T)


def permute_groups(values: Array, groups: npt.NDArray[np.integer], stream: KeyStream) -> Array:
    """Permute the values of each group among themselves, groups in ascending order.

    Parameters
    ----------
    values : array (n,)
    groups : integer array (n,)
        The group of each value.

    Examples
    --------
    >>> values, groups = np.arange(6), np.array([0, 1, 0, 1, 0, 1])
    >>> secret = permute_groups(values, groups, KeyStream(bytes(32)))
    >>> (secret % 2).tolist()
    [0, 1, 0, 1, 0, 1]
    """
    places = np.argsort(groups, kind="stable")
    sources = places.copy()
    for group in np.split(sources, np.flatnonzero(np.diff(groups[places])) + 1):  # views
        group[:] = group[permutation(stream, len(group))]
    result = np.empty_like(values)
    result[places] = values[sources]
    return result
