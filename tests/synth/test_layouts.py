from collections import Counter
from math import gcd

import pytest

from ser_pipeline.corpora import CORPORA
from ser_pipeline.errors import SettingsError
from ser_pipeline.records import Utterance
from ser_pipeline.synth.layouts import MAX_CLIPS_PER_CLASS, PLANS, SIZES, Size, pick, planned

TEXT_FILE_LABELS = {"iemocap"}  # labels stand in tables, not in names


@pytest.mark.parametrize("corpus", sorted(PLANS))
@pytest.mark.parametrize("size", sorted(SIZES))
def test_every_speaker_shows_every_class_equally_often(corpus, size):
    clips = planned(corpus, SIZES[size])
    cells = Counter((clip.part.voice, clip.code) for clip in clips)
    voices = {voice for voice, _ in cells}
    codes = {code for _, code in cells}
    assert len(voices) == SIZES[size].speakers[corpus]
    assert len(cells) == len(voices) * len(codes)
    assert set(cells.values()) == {SIZES[size].clips_per_class}
    assert codes == {clip.code for clip in planned(corpus, SIZES["medium"])}


def test_sizes_are_as_documented():
    totals = {name: sum(len(planned(corpus, size)) for corpus in PLANS) for name, size in SIZES.items()}
    assert totals == {"small": 212, "medium": 708}
    assert list(PLANS) == list(CORPORA)


@pytest.mark.parametrize("corpus", sorted(PLANS))
def test_names_are_unique_and_sorted_even_at_the_largest_number(corpus):
    paths = [clip.path for clip in planned(corpus, Size(SIZES["medium"].speakers, MAX_CLIPS_PER_CLASS))]
    assert len(set(paths)) == len(paths)
    assert paths == sorted(paths)


@pytest.mark.parametrize("corpus", sorted(set(PLANS) - TEXT_FILE_LABELS))
def test_the_corpus_module_reads_every_name_as_it_was_meant(corpus):
    for clip in planned(corpus, Size(SIZES["medium"].speakers, MAX_CLIPS_PER_CLASS)):
        row = CORPORA[corpus].parse(clip.path)
        assert isinstance(row, Utterance)
        assert row.emotion == clip.part.emotion
        assert row.speaker_id == clip.part.voice
        assert row.canonical == clip.path.with_suffix("").as_posix()
        assert row.modality == clip.part.modality
        assert row.language.partition("-")[0] == clip.part.language
        assert row.intensity == clip.part.intensity
        assert row.gender in {clip.part.sex, "unknown"}  # some publish it in a table alone


def test_ravdess_singers_are_its_speakers():
    speech, song = (
        {clip.part.voice for clip in planned(name, SIZES["medium"])} for name in ("ravdess", "ravdess-song")
    )
    assert song < speech


def test_picks_are_different_as_long_as_they_last():
    for options in (4, 8, 12, 14, 15, 30, 90):  # the numbers of names that corpora offer
        assert gcd(11, options) == 1
        assert sorted(pick(range(options), options, 5)) == list(range(options))


def test_an_unknown_corpus_is_refused():
    with pytest.raises(SettingsError, match="corpus 'timit' does not exist; valid are cremad, ravdess"):
        planned("timit", SIZES["small"])
