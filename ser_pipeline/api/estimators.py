"""Features of recordings, and a classifier of emotions, as estimators of scikit-learn.

They stand in pipelines and are cloned, searched and cross-validated as any others. What they compute is
what the commands compute: the features of stores and predictions, and the classifiers of ``ser train``.
"""

import warnings
from collections.abc import Mapping, Sequence
from numbers import Integral, Real
from typing import Any, Final, Literal, NamedTuple, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, ClassifierMixin, TransformerMixin, clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import recall_score
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_consistent_length, check_is_fitted, validate_data

from ser_pipeline.api.places import Place
from ser_pipeline.api.vectors import VectorKind, Vectors, are_recordings, check_kinds, computed, recordings_of
from ser_pipeline.arrays import Float32s, Float64s, Floats, Int64s, Strings
from ser_pipeline.datasets.normalise import Scaling, Voice, first_step, moments
from ser_pipeline.errors import AudioError, SettingsError, some
from ser_pipeline.metrics import confusion_matrix, uar
from ser_pipeline.options.embeddings import EncoderPooling, Layers
from ser_pipeline.tables.cells import plural

_TYPES: Final = (np.float64, np.float32)
"""Numbers that are learned from as they are; others become the first of these."""

TRUSTED: Final = (
    "ser_pipeline.api.estimators.SerClassifier",
    "ser_pipeline.api.estimators.SerFeatures",
    "ser_pipeline.models.svm.CalibratedSVC",
    "sklearn.calibration._CalibratedClassifier",
    "sklearn.calibration._SigmoidCalibration",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
)
"""Types that a fitted classifier consists of, beside public ones: what skops is told to trust."""


class SerFeatures(TransformerMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """Turn recordings into vectors.

    Each recording is described by itself, so nothing is fitted. Recordings are paths (a list, a column of
    pandas, an array of shape ``(n,)`` or ``(n, 1)``), or mono samples together with their ``sample_rate``
    (an array of shape ``(n, samples)``, or a list of arrays of any length). Samples are floating-point
    numbers in [-1, 1], or integers, which are divided by their full scale. Of longer recordings the first
    60 s are described.

    Args:
        inputs: ``features`` (the toolkit's own 253), ``egemaps`` or ``compare`` (openSMILE's), ``mels`` (the
            spectrogram, pooled over its frames) or ``embeddings`` (layers of an encoder, pooled over its
            steps). None means ``embeddings`` if an encoder is named, and ``features`` if not.
        encoder: name or folder of a pretrained encoder; None takes the usual one for ``embeddings``.
        layers: of the encoder: numbers, ``"2,3"``, ``"middle"`` or ``"all"``; None means ``middle``.
        pooling: one or more of ``mean``, ``std`` and ``max``, for mels and embeddings; None takes mean and
            std of mels, and the mean of embeddings.
        normalise: ``none`` gives values as they were measured; ``relative`` expresses the named features
            relative to reference values of the same recording.
        options: further options of these inputs by name, as in ``{"n_mels": 80}``; see docs/options.md.
        sample_rate: of samples, in Hz; files bring their own.
        cache: folder of feature stores, the same ones that ``ser cache`` builds: whatever was computed
            from the bytes of a file is read from there, and the rest is added. None computes everything in
            memory, as is always done for samples.
        n_jobs: worker processes; None means 1, and -1 one for each processor.
        errors: ``raise`` stops at a recording that cannot be used; ``nan`` makes it a row of NaN, and a
            warning says why.

    Raises:
        SettingsError: an argument that does not fit; found by ``fit`` and ``transform``.
        EncoderError: the encoder is not on this machine.
        AudioError: a recording cannot be used.
        StoreError: the cache cannot be written to, or a command is adding to it.

    Examples:
        >>> time = np.arange(16_000) / 16_000
        >>> tones = [np.sin(2 * np.pi * pitch * time) for pitch in (150, 300)]
        >>> table = SerFeatures(sample_rate=16_000).set_output(transform="pandas").fit_transform(tones)
        >>> table.shape, table["pitch_hz_p50"].round().tolist()
        ((2, 253), [150.0, 300.0])
    """

    def __init__(
        self,
        inputs: VectorKind | None = None,
        *,
        encoder: str | None = None,
        layers: Layers | str | None = None,
        pooling: Sequence[EncoderPooling] | None = None,
        normalise: Literal["none", "relative"] = "none",
        options: Mapping[str, Any] | None = None,
        sample_rate: float | None = None,
        cache: Place | None = None,
        n_jobs: int | None = None,
        errors: Literal["raise", "nan"] = "raise",
    ) -> None:
        self.inputs = inputs
        self.encoder = encoder
        self.layers = layers
        self.pooling = pooling
        self.normalise = normalise
        self.options = options
        self.sample_rate = sample_rate
        self.cache = cache
        self.n_jobs = n_jobs
        self.errors = errors

    def fit(self, X: Any, y: Any = None) -> Self:
        """Check arguments and recordings without opening any; ``y`` is not looked at."""
        self._vectors()
        self._recordings(X)
        return self

    def transform(self, X: Any) -> Float32s:
        """Vectors of recordings, shape ``(n, features)``."""
        vectors, recordings = self._vectors(), self._recordings(X)
        values = np.full((len(recordings), len(vectors.names)), np.nan, np.float32)
        rows, problems = computed(recordings, vectors, self.sample_rate, self.cache, self.n_jobs), []
        for number, row in enumerate(rows):
            if not isinstance(row, AudioError):
                values[number] = row
            elif self.errors == "nan":
                problems.append(f"row {number}: {row}")
            else:
                raise type(row)(f"row {number}: {row}")
        if problems:
            count = plural(len(problems), "recording")
            warnings.warn(f"{count} could not be used: {some(problems, show=3)}", stacklevel=3)
        return first_step(values, vectors.names, self.normalise).astype(np.float32)

    def get_feature_names_out(self, input_features: Any = None) -> npt.NDArray[np.object_]:
        """Names of the columns, shape ``(features,)``; ``input_features`` is not looked at."""
        return np.array(self._vectors().names, object)

    def _recordings(self, X: Any) -> Sequence[Any]:
        return recordings_of(X, self.sample_rate, finite=self.errors == "raise")

    def _vectors(self) -> Vectors:
        """What is computed, once all arguments are known to fit."""
        for name, valid in (("normalise", ("none", "relative")), ("errors", ("raise", "nan"))):
            if getattr(self, name) not in valid:
                raise SettingsError(f"{name}: must be {' or '.join(valid)} (found {getattr(self, name)!r})")
        check_kinds(self, "options", "cache", "n_jobs")
        found = Vectors.chosen(
            self.inputs, encoder=self.encoder, layers=self.layers, pooling=self.pooling, options=self.options
        )
        if self.normalise == "relative" and found.kept.kind != "features":
            raise SettingsError(f"normalise relative is for the named features (found {found.kept.kind})")
        return found

    def __sklearn_is_fitted__(self) -> bool:
        """Always: nothing is fitted."""
        return True

    def __sklearn_tags__(self) -> Any:
        """It takes texts, gives float32, and needs no fit."""
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.input_tags.allow_nan = self.errors == "nan"
        tags.transformer_tags.preserves_dtype = []
        tags.requires_fit = False
        return tags


class SerClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Tell emotions by vectors, or by recordings, which are turned into vectors first.

    It is the classifier that ``ser train logreg`` fits: columns are standardised by the training clips,
    classes weighted by their inverse frequency, and ``c``, unless it is given, chosen on training clips that
    are held out in turn. If ``groups`` say who speaks, no speaker is on both sides of that choice, unless a
    class would be missing from one of them.

    Args:
        model: ``logreg``, ``svm`` or ``gboost``.
        c: inverse strength of the penalty, or the learning rate of ``gboost``; None chooses it.
        features: what turns recordings into vectors; None means ``SerFeatures()``. Has no effect on vectors,
            for which numbers are taken unless it has a ``sample_rate``.
        normalise: ``speaker`` first centres and scales each speaker's clips by their own mean and deviation;
            ``adaptive`` does so with any number of clips, even none. Both need ``groups`` for fitting, and
            ``speaker`` needs them for predicting. ``none`` does neither.
        class_weights: weight classes by their inverse frequency.
        random_state: seed or generator of everything that is drawn.

    Attributes:
        classes_: what is told apart, sorted, shape ``(classes,)``.
        c_: the ``c`` it was fitted with.
        estimator_: the fitted classifier of standardised vectors; its classes are positions in ``classes_``.
        center_, scale_: mean and deviation of each column over training clips, shape ``(features,)`` each.
        voice_center_, voice_scale_: of a speaker who is not known, shape ``(features,)``; None for ``none``.
        features_: the fitted ``features``; None if it was fitted to vectors.

    Raises:
        SettingsError: an argument that does not fit, or ``groups`` are missing.
        ValueError: vectors or classes that cannot be learned from.

    Examples:
        >>> rng = np.random.default_rng(0)
        >>> values, emotions = rng.normal(size=(40, 3)), np.repeat(["anger", "neutral"], 20)
        >>> values[:20] += 3
        >>> model = SerClassifier().fit(values, emotions, groups=np.tile(range(10), 4))
        >>> model.predict([[3, 3, 3], [0, 0, 0]])
        array(['anger', 'neutral'], dtype='<U7')
    """

    def __init__(
        self,
        model: str = "logreg",
        *,
        c: float | None = None,
        features: SerFeatures | None = None,
        normalise: Literal["none", "speaker", "adaptive"] = "none",
        class_weights: bool = True,
        random_state: Any = 0,
    ) -> None:
        self.model = model
        self.c = c
        self.features = features
        self.normalise = normalise
        self.class_weights = class_weights
        self.random_state = random_state

    def fit(self, X: Any, y: Any, groups: Any = None) -> Self:
        """Learn from vectors or recordings.

        Args:
            X: vectors of shape ``(n, features)``, or recordings as :class:`SerFeatures` takes them.
            y: classes, shape ``(n,)``.
            groups: who speaks, shape ``(n,)``; None, NaN or ``unknown`` where nobody knows.
        """
        self._check()
        self.features_ = None
        if are_recordings(X, self.features):
            self.features_ = clone(SerFeatures() if self.features is None else self.features).fit(X)
            X = self.features_.transform(X)
        values, y = validate_data(self, X, y, dtype=_TYPES)
        check_classification_targets(y)
        self.classes_, targets = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError(f"y: at least two classes are needed, found 1 class ({self.classes_[0]})")
        seed = self.random_state
        if not isinstance(seed, Integral):
            seed = check_random_state(seed).randint(1 << 31)
        speakers = self._speakers(groups, values, needed=self.normalise != "none")
        learned = self._learned(values, targets, speakers, int(seed))
        self.c_ = self._best(int(seed), *learned)
        self.center_, self.scale_, self.estimator_ = self._fit(self.c_, int(seed), *learned)
        return self

    def predict(self, X: Any, groups: Any = None) -> npt.NDArray[Any]:
        """The likeliest class of each vector or recording, shape ``(n,)``."""
        likeliest = self.predict_proba(X, groups).argmax(axis=1)
        found: npt.NDArray[Any] = self.classes_[likeliest]
        return found

    def predict_proba(self, X: Any, groups: Any = None) -> Float64s:
        """Probabilities of the classes in the order of ``classes_``, shape ``(n, classes)``.

        Args:
            X: vectors or recordings.
            groups: who speaks in each, shape ``(n,)``, for models that are normalised by speaker: people are
                described by what of theirs is given here.
        """
        check_is_fitted(self)
        if are_recordings(X, self.features_):
            if self.features_ is None:
                raise SettingsError("X holds paths, and the classifier was fitted to vectors; pass those")
            X = self.features_.transform(X)
        values = validate_data(self, X, dtype=_TYPES, reset=False)
        values = self._first_step(values, self._speakers(groups, values, needed=self.normalise == "speaker"))
        return _Fit(self.center_, self.scale_, self.estimator_).probabilities(values)

    def score(self, X: Any, y: Any, sample_weight: Any = None, groups: Any = None) -> float:
        """UAR, the mean of the recalls of the classes in ``y``, as a share in [0, 1]; not the accuracy.

        Most corpora have more clips of some emotions than of others, and accuracy rewards guessing those.
        scikit-learn calls the UAR ``balanced_accuracy``; ``scoring="accuracy"`` gives the accuracy.
        """
        told, mean = self.predict(X, groups), {"labels": np.unique(y), "average": "macro"}
        return float(recall_score(y, told, **mean, sample_weight=sample_weight, zero_division=0))

    def _check(self) -> None:
        from ser_pipeline.models.estimators import CANDIDATES

        for name, valid in (("model", tuple(CANDIDATES)), ("normalise", ("none", "speaker", "adaptive"))):
            if getattr(self, name) not in valid:
                raise SettingsError(f"{name}: must be {' or '.join(valid)} (found {getattr(self, name)!r})")
        if self.c is not None and not (isinstance(self.c, Real) and 0 < self.c < np.inf):
            raise SettingsError(f"c: must be a number above 0, or None to choose it (found {self.c!r})")
        check_kinds(self, "class_weights")
        how = self.features
        if how is not None and (isinstance(how, type) or not hasattr(how, "transform")):
            raise SettingsError(
                f"features: must be an estimator, such as SerFeatures('egemaps') (found {how!r})"
            )

    def _speakers(self, groups: Any, values: Floats, *, needed: bool) -> Strings | None:
        if groups is not None:
            check_consistent_length(values, groups)
            from ser_pipeline.datasets.speakers import names_in

            return names_in(np.asarray(groups).astype(np.str_).reshape(len(values)))
        if needed:
            raise SettingsError(
                f"normalise {self.normalise}: pass groups, which say who speaks in each recording"
            )
        return None

    def _learned(self, values: Floats, targets: Int64s, speakers: Strings | None, seed: int) -> Any:
        """Training vectors after the first step, with their classes, speakers and numbers of their clips."""
        self.voice_center_ = self.voice_scale_ = None
        clips = np.arange(len(values))
        if self.normalise == "none" or speakers is None:
            return values, targets, speakers, clips
        from ser_pipeline.datasets import speakers as people

        store, around = people.InMemory(values), people.Surroundings.of(speakers)
        if self.normalise == "speaker":
            known = people.describe_speakers(store, around)
            self.voice_center_, self.voice_scale_ = known.center[-1], known.scale[-1]
            return known.apply(values, around.describing(around.part, speakers)), targets, speakers, clips
        voice = people.average_voice(store, around)
        self.voice_center_, self.voice_scale_ = np.array(voice.center), np.array(voice.scale)
        copies = [
            people.pretended(store, around, voice, values, speakers, seed=seed * people.COPIES + copy)
            for copy in range(people.COPIES)
        ]
        clips = np.tile(clips, len(copies))
        return np.concatenate(copies), targets[clips], speakers[clips], clips

    def _first_step(self, values: Floats, speakers: Strings | None) -> Floats:
        """Vectors centred and scaled by the people who speak, as far as the mode asks for it."""
        if self.voice_center_ is None or self.voice_scale_ is None:
            return values
        from ser_pipeline.datasets import speakers as people

        usual = Voice(center=tuple(self.voice_center_), scale=tuple(self.voice_scale_))
        if speakers is None:
            return usual.apply(values)
        if self.normalise == "speaker":
            return people.by_own_clips(values, speakers, usual)
        around = people.Surroundings.of(speakers)
        who = around.describing(around.part, speakers)
        return people.enrolled(people.InMemory(values), around, usual, values, who)

    def _best(
        self, seed: int, values: Floats, targets: Int64s, speakers: Strings | None, clips: Int64s
    ) -> float:
        """The first candidate, of the strongest penalty, that does best on clips held out in turn."""
        from ser_pipeline.models.estimators import CANDIDATES, folds_by

        candidates = CANDIDATES[self.model] if self.c is None else (self.c,)
        folds = folds_by(targets, speakers, seed, clips) if len(candidates) > 1 else []
        if not folds:
            return candidates[len(candidates) // 2]
        scores = []
        for c in candidates:
            told = np.empty_like(targets)
            for fit, held in folds:
                some = None if speakers is None else speakers[fit]
                made = self._fit(c, seed, values[fit], targets[fit], some, clips[fit])
                told[held] = made.probabilities(values[held]).argmax(1)
            scores.append(uar(confusion_matrix(targets, told, len(self.classes_))))
        return candidates[int(np.argmax(scores))]

    def _fit(
        self, c: float, seed: int, values: Floats, targets: Int64s, speakers: Strings | None, clips: Int64s
    ) -> "_Fit":
        from ser_pipeline.models.estimators import folds_by, make_estimator

        folds = None
        if self.model == "svm" and not (folds := folds_by(targets, speakers, seed, clips)):
            raise ValueError("svm needs two training clips of each class to be held out in turn")
        estimator = make_estimator(self.model, c, balanced=self.class_weights, seed=seed, splits=folds)
        made = _Fit(*moments(values), estimator)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # of a penalty so weak that it loses anyway
            estimator.fit(made.scaled(values), targets)
        if folds:
            estimator.set_params(cv=None)  # the folds are rows of these clips
        return made


class _Fit(NamedTuple):
    """What standardises vectors, and what then judges them."""

    center: Float64s
    scale: Float64s
    estimator: Any

    def scaled(self, values: Floats) -> Float32s:
        names = tuple(map(str, range(len(self.center))))
        learned = Scaling(mode="none", names=names, center=tuple(self.center), scale=tuple(self.scale))
        return learned.apply(values)

    def probabilities(self, values: Floats) -> Float64s:
        found: Float64s = self.estimator.predict_proba(self.scaled(values)).astype(np.float64)
        return found
