"""Features of many pictures in one file, and exact search among them. NumPy alone: no model.

::

    embed ──> Index ── save ──> .npz ── load ──> search, evaluate
"""

import io
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt

from jpegcrypt import atomic
from jpegcrypt.retrieval import metrics
from jpegcrypt.retrieval.folders import Indices

Features = npt.NDArray[np.float32]

DIGITS = 6


def similarity(features: Features, others: Features) -> Features:
    """Return the cosines of features of length 1, their product, to six digits.

    So equal pictures are equally similar: how a product is summed shows in the digits behind.

    Examples
    --------
    >>> similarity(np.eye(2, dtype=np.float32), np.float32([0.6, 0.8]))
    array([0.6, 0.8], dtype=float32)
    """
    cosines: Features = np.round(features @ others, DIGITS)
    return cosines


@dataclass(frozen=True, slots=True, eq=False)
class Index:
    """Pictures by their features.

    Attributes
    ----------
    features : float32 array (n, d)
        Of length 1, so that a product is a cosine, or 0.
    paths : list of str
        Of the cipher files, (n,).
    labels : intp array (n,)
        Indices into `classes`; -1 for all where nobody knows.
    classes : list of str
    learned : bool array (n,)
        Which of them the model learned from, or from another encryption of; all of them if it does
        not tell.
    model : str
        What tells the model that made the features from others; features of different models
        cannot be compared.

    Examples
    --------
    >>> index = Index(np.eye(2, dtype=np.float32), ["a.jpg", "b.jpg"], np.array([0, 1]), ["x", "y"],
    ...     learned=np.zeros(2, bool), model="m")
    >>> similarity, places = index.search(np.array([[0.6, 0.8]]), k=1)
    >>> index.paths[places[0, 0]], round(float(similarity[0, 0]), 3)
    ('b.jpg', 0.8)
    """

    features: Features
    paths: list[str]
    labels: Indices
    classes: list[str]
    learned: npt.NDArray[np.bool_]
    model: str

    def __len__(self) -> int:
        return len(self.paths)

    def save(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> None:
        """Write an .npz file, whole or not at all.

        Raises
        ------
        FileExistsError, OSError
        """
        file = io.BytesIO()
        np.savez(
            file,
            features=self.features,
            paths=np.array(self.paths, np.str_),
            labels=self.labels.astype(np.int64),
            classes=np.array(self.classes, np.str_),
            learned=self.learned,
            model=np.array(self.model),
        )
        atomic.write(path, file.getvalue(), overwrite=overwrite)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Read what `save` wrote.

        Raises
        ------
        OSError
            If it cannot be read.
        ValueError
            If it is no index.
        """
        data = Path(path).read_bytes()
        try:
            with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
                index = cls(
                    np.asarray(arrays["features"], np.float32),
                    arrays["paths"].tolist(),
                    arrays["labels"].astype(np.intp),
                    arrays["classes"].tolist(),
                    arrays["learned"].astype(bool),
                    str(arrays["model"]),
                )
            shapes = {np.shape(a) for a in (index.paths, index.labels, index.learned)}
            if index.features.ndim != 2 or shapes != {(len(index.features),)}:
                raise ValueError("sizes that do not go together")
            if not len(index):
                raise ValueError("no pictures")
            if not np.isfinite(index.features).all():
                raise ValueError("features that are no numbers")
            lengths = np.linalg.norm(index.features, axis=1)
            if not np.allclose(lengths[lengths > 0], 1, atol=1e-4):
                raise ValueError("features that are not of length 1")
            if not np.isin(index.labels, np.arange(-1, len(index.classes))).all():
                raise ValueError("labels without a class")
            if (index.labels < 0).any() != (not index.classes):
                raise ValueError("labels for some of the pictures alone")
        except Exception as error:  # whatever a file holds in place of what `save` wrote
            raise ValueError(
                f"{os.fspath(path)}: not an index that `jpegcrypt embed` wrote ({error})"
            ) from error
        return index

    def search(self, queries: npt.ArrayLike, k: int) -> tuple[Features, Indices]:
        """Find the most similar pictures, exactly.

        Parameters
        ----------
        queries : float array (q, d)
            Features, of any length but zero.
        k : int
            How many; all if there are fewer. Equally similar ones, to six digits, come in the
            order of the index.

        Returns
        -------
        similarity : float32 array (q, k)
            Cosines, falling.
        places : intp array (q, k)

        Raises
        ------
        ValueError
            If `k` is less than 1 or the features have another length.
        """
        if k < 1:
            raise ValueError(f"k {k}, expected at least 1")
        wanted = metrics.unit(queries).astype(np.float32)
        if wanted.shape[1] != self.features.shape[1]:
            raise ValueError(
                f"queries of {wanted.shape[1]} features, expected {self.features.shape[1]}: "
                "another model made them"
            )
        k = min(k, len(self))
        places = np.empty((len(wanted), k), np.intp)
        found = np.empty((len(wanted), k), np.float32)
        for i, query in enumerate(wanted):
            cosines = similarity(self.features, query)
            # Every picture as similar as the k-th, then in order: a partition alone breaks ties
            # as it likes.
            least = np.partition(cosines, len(self) - k)[len(self) - k]
            candidates = np.flatnonzero(cosines >= least)
            order = candidates[np.argsort(-cosines[candidates], kind="stable")][:k]
            places[i], found[i] = order, cosines[order]
        return found, places

    def split(self, *, every: bool = False) -> tuple[Indices, Indices]:
        """Return the places of pictures that the model learned from, and of those new to it.

        Parameters
        ----------
        every : bool
            Take all as if they were new: a model finds those well that it learned by heart.

        Raises
        ------
        ValueError
            If the classes are not known, or no picture is new.
        """
        if not self.classes:
            raise ValueError("the classes of these pictures are not known: embed a labelled folder")
        if every:
            return np.arange(0), np.arange(len(self))
        if self.learned.all():
            raise ValueError(
                f"the model learned from all of the {len(self)} pictures, or does not tell from "
                "which, expected some that are new to it; --all takes them all the same"
            )
        return np.flatnonzero(self.learned), np.flatnonzero(~self.learned)

    def evaluate(self, train: Indices, test: Indices) -> dict[str, dict[str, metrics.Score]]:
        """Score the search of each test picture among others of its class.

        Parameters
        ----------
        train, test : intp arrays
            From `split`, or others.

        Returns
        -------
        dict
            "test": the gallery is the other test pictures. "train", where the training pictures
            have classes of the queries: the gallery is those.

        Raises
        ------
        ValueError
            If no class has two test pictures.

        Examples
        --------
        >>> features = np.eye(4, dtype=np.float32).repeat(10, axis=0)
        >>> labels = np.arange(4).repeat(10)
        >>> learned = np.arange(40) % 10 < 7
        >>> index = Index(features, [""] * 40, labels, list("abcd"), learned, model="m")
        >>> scores = index.evaluate(*index.split())
        >>> scores["test"]["full"].mean, scores["train"]["top100_found"].mean
        (1.0, 1.0)
        """
        features, labels = self.features[test], self.labels[test]
        scores = {
            "test": metrics.score(lambda rows: similarity(features[rows], features.T), labels)
        }
        if np.isin(labels, self.labels[train]).any():
            gallery = self.features[train].T
            scores["train"] = metrics.score(
                lambda rows: similarity(features[rows], gallery), labels, self.labels[train]
            )
        return scores
