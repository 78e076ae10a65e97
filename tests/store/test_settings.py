"""Extract; change one setting, or a file's bytes under the same name; extract again: never stale."""

import types
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import numpy as np
import pytest

from ser_pipeline.errors import SettingsError
from ser_pipeline.options import FeatureOptions, FrontEnd, SmileOptions
from ser_pipeline.store import build_store, fingerprint, open_store, provenance, store_folder

BASES = (FrontEnd(), FeatureOptions(), SmileOptions(feature_set="egemaps"))
SHARED = {("FrontEnd", "level", "corpus_rms"): "none"}
"""The one exception: a corpus's level is set when clips are read, so its store is that of level none."""


def plain(annotation: Any) -> Any:
    """A type without what is said about its values."""
    return plain(get_args(annotation)[0]) if get_origin(annotation) is Annotated else annotation


def others(options, field: str) -> list[Any]:
    """Other values of a setting, whatever its type."""
    value, kind = getattr(options, field), plain(type(options).model_fields[field].annotation)
    if get_origin(kind) is Literal:
        return [other for other in get_args(kind) if other != value]
    if get_origin(kind) in {Union, types.UnionType}:
        return [None, value + 1]
    assert kind in {int, float}, f"{field}: say here how a setting of type {kind} is changed"
    return [value + 1, value + 2]


CASES = [
    pytest.param(options, field, value, id=f"{type(options).__name__}-{field}-{value}")
    for options in BASES
    for field in type(options).model_fields
    for value in others(options, field)
]


@pytest.mark.parametrize(("options", "field", "value"), CASES)
def test_every_changed_setting_is_another_store(options, field, value, tmp_path):
    changed = options.model_copy(update={field: value})  # unchecked: values need not go together
    twin = SHARED.get((type(options).__name__, field, value))
    if twin is not None:
        same = options.model_copy(update={field: twin})
        assert store_folder(tmp_path, changed) == store_folder(tmp_path, same)
    assert store_folder(tmp_path, changed) != store_folder(tmp_path, options)


@pytest.mark.parametrize("options", BASES, ids=lambda options: options.kind)
def test_every_library_version_is_part_of_the_name(options):
    described = provenance(options)
    assert described["libraries"]
    for library in described["libraries"]:
        changed = described | {"libraries": described["libraries"] | {library: "0.0.1"}}
        assert fingerprint(changed) != fingerprint(described)


def test_a_library_that_is_missing_is_named(monkeypatch):
    from importlib.metadata import PackageNotFoundError

    def absent(name):
        raise PackageNotFoundError(name)

    monkeypatch.setattr("ser_pipeline.store.identity.version", absent)
    with pytest.raises(SettingsError, match="which is not installed; install it with pip install"):
        provenance(FrontEnd())


@pytest.mark.parametrize(
    ("options", "change"),
    [
        (FrontEnd(denoise="none", n_mels=16, max_s=1.0), {"n_mels": 20}),
        (FrontEnd(denoise="none", n_mels=16, max_s=1.0), {"denoise": "gate"}),
        (FrontEnd(denoise="none", n_mels=16, max_s=1.0), {"floor_db": -60.0}),
        (FrontEnd(denoise="none", n_mels=16, max_s=1.0), {"sample_rate": 16_000}),
        (FeatureOptions(), {"pitch_floor_hz": 75.0}),
        (SmileOptions(feature_set="egemaps"), {"trim_db": None}),
    ],
    ids=lambda value: value.kind if hasattr(value, "kind") else next(iter(value)),
)
def test_nothing_stale_is_served(options, change, corpus, tmp_path):
    corpus.names = corpus.names[:6]
    cache = tmp_path / "cache"
    assert build_store(corpus.manifest(), corpus.folder, cache, options).computed == 6
    changed = options.model_copy(update=change)
    assert build_store(corpus.manifest(), corpus.folder, cache, changed).computed == 6
    corpus.add("c03.wav", 900, seconds=0.5)  # other bytes under the same name
    assert build_store(corpus.manifest(), corpus.folder, cache, changed).computed == 1
    build_store(corpus.manifest(), corpus.folder, tmp_path / "fresh", changed)
    kept, fresh = open_store(cache, changed), open_store(tmp_path / "fresh", changed)
    digests = [corpus.digest(name) for name in corpus.names]
    for one, other in zip(kept.read(kept.rows(digests)), fresh.read(fresh.rows(digests)), strict=True):
        assert np.array_equal(one, other)
