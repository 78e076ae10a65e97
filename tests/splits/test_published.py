import csv
import io
import json

import pytest

from ser_pipeline.corpora.values import PART_OF
from ser_pipeline.errors import SplitError
from ser_pipeline.manifest import read_manifest
from ser_pipeline.splits import make_split, parts_for, read_split, write_split
from ser_pipeline.splits.published import IMPORT_COLUMNS, import_split


@pytest.fixture
def manifest(manifest_of, people_rows):
    rows = people_rows("emodb", 6, clips=1)
    for row in rows:
        name = row["utterance_id"].split("/")[1]
        row.update(utterance_id=f"emodb/wav/{name}", path=f"EmoDB/wav/{name}.flac")
    return manifest_of(rows)


def ids(manifest):
    return manifest.table["utterance_id"].to_pylist()


def by_speaker(manifest, names):
    """A row per recording; whole speakers get the names in turn."""
    speakers = sorted(set(manifest.table["speaker_id"].to_pylist()))
    of = {speaker: names[number % len(names)] for number, speaker in enumerate(speakers)}
    return [of[speaker] for speaker in manifest.table["speaker_id"].to_pylist()]


def write_csv(path, rows):
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    path.write_text(text.getvalue(), encoding="utf-8")
    return path


def write_lines(path, rows):
    path.write_text("\n".join(json.dumps(row) for row in rows) + "\n", encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("suffix", "write"),
    [("csv", write_csv), ("txt", write_csv), ("jsonl", write_lines), ("json", write_lines)],
)
def test_parts(tmp_path, manifest, suffix, write):
    parts = by_speaker(manifest, ["train", "validation", "test"])
    rows = [{"utterance_id": name, "part": part} for name, part in zip(ids(manifest), parts, strict=True)]
    read = import_split(manifest, write(tmp_path / f"a.{suffix}", rows), "own")
    assert (read.unknown, read.missing) == ([], [])
    assert read.split.table["part"].to_pylist() == parts
    assert read.split.note == f"Published parts, read from a.{suffix}."
    assert not read.split.leaks_speakers
    write_split(manifest.path.parent, read.split)
    assert read_split(manifest.path.parent, "own", manifest) == read.split


@pytest.mark.parametrize(
    ("names", "folds"), [(["10", "9"], ("9", "10")), (["b", "a", "10"], ("10", "a", "b"))]
)
def test_folds_are_ordered_by_number_or_by_name(tmp_path, manifest, names, folds):
    given = by_speaker(manifest, names)
    rows = [{"utterance_id": name, "fold": fold} for name, fold in zip(ids(manifest), given, strict=True)]
    split = import_split(manifest, write_csv(tmp_path / "a.csv", rows), "own").split
    assert split.folds == folds
    assert [split.folds[fold] for fold in split.table["fold"].to_pylist()] == given
    assert set(parts_for(split, manifest, folds[0]).tolist()) == {0, 1, 2}


def test_numbers_in_json_are_folds_too(tmp_path, manifest):
    given = by_speaker(manifest, [1, 2, 3])
    rows = [{"utterance_id": name, "fold": fold} for name, fold in zip(ids(manifest), given, strict=True)]
    assert import_split(manifest, write_lines(tmp_path / "a.jsonl", rows), "own").split.folds == (
        "1",
        "2",
        "3",
    )


@pytest.mark.parametrize(
    "spelling",
    [
        lambda name: f"EmoDB/wav/{name}.flac",  # as in the manifest
        lambda name: f"./EmoDB/wav/{name}.wav",  # with the official suffix
        lambda name: f"EmoDB\\wav\\{name}.wav",  # from Windows
        lambda name: f"wav/{name}.wav",  # the official path
        lambda name: f"wav/{name}",
        lambda name: f"emodb/wav/{name}",
    ],
)
def test_paths_in_several_spellings(tmp_path, manifest, spelling):
    names = [name.removeprefix("emodb/wav/") for name in ids(manifest)]
    parts = by_speaker(manifest, ["train", "test"])
    rows = [{"path": spelling(name), "part": part} for name, part in zip(names, parts, strict=True)]
    read = import_split(manifest, write_csv(tmp_path / "a.csv", rows), "own")
    assert read.split.table["part"].to_pylist() == parts


def test_a_name_that_two_corpora_have_needs_the_id(tmp_path, manifest_of, people_rows):
    rows = people_rows("nemo", 3, clips=1) + people_rows("emodb", 3, clips=1)
    manifest = manifest_of(rows)
    own = [row["utterance_id"] for row in rows if row["corpus"] == "nemo"]
    parts = [{"utterance_id": name.removeprefix("nemo/"), "part": "train"} for name in own]
    with pytest.raises(SplitError, match=r"of which there are several: emodb/000-0-0, .*; give their ids"):
        import_split(manifest, write_csv(tmp_path / "a.csv", parts), "own")
    parts = [{"utterance_id": name, "part": "train"} for name in own]
    read = import_split(manifest, write_csv(tmp_path / "b.csv", parts), "own")
    assert read.split.table["utterance_id"].to_pylist() == sorted(own)


def test_a_dot_in_a_name_is_not_taken_for_a_suffix(tmp_path, manifest_of):
    manifest = manifest_of([{"utterance_id": f"m/a{end}", "path": f"a{end}.wav"} for end in ("", ".1", ".2")])
    for names in (["a.2", "a.1", "a"], ["a.2.wav", "a.1.wav", "a.wav"]):
        rows = [{"path": name, "part": "train"} for name in names]
        assert import_split(manifest, write_csv(tmp_path / "a.csv", rows), "own").missing == []


def test_what_we_write_ourselves_can_be_read_back(tmp_path, manifest):
    for kind in ("speaker", "kfold"):
        made = make_split(manifest, kind)
        source = write_csv(tmp_path / f"{kind}.csv", made.table.to_pylist())
        read = import_split(manifest, source, "own").split
        assert read.table.equals(made.table)


def test_of_folds_and_parts_either_is_read_and_the_other_is_named(tmp_path, manifest):
    parts, folds = by_speaker(manifest, ["train", "test"]), by_speaker(manifest, ["1", "2"])
    sides = zip(ids(manifest), parts, folds, strict=True)
    rows = [{"utterance_id": name, "part": part, "fold": fold} for name, part, fold in sides]
    source = write_csv(tmp_path / "a.csv", rows)
    read = import_split(manifest, source, "own")
    assert (read.split.folds, read.unread) == (("1", "2"), "part")
    read = import_split(manifest, source, "own", column="part")
    assert (read.split.table["part"].to_pylist(), read.split.folds, read.unread) == (parts, (), "fold")
    source = write_csv(tmp_path / "b.csv", [{**row, "part": ""} for row in rows])
    assert import_split(manifest, source, "own").unread == ""
    with pytest.raises(SplitError, match=r"b.csv: no row has a part; its column 'fold' is filled"):
        import_split(manifest, source, "own", column="part")


@pytest.mark.parametrize("write", [write_csv, write_lines])
@pytest.mark.parametrize("column", ["part", "fold"])
def test_a_recording_with_a_blank_side_is_in_none(tmp_path, manifest, column, write):
    sides = ["", *by_speaker(manifest, ["train", "test"] if column == "part" else ["1", "2"])[1:]]
    rows = [{"utterance_id": name, column: side} for name, side in zip(ids(manifest), sides, strict=True)]
    source = write(tmp_path / ("a.csv" if write is write_csv else "a.jsonl"), rows)
    read = import_split(manifest, source, "own")
    assert (read.missing, read.split.table.num_rows) == (ids(manifest)[:1], 23)
    assert "1 of 24 recordings is in none of them" in read.split.note


@pytest.mark.parametrize("name", sorted(PART_OF))
def test_other_names_of_parts(tmp_path, manifest, name):
    rows = [{"utterance_id": ids(manifest)[0], "part": name.upper()}]
    read = import_split(manifest, write_csv(tmp_path / "a.csv", rows), "own")
    assert read.split.table["part"].to_pylist() == [PART_OF[name]]


def test_unknown_and_missing_recordings_are_named(tmp_path, manifest):
    rows = [{"utterance_id": name, "part": "train"} for name in ["emodb/wav/nobody", *ids(manifest)[3:]]]
    read = import_split(manifest, write_csv(tmp_path / "a.csv", rows), "own")
    assert read.unknown == ["emodb/wav/nobody"]
    assert read.missing == ids(manifest)[:3]
    assert read.split.note == "Published parts, read from a.csv. 3 of 24 recordings are in none of them."
    assert parts_for(read.split, manifest).tolist() == [-1] * 3 + [0] * 21


def test_a_fold_of_which_nothing_is_here_is_no_fold(tmp_path, manifest):
    folds = by_speaker(manifest, ["1", "2"])
    rows = [{"utterance_id": name, "fold": fold} for name, fold in zip(ids(manifest), folds, strict=True)]
    rows.append({"utterance_id": "emodb/wav/nobody", "fold": "3"})
    assert import_split(manifest, write_csv(tmp_path / "a.csv", rows), "own").split.folds == ("1", "2")


def test_a_byte_order_mark_and_blanks_do_no_harm(tmp_path, manifest):
    source = tmp_path / "a.csv"
    source.write_text(f"\ufeff utterance_id , part \n {ids(manifest)[0]} , train \n", encoding="utf-8")
    assert import_split(manifest, source, "own").split.table.num_rows == 1


def test_leaks_need_consent_and_are_said_ever_after(tmp_path, manifest):
    parts = ["train", "test"] * 12
    rows = [{"utterance_id": name, "part": part} for name, part in zip(ids(manifest), parts, strict=True)]
    source = write_csv(tmp_path / "a.csv", rows)
    with pytest.raises(
        SplitError, match=r"puts 6 speakers into more than one part: emodb-000, .*--leaks-speakers"
    ):
        import_split(manifest, source, "own")
    split = import_split(manifest, source, "own", allow_leaks=True).split
    assert split.leaks_speakers
    assert "do not hold for new speakers" in split.note
    write_split(manifest.path.parent, split)
    assert read_split(manifest.path.parent, "own", manifest).leaks_speakers


def test_of_people_who_are_not_named_nothing_is_claimed(tmp_path, manifest_of, people_rows):
    manifest = manifest_of(people_rows("mine", 6, speaker_id="mine-unknown"))
    names = enumerate(ids(manifest))
    rows = [{"utterance_id": name, "part": ("train", "test")[place % 2]} for place, name in names]
    source = write_csv(tmp_path / "a.csv", rows)
    with pytest.raises(SplitError, match=r"not known whether people are in both; pass --leaks-speakers"):
        import_split(manifest, source, "own")
    split = import_split(manifest, source, "own", allow_leaks=True).split
    assert split.leaks_speakers
    assert "It is not known whether the same people speak" in split.note


def test_consent_without_a_leak_claims_none(tmp_path, manifest):
    rows = [{"utterance_id": name, "part": "train"} for name in ids(manifest)]
    read = import_split(manifest, write_csv(tmp_path / "a.csv", rows), "own", allow_leaks=True)
    assert not read.split.leaks_speakers


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", "", "is empty; columns utterance_id or path, and part or fold, are needed"),
        ("a.csv", "utterance_id,part\n", "holds only a heading"),
        (
            "a.csv",
            "id,part\nx,train\n",
            "has columns id, part; utterance_id or path, and part or fold, are needed",
        ),
        ("a.csv", "utterance_id,set\nx,train\n", "has columns utterance_id, set;"),
        ("a.csv", "utterance_id,part\nx,train\n", "none of its names are in the manifest: x"),
        (
            "a.csv",
            "utterance_id,part\n{0},half\n",
            "parts 'half' do not exist; valid are train, training, trn, ",
        ),
        ("a.csv", "utterance_id,part\n{0},train\n{0},test\n", "names a recording more than once: emodb/wav/"),
        ("a.csv", "utterance_id,fold\n{0},1\n", "has 1 fold here; 2 to 32767 are possible"),
        ("a.jsonl", "[1]\n", "found '1' where an object should be"),
        ("a.jsonl", "no json\n", "line 1: Expecting value"),
        ("a.csv", b"\xff\xfe", "is empty"),
        ("a.csv", None, r"cannot be read \(No such file"),
    ],
)
def test_files_that_cannot_be_used(tmp_path, manifest, name, content, message):
    source = tmp_path / name
    if isinstance(content, bytes):
        source.write_bytes(content)
    elif content is not None:
        source.write_text(content.replace("{0}", ids(manifest)[0]).replace("{1}", ids(manifest)[1]))
    with pytest.raises(SplitError, match=message):
        import_split(manifest, source, "own")


def test_a_name_that_ser_uses_itself(tmp_path, manifest):
    with pytest.raises(SplitError, match="'speaker' is a split that 'ser' makes itself"):
        import_split(manifest, tmp_path / "a.csv", "speaker")


def test_the_manifest_holds_what_corpora_publish(manifest_of, people_rows):
    rows = [*people_rows("emodb", 3), *people_rows("nemo", 2)]
    for row in rows[:24]:
        row["part"] = ("train", "validation", "test")[int(row["speaker_id"][-1])]
    manifest = manifest_of(rows)
    read = import_split(manifest, manifest.path, "official")
    parts = manifest.table["part"].to_pylist()
    assert read.split.table["part"].to_pylist() == [part for part in parts if part]
    assert (read.unknown, len(read.missing)) == ([], 16)


def test_a_segment_is_named_by_its_id(tmp_path, manifest_of):
    rows = [
        {"utterance_id": f"m/a#{n}.000-{n + 1}.000", "corpus": "m", "path": "a.wav", "start_s": float(n),
         "end_s": n + 1.0, "speaker_id": f"m-{n}"}
        for n in range(3)
    ]  # fmt: skip
    manifest = manifest_of(rows)
    named = [{"utterance_id": name, "part": "train"} for name in ids(manifest)]
    assert import_split(manifest, write_csv(tmp_path / "a.csv", named), "own").missing == []
    by_path = write_csv(tmp_path / "b.csv", [{"path": "a.wav", "part": "train"}])
    with pytest.raises(SplitError, match=r"none of its names are in the manifest: a\.wav"):
        import_split(manifest, by_path, "own")


def test_a_split_by_speaker_points_to_published_parts(manifest_of, people_rows):
    path = manifest_of(people_rows("mine", 1, speaker_id="mine-unknown", part="test")).path
    with pytest.raises(SplitError, match=f"read the published parts with .* --from {path}"):
        make_split(read_manifest(path, IMPORT_COLUMNS), "speaker")
