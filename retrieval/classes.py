"""Class probabilities as descriptors: a support vector machine trained on features.

Pictures then compare by how alike a classifier finds them, which is supervised: its classes must be
those of the search. Cheng et al., "A Markov process-based retrieval for encrypted JPEG images",
EURASIP Journal on Information Security 2016:1.
"""

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from sklearn.calibration import CalibratedClassifierCV

Features = npt.NDArray[np.float32]

FOLDS = 5
GRID = {"svc__C": [1.0, 8.0, 64.0], "svc__gamma": [2.0**-12, 2.0**-9, 2.0**-6]}


class ClassProbabilities:
    """A classifier with a radial kernel, one class against one, on standardized features.

    C and gamma come from a grid by cross-validation; probabilities from a logistic function of
    the decision values (Platt), fitted on held-out folds.

    Parameters
    ----------
    seed : int

    Raises
    ------
    ModuleNotFoundError
        Without scikit-learn, from `fit`.
    """

    def __init__(self, *, seed: int = 0) -> None:
        self.seed = seed
        self._model: CalibratedClassifierCV | None = None

    def fit(self, features: Features, labels: npt.ArrayLike) -> "ClassProbabilities":
        """Learn from features (n, d) and labels (n,), at least five pictures of each class."""
        from sklearn.calibration import CalibratedClassifierCV
        from sklearn.model_selection import GridSearchCV, StratifiedKFold
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler
        from sklearn.svm import SVC

        folds = StratifiedKFold(FOLDS, shuffle=True, random_state=self.seed)
        machine = make_pipeline(StandardScaler(), SVC())
        best = GridSearchCV(machine, GRID, cv=folds).fit(features, labels).best_estimator_
        self._model = CalibratedClassifierCV(best, cv=folds, ensemble=False).fit(features, labels)
        return self

    def transform(self, features: Features) -> Features:
        """Return the probability of each class, (n, classes).

        Raises
        ------
        ValueError
            Before `fit`.
        """
        if self._model is None:
            raise ValueError("nothing learned yet: fit comes first")
        probabilities: Features = self._model.predict_proba(features).astype(np.float32)
        return probabilities
