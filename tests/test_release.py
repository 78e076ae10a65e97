"""What a release needs: archives that hold the package, versions that agree, files that a forge accepts."""

import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tomllib
import venv
import zipfile
from pathlib import Path

import pytest
import soundfile
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
PACKAGE = Path(ser_pipeline.__file__).parent
DATA = {
    "corpora/words.toml",
    "experiments/shipped/ablations.toml",
    "experiments/shipped/cross-corpus.toml",
    "experiments/shipped/hypotheses.toml",
    "experiments/shipped/learning-curve.toml",
    "experiments/shipped/paper.toml",
    "py.typed",
    "report/templates/page.css",
    "report/templates/page.html.j2",
    "report/templates/page.js",
    "serving/built_in/LICENSE",
    "serving/built_in/built-in.md",
    "serving/built_in/built-in.onnx",
    "serving/templates/api.html.j2",
    "serving/templates/page.css",
    "serving/templates/page.html.j2",
    "serving/templates/page.js",
    "serving/templates/texts.toml",
}
"""What the package holds beside modules and descriptions of corpora (``corpora/known/*.toml``)."""


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


def test_the_lowest_versions_are_those_that_are_stated(metadata, tmp_path):
    workflow = yaml.safe_load((ROOT / ".github/workflows/check.yml").read_text())
    (script,) = [
        step["run"] for step in workflow["jobs"]["lowest"]["steps"] if "> lowest.txt" in step.get("run", "")
    ]
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    subprocess.run(["bash", "-e", "-c", script], cwd=tmp_path, check=True)
    pinned = (tmp_path / "lowest.txt").read_text().split()
    stated = [line.partition(",")[0].replace(">=", "==") for line in metadata["dependencies"]]
    assert pinned == stated


def test_the_pythons_are_the_same_everywhere(metadata):
    stated = [name.rpartition(" ")[2] for name in metadata["classifiers"] if re.search(r":: 3\.\d+$", name)]
    workflow = yaml.safe_load((ROOT / ".github/workflows/check.yml").read_text())
    assert workflow["jobs"]["tests"]["strategy"]["matrix"]["python"] == stated
    assert metadata["requires-python"] == f">={stated[0]}"


@pytest.fixture(scope="module")
def sdist(tmp_path_factory):
    """The source archive, built from a copy of the checkout so that nothing is left in it."""
    folder = tmp_path_factory.mktemp("release")
    for name in ("pyproject.toml", "MANIFEST.in", "README.md", "LICENSE", "cli.py"):
        shutil.copy(ROOT / name, folder)
    for name in ("ser_pipeline", "tests", "docs"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    build = "from setuptools.build_meta import build_sdist; build_sdist('dist')"
    run(sys.executable, "-c", build, cwd=folder)
    (archive,) = (folder / "dist").iterdir()
    return archive


@pytest.fixture(scope="module")
def wheel(sdist):
    """The wheel, built from the source archive alone."""
    folder = sdist.parents[1] / "wheel"
    pip("wheel", "--no-build-isolation", "--wheel-dir", folder, sdist)
    (archive,) = folder.iterdir()
    return archive


@pytest.fixture
def empty_environment(tmp_path):
    """A virtual environment with the libraries of this one, but without the package."""
    builder = venv.EnvBuilder(symlinks=os.name != "nt")
    context = builder.ensure_directories(tmp_path / "environment")
    builder.create(context.env_dir)
    places = {"base": context.env_dir, "platbase": context.env_dir}
    libraries = {sysconfig.get_path(kind) for kind in ("purelib", "platlib")}
    path = Path(sysconfig.get_path("purelib", "venv", places), "libraries.pth")
    path.write_text("\n".join(sorted(libraries)), encoding="utf-8")  # their own .pth files are not read
    return context


def run(*words, cwd=None):
    """Output of a program that finds no package through the environment's variables."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [str(word) for word in words], cwd=cwd, env=environment, capture_output=True, encoding="utf-8"
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def pip(*words):
    return run(sys.executable, "-m", "pip", *words, "--no-deps", "--no-index")


def shipped():
    """All files of the package but the benchmarks, relative to its folder."""
    files = (path.relative_to(PACKAGE) for path in PACKAGE.rglob("*") if path.is_file())
    return {path.as_posix() for path in files if not {"__pycache__", "benchmarks"} & {*path.parts}}


def test_the_package_holds_modules_corpora_and_the_files_listed():
    others = {name for name in shipped() if not name.endswith(".py")}
    assert {name for name in others if not re.fullmatch(r"corpora/known/[\w-]+\.toml", name)} == DATA


def test_the_wheel_is_the_package_and_its_licences(wheel):
    about = f"ser_pipeline-{ser_pipeline.__version__}.dist-info"
    licences = {"licenses/LICENSE", "licenses/ser_pipeline/serving/built_in/LICENSE"}
    described = {"METADATA", "RECORD", "WHEEL", "entry_points.txt", "top_level.txt", *licences}
    expected = {f"ser_pipeline/{name}" for name in shipped()} | {f"{about}/{name}" for name in described}
    assert wheel.name == f"ser_pipeline-{ser_pipeline.__version__}-py3-none-any.whl"
    assert {*zipfile.ZipFile(wheel).namelist()} == expected


def test_the_source_archive_is_what_the_wheel_is_made_of(sdist):
    with tarfile.open(sdist) as archive:
        files = {member.name.partition("/")[2] for member in archive.getmembers() if member.isfile()}
    made = {"PKG-INFO", "setup.cfg"}
    expected = {f"ser_pipeline/{name}" for name in shipped()}
    assert {name for name in files if not name.startswith("ser_pipeline.egg-info/")} == (
        expected | made | {"LICENSE", "MANIFEST.in", "README.md", "pyproject.toml"}
    )


def test_the_wheel_predicts_in_an_environment_of_its_own(wheel, empty_environment, rng, tmp_path):
    context = empty_environment
    pip("--python", context.env_exe, "install", "--no-compile", wheel)
    where = run(context.env_exe, "-c", "import ser_pipeline; print(ser_pipeline.__file__)", cwd=tmp_path)
    assert Path(where.strip()).is_relative_to(context.env_dir)
    for code in PACKAGE.rglob("*.nb[ci]"):  # machine code of the same sources, which takes seconds to make
        (folder := Path(where.strip()).parent / code.parent.relative_to(PACKAGE)).mkdir(exist_ok=True)
        shutil.copy(code, folder)
    soundfile.write(tmp_path / "a.wav", rng.uniform(-0.5, 0.5, 16_000), 16_000)
    shown = run(Path(context.bin_path, "ser"), "predict", "a.wav", "--format", "csv", cwd=tmp_path)
    assert re.search(r"^a\.wav,(anger|happiness|neutral|sadness),", shown, re.MULTILINE)
