import numpy as np
import pytest
from sklearn.metrics import confusion_matrix

from ser_pipeline.evaluation.decisions import Decided, RunDecisions
from ser_pipeline.manifest import read_manifest

EMOTIONS = ("anger", "happiness", "neutral", "sadness")


@pytest.fixture
def decisions(toy):
    return RunDecisions(toy.folder.joinpath, read_manifest(toy.manifests))


def put(decisions, key, clips, rng):
    names = np.array(sorted(clips))
    target = np.array([int(name.split("/")[1].split("-")[1]) for name in names])
    decisions._read[key] = Decided(names, target, rng.integers(0, 4, len(names)), EMOTIONS)
    return decisions._read[key]


def clips_of(*corpora, speakers=range(5)):
    return [
        f"{corpus}/{speaker}-{emotion}-0"
        for corpus in corpora
        for speaker in speakers
        for emotion in range(4)
    ]


def test_common_clips_are_those_that_all_were_tested_on(decisions, rng):
    put(decisions, "a", clips_of("emodb", "nemo"), rng)
    put(decisions, "b", clips_of("nemo", speakers=(1, 2)), rng)
    assert decisions.common(["a", "b"]).tolist() == sorted(clips_of("nemo", speakers=(1, 2)))
    assert len(decisions.common(["a"], corpora=("emodb",))) == 20
    assert len(decisions.common(["a"], languages=("pl",))) == 20
    assert len(decisions.common(["a", "b"], corpora=("emodb",))) == 0
    assert decisions.common(["b"], languages=("de",)).size == 0


def test_counts_are_confusions_by_speaker_and_seed(decisions, rng):
    first, second = (put(decisions, key, clips_of("emodb", "nemo"), rng) for key in "ab")
    counts = decisions.counts(["a", "b"], first.clips)
    assert counts.shape == (2, 10, 4, 4)
    for seed, tested in enumerate((first, second)):
        expected = confusion_matrix(tested.target, tested.predicted, labels=range(4))
        assert np.array_equal(counts[seed].sum(0), expected)
    of_first = np.char.startswith(first.clips, "emodb/0-")
    expected = confusion_matrix(first.target[of_first], first.predicted[of_first], labels=range(4))
    assert np.array_equal(counts[0, 0], expected)
