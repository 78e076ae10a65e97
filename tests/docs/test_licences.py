"""docs/licences.md lists all that a default install brings, and its licences are permissive."""

import re
import sys
from email.message import Message
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import SimpleNamespace

import pytest

DOCS = Path(__file__).parents[2] / "docs"
PERMISSIVE = {
    *(
        "0BSD",
        "Apache-2.0",
        "Apache-2.0 WITH LLVM-exception",
        "BSD",
        "BSD-2-Clause",
        "BSD-3-Clause",
        "BSL-1.0",
    ),
    *("CC0-1.0", "CNRI-Python", "ISC", "MIT", "MIT-0", "MIT-CMU", "PSF", "PSF-2.0", "Zlib"),
}


@pytest.fixture(scope="module")
def licences():
    spec = spec_from_file_location("licences", DOCS / "licences.py")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def brought(licences, pinned):
    pinned("llvmlite")
    return {name: licences.licence(name, of) for name, of in licences.closure().items()}


def test_what_is_not_permissive_is_named_with_a_reason(licences, brought):
    parts = {name: re.split(" AND | OR ", stated) for name, stated in brought.items()}
    others = {name for name, stated in parts.items() if not PERMISSIVE.issuperset(stated)}
    assert others == {"certifi", "ser-pipeline", "soxr", "tqdm"}
    assert licences.REMARKS.keys() == others - {"ser-pipeline"} | {"soundfile"}


@pytest.mark.skipif(
    sys.platform != "linux" or sys.version_info[:2] != (3, 11), reason="other systems bring other packages"
)
def test_the_page_lists_every_package(licences, brought):
    rows = licences.PAGE.read_text(encoding="utf-8").partition(licences.HEAD)[2]
    assert {"ser-pipeline", *re.findall(r"^\| (\S+) \|", rows, re.MULTILINE)} == set(brought), (
        "run 'make docs'"
    )


@pytest.mark.parametrize(
    ("stated", "expected"),
    [
        ({"License-Expression": "MIT", "License": "ISC"}, "MIT"),
        ({"License": "apache-2.0"}, "Apache-2.0"),
        ({"License": "BSD", "Classifier": "License :: OSI Approved :: BSD License"}, "BSD"),
    ],
)
def test_a_licence_is_read_from_any_field(licences, stated, expected):
    assert licences.licence("a", package(stated)) == expected


def test_a_licence_that_is_not_recognised_is_refused(licences):
    with pytest.raises(ValueError, match="a: no licence recognised"):
        licences.licence("a", package({"License": "my own", "Classifier": "License :: OSI Approved"}))


def package(stated):
    message = Message()
    for field, value in stated.items():
        message[field] = value
    return SimpleNamespace(metadata=message)
