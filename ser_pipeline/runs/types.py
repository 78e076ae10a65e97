"""Result types of a run: what training and evaluation write and the report reads.

A run is a folder ``runs/<name>/``::

    settings.json        RunInfo: all that repeats the run
    metrics.csv          one line per epoch, of ser_pipeline.runs.curves
    model.safetensors    what was fitted, with model.json: enough to predict on raw audio
    predictions.parquet  utterance_id, part, fold, target, predicted, p_<emotion>...
    dimensions.parquet   utterance_id, part, fold, ratings and those of listeners; of models that rate clips
    scores.json          RunScores
    latency.json         Latency; of runs that 'ser train' or 'ser evaluate' scored
    attention.parquet    chosen clips with the weights of their steps, of ser_pipeline.runs.internals
    embeddings.parquet   vectors of clips, and their places on a map, of ser_pipeline.runs.internals
    explanation.json     Explanation, of ser_pipeline.runs.explanation; where the run was explained
    shares.json          Shares, of ser_pipeline.runs.explanation; likewise, for a run on embeddings
    trackers.json        what experiment trackers were told, of ser_pipeline.training.logged
    last.ckpt            state for ``--resume``
"""

from collections.abc import Sequence
from typing import Annotated, Any, Final, Literal

from pydantic import BeforeValidator, Field

from ser_pipeline.options import Options, Recipe, layers_in_words
from ser_pipeline.runs.learned import LayerChoice, TeacherInfo
from ser_pipeline.runs.ratings import RATED_COLUMNS, Estimate, GroupKind, RatedPart, RatingScores, VoteScores
from ser_pipeline.tables import Table, html_table, table_of
from ser_pipeline.tables.cells import missing, people, plural, sentence

RESULT_SCHEMA: Final = 1
SETTINGS: Final = "settings.json"
SCORES: Final = "scores.json"
LATENCY: Final = "latency.json"
CARD: Final = "model.json"
WEIGHTS: Final = "model.safetensors"
EARLIER: Final = "model.skops"
"""Where 0.1.0 kept a classifier."""

ALL_FOLDS: Final = "all"
"""Value of ``--fold`` that makes every fold of a split a run of its own, below one parent folder."""


class ClassScore(Options):
    """Scores of one class.

    Attributes:
        emotion: name of the class.
        precision: share of its decisions that are right.
        recall: share of its clips that are decided right.
        f1: harmonic mean of both.
        clips: how many truly belong to it.
    """

    emotion: str
    precision: float
    recall: float
    f1: float
    clips: int

    @property
    def cells(self) -> list[Any]:
        """Emotion, clips, precision, recall and F1; without clips none of the three means anything."""
        shown = (self.precision, self.recall, self.f1) if self.clips else [missing()] * 3
        return [self.emotion, self.clips, *shown]


class Scores(Options):
    """Scores over one set of clips.

    Attributes:
        clips: number of clips.
        speakers: number of different speakers.
        accuracy: share of correct decisions.
        uar: mean recall over the classes present (balanced accuracy): the headline.
        macro_f1: mean F1 over the classes present.
        ece: expected calibration error of the stated probabilities, 15 equal-width bins.
        ece_before: the same without the temperature; None where the model has none.
        answered: share of clips whose confidence reaches the model's threshold; None without one.
        answered_accuracy: share of correct decisions among these; None where there are none.
        error_distance: mean distance of wrong decisions, None where the task has no matrix.
        classes: one entry per class of the task, in its order.
        confusion: counts, rows are true classes, columns decisions.
        confound_accuracy: accuracy of always guessing the corpus's most frequent training class.
        confound_uar: UAR of the same guess.
        interval: how the intervals were made, in words.
    """

    clips: int
    speakers: int
    accuracy: Estimate
    uar: Estimate
    macro_f1: Estimate
    ece: float
    ece_before: float | None = None
    answered: float | None = None
    answered_accuracy: float | None = None
    error_distance: float | None
    classes: tuple[ClassScore, ...]
    confusion: tuple[tuple[int, ...], ...]
    confound_accuracy: float
    confound_uar: float
    interval: str

    @property
    def line(self) -> str:
        """UAR with its interval, clips and speakers, in words."""
        return f"UAR {self.uar}, {plural(self.clips, 'clip')} of {people(self.speakers)}"

    def __repr__(self) -> str:
        """One line: UAR with its interval, clips and speakers."""
        return f"Scores({self.line})"

    __str__ = __repr__

    def _repr_html_(self) -> str:
        """A table for a notebook: precision, recall and F1 of each emotion, the other scores below."""
        rows = [each.cells for each in self.classes]
        columns = ["emotion", "clips", "precision", "recall", "F1"]
        notes = [
            f"Accuracy {self.accuracy}, macro-F1 {self.macro_f1}, calibration error {self.ece:.3f}.",
            sentence(self.interval),
        ]
        return html_table(table_of(self.line, columns, rows, notes=notes), sortable=False)


class GroupScores(Options):
    """Scores of one group of clips, as of one corpus or one speaker.

    Attributes:
        by: what the groups are made by.
        name: of the group.
        clips: number of clips.
        speakers: number of different speakers.
        accuracy: share of correct decisions.
        uar: mean recall over the classes present.
        macro_f1: mean F1 over the classes present.
        emotions: number of classes present; None in scores from before it was kept.
    """

    by: GroupKind
    name: str
    clips: int
    speakers: int
    accuracy: float
    uar: float
    macro_f1: float
    emotions: int | None = None


class PartScores(Options):
    """Scores of one part of a split.

    Attributes:
        pooled: over all its clips.
        groups: by corpus, language, gender, intensity, modality and speaker.
    """

    pooled: Scores
    macro_corpora: dict[str, float] = Field(
        description="accuracy, uar, macro_f1: means over the corpora of the part"
    )
    concordance: dict[str, float | None] = Field(
        default_factory=dict,
        description="valence, arousal, dominance: concordance correlation over rated clips; None without two",
    )
    groups: tuple[GroupScores, ...] = ()
    ratings: tuple[RatingScores, ...] = Field((), description="by dimension: all clips, then each group")
    votes: VoteScores | None = Field(default=None, description="None where no clip has votes")

    def __repr__(self) -> str:
        """One line: UAR with its interval, clips and speakers."""
        return f"PartScores({self.pooled.line})"

    __str__ = __repr__

    def _repr_html_(self) -> str:
        """A table for a notebook: all clips, then each emotion."""
        return self.pooled._repr_html_()


class Certainty(Options):
    """What a model's validation clips say of how sure it should be.

    Attributes:
        temperature: probabilities are stated as ``p^(1/T)``, scaled to sum to 1.
        abstain_below: confidence below which the model should abstain; None where no threshold halves its
            errors, or too few clips stand behind it.
    """

    temperature: float
    abstain_below: float | None = None


class RunScores(Options):
    """All scores of a run.

    Attributes:
        parts: keyed by train, validation, test; empty for a run whose targets are ratings.
        rated: likewise, of such a run.
        certainty: of the run's model; None without validation clips, and for folds, which have one each.
    """

    schema_version: Literal[1] = RESULT_SCHEMA
    parts: dict[str, PartScores]
    rated: dict[str, RatedPart] = Field(default_factory=dict)
    certainty: Certainty | None = None

    @property
    def by_part(self) -> str:
        """UAR, or mean concordance of ratings, of each part, in words."""
        told = [f"{part} {found.pooled.uar.value:.3f}" for part, found in self.parts.items()]
        rated = [f"{part} {found.mean}" for part, found in self.rated.items()]
        return f"mean CCC: {', '.join(rated)}" if rated else f"UAR: {', '.join(told)}"

    def table(self, title: str, notes: Sequence[str] = ()) -> Table:
        """Scores with their intervals, one row for each part, or for each dimension that was rated in it."""
        if self.rated:
            rated = [[part, *each.cells] for part, found in self.rated.items() for each in found.pooled]
            return table_of(title, ["part", *RATED_COLUMNS], rated, notes=notes)
        rows = [
            [part, each.clips, each.speakers, str(each.accuracy), str(each.uar), str(each.macro_f1)]
            for part, each in ((part, found.pooled) for part, found in self.parts.items())
        ]
        columns = ["part", "clips", "speakers", "accuracy", "UAR", "macro-F1"]
        return table_of(title, columns, rows, notes=notes)

    def __repr__(self) -> str:
        """One line: UAR, or mean concordance, by part."""
        return f"RunScores({self.by_part})"

    __str__ = __repr__

    def _repr_html_(self) -> str:
        """A table for a notebook."""
        return html_table(self.table("Scores by part"), sortable=False)


class Latency(Options):
    """``latency.json``: time of one decision on a clip of three seconds, warm, one at a time.

    Attributes:
        front_end_ms: from samples to the model's input.
        network_ms: from input to probabilities.
        threads: of the process.
    """

    schema_version: Literal[1] = RESULT_SCHEMA
    front_end_ms: float
    network_ms: float
    threads: int


class SplitInfo(Options):
    """Which split a run was made under.

    Attributes:
        name: as in ``--split``.
        digest: of the split file.
        leaks_speakers: the same people stand in training and test.
        note: what a reader must know of it, one sentence.
        fold: number of the fold, which may be the name of another one; ``all``, or None where the split has
            none.
    """

    name: str
    digest: str
    leaks_speakers: bool
    note: str
    fold: str | None = None

    @property
    def number(self) -> int | None:
        """Number of the fold; None where the split has none. Not to be asked of ``all``."""
        return None if self.fold is None else int(self.fold)


def _choices(value: Any) -> Any:
    """Runs from before there could be several encoders have one choice, or None."""
    return () if value is None else (value,) if isinstance(value, dict) else value


class RunInfo(Options):
    """``settings.json``: all that repeats a run.

    Attributes:
        name: of the run folder.
        created: ISO 8601 with zone.
        command: as typed.
        model: architecture.
        recipe: all options, as in ``ser.toml``.
        emotions: class names, in the order of the outputs; none in a run whose targets are ratings.
        merges: emotion -> emotion it counts as.
        split: that it was made under.
        manifest_digest: of ``manifest.parquet``.
        store_kind: of the store it learned from.
        store_fingerprint: name of that store's folder.
        counts: clips by part.
        class_counts: part -> clips by class, in the order of ``emotions``.
        corpora: corpus ids that the clips come from.
        train_corpora: of these, and of recordings without a label, those it learned from; empty in runs of
            before they were kept.
        languages: of the clips.
        synthetic: some of the recordings were made by ``ser corpora synth``.
        best_epoch: the epoch whose weights were kept, counted from 1.
        stopped: why training ended, in words.
        seconds: wall time of training.
        parameters: of the network.
        layer_choice: how layers of encoders were chosen; empty where they were given, or there are none.
        teacher: the run whose probabilities it learned as well; None where it had no teacher.
        versions: library -> version.
        extra: what else the training says.
    """

    schema_version: Literal[1] = RESULT_SCHEMA
    name: str
    created: str
    command: str
    model: str
    recipe: Recipe
    emotions: tuple[str, ...]
    merges: dict[str, str]
    split: SplitInfo
    manifest_digest: str
    store_kind: str
    store_fingerprint: str
    counts: dict[str, int]
    class_counts: dict[str, tuple[int, ...]]
    corpora: tuple[str, ...]
    train_corpora: tuple[str, ...] = ()
    languages: tuple[str, ...]
    synthetic: bool
    best_epoch: int | None = None
    stopped: str | None = None
    seconds: float | None = None
    parameters: int
    layer_choice: Annotated[tuple[LayerChoice, ...], BeforeValidator(_choices)] = ()
    teacher: TeacherInfo | None = None
    versions: dict[str, str]
    extra: dict[str, Any] = Field(default_factory=dict)

    def __repr__(self) -> str:
        """One line: name, model, task and split."""
        return f"RunInfo({self.name}: {self.model}, {self.recipe.about}, split {self.split.name})"

    @property
    def learned_from(self) -> tuple[str, ...]:
        """Corpora it learned from, as far as the run tells them from those it was tested on."""
        return self.train_corpora or self.recipe.train_corpora or self.corpora

    @property
    def words(self) -> str:
        """What it tells of a clip: emotions, or the ratings that are its target."""
        return ", ".join(self.emotions or self.recipe.target)

    @property
    def layers(self) -> str:
        """Which layers of encoders the run learns from, and how they were chosen; "" for other inputs."""
        if not {"embeddings", "frames", "waves"} & {part.kind for part in self.recipe.parts}:
            return ""
        choices = {choice.encoder: choice for choice in self.layer_choice}
        said = []
        pairs = zip(self.recipe.encoders, self.recipe.encoder_layers, strict=True)
        for number, (encoder, layers) in enumerate(pairs):
            if layers == "best":
                said.append(f"layers of {encoder.name}, chosen for each fold by its validation clips")
                continue
            how = ""
            if number in choices:
                tried = len(choices[number].tried)
                how = f", the best of {tried} choices by {choices[number].how}"
            said.append(f"{layers_in_words(encoder.layers)} of {encoder.name}{how}")
        return "; ".join(said)

    @property
    def taught(self) -> str:
        """Who taught the network, and how, in sentences; "" where it learned from labels alone."""
        return "" if self.teacher is None else self.teacher.sentences(self.recipe.train)

    __str__ = __repr__
