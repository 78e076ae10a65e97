"""The splits, and what must hold for any corpora: nobody torn, nothing lost, seeds that count."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ser_pipeline.errors import SplitError
from ser_pipeline.records import PARTS
from ser_pipeline.splits import KINDS, make_split, parts_for, read_split, write_split
from ser_pipeline.splits import make as module
from ser_pipeline.splits.leaks import NAMED, people

CORPORA = st.lists(
    st.tuples(
        st.sampled_from(["emodb", "nemo", "ravdess", "ravdess-song", "savee", "tess"]),
        st.integers(0, 7),  # speaker
        st.integers(-1, 5),  # emotion
        st.one_of(st.none(), st.integers(0, 2)),  # session
    ),
    min_size=1,
    max_size=60,
)


def rows_of(clips):
    languages = {"emodb": "de", "nemo": "pl", "savee": "en-GB"}
    return [
        {
            "corpus": corpus,
            "utterance_id": f"{corpus}/{number:03d}",
            "speaker_id": f"{corpus.removesuffix('-song')}-{speaker}",
            "session_id": None if session is None else f"S{session}",
            "emotion_id": emotion,
            "gender": ("female", "male", "unknown")[speaker % 3],
            "language": languages.get(corpus, "en-US"),
        }
        for number, (corpus, speaker, emotion, session) in enumerate(clips)
    ]


def parts_of(split):
    return dict(zip(split.table["utterance_id"].to_pylist(), split.table["part"].to_pylist(), strict=True))


def speakers_of(manifest, split, column):
    """Speaker -> the parts or folds their clips are in."""
    found = {}
    speakers = manifest.table["speaker_id"].to_pylist()
    for speaker, side in zip(speakers, split.table[column].to_pylist(), strict=True):
        found.setdefault(speaker, set()).add(side)
    return found


@settings(max_examples=60)
@given(clips=CORPORA, seed=st.integers(0, 3))
def test_speaker_splits_tear_nobody_and_lose_nothing(in_memory, clips, seed):
    manifest = in_memory(rows_of(clips))
    split = make_split(manifest, "speaker", seed=seed)
    assert split.table["utterance_id"].to_pylist() == manifest.table["utterance_id"].to_pylist()
    units = people(manifest.table).units
    parts = parts_for(split, manifest)
    for unit in range(len(units.names)):
        assert len(set(parts[units.of == unit].tolist())) == 1
    assert not split.leaks_speakers
    assert all(len(sides) == 1 for sides in speakers_of(manifest, split, "part").values())
    assert make_split(manifest, "speaker", seed=seed).digest == split.digest


@settings(max_examples=60)
@given(clips=CORPORA, seed=st.integers(0, 3))
def test_stratified_splits_lose_nothing_and_keep_shares(in_memory, clips, seed):
    manifest = in_memory(rows_of(clips))
    split = make_split(manifest, "stratified", seed=seed)
    assert split.leaks_speakers
    strata = {}
    for row, part in zip(manifest.table.to_pylist(), split.table["part"].to_pylist(), strict=True):
        strata.setdefault((row["corpus"], row["emotion_id"]), []).append(part)
    for parts in strata.values():
        counts = [parts.count(part) for part in PARTS]
        for count, share in zip(counts, (0.6, 0.2, 0.2), strict=True):
            assert abs(count - share * len(parts)) < 1.5
        assert len(parts) < 3 or all(counts)


def made_or_none(manifest, kind, **options):
    """A split; None where one fold would take nearly everybody away."""
    try:
        return make_split(manifest, kind, **options)
    except SplitError:
        return None


@settings(max_examples=60)
@given(clips=CORPORA, kind=st.sampled_from(["loso", "kfold", "loco", "lolo"]), seed=st.integers(0, 3))
def test_folds_test_each_clip_once_and_never_a_known_speaker(in_memory, clips, kind, seed):
    manifest = in_memory(rows_of(clips))
    split = made_or_none(manifest, kind, seed=seed, folds=3 if kind == "kfold" else None)
    if split is None:
        return
    assert all(len(sides) == 1 for sides in speakers_of(manifest, split, "fold").values())
    assert set(split.table["fold"].to_pylist()) == set(range(len(split.folds)))
    tested = np.zeros(manifest.table.num_rows, np.int64)
    for fold in range(len(split.folds)):
        parts = parts_for(split, manifest, fold)
        assert set(parts.tolist()) == {0, 1, 2}
        tested += parts == 2
    assert (tested == 1).all()


@pytest.mark.parametrize(
    ("speakers", "counts"),
    [(1, (1, 0, 0)), (2, (1, 0, 1)), (3, (1, 1, 1)), (4, (2, 1, 1)), (10, (6, 2, 2)), (24, (14, 5, 5))],
)
def test_so_many_speakers_go_to_each_part(in_memory, people_rows, speakers, counts):
    manifest = in_memory(people_rows(speakers=speakers))
    sides = speakers_of(manifest, make_split(manifest, "speaker"), "part")
    assert tuple(sum(side == {part} for side in sides.values()) for part in PARTS) == counts


def test_every_corpus_gets_its_own_60_20_20(in_memory, people_rows):
    rows = [*people_rows("emodb", 10), *people_rows("nemo", 5, emotions=6), *people_rows("savee", 20)]
    manifest = in_memory(rows)
    split = make_split(manifest, "speaker")
    for corpus in ("emodb", "nemo", "savee"):
        parts = [part for name, part in parts_of(split).items() if name.startswith(f"{corpus}/")]
        assert [parts.count(part) / len(parts) for part in PARTS] == [0.6, 0.2, 0.2]


def test_genders_and_classes_are_shared_out(in_memory, people_rows):
    manifest = in_memory(people_rows(speakers=20))
    split = make_split(manifest, "speaker")
    table = manifest.table.drop_columns("part").append_column("part", split.table["part"])
    counted = table.group_by(["part", "gender", "emotion_id"]).aggregate([("path", "count")])
    shares = {"train": 12, "validation": 4, "test": 4}
    for row in counted.to_pylist():
        assert row["path_count"] == shares[row["part"]]


def test_shared_speakers_stand_in_one_part_in_both_corpora(in_memory, people_rows):
    songs = [
        {**row, "corpus": "ravdess-song", "utterance_id": f"ravdess-song/{n}", "audio_digest": f"{n:032x}"}
        for n, row in enumerate(people_rows("ravdess", 23))
    ]
    manifest = in_memory([*people_rows("ravdess", 24), *songs])
    split = make_split(manifest, "speaker")
    assert all(len(side) == 1 for side in speakers_of(manifest, split, "part").values())
    parts = [part for name, part in parts_of(split).items() if name.startswith("ravdess-song/")]
    assert [parts.count(part) // 8 for part in PARTS] == [14, 4, 5]


def test_another_corpus_changes_nobodys_part(in_memory, people_rows):
    alone = parts_of(make_split(in_memory(people_rows("emodb", 10)), "speaker"))
    both = parts_of(make_split(in_memory([*people_rows("emodb", 10), *people_rows("nemo", 9)]), "speaker"))
    assert {name: both[name] for name in alone} == alone
    alone = parts_of(make_split(in_memory(people_rows("emodb", 10)), "stratified"))
    both = parts_of(make_split(in_memory([*people_rows("emodb", 10), *people_rows("nemo", 9)]), "stratified"))
    assert {name: both[name] for name in alone} == alone


def test_speakers_whom_a_split_made_again_moves_are_counted(manifest_of, people_rows):
    def renewed(rows):
        manifest = manifest_of(rows)
        lines = module.renew_splits(manifest.path, manifest.digest)
        return lines, read_split(manifest.path.parent, "speaker", manifest)

    rows = people_rows("emodb", 10)
    lines, before = renewed(rows)
    assert lines == []
    assert renewed([*rows, *people_rows("nemo", 3)])[0] == []
    lines, now = renewed([row | {"emotion_id": number % 3} for number, row in enumerate(rows[:-5])])
    parts = [
        dict(zip(*split.table.select(["utterance_id", "part"]).to_pydict().values(), strict=True))
        for split in (before, now)
    ]
    moved = {row["speaker_id"] for row in rows[:-5] if len({each[row["utterance_id"]] for each in parts}) > 1}
    assert lines == [
        f"split speaker was made again: {len(moved)} of 10 speakers are in another part, so earlier runs "
        "were tested on other people"
    ]


@pytest.mark.parametrize("kind", ["speaker", "stratified", "kfold"])
def test_another_seed_gives_another_split(in_memory, people_rows, kind):
    manifest = in_memory(people_rows(speakers=30))
    made = [make_split(manifest, kind, seed=seed).table for seed in (0, 0, 1)]
    assert made[0].equals(made[1])
    assert not made[0].equals(made[2])


def test_sessions_are_never_torn(in_memory):
    rows = [
        {
            "corpus": "iemocap",
            "utterance_id": f"iemocap/{session}{gender}{clip}",
            "speaker_id": f"iemocap-{session}{gender}",
            "session_id": f"Ses0{session}",
            "emotion_id": clip % 4,
        }
        for session in range(1, 6)
        for gender in "FM"
        for clip in range(8)
    ]
    manifest = in_memory(rows)
    parts = parts_of(make_split(manifest, "speaker"))
    sides = {
        session: {part for name, part in parts.items() if name[8] == str(session)} for session in range(1, 6)
    }
    assert sorted(part for side in sides.values() for part in side) == ["test", *["train"] * 3, "validation"]
    assert make_split(manifest, "loso").folds == tuple(f"iemocap-Ses0{session}" for session in range(1, 6))


def test_the_docs_page_has_every_split():
    page = (Path(__file__).parents[2] / "docs" / "splits.md").read_text(encoding="utf-8")
    for kind in KINDS:
        assert f"| `{kind}` |" in page


def test_ratios(in_memory, people_rows):
    manifest = in_memory(people_rows(speakers=10, clips=5))
    for kind in ("speaker", "stratified"):
        parts = list(parts_of(make_split(manifest, kind, ratios=(80, 0, 20))).values())
        assert [parts.count(part) / len(parts) for part in PARTS] == [0.8, 0.0, 0.2]


def test_stratified_is_even_within_every_corpus_and_emotion(in_memory, people_rows):
    manifest = in_memory([*people_rows("emodb", 10, clips=5), *people_rows("nemo", 4, clips=5)])
    parts = make_split(manifest, "stratified").table["part"]
    table = manifest.table.drop_columns("part").append_column("part", parts)
    for row in table.group_by(["corpus", "emotion_id", "part"]).aggregate([("path", "count")]).to_pylist():
        whole = 50 if row["corpus"] == "emodb" else 20
        assert row["path_count"] == whole * (0.6 if row["part"] == "train" else 0.2)


def test_stratified_draws_like_chance(in_memory, people_rows):
    manifest = in_memory(people_rows(speakers=50, clips=10))
    picks = [
        make_split(manifest, "stratified", seed=seed).table["part"].to_numpy() == "test" for seed in range(8)
    ]
    together = [np.mean(picks[one] & picks[other]) for one in range(8) for other in range(one)]
    assert np.mean(together) == pytest.approx(0.04, abs=0.004)


def test_loso_folds_are_the_speakers(in_memory, people_rows):
    manifest = in_memory([*people_rows("emodb", 3), *people_rows("nemo", 2)])
    split = make_split(manifest, "loso")
    assert split.folds == ("emodb-000", "emodb-001", "emodb-002", "nemo-000", "nemo-001")
    for speaker, fold in zip(
        manifest.table["speaker_id"].to_pylist(), split.table["fold"].to_pylist(), strict=True
    ):
        assert split.folds[fold] == speaker


def test_nobody_of_a_corpus_whose_people_are_those_of_another_is_nobody(in_memory, people_rows):
    rows = [{**row, "corpus": "songs", "speaker_id": "voices-unknown"} for row in people_rows("songs", 3)]
    with pytest.raises(SplitError, match="do not say who speaks"):
        make_split(in_memory([*people_rows("voices", 3), *rows]), "speaker")


def test_lolo_tests_no_recording_whose_language_is_not_one(in_memory, people_rows):
    rows = [
        row
        for corpus, language in (("emodb", "de"), ("ravdess", "en"), ("savee", "mul"), ("tess", "UND"))
        for row in people_rows(corpus, 4, language=language)
    ]
    split = make_split(in_memory(rows), "lolo")
    assert split.folds == ("de", "en")
    assert {name.split("/")[0] for name in split.table["utterance_id"].to_pylist()} == {"emodb", "ravdess"}
    many = sum(row["language"] in ("mul", "UND") for row in rows)
    assert split.note.endswith(
        f"{many} recordings are left out, as their language is not one or not known (savee, tess)."
    )
    with pytest.raises(SplitError, match="lolo needs to know the language"):
        make_split(in_memory(people_rows("emodb", 4, language="und")), "lolo")


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
            *people_rows("savee", 4, language="EN_GB"),
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
        assert lolo.folds[language] == row["language"][:2].lower()


def test_nobody_joins_no_languages(in_memory, people_rows):
    rows = [*people_rows("a", 4, language="de"), *people_rows("b", 4, language="en")]
    nobodys = [{**row, "corpus": "c", "speaker_id": "c-unknown"} for row in people_rows("c", 2)]
    nobodys = [{**row, "language": ("de", "en")[number % 2]} for number, row in enumerate(nobodys)]
    assert make_split(in_memory([*rows, *nobodys]), "lolo").folds == ("de", "en")


def test_corpora_of_nobody_leave_one_who_counts_and_it_is_said(in_memory, people_rows):
    rows = [{**row, "speaker_id": f"{corpus}-unknown"} for corpus in "ab" for row in people_rows(corpus, 3)]
    says = "leaves 1 speaker for .*, and all of a corpus that do not say who speaks count as one"
    with pytest.raises(SplitError, match=says):
        make_split(in_memory(rows), "loco")


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
        (1, "loso", {}, "loso needs at least two to leave one out, but there is only one fold: emodb-000"),
        (9, "loco", {}, "loco needs at least two to leave one out, but there is only one corpus: emodb"),
        (9, "lolo", {}, "lolo needs at least two to leave one out, but there is only one language: de"),
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


@pytest.mark.parametrize("name", ["speaker", "kfold", "loso"])
def test_a_split_by_speaker_needs_to_know_who_speaks(in_memory, people_rows, name):
    rows = [*people_rows("emodb", 6), *people_rows("mine", 1, speaker_id="mine-unknown")]
    with pytest.raises(
        SplitError, match=rf"split {name}: 8 of 56 recordings \(mine\) do not say who speaks, so"
    ):
        make_split(in_memory(rows), name)
    assert make_split(in_memory(rows), "stratified").leaks_speakers


def test_recordings_that_say_who_speaks_are_split_without_the_others(manifest_of, in_memory, people_rows):
    rows = people_rows("emodb", 6) + people_rows("mine", 1, speaker_id="mine-unknown")
    manifest = manifest_of(rows)
    with pytest.raises(
        SplitError,
        match=f'ser manifest split speaker --manifests .* --as named --where "{NAMED}"; or name the',
    ):
        make_split(manifest, "speaker")
    made = make_split(manifest, "speaker", save_as="named", where=NAMED)
    assert made.table.num_rows == len(people_rows("emodb", 6))
    alone = manifest_of(people_rows("mine", 1, speaker_id="mine-unknown"))
    with pytest.raises(SplitError, match="cannot be kept apart; name the speakers in"):
        make_split(alone, "speaker")
    published = in_memory(people_rows("mine", 1, speaker_id="mine-unknown", part="test"))
    assert published.path.parent == Path("manifests")
    with pytest.raises(SplitError, match=r"parts with 'ser manifest split official --from manifests/mani"):
        make_split(published, "speaker")
    elsewhere = replace(published, path=Path("my own/manifest.parquet"))
    with pytest.raises(SplitError, match=r"official --manifests 'my own' --from 'my own/manifest.parquet'"):
        make_split(elsewhere, "speaker")
    assert "nothing says who speaks" in make_split(alone, "stratified").note


def test_a_missing_split_that_cannot_be_made_says_why(in_memory, people_rows, tmp_path):
    manifest = in_memory(people_rows("mine", 1, speaker_id="mine-unknown"))
    with pytest.raises(SplitError, match=r"not found: 8 of 8 recordings .*'ser train --split stratified'"):
        read_split(tmp_path, "speaker", manifest)


def test_a_split_of_some_recordings(manifest_of, people_rows):
    rows = people_rows("emodb", 5, agreement=0.9) + people_rows("nemo", 5, agreement=0.4)
    manifest = manifest_of(rows)
    made = make_split(manifest, "speaker", save_as="agreed", where=" agreement > 0.5 ")
    write_split(manifest.path.parent, made)
    read = read_split(manifest.path.parent, "agreed", manifest)
    assert read.recipe == made.recipe
    assert (
        read.command(Path("manifests/manifest.parquet"))
        == "ser manifest split speaker --where 'agreement > 0.5' --as agreed"
    )
    assert read.note.endswith("Only recordings with agreement > 0.5.")
    used = parts_for(read, manifest) >= 0
    assert used.tolist() == [corpus == "emodb" for corpus in manifest.table["corpus"].to_pylist()]


@pytest.mark.parametrize("name", [None, "speaker", "loso"])
def test_a_split_of_some_recordings_has_a_name_of_its_own(manifest_of, people_rows, name):
    with pytest.raises(SplitError, match=r"name of its own|name of another split"):
        make_split(manifest_of(people_rows()), "speaker", save_as=name, where="agreement > 0.5")
