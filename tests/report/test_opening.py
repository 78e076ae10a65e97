from dataclasses import replace

import pyarrow as pa
import pytest

from ser_pipeline.manifest.doctor import Diagnosis, Finding
from ser_pipeline.report.document import Answer, Bullets, Callout, plain
from ser_pipeline.report.opening import banner, limits_section, opening, unread_blocks
from ser_pipeline.report.sources import read_data
from ser_pipeline.runs.find import Unread
from ser_pipeline.runs.read import read_runs
from ser_pipeline.runs.types import SplitInfo
from tests.report.conftest import untested

pytestmark = pytest.mark.usefixtures("no_drawings")


@pytest.fixture
def data(manifests):
    return read_data(manifests)


def cautions(data, runs):
    section = limits_section(data, runs)
    return [plain(item) for block in section.blocks if isinstance(block, Bullets) for item in block.items]


def test_opening_counts_what_is_shown(data):
    assert plain(opening(data, [], [])[0].words) == (
        "This report shows 90 recordings of 10 speakers from 2 corpora in 2 languages, "
        "with no finished run yet."
    )


@pytest.mark.parametrize(
    ("tags", "words"),
    [
        (("en-GB", "EN_us"), "2 corpora in 1 language,"),
        (("de", "und"), "2 corpora in 1 known language,"),
        (("mul", "und"), "2 corpora in languages that are not known,"),
    ],
)
def test_opening_counts_known_languages(data, tags, words):
    rows = [
        dict(zip(("emodb", "nemo"), tags, strict=True))[name] for name in data.table["corpus"].to_pylist()
    ]
    place = data.table.column_names.index("language")
    table = data.table.set_column(place, "language", pa.array(rows))
    data = replace(data, manifest=replace(data.manifest, table=table))
    assert words in plain(opening(data, [], [])[0].words)


def test_limits_name_emotions_with_no_or_few_test_clips(data, tmp_path, rows, fake):
    tested = untested(rows, "anger")
    runs, _ = read_runs([fake.run(tmp_path / "runs", name, tested, data.digest, epochs=2) for name in "ab"])
    assert (
        "R1, R2: there are no test clips of anger, and few of happiness (4), neutral (4) and sadness (4); a "
        "UAR is the mean over the emotions that have clips."
    ) in cautions(data, runs)


def test_real_recordings_have_no_banner(data, tmp_path, rows, fake):
    runs, _ = read_runs([fake.run(tmp_path / "runs", "a", rows, data.digest, epochs=2)])
    assert banner(data, runs, []) == ""


def test_banner_names_synthetic_corpora(tmp_path, rows, fake):
    folder = fake.manifest(tmp_path, rows, synthetic=True, synthetic_corpora=["nemo"])
    assert "the recordings of nEMO were made by a program" in banner(read_data(folder), [], [])


def test_banner_for_all_synthetic(tmp_path, rows, fake):
    data = read_data(fake.manifest(tmp_path / "m", rows, synthetic=True))
    runs, _ = read_runs([fake.run(tmp_path / "runs", "a", rows, data.digest, synthetic=True, epochs=2)])
    said = banner(data, runs, [])
    assert "all recordings described here and those behind every run" in said


def test_banner_names_the_runs_that_are_synthetic(data, tmp_path, rows, fake):
    folders = [
        fake.run(tmp_path / "runs", name, rows, data.digest, synthetic=made_up, epochs=2)
        for name, made_up in (("a", False), ("b", True))
    ]
    assert "those behind runs R2 were made by a program" in banner(data, read_runs(folders)[0], [])


def test_banner_also_for_unfinished_synthetic_runs(data, tmp_path, rows, fake):
    folder = fake.run(tmp_path / "runs", "a", rows, data.digest, synthetic=True, finished=False)
    assert "those behind unfinished runs" in banner(data, [], read_runs([folder])[1])


def test_the_answer_comes_first(data, tmp_path, rows, fake):
    runs, _ = read_runs([fake.run(tmp_path / "runs", "a", rows, data.digest, epochs=2)])
    first, counts = opening(data, runs, [])
    assert isinstance(first, Answer)
    assert plain(counts.words).endswith("with 1 finished run.")


@pytest.mark.parametrize(("copies", "told"), [(30, True), (1, True), (0, False)])
def test_copies_that_the_doctor_found_are_in_the_answer_and_the_limits(
    data, tmp_path, rows, fake, copies, told
):
    findings = (Finding("copies", "nemo", copies, "x", "y"), Finding("offset", "nemo", 9, "x", "y"))
    examined = replace(data, diagnosis=Diagnosis(90, findings, data.digest))
    runs, _ = read_runs([fake.run(tmp_path / "runs", "a", rows, data.digest, epochs=2)])
    are = f"{copies} of 90 recordings {'is a copy' if copies == 1 else 'are copies'} of others, as the"
    assert told == any(line.startswith(are) for line in cautions(examined, runs))
    said = plain(opening(examined, runs, [])[0].words)
    assert told == (f"{are} examination found, so this score may be too high." in said)
    rare = replace(data, diagnosis=Diagnosis(10_000, findings, data.digest))
    assert "examination" not in plain(opening(rare, runs, [])[0].words)


def test_cautions_name_the_runs_they_are_about(data, tmp_path, rows, fake):
    heard = SplitInfo(name="stratified", digest="x", leaks_speakers=True, note="n")
    folders = [
        fake.run(tmp_path / "runs", "a", rows, "other", epochs=2),
        fake.run(
            tmp_path / "runs", "b", rows, data.digest, split=heard, recipe={"train": {"seed": 7}}, epochs=2
        ),
    ]
    said = cautions(data, read_runs(folders)[0])
    assert any(line.startswith("R2: the speakers of the test clips were heard in training.") for line in said)
    assert any(line.startswith("R1: trained on another manifest") for line in said)
    assert any(line.startswith("R1, R2: there are fewer than 10 test speakers") for line in said)
    assert any(line.startswith("Seeds: 0, 7.") for line in said)
    assert any("90 of the 5,016 recordings of 2 complete corpora" in line for line in said)
    assert any("claimed, clips of one speaker on both sides" in line for line in said)


def test_of_people_who_are_not_named_nothing_is_claimed(data, tmp_path, rows, fake):
    parts = SplitInfo(name="official", digest="x", leaks_speakers=True, note="n")
    (run,), _ = read_runs([fake.run(tmp_path / "runs", "a", rows, data.digest, split=parts, epochs=2)])
    pooled = run.shown.pooled.model_copy(update={"speakers": 0})
    scores = {"test": run.shown.model_copy(update={"pooled": pooled})}
    unnamed = replace(run, scores=run.scores.model_copy(update={"parts": scores}))
    assert any(
        line.startswith("R1: nothing says whether the speakers of the test clips were heard in training.")
        for line in cautions(data, [unnamed])
    )
    assert "On people it may have learned from, R1 crnn" in plain(opening(data, [unnamed], [])[0].words)


def test_without_runs_nothing_is_promised(data):
    assert any(line.startswith("There are no scores yet") for line in cautions(data, []))


def test_each_is_named_with_its_reason():
    warning, listed = unread_blocks([Unread("run", "a", "a/scores.json: bad"), Unread("split", "b", "gone")])
    assert isinstance(warning, Callout)
    assert isinstance(listed, Bullets)
    assert [plain(item) for item in listed.items] == [
        "run a could not be read: a/scores.json: bad",
        "split b could not be read: gone",
    ]


def test_nothing_is_said_where_all_was_read():
    assert unread_blocks([]) == ()
