from dataclasses import replace

import numpy as np
import pytest

from ser_pipeline.errors import RunError
from ser_pipeline.report.document import Figure, Text, plain
from ser_pipeline.report.internals_section import internals_section
from ser_pipeline.report.sources import read_data
from ser_pipeline.runs.internals import AttendedClip, Embeddings, write_attention, write_embeddings
from ser_pipeline.runs.read import read_runs
from ser_pipeline.tables import Table


@pytest.fixture
def folder(tmp_path, rows, fake):
    fake.manifest(tmp_path / "manifests", rows)
    return fake.run(tmp_path / "runs", "one", rows, "d", task="4class")


def clip(number, weights=(0.1, 0.2, 0.7), name="emodb/01-W-0"):
    mel = np.linspace(-1, 1, 16 * 30, dtype=np.float32).reshape(16, 30)
    return AttendedClip(name, "test", number % 4, (number // 2) % 4, 0.6, mel, np.array(weights, np.float32))


def embedded(rows, rng, by):
    """Clips of four emotions in heaps by emotion or by corpus."""
    chosen = [row for row in rows if row["emotion_id"] < 4]
    heaps = np.array([row["emotion_id"] if by == "emotion" else row["corpus"] == "nemo" for row in chosen])
    vectors = rng.standard_normal((len(chosen), 6)) + 40 * heaps[:, None] * np.array([1, -1, 1, -1, 1, -1])
    return Embeddings(
        tuple(row["utterance_id"] for row in chosen),
        "test",
        np.array([row["emotion_id"] for row in chosen]),
        vectors.astype(np.float32),
        vectors[:, :2].astype(np.float32),
    )


def section_of(folder, tmp_path):
    return internals_section(read_runs([folder])[0][0], read_data(tmp_path / "manifests"))


def test_runs_that_keep_nothing_have_no_such_part(folder, tmp_path):
    assert section_of(folder, tmp_path) is None


def test_clips_are_drawn_and_told_in_words(folder, tmp_path):
    write_attention(folder, [clip(number) for number in range(5)])
    (figure,) = section_of(folder, tmp_path).blocks
    (drawn,) = figure.panels
    assert "1, emodb/01-W-0, 0.7 s: anger, 60.0 % sure; most weight at 0.5 to 0.7 s" in drawn.alt
    assert "2.1 times the even share" in drawn.alt
    assert "taken for" in drawn.alt
    assert drawn.inline.count("<image") == 5


def test_what_moved_a_decision_is_drawn_and_told(folder, tmp_path):
    moved = np.zeros((2, 4), np.float32)
    moved[1, 2] = 3.0
    write_attention(folder, [replace(clip(number), moved=moved) for number in range(3)] + [clip(3)])
    _, figure = section_of(folder, tmp_path).blocks
    (drawn,) = figure.panels
    assert figure.key == "moved-r1"
    assert "most for the decision at 0.4 to 0.6 s, in bands 13 to 16 of 16 from below." in drawn.alt
    assert drawn.alt.count("most for the decision") == 3


@pytest.mark.parametrize(
    ("by", "words"), [("emotion", "emotions better than corpora"), ("corpus", "corpora better than emotions")]
)
def test_the_map_says_what_the_network_knows(folder, tmp_path, rows, rng, by, words):
    write_embeddings(folder, embedded(rows, rng, by))
    blocks = section_of(folder, tmp_path).blocks
    figure, answer, table = blocks
    assert isinstance(figure, Figure)
    assert [panel.name for panel in figure.panels] == ["map-r1-emotion", "map-r1-corpus", "map-r1-speaker"]
    assert isinstance(answer, Text)
    assert words in plain(answer.words)
    assert isinstance(table, Table)
    shares = {row.entries[0].text: row.entries[2].text for row in table.rows}
    assert shares[by] == "100.0"


@pytest.mark.parametrize(
    ("corpora", "named", "shown"),
    [
        (
            {"emodb", "nemo"},
            {"emodb-01", "nemo-01"},
            {"emotion", "speaker"},
        ),  # no neighbour is of a clip's corpus
        ({"emodb"}, {"emodb-01", "emodb-02"}, {"emotion", "speaker"}),  # each of them is
        ({"emodb", "nemo"}, {"emodb-01"}, set()),  # clips of nobody are not other speakers
    ],
)
def test_too_few_speakers_or_corpora_separate_nothing(
    folder, tmp_path, rows, fake, rng, corpora, named, shown
):
    for row in rows:
        row["speaker_id"] = row["speaker_id"] if row["speaker_id"] in named else f"{row['corpus']}-unknown"
    fake.manifest(tmp_path / "manifests", rows)
    chosen = [row for row in rows if row["corpus"] in corpora]
    write_embeddings(folder, embedded(chosen, rng, "emotion"))
    _, answer, *tables = section_of(folder, tmp_path).blocks
    assert "too few known speakers, or of too few corpora" in plain(answer.words)
    assert {row.entries[0].text for table in tables for row in table.rows} == shown


def test_clips_of_another_manifest_are_mapped_by_emotion_alone(folder, tmp_path, rows, rng):
    found = embedded(rows, rng, "emotion")
    write_embeddings(
        folder,
        Embeddings(
            tuple(f"x/{name}" for name in found.clips), "test", found.target, found.vectors, found.places
        ),
    )
    figure = section_of(folder, tmp_path).blocks[0]
    assert [panel.name for panel in figure.panels] == ["map-r1-emotion"]


def test_hostile_names_are_shown_as_text(folder, tmp_path):
    write_attention(folder, [clip(0, name='<script>alert("x")</script>\x00')])
    (figure,) = section_of(folder, tmp_path).blocks
    assert "<script>" not in figure.panels[0].inline
    assert "\x00" not in figure.panels[0].alt


def test_classes_that_the_run_does_not_know_are_refused(folder):
    bad = AttendedClip("a", "test", 9, 0, 0.5, np.zeros((4, 8), np.float32), np.ones(1, np.float32))
    write_attention(folder, [bad])
    with pytest.raises(RunError, match="has classes that the run does not know"):
        read_runs([folder])
