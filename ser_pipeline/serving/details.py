"""All that is shown of one recording: the prediction, what the network saw, and emotion over time."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from ser_pipeline.arrays import Float32s
from ser_pipeline.audio.decode import MemoryFile
from ser_pipeline.audio.sound import opened
from ser_pipeline.errors import AudioEmpty, AudioError, AudioSilent, AudioTooLarge, SerError, SettingsError
from ser_pipeline.front_end import vector_names
from ser_pipeline.metrics.occlusion import log_odds
from ser_pipeline.options import Limits, PredictOptions
from ser_pipeline.serving.load import by_network
from ser_pipeline.serving.model import Model
from ser_pipeline.serving.prediction import HOP_S, Prediction
from ser_pipeline.serving.scorer import PreparedClip, TorchScorer
from ser_pipeline.serving.voices import normalised
from ser_pipeline.tables.cells import plural

MOST_VALUES: Final = 768_000
"""Most samples of all channels in a second; four channels of the highest sample rate in use."""

MOST_WINDOWS: Final = 1_000
"""Windows of one recording that a request may ask for."""

SHOWN_HOP_S: Final = 0.5
"""Seconds between windows of a timeline that is shown; the prediction of the whole has its own."""


class EnrolError(AudioError):
    """One of the other recordings of a person, which cannot be used."""

    code = "enrol"


@dataclass(frozen=True, slots=True)
class Details:
    """What was found in a recording.

    Attributes:
        prediction: of the whole.
        clip: what the network saw of the beginning; None where nothing was heard.
        attention: weights of steps of eight frames, shape ``(steps,)``; None where the model has none.
        moved: how far the log-odds of the decision fall without each patch of the mels, low bands first,
            shape ``(rows, columns)``; None for other models.
        pieces: the same for each piece of what other models decide on, as a layer of an encoder.
        timeline: predictions on windows; empty for a recording of one window.
        duration_s: length of the recording.
    """

    prediction: Prediction
    clip: PreparedClip | None
    attention: Float32s | None
    moved: Float32s | None
    pieces: tuple[tuple[str, float], ...]
    timeline: tuple[Prediction, ...]
    duration_s: float


def details(model: Model, content: bytes, options: PredictOptions, limits: Limits, name: str) -> Details:
    """Predict on a recording and keep what a page shows of it.

    Args:
        model: predicts.
        content: bytes of a file of any format that can be decoded.
        options: when to abstain, and the like.
        limits: of length.
        name: of the recording.

    Raises:
        AudioTooLarge: longer than allowed.
        AudioError: it cannot be used.
    """
    content, duration_s = checked_recording(content, limits, name)
    prediction = model.predict(content, options, name=name)
    hop_s = options.hop_s or SHOWN_HOP_S
    over = options.model_copy(update={"hop_s": hop_s})
    long = duration_s > model.longest_s + hop_s
    timeline = tuple(model.timeline(content, over, name=name)) if long else ()
    model = _inside(model)
    try:
        clip = model.clip(content, options)
    except AudioSilent:
        return Details(prediction, None, None, None, (), timeline, duration_s)
    attention = model.scorer.attention(clip.values, clip.frames) if clip.values.ndim == 2 else None
    label = model.emotions.index(prediction.emotion) if prediction.emotion in model.emotions else None
    reasons = moved(model, clip, label), pieces(model, clip, label)
    return Details(prediction, clip, attention, *reasons, timeline, duration_s)


def _inside(model: Model) -> Model:
    """The model by its network; a graph, which tells no reasons, where that cannot be had here."""
    try:
        return by_network(model)
    except SerError:
        return model


def moved(model: Model, clip: PreparedClip, label: int | None = None) -> Float32s | None:
    """How far the log-odds of the decision fall without each patch of a clip's mels.

    Args:
        model: that decides.
        clip: of mels.
        label: number of the emotion that was decided on; None for that of the clip alone.

    Returns:
        Low bands first, shape ``(rows, columns)``; None for clips without mels, or with vectors beside them,
        and for graphs.
    """
    if clip.values.ndim != 2 or clip.beside is not None or not isinstance(model.scorer, TorchScorer):
        return None
    from ser_pipeline.models.network import falls

    if label is None:
        label = int(model.scorer.logits(clip.values, clip.frames).argmax())
    return falls(model.scorer.network, clip.values, clip.frames, label)


def pieces(model: Model, clip: PreparedClip, label: int | None = None) -> tuple[tuple[str, float], ...]:
    """How far the log-odds of the decision fall when a piece of a clip's vector is an average one.

    Args:
        model: that decides.
        clip: of named features, or of layers of an encoder that were averaged over time.
        label: as of :func:`moved`.

    Returns:
        Group of features or layer, and the fall, in the order of the vector; nothing for other clips, and for
        ensembles.
    """
    if clip.values.ndim != 1 or clip.logits is not None or model.card.members:
        return ()
    from ser_pipeline.evaluation.explain_inputs import pieces_of
    from ser_pipeline.evaluation.explain_tables import named_columns

    vector = normalised(clip.values[None], model.card, one_speaker=False)[0]
    usual = model.scorer.logits(vector, clip.frames)
    found = []
    for piece in pieces_of(model.card.inputs, named_columns(vector_names(model.card.inputs))):
        if piece.kind in ("layer", "group of features"):
            without = vector.copy()
            without[piece.columns] = 0  # what is normalised is zero at the mean over training
            both = np.stack([usual, model.scorer.logits(without, clip.frames)])
            first, second = log_odds(both, int(usual.argmax()) if label is None else label)
            found.append((piece.name, float(first - second)))
    return tuple(found)


def enrolled(model: Model, recordings: Sequence[bytes], options: PredictOptions, limits: Limits) -> Model:
    """The model as it is for the person of whom other recordings were sent; without any, as it is.

    Raises:
        AudioTooLarge: one of them, or all together, are longer than allowed.
        SettingsError: they would be cut into too many windows.
        EnrolError: one of them cannot be used, or nothing is heard in it.
        RunError: the model was not trained to adapt.
    """
    if not recordings:
        return model
    try:
        known = [
            checked_recording(each, limits, f"enrol {number}") for number, each in enumerate(recordings, 1)
        ]
    except AudioTooLarge:
        raise
    except AudioError as error:
        raise EnrolError(str(error)) from None
    together_s = sum(duration_s for _, duration_s in known)
    if together_s > limits.max_s:
        raise AudioTooLarge(f"enrol: {together_s:.0f} s together; at most {limits.max_s:g} s are taken here")
    check_windows(together_s, options, limits)
    adapted, unusable = model.for_speaker([content for content, _ in known], options)
    if unusable:
        raise EnrolError(f"enrol: {unusable[0].reason}")
    return adapted


def check_windows(duration_s: float, options: PredictOptions, limits: Limits) -> None:
    """Refuse windows so close together that those who ask later would wait for minutes.

    Raises:
        SettingsError: a recording of these seconds has more than 1,000 of them, and more than the longest
            recording has where nothing is said.
    """
    most = max(MOST_WINDOWS, limits.max_s / HOP_S)
    if options.hop_s is not None and duration_s > most * options.hop_s:
        raise SettingsError(
            f"hop_s: {options.hop_s:g} s makes {duration_s / options.hop_s:,.0f} windows of {duration_s:.1f} "
            f"s, at most {most:,.0f} are made here; use {math.ceil(100 * duration_s / most) / 100:g} or more"
        )


def checked_recording(content: bytes, limits: Limits, name: str) -> tuple[bytes, float]:
    """A recording as it is predicted on, and its seconds by its header, before its samples are looked at.

    Returns:
        ``content``, or a WAV file where libsndfile cannot decode it, so that ffmpeg does so once.

    Raises:
        AudioTooLarge: longer than allowed, or with more samples a second than any recording needs.
        AudioError: no recording that can be decoded, or one that was cut.
    """
    if not content:
        raise AudioEmpty(f"{name}: empty: nothing was sent")
    with opened(MemoryFile(memoryview(content)), name, most_s=limits.max_s + 1) as sound:
        if sound.sample_rate * sound.channels > MOST_VALUES:
            raise AudioTooLarge(
                f"{name}: {plural(sound.channels, 'channel')} at {sound.sample_rate} Hz; at most "
                f"{MOST_VALUES} samples a second"
            )
        if sound.duration_s > limits.max_s:
            raise AudioTooLarge(
                f"{name}: {sound.duration_s:.0f} s long; at most {limits.max_s:g} s are taken here, "
                "'ser predict' takes any length"
            )
        return sound.as_wav() if sound.decoder else content, sound.duration_s
