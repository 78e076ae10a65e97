"""Writes the table of ``docs/licences.md``: what the default install brings. ``make docs`` runs it."""

from collections.abc import Iterator
from importlib.metadata import Distribution, distribution
from pathlib import Path
from typing import Final

from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PAGE: Final = Path(__file__).with_suffix(".md")
HEAD: Final = "| package | licence | remark |\n| --- | --- | --- |\n"

CLASSIFIERS: Final = {
    "Apache Software License": "Apache-2.0",
    "BSD License": "BSD",
    "ISC License (ISCL)": "ISC",
    "MIT License": "MIT",
    "Python Software Foundation License": "PSF",
}
"""Classifier -> licence, for packages without an SPDX expression; BSD and PSF leave open which version."""

READ: Final = {
    "protobuf": "BSD-3-Clause",
    "soxr": "LGPL-2.1-or-later",
}
"""Licences read from the file in the package, whose metadata names none or only loosely."""

CUDA: Final = ("cuda-", "nvidia-", "triton")
"""Beginnings of what PyTorch's wheels with CUDA bring, and those without it do not; the page says so."""

REMARKS: Final = {
    "certifi": "the list of certificate authorities, a file that is read; changes to that file stay under MPL",
    "soundfile": "has libsndfile inside, which is under LGPL 2.1 and loaded as a shared library",
    "soxr": "a shared library that is loaded at run time and can be replaced; librosa requires it",
    "tqdm": "some of its files are under MPL; changes to those files stay under it",
}


def closure(name: str = "ser-pipeline") -> dict[str, Distribution]:
    """What an install of ``name`` without extras brings on this system without CUDA, by name, itself included.

    Raises:
        PackageNotFoundError: One of them is not installed.
    """
    found: dict[str, Distribution] = {}
    seen: set[tuple[str, frozenset[str]]] = set()
    wanted = [(name, frozenset[str]())]
    while wanted:
        name, extras = wanted.pop()
        if (name, extras) not in seen:
            seen.add((name, extras))
            found[name] = distribution(name)
            wanted += _requirements(found[name], extras)
    return dict(sorted(found.items()))


def _requirements(of: Distribution, extras: frozenset[str]) -> Iterator[tuple[str, frozenset[str]]]:
    for line in of.requires or ():
        needed = Requirement(line)
        if needed.name.startswith(CUDA):
            continue
        if needed.marker is None or any(needed.marker.evaluate({"extra": each}) for each in {"", *extras}):
            yield canonicalize_name(needed.name), frozenset(needed.extras)


def licence(name: str, of: Distribution) -> str:
    """Its SPDX expression, or the name of a family of licences.

    Raises:
        ValueError: The metadata gives none that can be recognised.
    """
    if name in READ:
        return READ[name]
    for field in ("License-Expression", "License"):
        try:
            return canonicalize_license_expression(of.metadata.get(field) or "")
        except InvalidLicenseExpression:
            continue
    stated = [line.rpartition(" :: ")[2] for line in of.metadata.get_all("Classifier") or ()]
    known = [CLASSIFIERS[each] for each in stated if each in CLASSIFIERS]
    if not known:
        raise ValueError(
            f"{name}: no licence recognised in its metadata; read its licence file and add it to READ"
        )
    return " AND ".join(known)


def table() -> str:
    """The table, as Markdown: a package per row."""
    found = {name: licence(name, of) for name, of in closure().items() if name != "ser-pipeline"}
    return HEAD + "".join(
        f"| {name} | {stated} | {REMARKS.get(name, '')} |\n" for name, stated in found.items()
    )


def page() -> str:
    """The page with the table, which is its end, written anew."""
    return PAGE.read_text(encoding="utf-8").partition(HEAD)[0] + table()


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
