"""The distribution ``ser-pipeline-onnx``: predictions without torch, and what all the rest says there."""

import json
import shutil
import subprocess
import sys
import tomllib
import zipfile
from email import message_from_bytes
from functools import cache
from importlib.metadata import distribution, packages_distributions
from pathlib import Path

import pytest
import soundfile as sf
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import ser_pipeline
from ser_pipeline import load_model
from ser_pipeline.options import FrontEnd
from ser_pipeline.serving.export import export_graph
from tests.serving.conftest import RATE, save_random, voice

SLIM = Path(ser_pipeline.__file__).parents[1] / "slim"

BLOCKED = """
import asyncio, contextlib, io, json, sys
from importlib.machinery import PathFinder
from pathlib import Path

absent = set(json.loads(sys.argv[1]))


class Present(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        return None if name.partition(".")[0] in absent else super().find_spec(name, path, target)

    @classmethod
    def find_distributions(cls, *context):
        return (each for each in super().find_distributions(*context) if each.name != "ser-pipeline")


sys.meta_path[sys.meta_path.index(PathFinder)] = Present
from ser_pipeline.cli import app


def run(*words):
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            app(words)
        except SystemExit as exit:
            return [exit.code, out.getvalue(), " ".join(err.getvalue().split())]


async def ask(served, path):
    sent = []

    async def receive():
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message):
        sent.append(message)

    scope = {"type": "http", "method": "GET", "path": path, "raw_path": path.encode(), "query_string": b"",
             "headers": [(b"host", b"127.0.0.1")], "http_version": "1.1", "scheme": "http", "root_path": ""}
    await served(scope, receive, send)
    return sent[0]["status"]


def demo():
    from ser_pipeline.options import Limits, PredictOptions
    from ser_pipeline.serving.demo import application, check_installed, model_to_serve
    from ser_pipeline.serving.details import details

    check_installed()
    loaded = model_to_serve(Path("own"), Path("runs"))
    served = application(loaded, Limits())
    shown = details(loaded[0], Path("a.wav").read_bytes(), PredictOptions(), Limits(), "a.wav")
    return [asyncio.run(ask(served, path)) for path in ("/", "/examples/0.wav")] + [shown.prediction.decision]



said = {" ".join(words): run(*words) for words in json.loads(sys.argv[2])}
print(json.dumps({"said": said, "demo": demo()}))
"""


@cache
def absent():
    """Modules installed here that an install of ``ser-pipeline-onnx`` does not bring."""
    wanted, there = list(slim()["requires"]), {"ser-pipeline"}
    while wanted:
        name = canonicalize_name(wanted.pop())
        if name not in there:
            there.add(name)
            needed = map(Requirement, distribution(name).requires or ())
            wanted += [each.name for each in needed if not each.marker or each.marker.evaluate({"extra": ""})]
    found = packages_distributions().items()
    return sorted(module for module, of in found if not there & {canonicalize_name(name) for name in of})


def slim():
    return tomllib.loads((SLIM / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["slim"]


@pytest.fixture
def without(tmp_path):
    """Run commands, and make the demo, in a process that finds no other library; gives what each said."""
    about = tmp_path / "ser_pipeline_onnx-0.1.dist-info" / "METADATA"
    about.parent.mkdir()
    about.write_text("Metadata-Version: 2.1\nName: ser-pipeline-onnx\nVersion: 0.1\n", encoding="utf-8")

    def run(*commands):
        given = [sys.executable, "-c", BLOCKED, json.dumps(absent()), json.dumps(commands)]
        done = subprocess.run(given, cwd=tmp_path, capture_output=True, encoding="utf-8", check=False)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return run


def test_it_predicts_and_serves_without_torch_and_says_what_needs_more(tmp_path, save, without):
    assert {"torch", "lightning", "numba", "scipy", "pyarrow", "sklearn"} <= set(absent())
    sf.write(tmp_path / "a.wav", voice(2.0, 1), RATE)
    network = load_model(save_random(tmp_path / "runs" / "gated", FrontEnd(n_mels=16, max_s=1.0)))
    expected = {
        "gated.onnx": network.predict(tmp_path / "a.wav"),
        "heard.onnx": (heard := load_model(save())).predict(tmp_path / "a.wav"),
        "built-in": load_model("built-in").predict(tmp_path / "a.wav"),
    }
    export_graph(network, tmp_path / "gated.onnx")
    shutil.copytree(tmp_path / "runs" / "gated", tmp_path / "runs" / "own")
    shutil.copy(tmp_path / "gated.onnx", tmp_path / "runs" / "own" / "model.onnx")
    expected["own"] = expected["gated.onnx"]
    export_graph(heard, tmp_path / "heard.onnx")
    predict = ["predict", "a.wav", "--format", "json", "--threads", "1", "--model"]
    found = without(
        ["--help"],
        ["warm"],
        *([*predict, name] for name in expected),
        ["predict", "a.wav", "--timeline", "--picture", "a.png"],
        [*predict, "gated"],
        ["train", "crnn"],
        ["manifest", "build"],
    )
    said = iter(found["said"].values())
    code, shown, _ = next(said)
    assert (code, "train" in shown) == (0, True)
    assert next(said)[:2] == [0, "ready: without numba, nothing is compiled\n"]
    for name, told in expected.items():
        code, shown, remarks = next(said)
        assert code == 0, remarks
        assert json.loads(shown)["probabilities"] == pytest.approx(told.probabilities, abs=2e-3), name
    assert next(said)[0] == 0
    assert (tmp_path / "a.png").is_file()
    for missing in ("safetensors", "pyarrow", "pyarrow"):
        code, shown, remarks = next(said)
        assert (code, shown) == (1, "")
        assert remarks.startswith(f"ser: {missing} is not installed; the small installation")
        assert remarks.endswith("run pip uninstall ser-pipeline-onnx, then pip install ser-pipeline")
    assert found["demo"] == [200, 200, expected["own"].decision]


def test_its_wheel_holds_the_whole_package_and_requires_little(tmp_path):
    words = [sys.executable, "-c", "import sys; from backend import build_wheel; build_wheel(sys.argv[1])"]
    done = subprocess.run(
        [*words, str(tmp_path)], cwd=SLIM, capture_output=True, encoding="utf-8", check=False
    )
    assert done.returncode == 0, done.stderr
    (path,) = tmp_path.iterdir()
    assert path.name == f"ser_pipeline_onnx-{ser_pipeline.__version__}-py3-none-any.whl"
    with zipfile.ZipFile(path) as wheel:
        names = set(wheel.namelist())
        about = message_from_bytes(wheel.read(f"{path.name.partition('-py3')[0]}.dist-info/METADATA"))
    assert {"ser_pipeline/cli/train.py", "ser_pipeline/serving/built_in/built-in.onnx"} <= names
    required = [Requirement(line) for line in about.get_all("Requires-Dist")]
    assert [each.name for each in required if each.marker is None] == slim()["requires"]
    whole = tomllib.loads((SLIM.parent / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    stated = {*map(Requirement, [*whole["dependencies"], *whole["optional-dependencies"]["demo"]])}
    assert {each for each in required if each.marker is None} <= stated
    assert about.get_all("Provides-Extra") == slim()["extras"]
