import re
from pathlib import PurePosixPath

import pytest

from ser_pipeline.corpora.emodb import CARD
from ser_pipeline.corpora.names import contradiction, misnamed, nearest_folder, unknown_code


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("wav/x.wav", "name does not follow 'wav/03a01Fa.wav'"),
        ("wav/._03a01Fa.wav", "side file of macOS, not a recording"),
        ("wav/.03a01Fa.wav", "hidden file; recordings are named as in 'wav/03a01Fa.wav'"),
    ],
)
def test_misnamed_says_what_is_wrong(name, reason):
    reject = misnamed(CARD, PurePosixPath(name))
    assert (reject.corpus, str(reject.path), reject.reason) == ("emodb", name, reason)


def test_an_unknown_code_lists_the_valid_ones():
    reject = unknown_code(CARD, PurePosixPath("03a01Xa.wav"), "emotion", "X", ("F", "T"))
    assert reject.reason == "emotion 'X' does not exist; valid are F, T"


def test_a_contradiction_shows_both_sides():
    reject = contradiction(CARD, PurePosixPath("x.wav"), "actor 05", "07")
    assert reject.reason == "folder says actor 05, name says 07; one of them is wrong"


def test_the_innermost_matching_folder_counts_and_the_file_does_not():
    pattern = re.compile(r"Actor_(\d\d)")
    match = nearest_folder(PurePosixPath("Actor_01/Actor_02/takes/Actor_03"), pattern)
    assert match is not None
    assert match[1] == "02"
    assert nearest_folder(PurePosixPath("Actor_03"), pattern) is None
