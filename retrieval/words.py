"""Bags of visual words: rows of local features to one vector a picture.

k-means finds typical local features among those of the training pictures, the words; a picture is
then described by how often each of them is the nearest. Sivic and Zisserman, "Video Google", ICCV
2003.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from sklearn.cluster import MiniBatchKMeans

Features = npt.NDArray[np.float32]

ROWS = 100_000  # of all training pictures that k-means takes, at most
BATCH = 4096


class VisualWords:
    """Words learned from local features.

    Parameters
    ----------
    words : int
        How many, or one for each row where there are fewer.
    seed : int

    Raises
    ------
    ModuleNotFoundError
        Without scikit-learn, from `fit`.

    Examples
    --------
    >>> local = [np.array([[0, 0], [0, 1]], np.float32), np.array([[9, 9]], np.float32)]
    >>> np.sort(VisualWords(2).fit(local).transform(local), axis=1)
    array([[0., 1.],
           [0., 1.]], dtype=float32)
    """

    def __init__(self, words: int, *, seed: int = 0) -> None:
        self.words = words
        self.seed = seed
        self._means: MiniBatchKMeans | None = None

    def fit(self, pictures: Sequence[Features]) -> "VisualWords":
        """Find the words among the local features (n, d) of training pictures."""
        from sklearn.cluster import MiniBatchKMeans

        rows = np.concatenate(pictures)
        if len(rows) > ROWS:
            chosen = np.random.default_rng(self.seed).choice(len(rows), ROWS, replace=False)
            rows = rows[np.sort(chosen)]
        self._means = MiniBatchKMeans(
            min(self.words, len(rows)), batch_size=BATCH, n_init=1, random_state=self.seed
        ).fit(rows)
        return self

    def transform(self, pictures: Sequence[Features]) -> Features:
        """Return how often each word occurs in each picture, (pictures, words), sums of 1.

        Raises
        ------
        ValueError
            Before `fit`.
        """
        if self._means is None:
            raise ValueError("no words yet: fit comes first")
        bags = np.zeros((len(pictures), self._means.n_clusters), np.float32)
        for bag, rows in zip(bags, pictures, strict=True):
            bag += np.bincount(self._means.predict(rows), minlength=len(bag)) / len(rows)
        return bags
