"""What the values of a store depend on and the name made from it; and the keys of its rows, as columns.

A key says what a row is of: the digest of the recording, the number of its variant, and what else of its
description counts (its aspect). There may be ten million of them, so keys are 16 bytes each in an array: the
digest, combined by exclusive or with digests of a variant above 0 and of an aspect. Two keys are thus the
same by chance only where two digests would be.
"""

import hashlib
import json
from collections.abc import Sequence
from functools import lru_cache
from importlib import metadata
from typing import Any

import numpy as np
import numpy.typing as npt
import soundfile

from ser_pipeline.errors import SettingsError
from ser_pipeline.manifest.digest import Digests
from ser_pipeline.options import (
    AUGMENT_VERSION,
    Augmented,
    EmbeddingOptions,
    FeatureOptions,
    FrontEnd,
    InputOptions,
    SmileOptions,
    StoreOptions,
    algorithm_version,
    inputs_of,
)

_LIBRARIES = ("numba", "numpy", "scipy", "soxr")
"""Libraries whose version can change the numbers of every front end."""
_OF_VARIANTS = ("audiomentations", "python-stretch")


version = lru_cache(maxsize=None)(metadata.version)
"""Version of a library that is installed; read once, since its file takes milliseconds to parse."""


def provenance(options: StoreOptions) -> dict[str, Any]:
    """All that decides what a store holds: settings, algorithm and library versions.

    Args:
        options: their stored part counts; how a corpus's level is set at reading does not.

    Returns:
        Kind, algorithm, settings and libraries; and for embeddings, what is said about their encoder, which
        is not part of the store's name.

    Raises:
        SettingsError: a library that the options need is not installed, or an encoder was not looked for yet.
    """
    inputs, changed = inputs_of(options), isinstance(options, Augmented)
    names = (*_LIBRARIES, *_more_libraries(inputs), *(_OF_VARIANTS if changed else ()))
    libraries = {name: _version(name, options.kind) for name in names}
    libraries["libsndfile"] = str(soundfile.__libsndfile_version__)
    about: dict[str, Any] = {}
    if isinstance(inputs, EmbeddingOptions):
        if not inputs.weights:
            raise SettingsError(f"encoder '{inputs.name}': must be located first; its weights name the store")
        about = {"about": inputs.about}
    algorithm: Any = algorithm_version(inputs)
    if changed:
        algorithm = {"inputs": algorithm, "changes": AUGMENT_VERSION}
    return {
        "kind": options.kind,
        "algorithm": algorithm,
        "settings": options.stored.model_dump(mode="json"),
        "libraries": libraries,
        **about,
    }


def _more_libraries(options: InputOptions) -> tuple[str, ...]:
    if isinstance(options, EmbeddingOptions):
        return ("torch", "transformers")
    if isinstance(options, FrontEnd):
        return ("noisereduce", "librosa") if options.denoise == "reference" else ()
    if isinstance(options, FeatureOptions):
        return ("librosa", "praat-parselmouth") if options.voice == "praat" else ("librosa",)
    return ("opensmile",) if isinstance(options, SmileOptions) else ()


def _version(library: str, kind: str) -> str:
    try:
        return version(library).partition("+")[0]  # not which device a build of torch is for
    except metadata.PackageNotFoundError:
        get = "'ser-pipeline[encoders]'" if library == "transformers" else library
        raise SettingsError(
            f"a store of {kind} with these settings needs {library}, which is not installed; "
            f"install it with pip install {get}"
        ) from None


def fingerprint(described: dict[str, Any]) -> str:
    """Name of a store: 16 hex digits of BLAKE2b over its provenance, but for what it says about its encoder.

    Examples:
        >>> fingerprint({"a": 1}) == fingerprint({"a": 1})
        True
        >>> len(fingerprint({"a": 1}))
        16
    """
    named = {part: value for part, value in described.items() if part != "about"}
    text = json.dumps(named, sort_keys=True, separators=(",", ":"))
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def differences(was: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """Say in words how two provenances differ.

    Examples:
        >>> differences({"libraries": {"soxr": "0.5"}}, {"libraries": {"soxr": "1.0"}})
        ['libraries.soxr: 0.5, now 1.0']
    """
    old, new = ({k: v for k, v in _flat(one).items() if not k.startswith("about.")} for one in (was, now))
    return [
        f"{name}: {old.get(name, 'absent')}, now {new.get(name, 'absent')}"
        for name in sorted(old.keys() | new.keys())
        if old.get(name, "absent") != new.get(name, "absent")
    ]


def _flat(values: dict[str, Any], before: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in values.items():
        inner = _flat(value, f"{before}{key}.") if isinstance(value, dict) else {f"{before}{key}": value}
        flat |= inner
    return flat


def keyed(keys: Digests, of: npt.NDArray[np.integer], kinds: Sequence[int | str]) -> Digests:
    """Keys that also say which variant a row is, or which aspect.

    Args:
        keys: of the rows so far, or their digests, shape ``(n, 2)``.
        of: place of each row's kind in ``kinds``, shape ``(n,)``.
        kinds: variants or aspects; 0 and an empty text leave a key as it is.

    Returns:
        Shape ``(n, 2)``; ``keys`` itself where none changes.
    """
    marks = np.array([_mark(kind) for kind in kinds], np.uint64).reshape(-1, 2)
    return keys ^ marks[of] if marks.any() else keys


def _mark(kind: int | str) -> Digests:
    if not kind:
        return np.zeros(2, np.uint64)
    return np.frombuffer(hashlib.blake2b(repr(kind).encode(), digest_size=16).digest(), np.uint64)
