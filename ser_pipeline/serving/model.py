"""A trained model that predicts on recordings."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import chain
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ser_pipeline.arrays import Float32s
from ser_pipeline.audio.decode import decode_bytes, decode_file
from ser_pipeline.audio.mono import usable
from ser_pipeline.datasets.normalise import Heard, Voice
from ser_pipeline.errors import AudioError, AudioShort, AudioSilent, RunError
from ser_pipeline.front_end import AtRate
from ser_pipeline.options import PredictOptions, mels_of
from ser_pipeline.records import WINDOW_S
from ser_pipeline.remote.addresses import shown
from ser_pipeline.runs.about import About
from ser_pipeline.runs.card import ModelCard
from ser_pipeline.serving.prediction import HOP_S, Prediction, Unusable, decide, silence
from ser_pipeline.serving.reading import Blocks, Window, Windows, file_blocks, mono
from ser_pipeline.serving.scorer import PreparedClip, Said, Scorer, Seen, WaveScorer, clip_of_wave, said_of
from ser_pipeline.serving.voices import adaptive, normalised_by, speaker_wise, stacked, voice_of

USUAL = PredictOptions()


@dataclass(frozen=True, slots=True)
class Model:
    """A trained model, from :func:`ser_pipeline.load_model`.

    Attributes:
        card: what it is and how it is fed.
        scorer: network or graph.
        name: of its run or file.
        about: what is known of how good it is; None for a member of an ensemble.
        run: folder of the run whose exported graph answers in place of its network; None for others.
    """

    card: ModelCard
    scorer: Scorer
    name: str
    about: About | None = field(default=None, kw_only=True)
    run: Path | None = field(default=None, kw_only=True)

    def __repr__(self) -> str:
        """One line: name, architecture and emotions, or ratings."""
        return f"Model({self.name}: {self.card.model.name}, {', '.join(self.emotions or self.dimensions)})"

    @property
    def emotions(self) -> tuple[str, ...]:
        """Class names, in the order of the outputs; none for a model that only rates."""
        return self.card.emotions

    @property
    def dimensions(self) -> tuple[str, ...]:
        """Names of the ratings that it gives, alone or beside an emotion; none for most models."""
        return self.card.rated if self.scorer.rates else ()

    @property
    def sample_rate(self) -> int:
        """Of the waves it looks at, in Hz."""
        return self.card.inputs.sample_rate

    @property
    def longest_s(self) -> float:
        """Longest stretch it looks at once, in seconds."""
        front_end = mels_of(self.card.inputs)
        return 4.0 if front_end is None else front_end.max_s

    def predict(
        self, source: str | Path | bytes, options: PredictOptions = USUAL, *, name: str | None = None
    ) -> Prediction:
        """Predict on one recording.

        Up to a minute, it is one clip, treated as in training: a network of mels looks at its first
        four seconds after trimming. Of a longer one, probabilities are means over windows.

        Args:
            source: a file, or the bytes of one, of any format that can be decoded.
            options: when to abstain, and the like.
            name: of the recording; None takes the file's.

        Raises:
            AudioMissing: the file cannot be opened.
            AudioError: it cannot be decoded, is empty, or too short.
            RunError: the model needs to know the speaker.

        Examples:
            >>> load_model("runs/best").predict("a.wav").decision  # doctest: +SKIP
            'anger'
        """
        name = name or _name(source)
        self.check_speaker()
        return self._judged(self._seen(source, options, name), options, name)

    def predict_wave(
        self, wave: npt.ArrayLike, sample_rate: float, options: PredictOptions = USUAL, *, name: str = "wave"
    ) -> Prediction:
        """Predict on samples, as one clip whatever their length.

        Args:
            wave: mono samples, shape ``(samples,)``: integers, or floating-point numbers in [-1, 1].
            sample_rate: in Hz, whole or not.
            options: when to abstain, and the like.
            name: of the recording.

        Raises:
            AudioError: not mono, finite and in range, empty, or too short; or a rate no recording has.
            RunError: the model needs to know the speaker.
        """
        self.check_speaker()
        try:
            at = partial(mono, wave, sample_rate, name=name)
            clip = self._clip(at(self.sample_rate), options, name, at)
        except AudioSilent:
            return silence(name, 0.0, np.size(wave) / sample_rate)
        return self.predict_clip(clip, options, name)

    def predict_many(
        self, paths: Iterable[Path | bytes], options: PredictOptions = USUAL, *, one_speaker: bool = False
    ) -> Iterator[Prediction | Unusable]:
        """Predict on files one after another; one that cannot be used is told and passed over.

        Args:
            paths: of the recordings, or the bytes of one.
            options: when to abstain, and the like.
            one_speaker: all are of one person; for models that normalise features by speaker, which then
                need five or more.

        Raises:
            RunError: the model needs to know the speaker, or more recordings.
        """
        if speaker_wise(self.card) or (one_speaker and adaptive(self.card)):
            yield from self._of_one_speaker([*paths], options, one_speaker=one_speaker)
            return
        for path in paths:
            try:
                yield self.predict(path, options)
            except AudioError as error:
                yield Unusable(_name(path), str(error))

    def timeline(
        self, source: str | Path | bytes, options: PredictOptions = USUAL, *, name: str | None = None
    ) -> Iterator[Prediction]:
        """Predict on windows of a recording, one after another; memory does not grow with its length.

        Args:
            source: a file, or the bytes of one.
            options: length and distance of windows, and the like.
            name: of the recording; None takes the file's.

        Yields:
            Predictions in order of time; ``start_s`` and ``end_s`` are the window's.

        Raises:
            AudioMissing: the file cannot be opened.
            AudioError: it cannot be decoded, is empty, or too short.
            RunError: the model needs to know the speaker.
        """
        self.check_speaker()
        name = name or _name(source)
        listener = self.listener(options)
        with file_blocks(source, name) as blocks:
            for window in self._windows(blocks, options, HOP_S):
                yield listener.predict_window(window, options, name)

    def listener(self, options: PredictOptions) -> "Model | Adapting":
        """What predicts on windows in order of time: this model, or one that adapts to the voice it hears.

        Raises:
            RunError: it shall adapt, and was not trained to.
        """
        return Adapting(self) if options.adapt else self

    def predict_window(self, window: Window, options: PredictOptions, name: str) -> Prediction:
        """Predict on one window of a longer recording; the times are the window's."""
        return self.predict_heard(window, self.window_clip(window, options), options, name)

    def predict_heard(
        self, window: Window, clip: PreparedClip | None, options: PredictOptions, name: str
    ) -> Prediction:
        """Predict on what :meth:`window_clip` gave for a window."""
        rate = self.sample_rate
        start_s, end_s = window.start / rate, (window.start + window.wave.size) / rate
        if clip is None:
            return silence(name, start_s, end_s)
        return self._decide([self._said(clip)], options, name, (start_s, end_s))

    def window_clip(self, window: Window, options: PredictOptions) -> PreparedClip | None:
        """What the network sees of a window; None where nothing, or too little once trimmed, is heard."""
        try:
            wave = usable(window.wave, self.sample_rate, "window")
            with suppress(AudioShort):
                return self._clip(wave, options, "window")
        except AudioSilent:
            pass
        return None

    def clip(self, source: str | Path | bytes, options: PredictOptions = USUAL) -> PreparedClip:
        """What the network sees of a recording, for those who want to look at it.

        Raises:
            AudioError: as :meth:`predict`; AudioSilent where nothing is heard.
        """
        name = _name(source)
        return self._clip(self._decoded(source, name), options, name, partial(self._decoded, source, name))

    def predict_clip(
        self, clip: PreparedClip, options: PredictOptions = USUAL, name: str = "clip"
    ) -> Prediction:
        """Predict on what the front end made of a recording."""
        return self._decide([self._said(clip)], options, name, (clip.start_s, clip.end_s))

    def warm_up(self) -> None:
        """Predict on a made-up sound, so that nothing is compiled or loaded once recordings come."""
        if not speaker_wise(self.card):
            time = np.arange(self.sample_rate) / self.sample_rate
            hum = 0.1 * np.sin(2 * np.pi * 150 * time) * (1 + np.sin(2 * np.pi * 3 * time))
            self.predict_wave(hum.astype(np.float32), self.sample_rate)

    def _seen(self, source: str | Path | bytes, options: PredictOptions, name: str) -> Iterator[Seen]:
        """What the network sees of a recording: one clip up to a minute, else one of each window."""
        try:
            wave = self._decoded(source, name)
            if wave.size < WINDOW_S * self.sample_rate:
                clip = self._clip(wave, options, name, partial(self._decoded, source, name))
                yield clip, (clip.start_s, clip.end_s)
                return
        except AudioSilent:
            pass  # all of it, or the first minute of an hour
        with file_blocks(source, name) as blocks:
            for window in self._windows(blocks, options, (options.window_s or self.longest_s) / 2):
                yield self.window_clip(window, options), (0.0, blocks.duration_s)

    def _judged(
        self, seen: Iterable[Seen], options: PredictOptions, name: str, voice: Voice | None = None
    ) -> Prediction:
        """Predict on all that the network sees of a recording; the voice is None for the usual one."""
        said, span_s = list[Said](), (0.0, 0.0)
        for clip, judged_s in seen:
            span_s = judged_s
            if clip is not None:
                said.append(self._said(clip, voice))
        return self._decide(said, options, name, span_s) if said else silence(name, *span_s)

    def _windows(self, blocks: Blocks, options: PredictOptions, hop_s: float) -> Iterator[Window]:
        cutter = Windows(
            blocks.sample_rate, self.sample_rate, options.window_s or self.longest_s, options.hop_s or hop_s
        )
        for block in blocks:
            yield from cutter.push(block)
        yield from cutter.finish()

    def _decoded(self, source: str | Path | bytes, name: str, sample_rate: int | None = None) -> Float32s:
        rate = sample_rate or self.sample_rate
        if isinstance(source, bytes):
            return decode_bytes(source, name, rate)
        return decode_file(Path(source), rate)

    def _clip(
        self, wave: Float32s, options: PredictOptions, name: str, at: AtRate | None = None
    ) -> PreparedClip:
        graph = self.scorer if isinstance(self.scorer, WaveScorer) else None
        return clip_of_wave(
            wave, self.card, graph=graph, corpus=options.corpus, modality=options.modality, name=name, at=at
        )

    def _said(self, clip: PreparedClip, voice: Voice | None = None) -> Said:
        if clip.logits is not None:
            return clip.logits, clip.ratings
        if clip.vector is not None:
            voice = voice or voice_of(clip.vector[None], self.card, one_speaker=False)
            clip = clip.with_vector(normalised_by(clip.vector[None], self.card, voice)[0])
        return said_of(self.scorer, clip)

    def _decide(
        self, said: Sequence[Said], options: PredictOptions, name: str, span_s: tuple[float, float]
    ) -> Prediction:
        logits = np.stack([scores for scores, _ in said])
        if not np.isfinite(logits).all():
            raise RunError(f"{self.name}: its network gives scores that are not numbers; train it again")
        return decide(
            logits,
            self.emotions,
            name=name,
            span_s=span_s,
            temperature=self.card.temperature,
            abstain=self._threshold(options),
            ratings=[ratings for _, ratings in said if ratings is not None],
            dimensions=self.dimensions,
        )

    def _threshold(self, options: PredictOptions) -> float:
        return (self.card.abstain_below or 0.0) if options.abstain == "auto" else options.abstain

    def for_speaker(
        self, recordings: Iterable[Path | bytes], options: PredictOptions = USUAL
    ) -> tuple["Model", list[Unusable]]:
        """This model as it is for one person, of whom some recordings are known; their emotions are not.

        Args:
            recordings: of that person, any number, but for those that are to be judged.
            options: the recordings' corpus and modality.

        Returns:
            A model for predictions on that person, and the recordings that could not be used.

        Raises:
            RunError: the model was not trained to adapt.
        """
        usual, clips, unusable = self.usual_voice, list[PreparedClip](), list[Unusable]()
        for recording in recordings:
            seen, name = self._prepared(recording, options), _name(recording)
            if isinstance(seen, Unusable):
                unusable.append(seen)
            elif heard := [clip for clip, _ in seen if clip is not None]:
                clips += heard
            else:
                unusable.append(Unusable(name, f"{name}: no speech is heard in it"))
        return self.with_voice(usual.pulled(stacked(clips)) if clips else usual), unusable

    @property
    def usual_voice(self) -> Voice:
        """The voice it takes for that of a speaker of whom nothing more is heard.

        Raises:
            RunError: the model was not trained to adapt.
        """
        if self.card.learned.voice is None:
            raise RunError(
                f"{self.name}: was not trained to adapt to a speaker; train one with --normalise adaptive"
            )
        return self.card.learned.voice

    def with_voice(self, voice: Voice | None) -> "Model":
        """This model with another usual voice."""
        learned = self.card.learned.model_copy(update={"voice": voice})
        return replace(self, card=self.card.model_copy(update={"learned": learned}))

    def check_speaker(self) -> None:
        """Refuse single recordings where the model wants several of one person."""
        if speaker_wise(self.card):
            voice_of(np.zeros((1, 1), np.float32), self.card, one_speaker=False)

    def _of_one_speaker(
        self, paths: Sequence[Path | bytes], options: PredictOptions, *, one_speaker: bool
    ) -> Iterator[Prediction | Unusable]:
        found = [self._prepared(path, options) for path in paths]
        seen = chain.from_iterable(each for each in found if not isinstance(each, Unusable))
        clips = [clip for clip, _ in seen if clip is not None]
        voice = voice_of(stacked(clips), self.card, one_speaker=one_speaker) if clips else None
        told = self.with_voice(voice) if voice and isinstance(self.scorer, WaveScorer) else None
        for path, each in zip(paths, found, strict=True):
            if told:  # it normalises inside, so it hears them once more
                each = told._prepared(path, options)
            yield each if isinstance(each, Unusable) else self._judged(each, options, _name(path), voice)

    def _prepared(self, source: Path | bytes, options: PredictOptions) -> list[Seen] | Unusable:
        """All that the model sees of a recording, or why it sees none."""
        try:
            return [*self._seen(source, options, _name(source))]
        except AudioError as error:
            return Unusable(_name(source), str(error))


class Adapting:
    """A model that follows the voice it hears: windows are judged by those before them, never by later ones.

    Of windows that overlap, only those count that begin where the last one that counted has ended.

    Args:
        model: of whose usual voice it begins.

    Raises:
        RunError: the model was not trained to adapt.
    """

    def __init__(self, model: Model) -> None:
        self._model = model
        self._heard = Heard(model.usual_voice)
        self._until = 0

    def predict_window(self, window: Window, options: PredictOptions, name: str) -> Prediction:
        """Predict on the next window; the times are the window's."""
        clip = self._model.window_clip(window, options)
        said = self._model.predict_heard(window, clip, options, name)
        if clip is not None and window.start >= self._until:
            self._until = window.start + window.wave.size
            self._heard.add(clip.values if clip.vector is None else clip.vector)
            self._model = self._model.with_voice(self._heard.voice)
        return said


def _name(source: str | Path | bytes) -> str:
    return "recording" if isinstance(source, bytes) else shown(source)
