"""What a store's numbers depend on, and its name made of that."""

import hashlib
import json
from importlib.metadata import version
from typing import Any

import soundfile

from ser_pipeline.settings import FRONT_END_VERSION, FrontEnd

_LIBRARIES = ("librosa", "numpy", "scipy", "soxr")
"""Libraries whose version can change a number of every front end."""


def provenance(kind: str, front_end: FrontEnd) -> dict[str, Any]:
    """All that decides what a store holds: settings, algorithm and library versions.

    Args:
        kind: ``mels``.
        front_end: its stored part counts; how a corpus's level is set at reading does not.
    """
    libraries = {name: version(name) for name in _LIBRARIES}
    libraries["libsndfile"] = str(soundfile.__libsndfile_version__)
    if front_end.denoise == "reference":
        libraries["noisereduce"] = version("noisereduce")
    if front_end.denoise == "gate":
        libraries["numba"] = version("numba")
    return {
        "kind": kind,
        "algorithm": FRONT_END_VERSION,
        "settings": front_end.stored.model_dump(mode="json"),
        "libraries": libraries,
    }


def fingerprint(described: dict[str, Any]) -> str:
    """Name of a store: 16 hex digits of BLAKE2b over its provenance.

    Examples:
        >>> fingerprint({"a": 1}) == fingerprint({"a": 1})
        True
        >>> len(fingerprint({"a": 1}))
        16
    """
    text = json.dumps(described, sort_keys=True, separators=(",", ":"))
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def differences(was: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """Say in words how two provenances differ.

    Examples:
        >>> differences({"libraries": {"soxr": "0.5"}}, {"libraries": {"soxr": "1.0"}})
        ['libraries.soxr: 0.5, now 1.0']
    """
    old, new = _flat(was), _flat(now)
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
