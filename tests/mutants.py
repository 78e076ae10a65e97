"""Mutants: functions of some modules with one thing changed each, and which of them no test notices.

    make mutants MODULES="metrics/scores" TESTS="tests/metrics"

mutmut makes the mutants, in a copy of the package. One pytest session collects the tests, learns which
functions each of them runs, and then tries each mutant in a fork, which the quickest of its function's
tests begin. Systems without fork, as Windows, cannot run this.
"""

import argparse
import difflib
import gc
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import pytest
from _pytest.runner import runtestprotocol

CPU_S = 30
"""Processor time after which a mutant is taken to never end."""


def _main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("modules", help="paths inside the package, without .py, separated by spaces")
    parser.add_argument("tests", help="files and folders of tests, separated by spaces")
    parser.add_argument("--draw", type=int, help="try so many, drawn at random; all of them without it")
    parser.add_argument("--slowest", type=float, default=4, help="leave out tests that take longer (seconds)")
    asked = parser.parse_args()
    root = Path(__file__).parents[1]
    files = [f"ser_pipeline/{name}.py" for name in asked.modules.split()]
    if not files or not asked.tests.split():
        parser.error('name MODULES and TESTS, as in MODULES="metrics/scores" TESTS="tests/metrics"')
    if absent := [name for name in (*files, *asked.tests.split()) if not (root / name).exists()]:
        parser.error(f"{', '.join(absent)}: not found below {root}")
    with tempfile.TemporaryDirectory() as scratch:
        copy = Path(scratch) / "copy"
        for name in ("ser_pipeline", "tests", "docs"):
            shutil.copytree(root / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
        for name in ("cli.py", "pyproject.toml"):
            shutil.copy(root / name, copy)
        plan = {"draw": asked.draw, "slowest": asked.slowest, "names": _mutate(copy, files)}
        (copy / "plan.json").write_text(json.dumps(plan), encoding="utf-8", newline="\n")
        words = ["-q", "-p", "tests.mutants", "-p", "no:cacheprovider", "-p", "no:xdist", "-o", "timeout=0"]
        words += [*asked.tests.split(), *files, "-k", "not __mutmut_"]
        environment = {**os.environ, "PYTHONPATH": str(copy)}
        done = subprocess.run(
            [sys.executable, "-m", "pytest", *words], cwd=copy, env=environment, check=False
        )
        if done.returncode:
            parser.exit(1, "the tests must be collected and pass before mutants are tried; see above\n")
        tried = json.loads((copy / "tried.json").read_text(encoding="utf-8"))
        for name, ended in tried.items():
            if ended != "killed":
                print(name, ended, *_difference(copy, name), sep="\n    ")
    print(f"{len(plan['names'])} mutants, {len(tried)} tried:", dict(Counter(tried.values())))


def _mutate(copy: Path, files: list[str]) -> list[str]:
    from mutmut.mutation.file_mutation import mutate_file_contents

    names = []
    for file in files:
        made = mutate_file_contents(file, (copy / file).read_text(encoding="utf-8"))
        (copy / file).write_text(made.code, encoding="utf-8", newline="\n")
        names += [f"{file.removesuffix('.py').replace('/', '.')}.{name}" for name in made.mutant_names]
    return names


def _difference(copy: Path, name: str) -> list[str]:
    module, _, function = name.rpartition(".")
    text = (copy / f"{module.replace('.', '/')}.py").read_text(encoding="utf-8")

    def lines(of: str) -> list[str]:
        found = re.search(
            rf"^([ ]*)def {re.escape(of)}\(.*?(?=^\1(?:def|@|class|[A-Za-z_'\"])|\Z)", text, re.S | re.M
        )
        assert found is not None
        return found.group(0).replace(of, "").splitlines()

    original = lines(f"{function.rpartition('__mutmut_')[0]}__mutmut_orig")
    changed = difflib.unified_diff(original, lines(function), lineterm="", n=0)
    return [line for line in changed if not line.startswith(("---", "+++", "@@"))]


def _fails(item: pytest.Item) -> bool:
    names = dict(item.dtest.globs) if isinstance(item, pytest.DoctestItem) else None
    reports = runtestprotocol(item, log=False, nextitem=None)
    if names is not None:
        item.dtest.globs = names  # which a doctest empties
    return any(report.failed for report in reports)


def _callers(items: list[pytest.Item], slowest: float) -> dict[str, list[pytest.Item]]:
    """Function -> the tests that run it, the quickest first."""
    from mutmut.mutation import trampoline

    ran: set[str] = set()
    trampoline.record_trampoline_hit = lambda name, caller=None: ran.add(name)
    trampoline.set_mutant_under_test("stats")
    found: dict[str, list[tuple[float, int]]] = {}
    for number, item in enumerate(items):
        ran.clear()
        began = time.process_time()
        if _fails(item):
            raise pytest.UsageError(f"{item.nodeid} fails without a mutant")
        took = time.process_time() - began
        for name in ran if took <= slowest else ():
            found.setdefault(name, []).append((took, number))
    trampoline.set_mutant_under_test("none.none")
    return {name: [items[number] for _, number in sorted(tests)] for name, tests in found.items()}


def _ends(name: str, tests: list[pytest.Item]) -> str:
    import resource

    from mutmut.mutation import trampoline

    child = os.fork()
    if not child:
        signal.alarm(10 * CPU_S)  # for those that wait
        resource.setrlimit(resource.RLIMIT_CPU, (CPU_S, CPU_S))
        silent = os.open(os.devnull, os.O_RDWR)
        os.dup2(silent, 1)
        os.dup2(silent, 2)
        trampoline.set_mutant_under_test(name)
        status = 1
        try:
            status = any(_fails(item) for item in tests)
        finally:
            os._exit(status)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) in (signal.SIGALRM, signal.SIGKILL, signal.SIGXCPU):
        return "never ended"
    return "killed" if status else "survived"


def pytest_runtestloop(session: pytest.Session) -> bool:
    """Try the mutants of ``plan.json`` in place of running the tests once."""
    plan = json.loads(Path("plan.json").read_text(encoding="utf-8"))
    tests = _callers(session.items, plan["slowest"])
    names = plan["names"]
    random.Random(0).shuffle(names)
    gc.freeze()  # what is there already stays shared with each fork
    tried = {}
    for name in names[: plan["draw"]]:
        runs = tests.get(name.rpartition("__mutmut_")[0])
        tried[name] = _ends(name, runs) if runs else "run by no test"
    Path("tried.json").write_text(json.dumps(tried), encoding="utf-8", newline="\n")
    return True


if __name__ == "__main__":
    _main()
