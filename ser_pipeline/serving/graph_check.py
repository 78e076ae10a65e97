"""A graph beside the network it was made of, on the same sounds."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ser_pipeline.arrays import Float32s, Floats
from ser_pipeline.datasets.normalise import Voice
from ser_pipeline.errors import AudioError
from ser_pipeline.serving.graph import GraphFacts
from ser_pipeline.serving.model import Model
from ser_pipeline.serving.prediction import softmax
from ser_pipeline.serving.scorer import (
    PreparedClip,
    WaveScorer,
    clip_of_wave,
    encoders_of,
    normalised,
    normalised_by,
    speaker_wise,
)


@dataclass(frozen=True, slots=True)
class GraphCheck:
    """A graph beside the network it was made of.

    Attributes:
        clips: how many were compared.
        unusable: how many were left out: nothing is heard in them, or they are too short.
        largest: largest difference of a probability.
        agreement: share of clips with the same likeliest emotion.
    """

    clips: int
    unusable: int
    largest: float
    agreement: float


def graph_input(model: Model, facts: GraphFacts, wave: Float32s) -> Float32s:
    """What a graph takes for a wave, without the leading axis of one clip.

    Raises:
        AudioError: nothing can be made of it.
    """
    return wave if facts.takes == "wave" else _input_of(model, facts, clip_of_wave(wave, model.card))


def _input_of(model: Model, facts: GraphFacts, clip: PreparedClip) -> Float32s:
    if facts.takes == "features":
        some = np.repeat(clip.values[None], 5, axis=0)  # enough to describe a speaker by
        vector: Float32s = normalised(some, model.card, one_speaker=True)[0]
        return vector
    frames = (
        clip.values.shape[1]
        if facts.padded
        else max(clip.frames, model.card.model.architecture.frames_per_step)
    )
    values: Float32s = clip.values[:, :frames]
    return values


def compare(model: Model, session: Any, facts: GraphFacts, waves: Iterable[Float32s]) -> GraphCheck:
    """Run a graph and the network it was made of on the same sounds.

    Args:
        model: the original.
        session: of the graph.
        facts: of the graph.
        waves: samples at the model's rate, each of shape ``(samples,)``.
    """
    if encoders_of(model.card):
        return _compared_inside(model, session, facts, waves)
    own, theirs, unusable = [], [], 0
    for wave in waves:
        try:
            clip = clip_of_wave(wave, model.card)
        except AudioError:
            unusable += 1
            continue
        values = wave if facts.takes == "wave" else _input_of(model, facts, clip)
        given = values if facts.takes == "wave" else values[None]
        theirs.append(session.run(["probabilities"], {facts.takes: given})[0][0])
        if facts.takes == "features":
            logits = model.scorer.logits(values, 1)
        else:
            logits = model.scorer.logits(clip.values, clip.frames)
        own.append(softmax(logits, model.card.temperature or 1.0))
    return _check_of(own, theirs, unusable)


def _compared_inside(model: Model, session: Any, facts: GraphFacts, waves: Iterable[Float32s]) -> GraphCheck:
    """Compare a graph with its encoder inside; who has to be told of the speaker is told of somebody."""
    graph, temperature = WaveScorer(session, fewest=facts.fewest), model.card.temperature or 1.0
    voice = model.card.learned.voice
    own, theirs, unusable = [], [], 0
    for wave in waves:
        try:
            clip = clip_of_wave(wave, model.card)
        except AudioError:
            unusable += 1
            continue
        if voice is None and speaker_wise(model.card):
            voice = Voice(center=tuple(0.9 * clip.values), scale=tuple(0.1 * np.abs(clip.values)))
        logits = model.scorer.logits(normalised_by(clip.values[None], model.card, voice)[0], 1)
        own.append(softmax(logits, temperature))
        theirs.append(softmax(graph.hear(wave, voice)[0], temperature))
    return _check_of(own, theirs, unusable)


def _check_of(own: Sequence[Floats], theirs: Sequence[Floats], unusable: int) -> GraphCheck:
    if not own:
        return GraphCheck(0, unusable, 0.0, 1.0)
    ours, graphs = np.array(own), np.array(theirs)
    same = float((ours.argmax(1) == graphs.argmax(1)).mean())
    return GraphCheck(len(own), unusable, float(np.abs(ours - graphs).max()), same)
