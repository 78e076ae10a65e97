"""Compare finished runs on the same test clips, from their result files alone."""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

import numpy as np

from ser_pipeline.arrays import Int64s, Strings, texts_of
from ser_pipeline.corpora.languages import in_language
from ser_pipeline.errors import RunError, some
from ser_pipeline.evaluation.compare_listeners import Sums, rating_sums, vote_sums
from ser_pipeline.manifest import Manifest
from ser_pipeline.metrics import Comparison, compare, holm, speaker_confusions, verdict
from ser_pipeline.options import deciding
from ser_pipeline.records import named_among
from ser_pipeline.runs.files import finished_info, read_info
from ser_pipeline.runs.predictions import read_part
from ser_pipeline.runs.types import ALL_FOLDS, RunInfo
from ser_pipeline.tables.cells import plural

Answer = Literal["higher", "lower", "not decidable here"]
"""How the second arm scores, beside the first."""

SCORES_SHOWN: Final = ("uar", "accuracy", "macro_f1")


@dataclass(frozen=True)
class Decided:
    """The decisions of a run on its test clips.

    Attributes:
        clips: utterance ids, sorted, shape ``(clips,)``.
        target: true class numbers, shape ``(clips,)``.
        predicted: decided class numbers, shape ``(clips,)``.
        emotions: class names.
    """

    clips: Strings
    target: Int64s
    predicted: Int64s
    emotions: tuple[str, ...]


@dataclass
class RunDecisions:
    """Test decisions of runs by key, read once.

    Attributes:
        folder: of the run of a key.
        manifest: of the recordings.
    """

    folder: Callable[[str], Path]
    manifest: Manifest
    _read: dict[str, Decided] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Sort what is looked up by utterance."""
        table = self.manifest.table.select(["utterance_id", "speaker_id", "corpus", "language"])
        table = table.sort_by("utterance_id")
        self._facts = {name: texts_of(table[name]) for name in table.column_names}

    def of(self, key: str) -> Decided:
        """Decisions of a run that is scored."""
        if key not in self._read:
            self._read[key] = read_decided(self.folder(key))
        return self._read[key]

    def fact(self, clips: Strings, name: str) -> Strings:
        """``speaker_id``, ``corpus`` or ``language`` of some clips, shape ``(clips,)``."""
        values: Strings = self._facts[name][np.searchsorted(self._facts["utterance_id"], clips)]
        return values

    def common(
        self, keys: Sequence[str], *, corpora: Sequence[str] = (), languages: Sequence[str] = ()
    ) -> Strings:
        """Clips that every one of some runs was tested on.

        Args:
            keys: of runs that are scored.
            corpora: only clips of these; none takes all.
            languages: only clips of these; ``en`` takes ``en-US`` too.
        """
        clips = self.of(keys[0]).clips
        for key in keys[1:]:
            clips = np.intersect1d(clips, self.of(key).clips, assume_unique=True)
        if corpora:
            clips = clips[np.isin(self.fact(clips, "corpus"), list(corpora))]
        if languages:
            tags = self.fact(clips, "language")
            spoken = [tag for tag in {*tags.tolist()} if any(in_language(tag, each) for each in languages)]
            clips = clips[np.isin(tags, spoken)]
        return clips

    def people(self, clips: Strings) -> int:
        """How many known speakers some clips are of."""
        return len(named_among(np.unique(self.fact(clips, "speaker_id")).tolist()))

    def counts(self, keys: Sequence[str], clips: Strings) -> Int64s:
        """Count decisions on some clips by speaker, as :func:`ser_pipeline.metrics.speaker_confusions` does.

        Args:
            keys: of the seeds of an arm.
            clips: that all of them were tested on, sorted.

        Returns:
            Shape ``(seeds, drawn, classes, classes)``.
        """
        speakers, found = self.fact(clips, "speaker_id"), []
        for key in keys:
            tested = self.of(key)
            place = np.searchsorted(tested.clips, clips)
            classes = len(tested.emotions)
            found.append(
                speaker_confusions(tested.target[place], tested.predicted[place], speakers, classes)[0]
            )
        return np.stack(found)


@dataclass(frozen=True)
class ComparedArm:
    """Runs that differ in their seed alone.

    Attributes:
        name: of the run, or of the first and how many there are.
        folders: of the runs.
        split: its name, with the fold if there are any, and its digest.
        leaks: some of its test speakers were heard in training.
        synthetic: it was trained on synthetic voices.
    """

    name: str
    folders: tuple[Path, ...]
    split: tuple[str, str]
    leaks: bool
    synthetic: bool


@dataclass(frozen=True)
class ComparedScore:
    """One score of an arm beside that of the first.

    Attributes:
        arm: that is compared with the first one.
        score: ``uar``, ``accuracy`` or ``macro_f1``; ``ccc`` and a dimension; or ``cross_entropy``, of
            probabilities against the votes of listeners.
        found: its ``first`` is the arm, its ``second`` the arm it is compared with.
        clips: that it is of.
        corrected_p: over all arms, for this score.
        answer: in words.
    """

    arm: ComparedArm
    score: str
    found: Comparison
    clips: int
    corrected_p: float
    answer: Answer


@dataclass(frozen=True)
class Compared:
    """What came of it.

    Attributes:
        base: the arm that others are compared with.
        scores: by arm, then by score.
        clips: that all runs were tested on.
        left_out: test clips of some runs that others were not tested on.
    """

    base: ComparedArm
    scores: tuple[ComparedScore, ...]
    clips: int
    left_out: int


def read_decided(folder: Path) -> Decided:
    """Read the test decisions of a run.

    Raises:
        RunError: its result files are missing or damaged.
    """
    emotions = read_info(folder).emotions
    found = read_part(folder, emotions, "test")
    clips = np.asarray(found.clips, np.str_)
    order = np.argsort(clips, kind="stable")
    return Decided(clips[order], found.target[order], found.predicted[order], emotions)


def compare_runs(folders: Sequence[Path], manifest: Manifest) -> Compared:
    """Compare runs with the first one.

    Runs whose settings differ in the seed alone count as one arm, and its interval draws seeds as well;
    where all given runs are such, each is an arm of its own.

    Args:
        folders: of two runs or more.
        manifest: that they were trained on; it knows who speaks.

    Raises:
        RunError: fewer than two runs, one that is not scored, one that repeats another's seed, or runs of
            other recordings, or that predict neither the same emotions nor a dimension in common.
    """
    infos = {folder: finished_info(folder) for folder in dict.fromkeys(folders)}
    if twice := [folder for folder, count in Counter(folders).items() if count > 1]:
        raise RunError(f"{twice[0]}: is named twice; a comparison needs different runs")
    if len(infos) < 2:
        raise RunError("a comparison needs two runs; give their names, as in 'ser compare first second'")
    _check(infos, manifest)
    arms, told = _arms(infos), all(info.emotions for info in infos.values())
    rows, tested, other = _of_decisions(arms, infos, manifest) if told else ([], np.zeros(0, np.str_), 0)
    for sums in (*rating_sums(infos, manifest), *(vote_sums(infos, manifest) if told else ())):
        if len(sums.clips):
            rows += _of_sums(arms, sums)
        if not told and len(sums.clips) >= len(tested):
            tested, other = sums.clips, sums.left_out
    if not rows:
        raise RunError(f"{some([folder.name for folder in infos])}: no clip was tested by all of these runs")
    rows.sort(key=lambda row: arms.index(row.arm))
    return Compared(arms[0], tuple(rows), len(tested), other)


def _of_decisions(
    arms: Sequence[ComparedArm], infos: Mapping[Path, RunInfo], manifest: Manifest
) -> tuple[list[ComparedScore], Strings, int]:
    """Scores of decisions, with the clips that all runs decided on and how many only some did."""
    decisions, keys = RunDecisions(Path, manifest), [str(folder) for folder in infos]
    clips = decisions.common(keys)
    if not len(clips):
        return [], clips, 0
    every = {clip for key in keys for clip in decisions.of(key).clips.tolist()}
    counts = [decisions.counts([str(folder) for folder in arm.folders], clips) for arm in arms]
    people = decisions.people(clips)
    found = [compare(each, counts[0], people=people) for each in counts[1:]]
    rows = [
        row
        for score in SCORES_SHOWN
        for row in _rows(arms, score, [each[score] for each in found], len(clips))
    ]
    return rows, clips, len(every) - len(clips)


def _of_sums(arms: Sequence[ComparedArm], sums: Sums) -> list[ComparedScore]:
    base, truth = sums.arm(arms[0].folders), list(sums.truth)
    found = [
        compare(
            sums.arm(arm.folders),
            base,
            scores={sums.score: sums.of},
            truth=lambda each: each[..., truth],
            people=sums.people,
        )
        for arm in arms[1:]
    ]
    return _rows(arms, sums.score, [each[sums.score] for each in found], len(sums.clips))


def _rows(
    arms: Sequence[ComparedArm], score: str, found: Sequence[Comparison], clips: int
) -> list[ComparedScore]:
    """One score of all arms but the first."""
    corrected = holm([each.p for each in found]).tolist()
    return [
        ComparedScore(arm, score, each, clips, p, _answer(each, p))
        for arm, each, p in zip(arms[1:], found, corrected, strict=True)
    ]


def _answer(found: Comparison, p: float) -> Answer:
    if verdict(found, p) == "holds":
        return "higher"
    low, high = found.low, found.high
    turned = Comparison(
        first=found.second,
        second=found.first,
        difference=-found.difference,
        low=None if high is None else -high,
        high=None if low is None else -low,
        p=found.p,
        speakers=found.speakers,
        seeds=found.seeds[::-1],
    )
    return "lower" if verdict(turned, p) == "holds" else "not decidable here"


def _check(infos: Mapping[Path, RunInfo], manifest: Manifest) -> None:
    first = next(iter(infos.values()))
    for folder, info in infos.items():
        if info.manifest_digest != manifest.digest:
            raise RunError(
                f"{folder}: was trained on other recordings than the manifest holds; "
                "pass --manifests with its own"
            )
        alone = not (info.emotions and first.emotions)
        same = info.emotions == first.emotions and not alone
        if not same and not (alone and {*info.recipe.rated} & {*first.recipe.rated}):
            raise RunError(
                f"{folder}: predicts {info.words}, but {first.name} predicts {first.words}; only runs that "
                "predict the same emotions, or ratings in common, can be compared"
            )


def _arms(infos: dict[Path, RunInfo]) -> list[ComparedArm]:
    """Runs by what decides their numbers; where a seed repeats, by all that their settings say."""

    def decides(folder: Path) -> str:
        info = infos[folder]
        settings = {name: value for name, value in deciding(info.recipe).items() if name != "train.seed"}
        members = [each["digest"] for each in info.extra.get("members", ())]
        return json.dumps([settings, info.split.digest, info.split.fold, members], sort_keys=True)

    def says(folder: Path) -> str:
        recipe = infos[folder].recipe
        train = recipe.train.model_copy(update={"seed": 0})
        return recipe.model_copy(update={"train": train}).model_dump_json()

    kept = list[list[Path]]()
    for alike in _grouped(infos, decides):
        kept += [alike] if _repeats(alike, infos) is None else _grouped(alike, says)
    if len(kept) == 1:
        return [_arm([folder], infos) for folder in infos]
    for folders in kept:
        if found := _repeats(folders, infos):
            before, again = found
            raise RunError(
                f"{again}: has the settings and the seed of {before.name}, so it is not another seed; "
                "pass one of the two"
            )
    return [_arm(folders, infos) for folders in kept]


def _repeats(folders: Sequence[Path], infos: Mapping[Path, RunInfo]) -> tuple[Path, Path] | None:
    """Two runs with the same seed, if there are any."""
    first: dict[int, Path] = {}
    for folder in folders:
        before = first.setdefault(infos[folder].recipe.train.seed, folder)
        if before is not folder:
            return before, folder
    return None


def _grouped(folders: Iterable[Path], by: Callable[[Path], str]) -> list[list[Path]]:
    groups: dict[str, list[Path]] = {}
    for folder in folders:
        groups.setdefault(by(folder), []).append(folder)
    return [*groups.values()]


def _arm(folders: list[Path], infos: dict[Path, RunInfo]) -> ComparedArm:
    found = [infos[folder] for folder in folders]
    more = f" and {plural(len(folders) - 1, 'more seed')}" if len(folders) > 1 else ""
    return ComparedArm(
        name=f"{folders[0].name}{more}",
        folders=tuple(folders),
        split=(_split_in_words(found[0]), found[0].split.digest),
        leaks=any(info.split.leaks_speakers for info in found),
        synthetic=any(info.synthetic for info in found),
    )


def _split_in_words(info: RunInfo) -> str:
    name, fold = info.split.name, info.split.fold
    return name if fold is None else f"{name}, {'all folds' if fold == ALL_FOLDS else f'fold number {fold}'}"
