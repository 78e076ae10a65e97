"""Builds ``ser-pipeline-onnx`` from the folder above: the same package, with the requirements named here."""

import json
import os
import re
import shutil
import tempfile
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from setuptools import build_meta

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent


def project(text: str) -> str:
    """The ``pyproject.toml`` to build with.

    Args:
        text: that of the whole package.
    """
    slim = tomllib.loads((HERE / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["slim"]
    whole = tomllib.loads(text)["project"]
    extras = whole["optional-dependencies"]
    lines = [*whole["dependencies"], *extras["demo"]]
    versions = {re.split(r"[^\w-]", line)[0]: line for line in lines}
    kept = {name: extras[name] for name in slim["extras"]}
    for pattern, new in (
        (r'^name = "ser-pipeline"$', f"name = {json.dumps(slim['name'])}"),
        (r"^description = [^\n]*$", f"description = {json.dumps(slim['description'])}"),
        (
            r"^dependencies = \[.*?^\]$",
            f"dependencies = {json.dumps([versions[n] for n in slim['requires']])}",
        ),
        (
            r"^\[project.optional-dependencies\]$.*?(?=^\[)",
            "".join(
                ["[project.optional-dependencies]\n", *(f"{n} = {json.dumps(v)}\n" for n, v in kept.items())]
            ),
        ),
    ):
        text, found = re.subn(pattern, lambda _, new=new: new, text, count=1, flags=re.MULTILINE | re.DOTALL)
        if not found:
            raise ValueError(f"pyproject.toml: nothing matches {pattern}")
    return text


@contextmanager
def staged() -> Iterator[None]:
    """Work in a folder that holds what the whole package is built from, under the other name."""
    before = Path.cwd()
    with tempfile.TemporaryDirectory() as folder:
        for name in ("README.md", "LICENSE", "MANIFEST.in"):
            shutil.copy(ROOT / name, folder)
        shutil.copytree(
            ROOT / "ser_pipeline", Path(folder, "ser_pipeline"), ignore=shutil.ignore_patterns("__pycache__")
        )
        text = project((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
        Path(folder, "pyproject.toml").write_text(text, encoding="utf-8")
        os.chdir(folder)
        try:
            yield
        finally:
            os.chdir(before)


def build_wheel(wheel_directory: str, config_settings: Any = None, metadata_directory: Any = None) -> str:
    """Build the wheel; gives its name."""
    target = os.path.abspath(wheel_directory)
    with staged():
        return build_meta.build_wheel(target, config_settings)


def build_sdist(sdist_directory: str, config_settings: Any = None) -> str:
    """Build the source archive, which needs nothing of this folder; gives its name."""
    target = os.path.abspath(sdist_directory)
    with staged():
        return build_meta.build_sdist(target, config_settings)
