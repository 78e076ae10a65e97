import json

import numpy as np
import pytest
import soundfile

from ser_pipeline.manifest.digest import packed_texts, unpacked
from ser_pipeline.options import (
    AUGMENT_VERSION,
    Augmented,
    EmbeddingOptions,
    FeatureOptions,
    FrontEnd,
    SmileOptions,
    algorithm_version,
    inputs_of,
)
from ser_pipeline.store import identity
from ser_pipeline.store.identity import differences, fingerprint, keyed, provenance

FOUND = EmbeddingOptions(encoder="a", weights="0a" * 16, depth=3, width=8, layers=(1, 2))
"""Of an encoder that has been located."""


def test_variants_and_aspects_are_keys_of_their_own():
    digests = packed_texts([f"{number:032x}" for number in range(3)]).repeat(2, axis=0)
    plain = keyed(digests, np.zeros(6, int), ["", "song"])
    assert np.array_equal(plain, digests)
    assert keyed(digests, np.zeros(6, int), [0]) is digests
    both = [keyed(digests, np.arange(6) % 2, kinds) for kinds in ([0, 1], [1, 2], ["", "speech"], ["1", "2"])]
    every = np.concatenate([digests[::2], *both])
    assert len(np.unique(every, axis=0)) == 3 * (
        1 + 1 + 1 + 1 + 2
    )  # 0 and "" change nothing, 1 is there twice


def test_stores_and_keys_keep_their_names():
    """Other names would have all that is stored computed again."""
    described = {"kind": "mels", "settings": {"b": [1, 0.5], "a": None}, "about": "where it lay"}
    assert fingerprint(described) == "f409e5f6760173c4"
    keys = keyed(packed_texts(["0" * 32] * 3), np.arange(3), [0, 1, "speech"])
    assert unpacked(keys).to_pylist() == [
        "0" * 32, "cea3878a334b240469d159ff840b6434", "de2cff9e24c4e9036b343ce4f9df44fa",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("options", "more"),
    [
        (FrontEnd(), set()),
        (FrontEnd(denoise="reference"), {"noisereduce", "librosa"}),
        (FeatureOptions(), {"librosa"}),
        (FeatureOptions(voice="praat"), {"librosa", "praat-parselmouth"}),
        (SmileOptions(feature_set="egemaps"), {"opensmile"}),
        (FOUND, {"torch", "transformers"}),
        (Augmented(inputs=FrontEnd()), {"audiomentations", "python-stretch"}),
    ],
)
def test_a_store_is_named_after_all_that_its_numbers_depend_on(monkeypatch, options, more):
    monkeypatch.setattr(identity, "version", lambda name: f"2.1 {name}+cpu+x")
    libraries = {name: f"2.1 {name}" for name in {"numba", "numpy", "scipy", "soxr"} | more}
    algorithm = algorithm_version(inputs_of(options))
    if isinstance(options, Augmented):
        algorithm = {"inputs": algorithm, "changes": AUGMENT_VERSION}
    assert provenance(options) == {
        "kind": options.kind,
        "algorithm": algorithm,
        "settings": json.loads(options.stored.model_dump_json()),
        "libraries": libraries | {"libsndfile": soundfile.__libsndfile_version__},
        **({"about": FOUND.about} if options is FOUND else {}),
    }


def test_what_is_only_on_one_side_differs_and_what_is_said_of_an_encoder_does_not():
    was, now = {"a": {"b": {"c": 1}}, "about": {"x": 1}}, {"d": 2, "about": {"x": 2}}
    assert differences(was, now) == ["a.b.c: 1, now absent", "d: absent, now 2"]
