"""A model card: what a model is, what it was trained on, how good it is, and what it must not be used for."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from ser_pipeline.encoders import known_encoder
from ser_pipeline.errors import RunError, SettingsError
from ser_pipeline.front_end import vector_names
from ser_pipeline.options import EmbeddingOptions, FrontEnd, Fused, InputOptions, WaveOptions, parts_of
from ser_pipeline.runs.about import KNOWN
from ser_pipeline.runs.card import ModelCard, member_folder, read_card
from ser_pipeline.runs.files import finished_info, read_info, read_scores
from ser_pipeline.runs.ratings import Estimate
from ser_pipeline.runs.tested import chance, lacking, too_few, untested, worse_calibrated
from ser_pipeline.runs.types import CARD, RunInfo, RunScores
from ser_pipeline.serving.graph import GraphFacts
from ser_pipeline.serving.hub import acted, corpora_of, header, usage
from ser_pipeline.serving.load import check_card
from ser_pipeline.serving.model import Model
from ser_pipeline.serving.scorer import heard_through
from ser_pipeline.tables import markdown_table, table_of
from ser_pipeline.tables.cells import listed

GROUPS: Final = ("corpus", "language", "gender", "intensity", "modality")
"""Kinds of groups whose scores are shown; speakers are people and stay in the run's own files."""

ONLY_THESE: Final = (
    "It tells apart only the emotions above, and must name one of them for any voice, noise or music it "
    "hears."
)
ACTORS: Final = (
    "It learned from actors who were told what to show. People who speak to each other sound different, and "
    "how someone sounds is not what they feel."
)
NO_ACTORS: Final = (
    "People who speak to each other sound different from those who were asked to, and how someone sounds "
    "is not what they feel."
)
FEW_PEOPLE: Final = (
    "It has heard few people, of few languages, ages and kinds of voices; no score here says how well it "
    "works for anyone else, or over a telephone."
)
ONE_STRETCH: Final = (
    "A network of mels looks at one stretch of at most a few seconds; longer recordings are judged window "
    "by window."
)
"""Of models on mels."""

INTENDED: Final = (
    "Research and teaching on speech emotion recognition; comparing methods on the corpora above.",
    "Looking at one's own recordings, and at recordings of people who agreed to it.",
)

FORBIDDEN: Final = (
    "**Forbidden in the European Union**: inferring emotions of people at their workplace or in education, "
    "except for medical or safety reasons (Regulation (EU) 2024/1689, Article 5(1)(f), in force since 2 "
    "February 2025).",
    "**High risk there** in all other uses (Annex III, point 1(c)), with the duties that follow; people who "
    "are exposed to emotion recognition must be told so (Article 50(3)).",
    "Recordings of a voice are personal data, and may reveal health: the GDPR applies, as other laws may "
    "elsewhere.",
    "Not for decisions about people: hiring, grades, credit, insurance, policing, border control, care.",
)


@dataclass(frozen=True, slots=True)
class Caveat:
    """A sentence about a model, in no language yet.

    Attributes:
        key: of the sentence, in ``trust_in`` of ``templates/texts.toml``.
        values: of its placeholders: numbers, names, lists of names, or sentences within.
    """

    key: str
    values: dict[str, "float | str | tuple[str, ...] | Caveat"] = field(default_factory=dict)


def caveats(model: Model, folder: Path) -> tuple[Caveat, ...]:
    """What to know of a model before it is trusted.

    Args:
        model: that predicts.
        folder: of its run, or an exported graph, which knows less of itself.
    """
    return tuple(_caveats(model, folder))


def _caveats(model: Model, folder: Path) -> Iterator[Caveat]:
    info = _read_info(folder)
    if info is None:
        yield from _of_graph(model)
    else:
        yield Caveat(
            "learned",
            {
                "model": model.name,
                "kind": info.model,
                "clips": info.counts.get("train", 0),
                "corpora": info.learned_from,
                "languages": info.languages or Caveat("no_language"),
            },
        )
        yield from _scored(info, folder)
    if model.card.synthetic:
        yield Caveat("synthetic")
    if model.card.temperature is None:
        yield Caveat("uncalibrated")
    trained_on = info.learned_from if info else model.about.trained_on if model.about else ()
    yield Caveat("actors" if acted(trained_on, model.card) else "voices")
    yield Caveat("decisions")


def _read_info(folder: Path) -> RunInfo | None:
    try:
        return read_info(folder)
    except RunError:
        return None


def _of_graph(model: Model) -> Iterator[Caveat]:
    """What a graph's file tells of its model."""
    about = model.about
    if about is None or about.uar is None:
        yield Caveat("unknown", {"model": model.name, "emotions": model.emotions})
        return
    yield Caveat("from", {"model": about.name, "kind": about.model, "corpora": about.trained_on})
    whom = _whom(about.speakers, known=about.people == KNOWN)
    yield Caveat("tested", {"speakers": about.speakers, "whom": whom, **_recall(about.uar, about.chance)})
    if about.untested:
        yield Caveat("untested", {"emotions": about.untested})
    if about.note:
        yield Caveat("built_in")


def _scored(info: RunInfo, folder: Path) -> Iterator[Caveat]:
    try:
        parts = read_scores(folder, info).parts
    except RunError:
        yield Caveat("unscored")
        return
    if "test" not in parts:
        return
    test = parts["test"].pooled
    whom = _whom(test.speakers, known=info.split.leaks_speakers)
    recall = _recall(test.uar, chance(test))
    yield Caveat("scored", {"clips": test.clips, "speakers": test.speakers, "whom": whom, **recall})
    if untested(test):
        yield Caveat("untested", {"emotions": untested(test)})


def _whom(speakers: int, *, known: bool) -> Caveat:
    return Caveat(("known" if known else "new") + ("_one" if speakers == 1 else ""))


def _recall(uar: Estimate, guess: float) -> dict[str, int | str | Caveat]:
    interval: Caveat | str = ""
    if uar.low is not None and uar.high is not None:
        interval = Caveat("interval", {"low": round(100 * uar.low), "high": round(100 * uar.high)})
    return {"recall": round(100 * uar.value), "interval": interval, "chance": round(100 * guess)}


def write_model_card(folder: Path, graph: GraphFacts | None = None) -> str:
    """Write the card of a run, as a model on the Hugging Face Hub has one.

    Args:
        folder: of the run; it has been scored.
        graph: that lies beside the card, which then says how it is used; None for the card of the run alone.

    Returns:
        Markdown with a header in YAML.

    Raises:
        RunError: a result file is missing or damaged, or the model does not fit.
        SettingsError: it tells no emotions.
        CorpusError: a description of a corpus below the working folder cannot be read.
    """
    info = finished_info(folder)
    scores = read_scores(folder, info)
    card = read_card(folder)
    for place in [member_folder(folder, member) for member in card.members] or [folder]:
        check_card(read_card(place), place / CARD)
    if card.target:
        raise SettingsError(f"{folder}: rates {info.words}; model cards are written of models of emotions")
    if card.emotions != info.emotions:
        raise RunError(f"{folder}: model.json and settings.json name different emotions; train it again")
    inside = graph is not None and graph.takes == "wave"
    opening = "\n".join(_opening(info, card))
    used = [] if graph is None else [usage(graph)]
    parts = (_data(info, card, inside), _scores(info, scores), _certainty(card, scores), _use(info, card))
    rest = "\n".join(line for part in parts for line in part)
    return "\n".join([f"{header(info, scores, card)}\n{opening}", *used, f"{rest}\n"])


def _opening(info: RunInfo, card: ModelCard) -> Iterator[str]:
    yield f"# Model card: {info.name}"
    yield ""
    if info.synthetic:
        yield "> Trained on **synthetic voices**: what it says of real speech means nothing."
        yield ""
    yield f"Tells {listed(card.emotions)} apart in recordings of speech."
    yield ""
    by = f" with ser {info.versions['ser-pipeline']}" if "ser-pipeline" in info.versions else ""
    rows = [
        ("architecture", f"{info.model}, {info.parameters:,} parameters"),
        ("input", _input(card)),
        ("labels merged", ", ".join(f"{a} into {b}" for a, b in info.merges.items()) or "none"),
        ("trained", f"{info.created}{by}, `{info.command}`"),
        *([("teacher", info.taught)] if info.taught else []),
        ("epoch kept", f"{card.epoch}; {info.stopped}")
        if card.model.architecture.by_epochs
        else ("fitted", str(info.stopped)),
        ("weights", _weights(card)),
    ]
    yield from (f"- {name}: {told}" for name, told in rows)
    yield ""


def _weights(card: ModelCard) -> str:
    """Which files the weights are in; of an ensemble, those of its members."""
    digests = [f"{member.name}: model.json `{member.digest}`" for member in card.members]
    return "; ".join(digests) or f"BLAKE2b `{card.weights_digest}`"


def _input(card: ModelCard) -> str:
    if card.members:
        return f"that of each member: {'; '.join(map(_part, parts_of(card.inputs)))}"
    if card.learned.scaling is None:
        return "; ".join(map(_part, parts_of(card.inputs)))
    mode = card.learned.scaling.mode
    parts = "; ".join(map(_part, parts_of(card.inputs)))
    side = f", side by side as {card.n_inputs} numbers" if isinstance(card.inputs, Fused) else ""
    if card.n_beside:
        side = f", the latter as {card.n_beside} numbers beside the former"
    return f"{parts}{side}, normalised `{mode}`"


def _part(options: InputOptions) -> str:
    if isinstance(options, FrontEnd):
        return (
            f"{options.n_mels} mel bands of at most {options.max_s:g} s at {options.sample_rate:,} Hz, "
            f"noise reduction `{options.denoise}`, level `{options.level}`"
        )
    if isinstance(options, WaveOptions) and options.encoder is not None:
        layers = ", ".join(map(str, options.encoder.layers))
        return (
            f"samples at {options.sample_rate:,} Hz, heard by the encoder {options.encoder.name} (weights "
            f"`{options.encoder.weights[:8]}`, of which this model keeps what was trained), layers {layers}"
        )
    if isinstance(options, EmbeddingOptions):
        layers = ", ".join(map(str, options.layers))
        how = "step by step" if options.frames else f"{', '.join(options.pooling)} over time"
        return f"layers {layers} of the encoder {options.name} (weights `{options.weights[:8]}`), {how}"
    return f"{len(vector_names(options))} features ({options.kind})"


def _data(info: RunInfo, card: ModelCard, inside: bool) -> Iterator[str]:
    yield from ("## Training data and its licences", "")
    rows = [(each.name, each.licence, each.place) for each in corpora_of(info)]
    yield from _table(("corpus", "licence", "source"), rows)
    needed = "It is inside the graph." if inside else "It is needed to predict, and not part of the model."
    for encoder in heard_through(card):
        yield from (f"{_encoder('The model', encoder.name)} {needed}", "")
    for name in () if info.teacher is None else info.teacher.encoders:
        yield from (f"{_encoder('Its teacher', name)} It is not needed to predict.", "")
    others = [name for name in info.corpora if name not in info.learned_from]
    if others:
        yield from (f"It was tested on recordings of {listed(others)}, and did not learn from them.", "")
    counts = ", ".join(f"{count:,} {part}" for part, count in info.counts.items())
    only = f" Only those with `{info.recipe.where}`." if info.recipe.where else ""
    yield f"Clips: {counts}.{only} Languages: {', '.join(info.languages) or 'unknown'}."
    yield ""
    yield (
        "**The weights inherit these terms**: a model trained on a corpus that is free for non-commercial "
        "use only is itself free for that use only, and the strictest of the licences above counts."
    )
    yield ""


def _encoder(who: str, name: str) -> str:
    """The terms of an encoder whose layers a model learned from."""
    known = known_encoder(name)
    if known is None:
        return f"{who} learned from the encoder `{name}`, whose licence this program does not know."
    return (
        f"{who} learned from the encoder `{known.name}` ({known.hub_id}; licence: {known.licence}), "
        f"which was trained on speech in {known.languages}."
    )


def _scores(info: RunInfo, scores: RunScores) -> Iterator[str]:
    yield from ("## Scores", "")
    rows = [
        (name, each.clips, each.speakers, str(each.uar), str(each.accuracy), str(each.macro_f1), each.ece)
        for name, each in ((name, part.pooled) for name, part in scores.parts.items())
    ]
    yield from _table(("part", "clips", "speakers", "UAR", "accuracy", "macro-F1", "calibration error"), rows)
    yield f"Split `{info.split.name}`: {info.split.note}"
    yield ""
    shown = "test" if "test" in scores.parts else next(reversed(scores.parts))
    part = scores.parts[shown]
    yield from (f"### By emotion ({shown})", "")
    if lacks := lacking(shown, part.pooled):
        yield from (f"There are {lacks}; a UAR is the mean over the emotions that have clips.", "")
    emotions = [each.cells[:4] for each in part.pooled.classes]
    yield from _table(("emotion", "clips", "precision", "recall"), emotions)
    yield from (f"### By group ({shown})", "")
    groups = [(g.by, g.name, g.clips, g.speakers, g.uar, g.accuracy) for g in part.groups if g.by in GROUPS]
    yield from _table(("by", "group", "clips", "speakers", "UAR", "accuracy"), groups)


def _certainty(card: ModelCard, scores: RunScores) -> Iterator[str]:
    yield from ("## Confidence", "")
    if card.temperature is None:
        yield "Not calibrated: stated probabilities tend to be too high."
    else:
        yield f"Probabilities are stated at temperature {card.temperature:.3f}, fitted on validation clips."
    if worse := worse_calibrated(scores):
        yield f"But {worse}."
    if lacks := too_few(scores):
        yield f"It has no threshold for abstaining: {lacks}."
    elif card.abstain_below is not None:
        yield f"Below a confidence of {card.abstain_below:.3f} it should not answer (`--abstain auto`)."
    yield ""


def _use(info: RunInfo, card: ModelCard) -> Iterator[str]:
    limits = [ONLY_THESE, ACTORS if acted(info.learned_from, card) else NO_ACTORS, FEW_PEOPLE]
    if any(isinstance(part, FrontEnd) for part in parts_of(card.inputs)):
        limits.append(ONE_STRETCH)
    yield from ("## Limits", "", *(f"- {line}" for line in limits))
    if info.split.leaks_speakers:
        yield "- Its scores come from people it was trained on: the split mixes speakers."
    yield from ("", "## Intended use", "", *(f"- {line}" for line in INTENDED))
    yield from ("", "## What it must not be used for", "", *(f"- {line}" for line in FORBIDDEN))


def _table(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> list[str]:
    return markdown_table(table_of("", columns, rows))
