from dataclasses import replace

import pytest

from ser_pipeline.corpora import CORPORA
from ser_pipeline.errors import ManifestError
from ser_pipeline.manifest import read_manifest
from ser_pipeline.manifest.cards import KnownCorpora, KnownCorpus, card_facts

MINE = {"title": "My voices", "language": "fi", "language_name": "Finnish", "clips": 12, "speakers": 3}


def test_a_build_keeps_the_cards_of_what_it_found(data, out, built):
    (data / "stray.wav").write_bytes(b"no recording")
    built(data, out)
    cards = read_manifest(out, []).facts["cards"]
    assert list(cards) == ["emodb", "ravdess", "ravdess-song"]
    assert cards["emodb"] == {
        "title": "EMO-DB", "language": "de", "language_name": "German", "clips": 535, "speakers": 10,
    }  # fmt: skip


def test_what_a_manifest_says_comes_before_the_shipped_card():
    known = KnownCorpora.of({"cards": {"emodb": MINE, "mine": MINE}})
    assert known.title("emodb") == "My voices"
    assert known["mine"] == KnownCorpus(**MINE)
    assert known.language("fi") == "Finnish (fi)"
    assert list(known)[-2:] == ["emodb", "mine"]
    assert len(known) == len(CORPORA) + 1


def test_a_manifest_of_before_there_were_cards_falls_back(in_memory, people_rows):
    known = in_memory(people_rows()).corpora
    assert list(known) == list(CORPORA)
    assert (known["nemo"].clips, known["nemo"].speakers) == (4481, 9)
    assert known.title("mine") == "mine"
    assert known.language("fi") == "fi"
    assert known.title("unknown") == "no known corpus"


@pytest.mark.parametrize(
    "cards", [{"mine": {}}, {"mine": {**MINE, "clips": "many"}}, {"mine": None}, ["mine"], "mine"]
)
def test_odd_cards_are_one_line(in_memory, people_rows, cards):
    manifest = replace(in_memory(people_rows()), facts={"cards": cards})
    with pytest.raises(ManifestError, match="description of a corpus cannot be read; make it"):
        manifest.corpora  # noqa: B018 - read when it is asked for


def test_one_tag_has_one_name():
    names = {(module.CARD.language, module.CARD.language_name) for module in CORPORA.values()}
    assert len(names) == len({tag for tag, _ in names})
    assert all(name for _, name in names)


def test_facts_leave_out_what_is_no_corpus():
    assert list(card_facts(CORPORA, ["unknown", "tess"])) == ["tess"]
