"""Splits with folds, and splits that cannot be made."""

import numpy as np
import pytest

from ser_pipeline.errors import SplitError
from ser_pipeline.manifest import KINDS, make_split
from ser_pipeline.manifest import splits as module


def test_loso_folds_are_the_speakers(in_memory, people_rows):
    manifest = in_memory([*people_rows("emodb", 3), *people_rows("nemo", 2)])
    split = make_split(manifest, "loso")
    assert split.folds == ("emodb-000", "emodb-001", "emodb-002", "nemo-000", "nemo-001")
    for speaker, fold in zip(
        manifest.table["speaker_id"].to_pylist(), split.table["fold"].to_pylist(), strict=True
    ):
        assert split.folds[fold] == speaker


def test_loco_and_lolo_leave_out_whole_groups(in_memory, people_rows):
    songs = [
        {**row, "corpus": "ravdess-song", "utterance_id": f"ravdess-song/{n}", "audio_digest": f"{n:032x}"}
        for n, row in enumerate(people_rows("ravdess", 2))
    ]
    manifest = in_memory(
        [
            *people_rows("emodb", 4, language="de"),
            *people_rows("ravdess", 4, language="en-US"),
            *({**row, "language": "en-US"} for row in songs),
            *people_rows("savee", 4, language="en-GB"),
        ]
    )
    loco, lolo = make_split(manifest, "loco"), make_split(manifest, "lolo")
    assert loco.folds == ("emodb", "ravdess+ravdess-song", "savee")
    assert lolo.folds == ("de", "en")
    for row, corpus, language in zip(
        manifest.table.to_pylist(),
        loco.table["fold"].to_pylist(),
        lolo.table["fold"].to_pylist(),
        strict=True,
    ):
        assert row["corpus"] in loco.folds[corpus].split("+")
        assert lolo.folds[language] == row["language"][:2]


def test_languages_that_share_a_speaker_leave_together(in_memory, people_rows):
    rows = [
        *people_rows("a", 4, language="de"),
        *people_rows("b", 4, language="pl"),
        *people_rows("c", 4, language="fr"),
    ]
    rows[-1] = {**rows[-1], "speaker_id": "a-000"}
    assert make_split(in_memory(rows), "lolo").folds == ("de+fr", "pl")


@pytest.mark.parametrize("speakers", [5, 7, 13])
def test_kfold_folds_are_about_equal(in_memory, people_rows, speakers):
    split = make_split(in_memory(people_rows(speakers=speakers)), "kfold", folds=5)
    assert split.folds == ("0", "1", "2", "3", "4")
    sizes = np.bincount(split.table["fold"].to_numpy()) / 8
    assert sizes.max() - sizes.min() <= 1
    assert sizes.sum() == speakers


def test_small_corpora_fill_the_small_folds(in_memory, people_rows):
    manifest = in_memory([*people_rows("emodb", 8), *people_rows("nemo", 2)])
    split = make_split(manifest, "kfold", folds=5)
    assert np.bincount(split.table["fold"].to_numpy()).tolist() == [16] * 5


@pytest.mark.parametrize(
    ("speakers", "kind", "options", "message"),
    [
        (
            3,
            "half",
            {},
            "split 'half' does not exist; valid are speaker, stratified, loso, kfold, loco, lolo; pub",
        ),
        (3, "loso", {"folds": 3}, "split loso takes no --folds; only kfold does"),
        (3, "speaker", {"save_as": "kfold"}, "'kfold' is the name of another split"),
        (3, "speaker", {"save_as": "../x"}, "cannot name a split"),
        (3, "speaker", {"ratios": (0, 1, 1)}, "do not fit"),
        (3, "kfold", {"folds": 4}, "kfold: --folds 4 does not fit 3 speakers; 2 to 3 are possible"),
        (3, "kfold", {"folds": 1}, "kfold: --folds 1 does not fit"),
        (
            2,
            "kfold",
            {"folds": 2},
            "kfold: fold 0 leaves 1 speaker for training and validation; two are needed",
        ),
        (1, "loso", {}, "loso needs two or more to leave out one; there is one fold: emodb-000"),
        (9, "loco", {}, "loco needs two or more to leave out one; there is one corpus: emodb"),
        (9, "lolo", {}, "lolo needs two or more to leave out one; there is one language: de"),
    ],
)
def test_what_cannot_be_made_says_why(in_memory, people_rows, speakers, kind, options, message):
    with pytest.raises(SplitError, match=message):
        make_split(in_memory(people_rows(speakers=speakers)), kind, **options)


def test_a_manifest_without_rows(in_memory):
    with pytest.raises(SplitError, match=r"manifest.parquet: has no recordings to split"):
        make_split(in_memory([]))


def test_more_folds_than_the_column_can_hold(in_memory, people_rows, monkeypatch):
    monkeypatch.setattr(module, "MAX_FOLDS", 3)
    with pytest.raises(SplitError, match="loso would have 4 folds; 3 at most: use kfold"):
        make_split(in_memory(people_rows(speakers=4)), "loso")


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_every_split_says_what_to_know_of_it(in_memory, people_rows, kind):
    manifest = in_memory([*people_rows("emodb", 5), *people_rows("nemo", 5, language="pl")])
    split = make_split(manifest, kind, save_as=f"my-{kind}")
    assert (split.name, split.recipe.kind, split.manifest_digest) == (f"my-{kind}", kind, manifest.digest)
    assert split.note.endswith(".")
    assert ("new speakers" in split.note) == split.leaks_speakers == (kind == "stratified")
