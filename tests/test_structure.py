"""The house rules that a reader can feel: files worth opening, short functions, one direction."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import ser_pipeline

PACKAGE = Path(ser_pipeline.__file__).parent
MODULES = {
    ".".join(("ser_pipeline", *path.relative_to(PACKAGE).with_suffix("").parts)).removesuffix(
        ".__init__"
    ): path
    for path in sorted(PACKAGE.rglob("*.py"))
}


@cache
def tree_of(name: str) -> ast.Module:
    """What a module is made of."""
    return ast.parse(MODULES[name].read_text(encoding="utf-8"))


MOST_LINES = 400
MOST_IN_A_FUNCTION = 50
"""Without its docstring and its parameters."""


def body_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines from the first statement to the last."""
    body = function.body[1:] if ast.get_docstring(function) else function.body
    return (body[-1].end_lineno or 0) - body[0].lineno + 1 if body else 0


def imported(body: list[ast.stmt]) -> Iterator[str]:
    """Modules of this package that a module loads when it is imported itself."""
    for node in body:
        if isinstance(node, ast.ImportFrom) and node.module:
            for name in node.names:
                inner = f"{node.module}.{name.name}"
                yield inner if inner in MODULES else node.module
        elif isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.Try | ast.With):
            yield from imported(node.body)


def loaded_at_once(body: list[ast.stmt]) -> Iterator[str]:
    """Names of modules, of whatever package, that a module loads when it is imported itself."""
    for node in body:
        if isinstance(node, ast.ImportFrom):
            yield node.module or ""
        elif isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.Try | ast.With | ast.If):
            yield from loaded_at_once(node.body)


def defined(name: str) -> set[str]:
    """Names that a module gives, the modules inside it among them."""
    found = {other.removeprefix(f"{name}.").partition(".")[0] for other in MODULES if other.startswith(name)}
    for node in tree_of(name).body:
        if isinstance(node, ast.ImportFrom | ast.Import):
            found |= {alias.asname or alias.name for alias in node.names}
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            found.add(node.name)
        else:
            found |= {inner.id for inner in ast.walk(node) if isinstance(inner, ast.Name)}
            found |= {inner.value for inner in ast.walk(node) if isinstance(inner, ast.Constant)}  # __all__
    return found


def test_no_file_is_too_long_to_read():
    lines = {name: path.read_text(encoding="utf-8").count("\n") for name, path in MODULES.items()}
    long = {name: count for name, count in lines.items() if count > MOST_LINES}
    assert not long, "split it by what it does"


def test_every_function_fits_a_screen():
    long = {
        (name, node.name): body_lines(node)
        for name in MODULES
        for node in ast.walk(tree_of(name))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and body_lines(node) > MOST_IN_A_FUNCTION
    }
    assert not long


def test_no_two_modules_need_each_other():
    graph = {
        name: {other for other in imported(tree_of(name).body) if other in MODULES and other != name}
        for name in MODULES
        if name != "ser_pipeline"  # which loads what it offers when it is asked for
    }
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))


def loaded_with(name: str, seen: set[str]) -> set[str]:
    """Modules of this package that are loaded with a module; added to those seen so far."""
    if name in MODULES and name not in seen:
        seen.add(name)
        for other in (name.rpartition(".")[0], *imported(tree_of(name).body)):
            loaded_with(other, seen)
    return seen


@pytest.mark.parametrize(
    "name", ["front_end", "store", "manifest.build", "evaluation.predict", "report.build"]
)
def test_what_decodes_nothing_itself_loads_no_compiler(name):
    loaded = loaded_with(f"ser_pipeline.{name}", set())
    assert len(loaded) > 10
    assert "ser_pipeline.dsp.kept" not in loaded  # with numba, a third of a second


@pytest.mark.parametrize("name", ["evaluation.ensemble", "training.logged", "training.folds"])
def test_what_trains_no_network_itself_loads_no_lightning(name):
    loaded = loaded_with(f"ser_pipeline.{name}", set())
    assert len(loaded) > 30
    for each in loaded:
        body = [node for node in tree_of(each).body if not isinstance(node, ast.If)]  # TYPE_CHECKING
        assert not any("lightning" in other for other in loaded_at_once(body)), each  # it takes seconds


def test_no_package_has_a_single_module():
    for folder in {path.parent for path in MODULES.values()}:
        inside = [
            path for path in folder.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()
        ]
        assert len(inside) > 2, f"{folder.name} holds one module: make it a module"


ONE_SYSTEM = {"fcntl", "grp", "msvcrt", "pty", "pwd", "resource", "termios", "winreg", "_winapi"}


def test_a_module_that_one_system_lacks_is_imported_where_it_is_used():
    for name in MODULES:
        loaded = {imported.partition(".")[0] for imported in loaded_at_once(tree_of(name).body)}
        assert not loaded & ONE_SYSTEM, name


def test_every_system_collects_the_tests():
    for path in Path(__file__).parent.rglob("*.py"):
        loaded = {*loaded_at_once(ast.parse(path.read_text(encoding="utf-8")).body)}
        assert not loaded & ONE_SYSTEM, path.name


def calls(name: str) -> Iterator[tuple[str, list[object], dict[str, object]]]:
    """What a module calls: last part of the name, and arguments; those that are no constants as source."""
    for node in ast.walk(tree_of(name)):
        if isinstance(node, ast.Call):
            told = ast.unparse(node.func).rpartition(".")[2]
            given = [
                each.value if isinstance(each, ast.Constant) else ast.unparse(each) for each in node.args
            ]
            yield told, given, {each.arg or "**": ast.unparse(each.value) for each in node.keywords}


@pytest.fixture(scope="module")
def every_call():
    """Module, name, arguments and named arguments of every call."""
    return [(name, *call) for name in MODULES for call in calls(name)]


def test_text_is_written_with_the_same_bytes_on_every_system(every_call):
    for name, told, given, named in every_call:
        text = told == "open" and any(re.fullmatch("[wax]t?[+]?", str(mode)) for mode in given[:2])
        assert "newline" in named or not (told == "write_text" or text), f"{name}: {told}{given}"


STARTS = {"ProcessPoolExecutor": "mp_context", "DataLoader": "multiprocessing_context"}


def test_processes_are_spawned_on_every_system(every_call):
    for name, told, given, named in every_call:
        assert told not in ("fork", "set_start_method"), name
        if told == "get_context":
            assert given == ["spawn"], name
        if told in STARTS:
            assert "spawn" in f"{given} {named}", f"{name}: {told} needs {STARTS[told]}"
    for name, path in MODULES.items():
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"\bmultiprocessing(\.| import )(Pool|Process)\b", text), name


def test_what_a_docstring_names_is_there():
    for name, path in MODULES.items():
        for named in re.findall(r":\w+:`~?(ser_pipeline[.\w]*)`", path.read_text(encoding="utf-8")):
            room, _, inner = named.rpartition(".")
            assert named in MODULES or inner in defined(room), f"{name}: {named}"
