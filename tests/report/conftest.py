"""Small fake manifests, splits and runs: result files as the other rooms write them."""

import hashlib
import itertools
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ser_pipeline.labels import emotion_id
from ser_pipeline.manifest.digest import digest_file
from ser_pipeline.manifest.read import MANIFEST_NAME, REJECTS_NAME, Manifest
from ser_pipeline.manifest.schema import REJECT_SCHEMA, SCHEMA, SPLIT_SCHEMA, write_table
from ser_pipeline.metrics import scores
from ser_pipeline.options import MODELS, merged, recipe
from ser_pipeline.report.sources import Data
from ser_pipeline.runs.curves import METRIC_COLUMNS
from ser_pipeline.runs.explanation import (
    EffectTable,
    Explanation,
    FeatureImportance,
    FeatureName,
    FeaturePair,
    Interval,
    LanguageEffect,
    LanguagePair,
    ProfileCell,
    ProfileSummary,
)
from ser_pipeline.runs.types import (
    ClassScore,
    Estimate,
    GroupScores,
    PartScores,
    RunInfo,
    RunScores,
    Scores,
    SplitInfo,
)

CODES = {
    "emodb": ("de", {"W": "anger", "F": "happiness", "N": "neutral", "T": "sadness", "L": "boredom"}),
    "nemo": ("pl", {"anger": "anger", "happiness": "happiness", "neutral": "neutral", "sadness": "sadness"}),
}


def manifest_rows(
    codes: dict[str, tuple[str, dict[str, str]]] = CODES, speakers: int = 5, takes: int = 2
) -> list[dict[str, Any]]:
    rng = np.random.default_rng(7)
    return [
        {
            "utterance_id": f"{corpus}/{person:02d}-{code}-{take}",
            "corpus": corpus,
            "audio_digest": hashlib.blake2b(
                f"{corpus}{person}{code}{take}".encode(), digest_size=16
            ).hexdigest(),
            "source_label": code,
            "emotion_id": emotion_id(emotion),
            "intensity": "normal" if take % 2 else "high",
            "speaker_id": f"{corpus}-{person:02d}",
            "gender": "female" if person % 2 else "male",
            "age": 20 + person if corpus == "emodb" else None,
            "language": language,
            "modality": "speech",
            "style": "acted",
            "duration_s": float(rng.gamma(6, 0.5) + 0.4),
            "sample_rate": 16_000,
        }
        for corpus, (language, labels) in codes.items()
        for person in range(1, speakers + 1)
        for code, emotion in labels.items()
        for take in range(takes)
    ]


def write_manifest(
    folder: Path,
    rows: Sequence[dict[str, Any]],
    rejects: Sequence[tuple[str, str, str]] = (),
    **facts: Any,
) -> Path:
    full = [{"path": f"{row['utterance_id']}.wav", "channels": 1, **row} for row in rows]
    table = pa.Table.from_pylist([{name: row.get(name) for name in SCHEMA.names} for row in full], SCHEMA)
    if facts.get("synthetic"):
        facts.setdefault("synthetic_corpora", sorted({row["corpus"] for row in rows}))
    write_table(table, facts, folder / MANIFEST_NAME)
    columns = dict(zip(REJECT_SCHEMA.names, zip(*rejects, strict=True), strict=True)) if rejects else {}
    write_table(
        pa.Table.from_pydict(columns, REJECT_SCHEMA) if columns else REJECT_SCHEMA.empty_table(),
        {},
        folder / REJECTS_NAME,
    )
    return folder


def digest_of(manifests: Path) -> str:
    return digest_file(manifests / MANIFEST_NAME)


def write_split(
    manifests: Path,
    name: str,
    rows: Sequence[dict[str, Any]],
    part_of: Callable[[dict[str, Any]], str],
    fold_of: Callable[[dict[str, Any]], int | None] = lambda row: None,
    **facts: Any,
) -> None:
    folds = [fold_of(row) for row in rows]
    columns = [[row["utterance_id"] for row in rows], [part_of(row) for row in rows], folds]
    described = {
        "name": name,
        "kind": "published",
        "seed": 0,
        "ratios": [60, 20, 20],
        "k": 5,
        "folds": [str(fold) for fold in sorted({fold for fold in folds if fold is not None})],
        "manifest_digest": digest_of(manifests),
        "leaks_speakers": False,
        "note": "",
    } | facts
    write_table(pa.table(columns, SPLIT_SCHEMA), described, manifests / "splits" / f"{name}.parquet")


def by_speaker(row: dict[str, Any]) -> str:
    person = int(row["speaker_id"].rsplit("-", 1)[1]) % 5
    return "test" if person == 0 else "validation" if person == 4 else "train"


def untested(rows: Sequence[dict[str, Any]], *emotions: str) -> list[dict[str, Any]]:
    """The rows without the test clips of some emotions."""
    ids = [emotion_id(name) for name in emotions]
    return [row for row in rows if by_speaker(row) != "test" or row["emotion_id"] not in ids]


def predictions_of(
    rows: Sequence[dict[str, Any]],
    emotions: Sequence[str],
    part_of: Callable[[dict[str, Any]], str],
    skill: float,
) -> pa.Table:
    rng = np.random.default_rng(round(1000 * skill))
    ids = [emotion_id(name) for name in emotions]
    usable = [row for row in rows if row["emotion_id"] in ids]
    target = np.array([ids.index(row["emotion_id"]) for row in usable])
    logits = rng.normal(0, 1, (len(usable), len(ids))) + skill * 4 * np.eye(len(ids))[target]
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return pa.table(
        {
            "utterance_id": [row["utterance_id"] for row in usable],
            "part": [part_of(row) for row in usable],
            "fold": pa.array([None] * len(usable), pa.int16()),
            "target": target,
            "predicted": probabilities.argmax(axis=1),
            **{f"p_{name}": probabilities[:, place] for place, name in enumerate(emotions)},
        }
    )


def _estimate(value: float) -> Estimate:
    return Estimate(value=value, low=max(0.0, value - 0.06), high=min(1.0, value + 0.05))


def scores_of(target: np.ndarray, predicted: np.ndarray, emotions: Sequence[str], people: int) -> Scores:
    confusion = scores.confusion_matrix(target, predicted, len(emotions))
    each = (scores.precision(confusion), scores.recall(confusion), scores.f1(confusion), confusion.sum(1))
    return Scores(
        clips=len(target),
        speakers=people,
        accuracy=_estimate(float(np.mean(target == predicted))),
        uar=_estimate(float(scores.uar(confusion))),
        macro_f1=_estimate(float(scores.macro_f1(confusion))),
        ece=0.123,
        error_distance=0.745,
        classes=tuple(
            ClassScore(emotion=name, precision=p, recall=r, f1=f, clips=int(n))
            for name, p, r, f, n in zip(emotions, *each, strict=True)
        ),
        confusion=tuple(tuple(map(int, row)) for row in confusion),
        confound_accuracy=0.31,
        confound_uar=0.25,
        interval="95 %, bootstrap over speakers, 1,000 draws",
    )


def _groups(
    rows: Sequence[dict[str, Any]], target: np.ndarray, predicted: np.ndarray, classes: int
) -> list[GroupScores]:
    kinds = {
        "corpus": "corpus", "language": "language", "gender": "gender", "intensity": "intensity",
        "modality": "modality", "speaker": "speaker_id",
    }  # fmt: skip
    found = []
    for by, column in kinds.items():
        values = np.array([row[column] for row in rows])
        for value in sorted(set(values.tolist())):
            at = values == value
            confusion = scores.confusion_matrix(target[at], predicted[at], classes)
            found.append(
                GroupScores(
                    by=by,
                    name=value,
                    clips=int(at.sum()),
                    speakers=len({row["speaker_id"] for row, inside in zip(rows, at, strict=True) if inside}),
                    accuracy=float(np.mean(target[at] == predicted[at])),
                    uar=float(scores.uar(confusion)),
                    macro_f1=float(scores.macro_f1(confusion)),
                    emotions=int(confusion.any(1).sum()),
                )
            )
    return found


def write_run(
    runs: Path,
    name: str,
    rows: Sequence[dict[str, Any]],
    manifest_digest: str,
    *,
    part_of: Callable[[dict[str, Any]], str] = by_speaker,
    preset: str = "default",
    task: str = "4class",
    skill: float = 0.4,
    finished: bool = True,
    epochs: int = 12,
    **changes: Any,
) -> Path:
    folder = runs / name
    folder.mkdir(parents=True)
    said = changes.pop("recipe", {})
    if changes.get("model") in MODELS:
        said = merged({"model": {"name": changes["model"]}}, said)
    made = recipe(preset, task=task, **said)
    size = {"4class": 4, "6class": 6}[task]
    emotions = ("anger", "happiness", "neutral", "sadness", "fear", "surprise")[:size]
    table = predictions_of(rows, emotions, part_of, skill)
    by_id = {row["utterance_id"]: row for row in rows}
    parts = {}
    counts, class_counts = {}, {}
    for part in ("train", "validation", "test"):
        inside = np.array(table["part"].to_pylist()) == part
        if not inside.any():
            continue
        chosen = table.filter(pa.array(inside))
        target, predicted = chosen["target"].to_numpy(), chosen["predicted"].to_numpy()
        clips = [by_id[identity] for identity in chosen["utterance_id"].to_pylist()]
        people = len({row["speaker_id"] for row in clips})
        pooled = scores_of(target, predicted, emotions, people)
        means = {
            "uar": pooled.uar.value,
            "accuracy": pooled.accuracy.value,
            "macro_f1": pooled.macro_f1.value,
        }
        parts[part] = PartScores(
            pooled=pooled, macro_corpora=means, groups=tuple(_groups(clips, target, predicted, size))
        )
        counts[part] = len(target)
        class_counts[part] = tuple(int(n) for n in np.bincount(target, minlength=size))
    info = {
        "name": name,
        "created": "2026-01-02T03:04:05+00:00",
        "command": f"ser train crnn --task {task}",
        "model": "crnn",
        "recipe": made,
        "emotions": emotions,
        "merges": {},
        "split": SplitInfo(name="speaker", digest="ab12", leaks_speakers=False, note="whole speakers"),
        "manifest_digest": manifest_digest,
        "store_kind": "mels",
        "store_fingerprint": "0123456789abcdef",
        "counts": counts,
        "class_counts": class_counts,
        "corpora": tuple(sorted({row["corpus"] for row in rows})),
        "languages": tuple(sorted({row["language"] for row in rows})),
        "synthetic": False,
        "best_epoch": 9,
        "stopped": "validation UAR did not improve for 28 epochs",
        "seconds": 754.0,
        "parameters": 2_227_589,
        "versions": {"torch": "2.13.0", "numpy": "2.4.6"},
    } | changes
    (folder / "settings.json").write_text(RunInfo(**info).model_dump_json(), encoding="utf-8")
    _write_metrics(folder / "metrics.csv", epochs, skill)
    if finished:
        pq.write_table(table, folder / "predictions.parquet")
        (folder / "scores.json").write_text(RunScores(parts=parts).model_dump_json(), encoding="utf-8")
        (folder / "model.safetensors").write_bytes(b"x" * 8_910_000)
    return folder


def _write_metrics(path: Path, epochs: int, skill: float) -> None:
    rng = np.random.default_rng(3)
    lines = [",".join(METRIC_COLUMNS)]
    for epoch in range(1, epochs + 1):
        rise = 1 - np.exp(-epoch / (epochs / 3))
        noise = rng.normal(0, 0.015, 5)
        values = (
            1.4 - 0.9 * rise + noise[0], 0.25 + 0.7 * rise + noise[1], 1.4 - (0.3 + skill) * rise + noise[2],
            0.25 + skill * rise + noise[3], 0.25 + skill * rise + noise[4], 0.001, 21.5, 3.1,
        )  # fmt: skip
        lines.append(",".join([str(epoch), *(f"{value:.5f}" for value in values)]))
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def explanation_of(
    emotions: Sequence[str] = ("anger", "happiness", "neutral", "sadness"),
    names: Sequence[str] = ("pitch_st_mean", "pitch_hz_std", "level_mean", "tempo"),
    groups: Sequence[str] = ("pitch", "pitch", "energy", "rhythm"),
    languages: Sequence[str] = ("de", "pl"),
    **changes: Any,
) -> Explanation:
    """An explanation with numbers that can be told apart: feature ``n`` drops ``5 - 2 n`` points."""
    held = list(dict.fromkeys(groups))
    count = len(emotions)

    def drop(name: str, place: int) -> FeatureImportance:
        value = (5 - 2 * place) / 100
        inside = Interval(value=value, low=value - 0.02, high=value + 0.03)
        return FeatureImportance(name=name, drop=inside, spread=0.011)

    def effects(language: str | None, shift: float) -> EffectTable:
        values = [[(-1) ** e * (1.5 - 0.5 * n) + shift for e in range(count)] for n in range(len(names))]
        values[-1] = [None] * count
        low, high = (
            [[None if v is None else v + side for v in row] for row in values] for side in (-0.3, 0.4)
        )
        return EffectTable(language=language, clips=90, speakers=9, values=values, low=low, high=high)

    effect = Interval(value=1.25, low=0.5, high=2.0)
    cells = tuple(
        ProfileCell(
            property=row, emotion=emotion, features=("pitch_st_mean", "-other"), direction=direction,
            sources=("Author 1999",) if direction != "not stated" else (), effect=effect, verdict=verdict,
            by_language=tuple(
                LanguageEffect(language=tag, effect=effect if tag == "de" else None, verdict="not compared")
                for tag in languages
            ),
        )
        for row, emotion, direction, verdict in (
            ("mean pitch", "anger", "up", "agrees"),
            ("mean pitch", "sadness", "down", "opposes"),
            ("speech rate", "anger", "mixed", "not compared"),
            ("speech rate", "sadness", "not stated", "not compared"),
        )
    )  # fmt: skip
    facts = {
        "part": "test", "clips": 36, "speakers": 2, "seed": 0, "repeats": 20, "emotions": emotions,
        "features": [
            FeatureName(name=name, unit="Hz", group=group) for name, group in zip(names, groups, strict=True)
        ],
        "groups": held,
        "uar": Interval(value=0.61, low=0.5, high=0.7),
        "importances": [drop(name, place) for place, name in enumerate(names)],
        "group_importances": [drop(name, place) for place, name in enumerate(held)],
        "effects": [effects(None, 0.0), *(effects(tag, 0.1) for tag in languages)],
        "languages": [
            LanguagePair(
                first=first, second=second, similarity=[*(0.5 - 0.3 * e for e in range(count - 1)), None]
            )
            for first, second in itertools.combinations(languages, 2)
        ],
        "group_correlations": [[1.0 if a == b else 0.25 for a in held] for b in held],
        "closest": [FeaturePair(first=names[0], second=names[1], correlation=-0.987)],
        "profiles": cells,
        "summary": ProfileSummary(agrees=1, opposes=1, unclear=3, chance=0.75),
        "importance_interval": "how drops were drawn", "effect_interval": "how effects were drawn",
        "notes": ["a remark"],
    } | changes  # fmt: skip
    return Explanation(**facts)


def data_of(digest: str = "d") -> Data:
    """A manifest without a row, which knows the corpora that are shipped."""
    return Data(Manifest(SCHEMA.empty_table(), digest, Path(MANIFEST_NAME), {}), REJECT_SCHEMA.empty_table())


def write_manifests(folder: Path, rows: Sequence[dict[str, Any]]) -> Path:
    write_manifest(
        folder,
        rows,
        [
            ("emodb", "EmoDB/wav/03a01Fb.wav", "duplicate audio of emodb/wav/03a01Fa"),
            ("nemo", "nEMO/samples/bad.wav", "name does not follow 'WR0_surprised_64.wav'"),
        ],
    )
    write_split(
        folder, "speaker", rows, by_speaker, note="whole speakers, balanced within each corpus", seed=0
    )
    write_split(
        folder,
        "stratified",
        rows,
        lambda row: "test" if row["utterance_id"].endswith("1") else "train",
        leaks_speakers=True,
        note="the speakers of the test clips were heard in training",
    )
    return folder


@pytest.fixture(scope="session")
def fake() -> SimpleNamespace:
    """Writers of fake result files."""
    return SimpleNamespace(
        rows=manifest_rows,
        manifest=write_manifest,
        manifests=write_manifests,
        split=write_split,
        run=write_run,
        by_speaker=by_speaker,
        digest=digest_of,
        explanation=explanation_of,
        data=data_of,
    )


@pytest.fixture
def no_drawings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave drawings blank where a test is about words and numbers: they are most of the time."""
    blank = b'<svg xmlns="http://www.w3.org/2000/svg" width="1pt" height="1pt"/>'
    monkeypatch.setattr("ser_pipeline.report.drawing._rendered", lambda _: {"svg": blank})


@pytest.fixture
def rows() -> list[dict[str, Any]]:
    """Rows of a manifest of two corpora with five speakers each."""
    return manifest_rows()


@pytest.fixture
def manifests(tmp_path: Path, rows: list[dict[str, Any]]) -> Path:
    """A manifest folder with two rejects and the splits ``speaker`` and ``stratified``."""
    return write_manifests(tmp_path / "manifests", rows)
