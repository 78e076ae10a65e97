"""What holds for every corpus, one test each: registry, cards, and every official name."""

import pkgutil
from collections import Counter
from importlib import import_module
from pathlib import PurePosixPath

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import ser_pipeline.corpora
from ser_pipeline.corpora import CORPORA, described
from ser_pipeline.corpora.described import Described
from ser_pipeline.labels import emotion_id
from ser_pipeline.records import Reject, Utterance
from tests.corpora import test_emodb, test_nemo
from tests.corpora.conftest import published

HELPERS = {
    "columns", "described", "description", "discover", "draft", "draft_sheets", "draft_tables", "draft_text",
    "files", "guess_speaker", "guesses", "languages", "listed", "places", "shapes", "sources",
    "table_formats", "tables", "values", "words", "workbooks",
}  # fmt: skip
PUBLISHED = published()
PER_SPEAKER = {"emodb": test_emodb.PER_SPEAKER, "nemo": test_nemo.PER_SPEAKER}

every_corpus = pytest.mark.parametrize("name", CORPORA)
every_listed_corpus = pytest.mark.parametrize("name", PUBLISHED)


def rows_of(name: str, paths: list[PurePosixPath]) -> list[Utterance]:
    rows = [CORPORA[name].parse(path) for path in paths]
    rejects = [row for row in rows if isinstance(row, Reject)]
    assert rejects == []
    return [row for row in rows if isinstance(row, Utterance)]


def test_the_registry_holds_every_corpus_module_in_the_published_order():
    modules = {module.name for module in pkgutil.iter_modules(ser_pipeline.corpora.__path__)} - HELPERS
    by_code = [name for name, corpus in CORPORA.items() if not isinstance(corpus, Described)]
    assert {name.replace("-", "_") for name in by_code} == modules
    assert list(CORPORA) == ["cremad", "ravdess", "ravdess-song", "savee", "tess", "iemocap", "nemo", "emodb"]
    for name in by_code:
        assert CORPORA[name] is import_module(f"ser_pipeline.corpora.{name.replace('-', '_')}")


def test_shipped_descriptions_are_known_by_the_names_of_their_files():
    assert {name: corpus.CARD.name for name, corpus in described().items()} == {n: n for n in described()}
    assert {name for name, corpus in CORPORA.items() if isinstance(corpus, Described)} <= described().keys()


def test_every_corpus_whose_names_are_public_is_walked_and_counted():
    assert set(PUBLISHED) == set(CORPORA) - {"iemocap"}  # licensed: only its layout is known


@every_corpus
def test_a_card_says_all_that_is_published(name):
    card = CORPORA[name].CARD
    assert card.name == name
    assert card.licence
    assert card.source.startswith(("doi:10.", "http"))
    assert card.speakers > 0
    assert card.clips > 0


@pytest.mark.parametrize("name", [name for name, c in CORPORA.items() if not isinstance(c, Described)])
def test_a_module_opens_with_its_facts(name):
    facts = CORPORA[name].__doc__ or ""
    assert all(f"\n{word} " in facts for word in ("Names", "Splits", "Quirks", "Source"))
    assert CORPORA[name].CARD.source in facts


@every_corpus
def test_the_layout_on_the_card_is_a_name_of_that_corpus_alone(name):
    path = PurePosixPath(CORPORA[name].CARD.layout)
    row = CORPORA[name].parse(path)
    assert isinstance(row, Utterance)
    assert row.canonical == str(path.with_suffix(""))
    assert [other for other, corpus in CORPORA.items() if corpus.claims(path)] == [name]


@every_corpus
def test_every_code_stands_for_a_shared_emotion(name):
    for emotion in CORPORA[name].EMOTIONS.values():
        assert emotion_id(emotion) >= -1


@every_listed_corpus
def test_every_official_name_is_read_and_counts_are_as_published(name, official_names):
    rows = rows_of(name, official_names[name])
    card = CORPORA[name].CARD
    assert len(rows) == card.clips
    assert Counter(row.emotion for row in rows) == card.counts
    assert {row.speaker_id.partition("-")[2] for row in rows} == set(card.people)
    assert len(card.people) == card.speakers
    per_speaker = Counter(row.speaker_id for row in rows)
    if name in PER_SPEAKER:
        assert per_speaker == PER_SPEAKER[name]
    elif name != "cremad":  # some clips were never recorded
        assert {*per_speaker.values()} == {card.clips // card.speakers}


@every_listed_corpus
def test_the_canonical_path_is_the_official_one_and_no_two_are_alike(name, official_names):
    rows = rows_of(name, official_names[name])
    assert [row.canonical for row in rows] == [str(path.with_suffix("")) for path in official_names[name]]
    assert len({row.utterance_id for row in rows}) == len(rows)


@every_listed_corpus
def test_the_canonical_path_stays_when_the_suffix_changes_or_folders_are_put_around(name, official_names):
    for path in official_names[name][::37]:
        row = CORPORA[name].parse(PurePosixPath("my copy") / path.with_suffix(".FLAC"))
        assert isinstance(row, Utterance)
        assert row.canonical == str(path.with_suffix(""))


@every_listed_corpus
def test_every_official_name_is_claimed_by_its_corpus_alone(name, official_names):
    for path in official_names[name]:
        claimed = PurePosixPath("DataSets/copy") / path
        assert [other for other, corpus in CORPORA.items() if corpus.claims(claimed)] == [name]


@every_listed_corpus
def test_rows_share_the_facts_of_their_card(name, official_names):
    card = CORPORA[name].CARD
    for row in rows_of(name, official_names[name][::101]):
        assert (row.corpus, row.language, row.style, row.modality) == (
            name, card.language, card.style, card.modality,
        )  # fmt: skip
        assert row.source_label in CORPORA[name].EMOTIONS


PIECES = """03 01 02 05 08 - _ 1001 1099 IEO ANG HI XX a b d sa su W F OAF YAF back angry ps Ses01F impro01
script02_1 F000 M001 WR0 surprised 64 91 . ._ DC .wav .flac 03a01Fa 1001_IEO_ANG_HI ٠٣"""
words = st.sampled_from(PIECES.split())
"""Pieces of official names, so that near misses are common."""


@every_corpus
@given(folder=st.sampled_from(["", "Actor_05", "DC", "OAF_sad", "Session2", "wav"]), parts=st.lists(words))
@example(folder="", parts=["\udcff"])
@example(folder="", parts=["\n"])
def test_any_name_gives_a_row_or_a_reject_with_a_reason_on_one_line(name, folder, parts):
    path = PurePosixPath(folder, "".join(parts) or "x")
    row = CORPORA[name].parse(path)
    assert row.path == path
    assert row.corpus == name
    if isinstance(row, Reject):
        assert row.reason
        assert "\n" not in row.reason


@every_corpus
@given(name_of_file=st.text(st.characters(codec=None, exclude_characters="/\0"), min_size=1))
def test_arbitrary_text_as_a_name_never_raises(name, name_of_file):
    path = PurePosixPath(name_of_file)
    assert CORPORA[name].parse(path).path == path
    assert CORPORA[name].claims(path) in (True, False)


@every_corpus
@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("x/notes.wav", "name does not follow '"),
        ("x/._notes.wav", "side file of macOS"),
        ("x/.notes.wav", "hidden file"),
        ("x/ blank .wav", "name does not follow '"),
    ],
)
def test_a_foreign_name_is_a_reject_that_shows_a_right_one(name, path, reason):
    row = CORPORA[name].parse(PurePosixPath(path))
    assert isinstance(row, Reject)
    assert row.reason.startswith(reason)


@every_corpus
def test_a_scan_gives_one_row_or_reject_per_recording_in_path_order(name, tmp_path):
    layout = PurePosixPath(CORPORA[name].CARD.layout)
    paths = sorted(
        [layout, layout.with_name("b.wav"), layout.with_name("A.flac"), PurePosixPath("z.mp3")], key=str
    )
    for path in paths:
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).touch()
    (tmp_path / "readme.txt").touch()
    records = [row for row in CORPORA[name].scan(tmp_path) if isinstance(row, Utterance | Reject)]
    assert [record.path for record in records] == paths
    again = [row for row in CORPORA[name].scan(tmp_path, paths[:2]) if isinstance(row, Utterance | Reject)]
    assert again == records[:2]
