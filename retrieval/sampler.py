"""Batches of a few pictures of a few classes each, so that every picture meets its own class."""

import numpy as np
import numpy.typing as npt

Indices = npt.NDArray[np.intp]


def pk_batches(
    labels: npt.ArrayLike, *, classes: int, pictures: int, seed: int, epoch: int
) -> list[Indices]:
    """Draw the batches of an epoch, which hang on nothing but the arguments.

    The pictures of each class are shuffled and cut into groups; a batch takes a group of each of
    the classes that have most groups left, so that classes run out together. Every picture occurs:
    once where classes are equally large; of small ones again and again, as long as larger ones have
    groups left, since a batch needs its classes. A last group is filled up with others of its kind.

    Parameters
    ----------
    labels : int array (n,)
    classes, pictures : int
        P classes, or as many as there are, with K pictures of each.
    seed, epoch : int

    Returns
    -------
    list of intp arrays (classes * pictures,)
        Indices into `labels`.

    Raises
    ------
    ValueError
        If there are fewer than two classes: nothing could be told apart.

    Examples
    --------
    >>> labels = np.repeat([0, 1, 2, 3], 6)
    >>> batches = pk_batches(labels, classes=2, pictures=3, seed=0, epoch=0)
    >>> len(batches), np.bincount(labels[batches[0]]).max(), np.unique(batches).size
    (4, np.int64(3), 24)
    """
    labels = np.asarray(labels)
    rng = np.random.default_rng([seed, epoch])
    members = [np.flatnonzero(labels == label) for label in np.unique(labels)]
    groups = [_groups(rng, of_class, pictures) for of_class in members]
    if len(groups) < 2:
        raise ValueError(f"{len(groups)} classes to learn from, expected two or more")
    classes = min(classes, len(groups))
    batches: list[Indices] = []
    while True:
        left = np.array([len(of_class) for of_class in groups])
        if not left.any():
            return [batches[i] for i in rng.permutation(len(batches))]
        chosen = np.lexsort((rng.random(len(groups)), -left))[:classes]
        for i in chosen[left[chosen] == 0]:
            groups[i] = _groups(rng, members[i], pictures)[:1]
        batches.append(np.concatenate([groups[i].pop() for i in chosen]))


def _groups(rng: np.random.Generator, members: Indices, pictures: int) -> list[Indices]:
    """Shuffle the pictures of a class and cut them into groups."""
    members = rng.permutation(members)
    lacking = -len(members) % pictures
    return list(np.concatenate([members, rng.choice(members, lacking)]).reshape(-1, pictures))
