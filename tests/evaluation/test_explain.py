import json
from dataclasses import dataclass, replace

import numpy as np
import pytest

from ser_pipeline.errors import RunError
from ser_pipeline.evaluation.explain import explain_clips, explain_run
from ser_pipeline.evaluation.explain_tables import RunClips
from ser_pipeline.features.catalogue import FEATURES
from ser_pipeline.metrics.effect import mean_effects, speaker_effects
from ser_pipeline.options import recipe
from ser_pipeline.runs.explanation import read_explanation
from ser_pipeline.runs.files import write_result
from ser_pipeline.runs.types import RunInfo, SplitInfo

EMOTIONS = ("anger", "sadness", "neutral")
WANTED = ("pitch_st_mean", "pitch_hz_p50", "level_mean", "mfcc_01_mean")


@dataclass(frozen=True)
class Column:
    name: str
    unit: str = "1"
    group: str = ""


def rule(table):
    """Decides by pitch alone: high is anger, low is sadness."""
    return np.select([table[:, 0] > 0.7, table[:, 0] < -0.7], [0, 1], 2)


@pytest.fixture
def clips(rng):
    """180 clips of six speakers and two languages; pitch rises in anger and falls in sadness."""
    targets = np.tile([0, 1, 2], 60)
    values = 0.4 * rng.normal(size=(180, 4))
    move = np.select([targets == 0, targets == 1], [1.5, -1.5], 0.0)
    values[:, 0] += move
    values[:, 1] += 100 * move
    speakers = np.repeat([f"emodb-{n}" for n in range(3)] + [f"nemo-{n}" for n in range(3)], 30)
    return RunClips(
        values=values,
        targets=targets,
        speakers=speakers,
        languages=np.repeat(["de", "pl"], 90),
        parts=np.where(np.char.endswith(speakers, "2"), "test", "train"),
        features=[row for name in WANTED for row in FEATURES if row.name == name],
        predict=rule,
    )


@pytest.fixture
def explanation(clips):
    return explain_clips(clips, EMOTIONS, repeats=5)


def test_clips_of_nobody_are_no_speaker(clips, explanation):
    speakers = np.append(clips.speakers, ["emodb-unknown"] * 90)
    twice = {name: np.concatenate([getattr(clips, name), getattr(clips, name)[:90]]) for name in
             ("targets", "languages", "parts")}  # fmt: skip
    values = np.concatenate([clips.values, -clips.values[:90]])
    found = explain_clips(replace(clips, values=values, speakers=speakers, **twice), EMOTIONS, repeats=5)
    assert found.effects == explanation.effects
    assert found.profiles == explanation.profiles
    assert any(note.endswith("correlations and profiles: 90") for note in found.notes)


def test_importance_is_of_the_part_and_effects_are_of_all_clips(explanation):
    assert (explanation.part, explanation.clips, explanation.speakers) == ("test", 60, 2)
    whole, german, polish = explanation.effects
    assert (whole.language, whole.clips, whole.speakers) == (None, 180, 6)
    assert (german.language, german.clips, german.speakers) == ("de", 90, 3)
    assert polish.language == "pl"
    assert explanation.fits


def test_only_what_the_model_uses_is_important(explanation):
    drops = {each.name: each.drop for each in (*explanation.importances, *explanation.group_importances)}
    assert explanation.uar.value > 0.9
    assert drops["pitch_st_mean"].value > 0.4
    assert drops["pitch_st_mean"].low > 0.2
    assert drops["pitch"] == drops["pitch_st_mean"]  # the group's other feature is not looked at
    for name in ("pitch_hz_p50", "level_mean", "mfcc_01_mean", "energy", "mfcc"):
        assert (drops[name].value, drops[name].low, drops[name].high) == (0, 0, 0)


def test_effects_are_those_of_the_metric(explanation, clips):
    expected = mean_effects(speaker_effects(clips.values, clips.targets, clips.speakers, 3))
    assert np.array(explanation.effects[0].values) == pytest.approx(expected, rel=1e-5)
    rows = clips.languages == "pl"
    polish = mean_effects(speaker_effects(clips.values[rows], clips.targets[rows], clips.speakers[rows], 3))
    assert np.array(explanation.effects[2].values) == pytest.approx(polish, rel=1e-5)


def test_languages_are_compared(explanation):
    (pair,) = explanation.languages
    assert (pair.first, pair.second) == ("de", "pl")
    assert pair.similarity[0] > 0.9


def test_pitch_agrees_with_the_literature(explanation):
    found = {(cell.property, cell.emotion): cell for cell in explanation.profiles}
    assert {property_name for property_name, _ in found} == {"mean pitch", "mean energy"}
    assert {emotion for _, emotion in found} == {"anger", "sadness"}  # nothing is published of neutral
    anger, sadness = found["mean pitch", "anger"], found["mean pitch", "sadness"]
    assert (anger.direction, anger.verdict) == ("up", "agrees")
    assert anger.features == ("pitch_st_mean", "pitch_hz_p50")
    assert (sadness.direction, sadness.verdict) == ("down", "agrees")
    assert sadness.effect.high < 0
    assert [each.language for each in anger.by_language] == ["de", "pl"]
    assert explanation.summary.agrees >= 2
    assert explanation.summary.agrees + explanation.summary.opposes + explanation.summary.unclear == 4


def test_a_model_of_opposite_pitch_opposes(clips):
    turned = replace(clips, values=-clips.values)
    cells = explain_clips(turned, EMOTIONS, repeats=2).profiles
    assert {cell.verdict for cell in cells if cell.property == "mean pitch"} == {"opposes"}


def test_features_that_say_the_same_are_named(explanation):
    first = explanation.closest[0]
    assert {first.first, first.second} == {"pitch_st_mean", "pitch_hz_p50"}
    assert first.correlation > 0.7
    assert explanation.groups == ("pitch", "energy", "mfcc")
    assert explanation.group_correlations[0][0] == pytest.approx(first.correlation)


def test_a_set_of_other_names_is_explained_without_profiles(clips):
    foreign = replace(clips, features=[Column(f"<b>{n}</b>") for n in range(4)])
    found = explain_clips(foreign, EMOTIONS, repeats=2)
    assert found.profiles == ()
    assert (found.summary.agrees, found.summary.chance) == (0, 1.0)
    assert found.groups == ("other",)
    assert found.importances[0].drop.value > 0.4


def test_one_language_and_one_speaker(clips):
    rows = clips.speakers == "emodb-2"
    alone = replace(
        clips,
        values=clips.values[rows],
        targets=clips.targets[rows],
        speakers=clips.speakers[rows],
        languages=clips.languages[rows],
        parts=clips.parts[rows],
    )
    found = explain_clips(alone, EMOTIONS, repeats=2)
    assert len(found.effects) == 1
    assert found.languages == ()
    assert found.importances[0].drop.low is None
    assert found.effects[0].low[0] == (None, None, None)
    assert found.importance_interval == "no interval: one speaker (emodb-2)"
    assert {cell.verdict for cell in found.profiles} == {"unclear"}


def test_absent_emotions_and_constant_features_are_noted(clips):
    clips.values[:, 3] = 7.0
    wanted = (clips.parts != "test") | (clips.targets != 1)
    fewer = replace(clips, parts=np.where(wanted, clips.parts, "validation"))
    found = explain_clips(fewer, EMOTIONS, repeats=2)
    assert found.notes[0].startswith("no clips of sadness in this part")
    assert found.notes[1].endswith("whose importance is 0: 1")
    assert found.effects[0].values[3] == (None, None, None)


def test_recordings_of_one_peak_are_noted(clips, rng):
    peak = next(row for row in FEATURES if row.name == "peak_level")
    clips.values[:, 2] = np.where(clips.languages == "de", -0.01 * rng.random(180), -10 * rng.random(180))
    found = explain_clips(
        replace(clips, features=[*clips.features[:2], peak, clips.features[3]]), EMOTIONS, repeats=2
    )
    assert found.notes == (
        "all recordings in de peak at the same level: their energy says nothing about emotion",
    )


def test_same_seed_same_file(clips, tmp_path):
    texts = []
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        write_result(tmp_path / name, explain_clips(clips, EMOTIONS, repeats=3, seed=seed))
        texts.append((tmp_path / name).read_bytes())
    assert texts[0] == texts[1]
    assert texts[0] != texts[2]


def test_progress_counts_features_and_groups(clips):
    seen = []
    explain_clips(clips, EMOTIONS, repeats=2, advance=lambda done, total: seen.append((done, total)))
    assert seen == [(1, 7)] * 7


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"parts": np.full(180, "train")}, "part test: the run has no clips of it; valid are train"),
        ({"values": np.zeros((180, 3))}, r"values of shape \(180, 3\), expected \(180, 4\)"),
        (
            {"values": np.full((180, 4), np.nan)},
            "pitch_st_mean, pitch_hz_p50, .* have values that are not numbers",
        ),
        ({"targets": np.full(180, 3)}, "a clip is of class 3, the run has 3"),
    ],
)
def test_clips_that_do_not_fit_are_refused(clips, changes, message):
    with pytest.raises(RunError, match=message):
        explain_clips(replace(clips, **changes), EMOTIONS)


def run_info(**changes):
    facts = {
        "name": "one", "created": "2026-01-02T03:04:05+00:00", "command": "c", "model": "logreg",
        "recipe": recipe(model={"name": "logreg"}), "emotions": EMOTIONS, "merges": {},
        "manifest_digest": "d",
        "split": SplitInfo(name="speaker", digest="s", leaks_speakers=False, note=""),
        "store_kind": "features", "store_fingerprint": "f", "counts": {}, "class_counts": {}, "corpora": (),
        "languages": (), "synthetic": False, "parameters": 1, "versions": {}, "stopped": "done",
    }  # fmt: skip
    return RunInfo(**(facts | changes))


def write_info(folder, **changes):
    (folder / "settings.json").write_text(run_info(**changes).model_dump_json())


def test_a_run_is_explained_and_the_file_written(clips, tmp_path):
    write_info(tmp_path)
    asked = []

    def load(folder, info, **places):
        asked.append((folder, info.name, places))
        return clips

    found = explain_run(tmp_path, manifests=tmp_path / "m", cache=tmp_path / "c", repeats=2, load=load)
    assert read_explanation(tmp_path) == found
    assert asked == [
        (tmp_path, "one", {"manifests": tmp_path / "m", "cache": tmp_path / "c", "device": "auto"})
    ]
    assert json.loads((tmp_path / "explanation.json").read_text())["repeats"] == 2


def test_a_run_of_folds_is_refused(tmp_path):
    write_info(tmp_path, split=SplitInfo(name="loso", digest="s", leaks_speakers=False, note="", fold="all"))
    with pytest.raises(RunError, match="has a model for every fold; explain one of them, as in 'ser explain"):
        explain_run(tmp_path, manifests=tmp_path, cache=tmp_path)
