"""What the values of a store depend on and the name made from it; and the keys of its rows, as columns.

A key says what a row is of: the digest of the recording, the number of its variant, and what else of its
description counts (its aspect). There may be ten million of them, so keys are 16 bytes each in an array: the
digest, combined by exclusive or with digests of a variant above 0 and of an aspect. Two keys are thus the
same by chance only where two digests would be.
"""

import binascii
import hashlib
import json
from collections.abc import Iterable, Sequence
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import soundfile

from ser_pipeline.arrays import Bools, Int64s
from ser_pipeline.errors import SettingsError, StoreError
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
"""Libraries whose version can change a number of every front end."""
_OF_VARIANTS = ("audiomentations", "python-stretch")

Keys = npt.NDArray[np.uint64]
"""Keys of rows, or digests, shape ``(n, 2)``."""

_BLOCK = 1 << 20
"""Keys that are looked up at once."""


def provenance(options: StoreOptions) -> dict[str, Any]:
    """All that decides what a store holds: settings, algorithm and library versions.

    Args:
        options: their stored part counts; how a corpus's level is set at reading does not.

    Returns:
        Kind, algorithm, settings and libraries; and for embeddings, what is said about their encoder, which
        is no part of the store's name.

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
    except PackageNotFoundError:
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


def packed(digests: Iterable[pa.Array]) -> Keys:
    """Digests of recordings as numbers, 16 bytes each.

    Args:
        digests: texts of 32 hexadecimal digits, as the chunks of a column.

    Raises:
        StoreError: a text is no digest.

    Examples:
        >>> packed([pa.array(["0" * 31 + "1", "f" * 32])]).shape
        (2, 2)
    """
    found = bytearray()
    for part in digests:
        for start in range(0, len(part), _BLOCK):
            some = part.slice(start, _BLOCK)
            try:
                texts = some.cast(pa.binary()).cast(pa.binary(32)).buffers()[1]
                found += binascii.unhexlify(texts[: 32 * len(some)])
            except (pa.ArrowInvalid, binascii.Error):
                raise _no_digest() from None
    return np.frombuffer(found, np.uint64).reshape(-1, 2)


def packed_texts(digests: Sequence[str]) -> Keys:
    """The same of texts in a list.

    Raises:
        StoreError: a text is no digest.
    """
    try:
        if any(len(digest) != 32 for digest in digests):
            raise _no_digest()
        return np.frombuffer(binascii.unhexlify("".join(digests)), np.uint64).reshape(-1, 2)
    except ValueError:
        raise _no_digest() from None


def _no_digest() -> StoreError:
    return StoreError("a digest is not 32 hexadecimal digits; run 'ser manifest build'")


def unpacked(digests: Keys) -> pa.Array:
    """The texts of digests again."""
    texts = np.ascontiguousarray(digests).tobytes().hex().encode()
    ends = 32 * np.arange(len(digests) + 1, dtype=np.int32)
    return pa.StringArray.from_buffers(len(digests), pa.py_buffer(ends), pa.py_buffer(texts))


def keyed(keys: Keys, of: npt.NDArray[np.integer], kinds: Sequence[int | str]) -> Keys:
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


def _mark(kind: int | str) -> Keys:
    if not kind:
        return np.zeros(2, np.uint64)
    return np.frombuffer(hashlib.blake2b(repr(kind).encode(), digest_size=16).digest(), np.uint64)


class Places:
    """Where keys stand in an array of them.

    Args:
        keys: shape ``(n, 2)``; of equal ones the first counts.

    Examples:
        >>> keys = packed([pa.array(["0" * 31 + digit for digit in "2101"])])
        >>> Places(keys).find(keys[[1, 3]]).tolist(), Places(keys[:1]).find(keys).tolist()
        ([1, 1], [0, -1, -1, -1])
    """

    def __init__(self, keys: Keys) -> None:
        self._keys = keys
        folded = _folded(keys)
        self._order = np.argsort(folded, kind="stable").astype(np.uint32)
        self._folded = folded[self._order]

    @property
    def distinct(self) -> bool:
        """No two keys are the same; also False where two only fold into one number."""
        return bool((self._folded[1:] != self._folded[:-1]).all())

    def find(self, wanted: Keys) -> Int64s:
        """Place of each wanted key, -1 where it is not there; shape ``(len(wanted),)``."""
        found = np.full(len(wanted), -1, np.int64)
        for start in range(0, len(wanted), _BLOCK):
            self._look_up(wanted[start : start + _BLOCK], found[start : start + _BLOCK])
        return found

    def _look_up(self, wanted: Keys, found: Int64s) -> None:
        folded = _folded(wanted)
        left = np.argsort(folded)  # in order, what is looked at lies in the processor's cache
        place = np.searchsorted(self._folded, folded[left])
        while left.size:  # more than once only where different keys fold into one number
            there = place < len(self._folded)
            there[there] = self._folded[place[there]] == folded[left[there]]
            left, place = left[there], place[there]
            number = self._order[place]
            same = (self._keys[number] == wanted[left]).all(axis=1)
            found[left[same]] = number[same]
            left, place = left[~same], place[~same] + 1


def first_of_each(keys: Keys) -> Bools:
    """Whether no earlier key is the same, shape ``(n,)``."""
    places = Places(keys)
    if places.distinct:
        return np.ones(len(keys), np.bool_)
    return np.equal(places.find(keys), np.arange(len(keys)))


def _folded(keys: Keys) -> npt.NDArray[np.uint64]:
    """One number of each key, shape ``(n,)``; sums wrap around on purpose."""
    mixed: npt.NDArray[np.uint64] = keys[:, 0] + keys[:, 1] * np.uint64(0x9E3779B97F4A7C15)
    return mixed
