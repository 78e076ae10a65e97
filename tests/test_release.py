"""What a release needs beside the package: versions that agree, and files that a forge and Docker accept."""

import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tomllib
from pathlib import Path

import pytest
import yaml

import ser_pipeline

ROOT = Path(ser_pipeline.__file__).parents[1]
SCHEMAS = {
    ".github/workflows/check.yml": "vendor.github-workflows",
    ".github/workflows/publish.yml": "vendor.github-workflows",
    ".github/ISSUE_TEMPLATE/bug.yml": "vendor.github-issue-forms",
    ".github/ISSUE_TEMPLATE/corpus.yml": "vendor.github-issue-forms",
    ".github/ISSUE_TEMPLATE/idea.yml": "vendor.github-issue-forms",
    ".github/ISSUE_TEMPLATE/config.yml": "vendor.github-issue-config",
    ".github/dependabot.yml": "vendor.dependabot",
    "CITATION.cff": "vendor.citation-file-format",
}
"""File -> the schema that the forge, or the format's authors, publish for it."""


@pytest.fixture(scope="module")
def metadata():
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def test_no_file_for_the_forge_is_forgotten():
    found = {str(path.relative_to(ROOT)) for path in (ROOT / ".github").rglob("*.yml")}
    assert found == {name for name in SCHEMAS if name.startswith(".github")}


@pytest.mark.parametrize("name", SCHEMAS)
def test_it_is_as_its_schema_says(name):
    words = [
        sys.executable,
        "-m",
        "check_jsonschema",
        "--builtin-schema",
        SCHEMAS[name],
        "--default-filetype",
    ]
    done = subprocess.run([*words, "yaml", str(ROOT / name)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_the_image_has_no_fault_that_a_linter_knows():
    tool = shutil.which("hadolint", path=sysconfig.get_path("scripts"))
    if tool is None:
        pytest.skip("hadolint has no binary for this system")
    done = subprocess.run([tool, str(ROOT / "Dockerfile")], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_the_image_takes_only_what_the_wheel_is_made_of():
    kept = set(re.findall(r"^!(.+)$", (ROOT / ".dockerignore").read_text(), re.MULTILINE))
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    assert kept == {name for line in copied for name in line.split()}
    assert all((ROOT / name).exists() for name in kept)


def test_the_image_can_be_built_where_docker_runs():
    if shutil.which("docker") is None or subprocess.run(["docker", "info"], capture_output=True).returncode:
        pytest.skip("no docker daemon answers here")
    done = subprocess.run(["docker", "build", "--quiet", str(ROOT)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(("tag", "status"), [(f"v{ser_pipeline.__version__}", 0), ("v0.0.9", 1), ("", 1)])
def test_a_tag_is_published_only_for_the_version_it_names(tag, status):
    workflow = yaml.safe_load((ROOT / ".github/workflows/publish.yml").read_text())
    (script,) = [
        step["run"] for step in workflow["jobs"]["build"]["steps"] if "version=" in step.get("run", "")
    ]
    environment = {**os.environ, "GITHUB_REF_NAME": tag}
    done = subprocess.run(["bash", "-e", "-c", script], cwd=ROOT, env=environment, capture_output=True)
    assert done.returncode == status


def test_the_pythons_are_the_same_everywhere(metadata):
    stated = [name.rpartition(" ")[2] for name in metadata["classifiers"] if re.search(r":: 3\.\d+$", name)]
    workflow = yaml.safe_load((ROOT / ".github/workflows/check.yml").read_text())
    assert workflow["jobs"]["tests"]["strategy"]["matrix"]["python"] == stated
    assert metadata["requires-python"] == f">={stated[0]}"
