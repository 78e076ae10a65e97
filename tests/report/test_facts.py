from pathlib import Path

import pytest

from ser_pipeline.corpora import CORPORA as MODULES
from ser_pipeline.report.facts import CLAIMS, CORPORA, corpus_title, language_title


def test_published_sizes_are_those_of_the_corpora_own_cards():
    cards = {
        name: (module.CARD.title, module.CARD.clips, module.CARD.speakers) for name, module in MODULES.items()
    }
    assert {name: (CORPORA[name].clips, CORPORA[name].speakers) for name in CORPORA} == {
        name: card[1:] for name, card in cards.items()
    }
    assert list(CORPORA) == list(MODULES)


def test_claims_are_the_source_reports():
    crnn = {claim.task: (claim.accuracy, claim.macro_f1) for claim in CLAIMS if claim.model == "CRNN"}
    assert crnn == {"4 classes": (81.29, 83.63), "6 classes": (76.76, 82.8)}


@pytest.mark.parametrize(("tag", "title"), [("en-GB", "English (UK)"), ("pl", "Polish (pl)"), ("xx", "xx")])
def test_language_titles(tag, title):
    assert language_title(tag) == title


def test_strays_have_no_corpus():
    assert corpus_title("unknown") == "no known corpus"


def test_room_needs_neither_torch_nor_the_manifest_room():
    import subprocess
    import sys

    code = (
        "import sys, ser_pipeline.report;"
        "bad = {'torch', 'librosa', 'h5py', 'pandas', 'ser_pipeline.manifest', 'ser_pipeline.corpora'};"
        "print(sorted(bad & set(sys.modules)))"
    )
    folder = Path(__file__).parents[2]
    found = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=folder
    )
    assert found.stdout.strip() == "[]"
