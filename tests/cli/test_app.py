import shlex
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest
import typer
from typer.main import get_command
from typer.testing import CliRunner

from ser_pipeline import __version__
from ser_pipeline.cli import _guarded, app
from ser_pipeline.cli.common import next_step, say

HEAVY = ("torch", "librosa", "h5py", "pandas", "matplotlib", "lightning", "sklearn", "numba", "pyarrow")


def commands(command=None, path=()):
    command = command or get_command(app)
    if not hasattr(command, "commands"):
        return [(path, command)]
    return [found for name, inner in command.commands.items() for found in commands(inner, (*path, name))]


def shown(path, command):
    """Parameters of a command as its help shows them, those made of options included."""
    return command.get_params(command.make_context(path[-1], [], resilient_parsing=True))


@pytest.mark.parametrize(
    ("path", "command"), commands(), ids=lambda item: " ".join(item) if isinstance(item, tuple) else ""
)
def test_every_option_says_what_it_does(path, command):
    for parameter in shown(path, command):
        assert getattr(parameter, "help", None) or parameter.name == "help", f"{path}: {parameter.name}"


def test_usage_names_arguments_in_capitals():
    found = [
        one for path, command in commands() for one in shown(path, command) if not one.opts[0].startswith("-")
    ]
    assert len(found) > 15
    assert [one.metavar for one in found if not (one.metavar or "").isupper()] == []


def test_importing_the_command_line_loads_no_heavy_library():
    code = f"import sys, ser_pipeline.cli; print([name for name in {HEAVY} if name in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def test_the_help_of_a_command_made_of_options_loads_no_heavy_library():
    paths = ["train", "cache mels", "cache augment", "predict", "demo"]
    code = (
        "import sys; from typer.testing import CliRunner; from ser_pipeline.cli import app\n"
        f"for path in {paths}:\n"
        "    assert CliRunner().invoke(app, [*path.split(), '--help']).exit_code == 0, path\n"
        f"    print(path, [name for name in {(*HEAVY, 'numpy', 'scipy')} if name in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.splitlines() == [f"{path} []" for path in paths]


def test_the_list_of_commands_loads_neither_options_nor_panels():
    code = (
        "import sys; from typer.testing import CliRunner; from ser_pipeline.cli import app; "
        "assert CliRunner().invoke(app, ['--help']).exit_code == 0; "
        "print([name for name in ('pydantic', 'rich') if name in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def test_without_a_command_the_list_of_commands_is_shown():
    shown = CliRunner().invoke(app, []).stdout
    assert shown == CliRunner().invoke(app, ["--help"]).stdout
    assert "Score a run again from its network and the store" in shown


def test_version():
    assert CliRunner().invoke(app, ["--version"]).stdout == f"ser {__version__}\n"


@pytest.mark.parametrize(
    ("there", "way_out"),
    [
        (("ser-pipeline",), "run pip install ser-pipeline again, or with the extra that needs it"),
        (("ser-pipeline", "ser-pipeline-onnx"), "run pip install ser-pipeline again"),
        ((), "run pip install ser-pipeline again"),
        (("ser-pipeline-onnx",), "the small installation ser-pipeline-onnx does not include it"),
    ],
    ids=" and ".join,
)
def test_where_a_library_is_missing_the_way_out_is_that_of_the_installation(
    monkeypatch, capsys, there, way_out
):
    def command():
        raise ModuleNotFoundError("No module named 'numba.core'", name="numba.core")

    found = {name: [object()] for name in there}
    monkeypatch.setattr(metadata.Distribution, "discover", lambda *, name: iter(found.get(name, [])))
    with pytest.raises(typer.Exit) as ended:
        _guarded(command)()
    assert ended.value.exit_code == 1
    assert capsys.readouterr().err.startswith(f"ser: numba is not installed; {way_out}")


def test_wrong_usage_has_status_2():
    assert CliRunner().invoke(app, ["cache", "mels", "--jobs", "0"]).exit_code == 2
    assert CliRunner().invoke(app, ["no-such-command"]).exit_code == 2


def test_a_terminal_gets_remarks_between_words_and_commands_that_can_be_pasted(monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "30")
    long = "ser: runs/20261128-113537-logreg-4class-speaker: is not there; the newest is b"
    say(long)
    assert capsys.readouterr().err == f"{long}\n"  # a file or a pipe gets it whole
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    say(long)
    next_step("ser train logreg --on embeddings", manifests=Path("my manifests"), cache=Path("cache"))
    lines = capsys.readouterr().err.splitlines()
    command = "\n".join(lines[3:]).removeprefix("next: ").replace("\\\n", "")
    assert shlex.split(command)[2:] == ["logreg", "--on", "embeddings", "--manifests", "my manifests"]
    assert lines == [
        "ser:",
        "runs/20261128-113537-logreg-4class-speaker:",
        "is not there; the newest is b",
        "next: ser train logreg \\",
        "     --on embeddings \\",
        "     --manifests 'my manifests'",
    ]
