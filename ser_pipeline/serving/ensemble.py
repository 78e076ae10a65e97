"""Predictions of an ensemble: what its members say of a recording, averaged."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ser_pipeline.arrays import Float32s
from ser_pipeline.audio.decode import resample
from ser_pipeline.errors import RunError
from ser_pipeline.options import PredictOptions
from ser_pipeline.runs.card import ModelCard
from ser_pipeline.serving.model import USUAL, Adapting, Model
from ser_pipeline.serving.prediction import HOP_S, Prediction, Unusable, decide, silence
from ser_pipeline.serving.reading import Window
from ser_pipeline.serving.scorer import PreparedClip
from ser_pipeline.serving.voices import adaptive


class NoNetwork:
    """Stands where a model has its network: an ensemble has none of its own."""

    def logits(self, values: Float32s, frames: int, beside: Float32s | None = None) -> Float32s:
        """Refuse to score.

        Raises:
            RunError: always.
        """
        raise RunError("an ensemble has no network of its own; ask one of its members")

    @property
    def rates(self) -> bool:
        """Whether it has a network that rates; its members may."""
        return False

    def ratings(self, values: Float32s, frames: int, beside: Float32s | None = None) -> Float32s | None:
        """There are none."""
        return None

    def attention(self, values: Float32s, frames: int) -> Float32s | None:
        """There is none."""
        return None


class Following(Adapting):
    """An ensemble whose members follow the voice that they hear.

    Args:
        ensemble: to follow with.
        options: of each member.
    """

    def __init__(self, ensemble: "Ensemble", options: Sequence[PredictOptions]) -> None:
        pairs = zip(ensemble.members, options, strict=True)
        self._ensemble = ensemble
        self._listeners = [member.listener(own) for member, own in pairs]

    def predict_window(self, window: Window, options: PredictOptions, name: str) -> Prediction:
        """Predict on the next window; the times are the window's."""
        return self._ensemble.predict_by(self._listeners, window, options, name)


@dataclass(frozen=True, slots=True, repr=False)
class Ensemble(Model):
    """Several models whose calibrated probabilities are averaged; each hears recordings in its own way.

    Attributes:
        members: the models.
    """

    members: tuple[Model, ...] = ()

    @property
    def dimensions(self) -> tuple[str, ...]:
        """Names of the ratings that all members give beside an emotion."""
        first, *others = (member.dimensions for member in self.members)
        return first if all(each == first for each in others) else ()

    @property
    def longest_s(self) -> float:
        """Longest stretch that a member looks at once, in seconds."""
        return max(member.longest_s for member in self.members)

    def predict(
        self, source: str | Path | bytes, options: PredictOptions = USUAL, *, name: str | None = None
    ) -> Prediction:
        """See :meth:`Model.predict`."""
        return self._joined([member.predict(source, options, name=name) for member in self.members], options)

    def predict_wave(
        self, wave: npt.ArrayLike, sample_rate: float, options: PredictOptions = USUAL, *, name: str = "wave"
    ) -> Prediction:
        """See :meth:`Model.predict_wave`."""
        said = [member.predict_wave(wave, sample_rate, options, name=name) for member in self.members]
        return self._joined(said, options)

    def predict_many(
        self, paths: Iterable[Path | bytes], options: PredictOptions = USUAL, *, one_speaker: bool = False
    ) -> Iterator[Prediction | Unusable]:
        """See :meth:`Model.predict_many`."""
        every = [*paths]
        of_members = [member.predict_many(every, options, one_speaker=one_speaker) for member in self.members]
        for said in zip(*of_members, strict=True):
            unusable = next((each for each in said if isinstance(each, Unusable)), None)
            heard = [each for each in said if isinstance(each, Prediction)]
            yield unusable or self._joined(heard, options)

    def timeline(
        self, source: str | Path | bytes, options: PredictOptions = USUAL, *, name: str | None = None
    ) -> Iterator[Prediction]:
        """See :meth:`Model.timeline`."""
        same = {"window_s": options.window_s or self.longest_s, "hop_s": options.hop_s or HOP_S}
        every = [
            member.timeline(source, own.model_copy(update=same), name=name)
            for member, own in zip(self.members, self._each(options), strict=True)
        ]
        for said in zip(*every, strict=False):
            yield self._joined(said, options)

    def listener(self, options: PredictOptions) -> Model | Adapting:
        """See :meth:`Model.listener`; members that cannot adapt stay as they are."""
        return Following(self, self._each(options)) if options.adapt else self

    def predict_window(self, window: Window, options: PredictOptions, name: str) -> Prediction:
        """See :meth:`Model.predict_window`."""
        return self.predict_by(self.members, window, options, name)

    def predict_by(
        self, listeners: Sequence[Model | Adapting], window: Window, options: PredictOptions, name: str
    ) -> Prediction:
        """Predict on one window by what listens for each member."""
        said = []
        for member, listener in zip(self.members, listeners, strict=True):
            wave = resample(window.wave, self.sample_rate, member.sample_rate)
            start = round(window.start * member.sample_rate / self.sample_rate)
            said.append(listener.predict_window(Window(wave, start), options, name))
        return self._joined(said, options)

    def clip(self, source: str | Path | bytes, options: PredictOptions = USUAL) -> PreparedClip:
        """What the first member sees of a recording."""
        return self.members[0].clip(source, options)

    def predict_clip(
        self, clip: PreparedClip, options: PredictOptions = USUAL, name: str = "clip"
    ) -> Prediction:
        """Refused: members see recordings in different ways.

        Raises:
            RunError: always.
        """
        raise RunError(f"{self.name}: an ensemble predicts on recordings and waves, not on what a member saw")

    def warm_up(self) -> None:
        """See :meth:`Model.warm_up`."""
        for member in self.members:
            member.warm_up()

    def for_speaker(
        self, recordings: Iterable[Path | bytes], options: PredictOptions = USUAL
    ) -> tuple[Model, list[Unusable]]:
        """See :meth:`Model.for_speaker`; members that cannot adapt stay as they are."""
        known, members, unusable = [*recordings], [], list[Unusable]()
        if not any(adaptive(member.card) for member in self.members):
            return self.members[0].for_speaker(known, options)  # says what is wrong
        for member in self.members:
            if adaptive(member.card):
                member, unusable = member.for_speaker(known, options)
            members.append(member)
        return replace(self, members=tuple(members)), unusable

    def check_speaker(self) -> None:
        """See :meth:`Model.check_speaker`."""
        for member in self.members:
            member.check_speaker()

    def _each(self, options: PredictOptions) -> list[PredictOptions]:
        """Options of each member; one that was not trained to adapt is not asked to.

        Raises:
            RunError: none of them was.
        """
        able = [adaptive(member.card) for member in self.members]
        first = [True, *able[1:]] if not any(able) else able  # which then says what is wrong
        return [options.model_copy(update={"adapt": options.adapt and each}) for each in first]

    def _joined(self, said: Sequence[Prediction], options: PredictOptions) -> Prediction:
        """Average of what the members that heard something say."""
        weights = [member.weight for member in self.card.members]
        heard = [(each, weight) for each, weight in zip(said, weights, strict=True) if each.probabilities]
        first, start_s, end_s = said[0], min(each.start_s for each in said), max(each.end_s for each in said)
        if not heard:
            return silence(first.name, start_s, end_s)
        rows = np.array([[each.probabilities[name] for name in self.emotions] for each, _ in heard])
        mean = np.average(rows, axis=0, weights=[max(weight, 1e-12) for _, weight in heard])
        joined = decide(
            np.log(np.maximum(mean, 1e-30)),
            self.emotions,
            name=first.name,
            span_s=(start_s, end_s),
            temperature=self.card.temperature,
            abstain=self._threshold(options),
            ratings=[
                np.array([each.ratings[name] for name in self.dimensions])
                for each, _ in heard
                if self.dimensions
            ],
            dimensions=self.dimensions,
        )
        return replace(joined, windows=max(each.windows for each in said))


def cards_of(model: Model) -> list[ModelCard]:
    """Card of a model, or those of an ensemble's members."""
    return [each.card for each in (model.members if isinstance(model, Ensemble) else (model,))]
