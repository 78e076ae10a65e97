"""The tables of ``docs/results.md``: a file each in ``docs/results``, with what it was measured by.

``make docs`` shows the files on the page. ``make results TABLE=NAME`` measures a table again: it runs the commands of the
table in ``build/results``, and writes its file and the page.
"""

import csv
import io
import json
import os
import platform
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any, Final

import ser_pipeline
from ser_pipeline.manifest import read_manifest
from ser_pipeline.runs.explanation import Explanation
from ser_pipeline.runs.findings import (
    FINDINGS,
    ArmFinding,
    ClaimFinding,
    Figures,
    experiment_folder,
    read_findings,
)
from ser_pipeline.runs.types import PartScores, RunInfo, RunScores
from ser_pipeline.tables.cells import in_points, p_text, plural

PAGE: Final = Path(__file__).with_suffix(".md")
FOLDER: Final = PAGE.with_suffix("")
WORK: Final = FOLDER.parents[1] / "build" / "results"

Rows = list[list[str]]
Cells = Callable[[Path], list[str]]
"""From the folder of a run to the cells that show it."""


@dataclass(frozen=True)
class Recipe:
    """How a table is measured.

    Attributes:
        columns: their headings; none are those of the file, None is the first of the rows.
        takes: how long it takes on two cores, in words.
        commands: that are run, in this order; those that build manifest, splits and stores are left out.
        rows: from the folder they were run in to the rows.
    """

    columns: tuple[str, ...] | None
    takes: str
    commands: tuple[str, ...]
    rows: Callable[[Path], Rows]


def trained(takes: str, rows: Sequence[Sequence[str]], cells: Cells, columns: tuple[str, ...] = ()) -> Recipe:
    """A table of runs: each ``ser train`` among the cells is replaced by what came of it."""
    commands = [cell for row in rows for cell in row if cell.startswith("ser ")]

    def read(work: Path) -> Rows:
        parts = (
            (cells(folder_of(cell, work)) if cell.startswith("ser ") else [cell] for cell in row)
            for row in rows
        )
        return [[text for part in row for text in part] for row in parts]

    return Recipe(columns, takes, tuple(dict.fromkeys(commands)), read)


def folder_of(command: str, work: Path) -> Path:
    """Folder of the run that a command trains, which is named by its words."""
    return work / "runs" / re.sub(r"[^\w.]+", "-", command.removeprefix("ser train "))


def scores_of(run: Path, part: str = "test") -> PartScores:
    """Scores of one part."""
    return RunScores.model_validate_json((run / "scores.json").read_bytes()).parts[part]


def uar(run: Path) -> list[str]:
    """Test UAR and its interval."""
    return [share(scores_of(run).pooled.uar)]


def share(found: Any) -> str:
    """A score with its interval, as 0.622 (0.533-0.727)."""
    return f"{found.value:.3f} ({found.low:.3f}-{found.high:.3f})"


def points(found: Any) -> str:
    """The same in percent."""
    return f"{100 * found.value:.1f} ({100 * found.low:.1f}-{100 * found.high:.1f})"


def all_scores(run: Path) -> list[str]:
    """Validation UAR; accuracy, UAR and macro-F1 on the test part; and what was kept."""
    test, info = scores_of(run).pooled, RunInfo.model_validate_json((run / "settings.json").read_bytes())
    kept = f"c {info.extra['c']:g}" if "c" in info.extra else f"epoch {info.best_epoch}"
    validation = points(scores_of(run, "validation").pooled.uar)
    return [validation, points(test.accuracy), f"**{points(test.uar)}**", points(test.macro_f1), kept]


def costs(run: Path) -> list[str]:
    """Parameters, and time of a decision."""
    info, found = (
        json.loads((run / "settings.json").read_bytes()),
        json.loads((run / "latency.json").read_bytes()),
    )
    return [f"{info['parameters']:,}", f"{found['front_end_ms']:.1f}", f"{found['network_ms']:.1f}"]


CLAIM: Final = ("claim", "verdict", "first", "second", "difference (95 %)", "p, corrected", "clips, speakers")
ARM: Final = ("arm", "protocol", "accuracy", "UAR (95 %)", "seeds", "s", "clips/s")


def judged(name: str, only: str, takes: str, *, arms: bool = False, about: str = "") -> Recipe:
    """A table of the claims of an experiment that were decided, of those with a word, or of its arms."""

    def read(work: Path) -> Rows:
        found = read_findings(experiment_folder(work / "runs", name) / FINDINGS)
        if arms:
            return [_arm(each) for each in found.arms if each.uar is not None]
        return [
            _claim(each, each.figures)
            for each in found.claims
            if each.figures is not None and about in each.text
        ]

    command = f"ser experiment run {name} --only {shlex.quote(only)} --budget none"
    return Recipe(ARM if arms else CLAIM, takes, (command,), read)


def _claim(claim: ClaimFinding, found: Figures) -> list[str]:
    def text(value: float | None, sign: str = "") -> str:
        return "" if value is None else in_points(value, sign, points=claim.unit == "points")

    inside = "" if found.low is None else f" ({text(found.low, '+')} to {text(found.high, '+')})"
    p = "" if claim.corrected_p is None else p_text(claim.corrected_p)
    scores = [text(found.first), text(found.second), text(found.difference, "+") + inside, p]
    return [claim.text, claim.outcome, *scores, f"{found.clips}, {found.speakers}"]


def _arm(arm: ArmFinding) -> list[str]:
    spread = f"{in_points(arm.lowest_uar or 0)}-{in_points(arm.highest_uar or 0)}"
    scores = ["" if arm.accuracy is None else in_points(arm.accuracy.value), points(arm.uar), spread]
    return [arm.arm, f"`{arm.protocol}`", *scores, f"{arm.seconds:.0f}", f"{arm.clips_per_second:.0f}"]


def by_corpus(work: Path) -> Rows:
    """UAR of each arm of cross-corpus on each corpus; the first row are the corpora."""
    found = read_findings(experiment_folder(work / "runs", "cross-corpus") / FINDINGS)
    scored = {
        arm.arm: {each.corpus: in_points(each.uar) for each in arm.corpora}
        for arm in found.arms
        if arm.corpora
    }
    corpora = sorted({corpus for by in scored.values() for corpus in by})
    return [
        ["arm", *corpora],
        *([arm, *(by.get(each, "") for each in corpora)] for arm, by in scored.items()),
    ]


def group_drops(work: Path) -> Rows:
    """Drop of UAR by group of features, where an interval of either task lies above zero; first the headings."""
    read = [(folder_of(each, work) / "explanation.json").read_bytes() for each in EXPLAINED]
    found = [Explanation.model_validate_json(one) for one in read]
    head = [
        f"{words} (UAR {in_points(each.uar.value)})"
        for words, each in zip(("4 classes", "6 classes"), found, strict=True)
    ]
    tables = [{each.name: each.drop for each in one.group_importances} for one in found]
    names = [name for name in tables[0] if any((table[name].low or 0) > 0 for table in tables)]
    return [["group", *head], *([name, *(drop(table[name]) for table in tables)] for name in names)]


def drop(found: Any) -> str:
    """A drop in points, with its interval."""
    return f"{100 * found.value:.1f} ({100 * found.low:.1f} to {100 * found.high:.1f})"


SPEED: Final = ("work", "rate", "ratio", "against", "floor, goal")


def measured(work: Path) -> Rows:
    """What ``ser bench`` wrote."""
    rows = [*csv.DictReader(io.StringIO((work / "bench.csv").read_text(encoding="utf-8")))]
    head = [[row["work"], f"{row['rate']} {row['unit']}", row["ratio"], row["against"]] for row in rows]
    return [
        [*cells, ", ".join(filter(None, (row["floor"], row["goal"])))]
        for cells, row in zip(head, rows, strict=True)
    ]


SPLITS: Final = ("speaker", "kfold", "loso", "loco", "lolo", "stratified")
FOLDED: Final = ("kfold", "loso", "loco", "lolo")
WHO: Final = {
    "speaker": "six new speakers", "kfold": "five folds of new speakers", "loso": "each speaker left out",
    "loco": "each corpus left out", "lolo": "each language left out", "stratified": "speakers seen in training",
}  # fmt: skip
EMBEDDED: Final = "--on embeddings --encoder whisper-base --layers 2,3"
EXPLAINED: Final = tuple(f"ser train logreg --task {task} --split speaker" for task in ("4class", "6class"))


def _logreg(task: str, split: str, on: str = "", more: str = "") -> str:
    words = [
        "ser train logreg --c 0.01",
        on,
        f"--task {task} --split {split}",
        "--fold all" * (split in FOLDED),
        more,
    ]
    return " ".join(filter(None, words))


def _two(task: str) -> Recipe:
    rows = [
        [f"`{split}`{f': {who}' * (task == '4class')}", *(_logreg(task, split, on) for on in ("", EMBEDDED))]
        for split, who in WHO.items()
    ]
    return trained("5 minutes", rows, uar)


def _by_features(task: str) -> Recipe:
    rows = [
        [model, mode, f"`{split}`", f"ser train {model} --task {task} --split {split} --normalise {mode}"]
        for split in ("speaker", "stratified")
        for mode in ("none", "relative", "speaker")
        for model in ("logreg", "svm", "gboost", "dnn", "cnn1d")
    ]
    takes = "20 minutes" if task == "4class" else "half an hour"
    return trained(takes, rows, all_scores)


def _adaptive() -> Recipe:
    kinds = [(task, on) for task in ("4class", "6class") for on in ("", EMBEDDED)]
    rows = [
        [f"`{split}`", *(_logreg(task, split, on, "--normalise adaptive") for task, on in kinds)]
        for split in SPLITS
        if split != "loso"
    ]
    return trained("10 minutes", rows, lambda run: [f"{scores_of(run).pooled.uar.value:.3f}"])


def _single_corpora() -> Recipe:
    corpora = (
        ("RAVDESS speech, 8 classes", "599, 10", "all", "ravdess"),
        ("EMO-DB, 4 classes", "266, 8", "4class", "emodb"),
        ("nEMO, 6 classes", "510, 3", "6class", "nemo"),
    )
    rows = [
        [what, whom, *(_logreg(task, "loso", on, f"--corpora {corpus}") for on in ("", EMBEDDED))]
        for what, whom, task, corpus in corpora
    ]
    return trained("5 minutes", rows, uar)


def _beside_mels() -> Recipe:
    tried = {
        "`crnn`, mels alone": "crnn",
        "`dnn --on features`, features alone": "dnn --on features",
        "`crnn --on mels,features`": "crnn --on mels,features",
        "`dnn --on embeddings`, whisper-base, layers 2,3": f"dnn {EMBEDDED}",
        "`crnn --on mels,embeddings`, the same layers": f"crnn {EMBEDDED.replace('embeddings', 'mels,embeddings')}",
    }
    rows = [[name, f"ser train {words} --epochs 30"] for name, words in tried.items()]
    parts = ("validation", "test")
    return trained(
        "half an hour", rows, lambda run: [share(scores_of(run, part).pooled.uar) for part in parts]
    )


def _decisions() -> Recipe:
    columns = ("model", "parameters", "samples to input, ms", "input to decision, ms", "trained on")
    rows = [
        [f"`{model}`", f"ser train {model}{short} --threads 1", "mels" if model == "crnn" else "features"]
        for short, models in ((" --epochs 1", ("crnn", "cnn1d", "dnn")), ("", ("logreg", "svm", "gboost")))
        for model in models
    ]
    return trained("5 minutes", rows, costs, columns)


EXPLAIN: Final = tuple(f"ser explain {folder_of(each, Path()).name} --repeats 20" for each in EXPLAINED)
RECIPES: Final[Mapping[str, Recipe]] = {
    "speakers-4": _two("4class"),
    "speakers-6": _two("6class"),
    "adaptive": _adaptive(),
    "encoder-claims": judged("hypotheses", "encoder,dnn", "5 minutes", about="encoder"),
    "single-corpora": _single_corpora(),
    "beside-mels": _beside_mels(),
    "features-4": _by_features("4class"),
    "features-6": _by_features("6class"),
    "decisions": _decisions(),
    "feature-groups": Recipe(None, "2 minutes", (*EXPLAINED, *EXPLAIN), group_drops),
    "dense-ablations": judged("ablations", "dnn*", "15 minutes"),
    "cross-corpus": Recipe(
        None, "5 minutes", ("ser experiment run cross-corpus --only '*dnn*' --budget none",), by_corpus
    ),
    "learning-claims": judged("learning-curve", "logreg*,dnn*", "5 minutes"),
    "learning-arms": judged("learning-curve", "logreg*,dnn*", "5 minutes", arms=True),
    "speed": Recipe(SPEED, "half an hour", ("ser bench --budget none --format csv",), measured),
}


def table_text(name: str) -> str:
    """A table as the page shows it, with what it was measured by below."""
    if name == "summary":
        return summary()
    found = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    columns, made = found["columns"], found["made"]
    lines = _lines(columns, found["rows"], found["right"])
    under = ", ".join(filter(None, (made["date"], made["state"])))
    again = f"`make results TABLE={name}` measures it again in about {RECIPES[name].takes}" if name in RECIPES else (
        "no command measures it again"
    )  # fmt: skip
    return "\n".join([*lines, "", f"<small>{under}; {again}.</small>"])


def summary() -> str:
    """The table at the head of the page: of other tables, in whole points."""

    def whole(name: str, row: str, column: int) -> str:
        rows = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))["rows"]
        (found,) = (each for each in rows if each[0].startswith(f"`{row}`"))
        return str((100 * Decimal(found[column].split()[0])).quantize(Decimal(1), ROUND_HALF_UP))

    rows = [["new speakers", "25", whole("speakers-4", "kfold", 1), f"**{whole('speakers-4', 'kfold', 2)}**"]]
    for words, name, row in (
        ("new speakers, several recordings of each known", "adaptive", "kfold"),
        ("a new corpus", "speakers-4", "loco"),
        ("speakers seen in training", "speakers-4", "stratified"),
    ):
        rows.append([words, "25", whole(name, row, 1), whole(name, row, 2)])
    columns = ["four emotions, of 100 clips", "guessing", "features", "encoder"]
    return "\n".join(_lines(columns, rows, 3))


def _lines(columns: Sequence[str], rows: Rows, right: int) -> list[str]:
    """A table in Markdown; the last ``right`` columns are of numbers alone."""
    rule = ["---"] * (len(columns) - right) + ["---:"] * right
    return ["|" + "".join(f" {cell} |" if cell else " |" for cell in row) for row in (columns, rule, *rows)]


def page_text() -> str:
    """The page with every table as its file has it.

    Raises:
        ValueError: the page shows a table twice or not at all.
    """
    text = PAGE.read_text(encoding="utf-8")
    names = re.findall(r"^<!-- table (\S+) -->$", text, re.MULTILINE)
    files = sorted([*(path.stem for path in FOLDER.glob("*.json")), "summary"])
    if sorted(names) != files:
        raise ValueError(f"{PAGE}: shows {', '.join(sorted(names))}; the files are {', '.join(files)}")
    for name in names:
        head, tail = f"<!-- table {name} -->\n", f"\n<!-- end of {name} -->"
        before, _, rest = text.partition(head)
        _, end, after = rest.partition(tail)
        if not end:
            raise ValueError(f"{PAGE}: '{tail.strip()}' is missing")
        text = f"{before}{head}\n{table_text(name)}\n{tail}{after}"
    return text


def write(name: str, columns: Sequence[str], rows: Rows, made: dict[str, Any], right: int) -> None:
    """Write a table's file, a row a line."""
    head = json.dumps({"columns": columns, "right": right, "made": made}, indent=1, ensure_ascii=False)
    body = ",\n".join(f"  {json.dumps(row, ensure_ascii=False)}" for row in rows)
    (FOLDER / f"{name}.json").write_text(f'{head[:-2]},\n "rows": [\n{body}\n ]\n}}\n', encoding="utf-8")


def missing(name: str) -> str:
    """What stops a table from being measured here, in a line; empty for nothing."""
    if name not in RECIPES:
        return f"TABLE={name}: no command measures such a table; choose one of {', '.join(RECIPES)}"
    needed = {"SER_REAL_DATA": "the folder that holds the corpora"}
    if any("embeddings" in each or "encoder" in each for each in RECIPES[name].commands):
        needed["SER_REAL_ENCODERS"] = "the folder that holds the encoders"
    for variable, what in needed.items():
        if not Path(os.environ.get(variable) or "/nowhere").is_dir():
            return (
                f"{variable} does not name {what}; pass it, as in make results TABLE={name} {variable}=FOLDER"
            )
    return ""


def measure(name: str, data: Path, work: Path) -> Rows:
    """Run what a table needs, the stores first, and read its rows.

    Args:
        name: of the table.
        data: folder of the corpora.
        work: folder to work in; stores and runs in it are not made again, the runs as long as the code is the same.

    Raises:
        CalledProcessError: a command failed.
    """
    recipe = RECIPES[name]
    work.mkdir(parents=True, exist_ok=True)
    made_by = work / "state.txt"
    if not made_by.is_file() or made_by.read_text(encoding="utf-8") != state():
        shutil.rmtree(work / "runs", ignore_errors=True)
        made_by.write_text(state(), encoding="utf-8")
    for command in [*_first(recipe.commands, data), *recipe.commands]:
        words = shlex.split(command)[1:]
        if words[0] == "train":
            run = folder_of(command, work)
            if (run / "scores.json").is_file():
                continue
            words += ["--name", run.name]
        sys.stderr.write(f"{command}\n")
        if words[0] == "bench":
            words += ["--data", str(data)]
        kept = subprocess.PIPE if words[0] == "bench" else subprocess.DEVNULL
        done = subprocess.run(
            [sys.executable, "-m", "ser_pipeline", *words], cwd=work, check=True, stdout=kept
        )
        if done.stdout:
            (work / "bench.csv").write_bytes(done.stdout)
    return recipe.rows(work)


def _first(commands: Sequence[str], data: Path) -> Iterator[str]:
    """What must be there before a table's commands can be run."""
    jobs = f"--jobs {os.cpu_count() or 1}"
    yield f"ser manifest build --data {shlex.quote(str(data))}"
    trains = [each for each in commands if each.startswith("ser train")]
    for split in SPLITS[1:]:
        if any(f"--split {split}" in each for each in trains):
            yield f"ser manifest split {split}"
    if any(each.startswith("ser train crnn") for each in trains):
        yield f"ser cache mels {jobs}"
    if any("features" in each or ("--on" not in each and "crnn" not in each) for each in trains):
        yield f"ser cache features {jobs}"
    if any("embeddings" in each for each in trains):
        yield f"ser cache embeddings --encoder whisper-base {jobs}"


def state() -> str:
    """The commit that the package was last changed by, or its version."""
    code = Path(ser_pipeline.__file__).parent
    git = ["git", "log", "-1", "--format=commit %h", "--", code.name]
    commit = subprocess.run(git, capture_output=True, text=True, check=False, cwd=code.parent).stdout.strip()
    return commit or f"version {ser_pipeline.__version__}"


def environment(work: Path) -> dict[str, Any]:
    """By what a table is measured here: versions, commit, machine and recordings."""
    from ser_pipeline.training.info import library_versions

    manifest = read_manifest(work / "manifests")
    speakers = len(set(manifest.table["speaker_id"].to_pylist()))
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "state": state(),
        "versions": library_versions(),
        "machine": f"{platform.system()} {platform.machine()}, {plural(os.cpu_count() or 1, 'processor')}",
        "recordings": f"{plural(manifest.table.num_rows, 'clip')} of {plural(speakers, 'speaker')}",
        "manifest": manifest.digest,
    }


def main(name: str, work: Path) -> str:
    """Measure a table, write its file and the page, and say what changed."""
    path = FOLDER / f"{name}.json"
    old = json.loads(path.read_text(encoding="utf-8"))
    os.environ["SER_ENCODERS"] = os.environ.get("SER_REAL_ENCODERS", "")
    recipe, rows = RECIPES[name], measure(name, Path(os.environ["SER_REAL_DATA"]).resolve(), work)
    columns = rows.pop(0) if recipe.columns is None else list(recipe.columns or old["columns"])
    made = environment(work) | {"commands": list(recipe.commands)}
    write(name, columns, rows, made, old["right"])
    PAGE.write_text(page_text(), encoding="utf-8")
    changed = sum(row not in old["rows"] for row in rows)
    return f"{path}: {plural(len(rows), 'row')}, {changed} of them not as before"


if __name__ == "__main__":
    if len(sys.argv) == 1:
        PAGE.write_text(page_text(), encoding="utf-8")
    elif problem := missing(sys.argv[1]):
        sys.exit(problem)
    else:
        sys.stdout.write(f"{main(sys.argv[1], WORK)}\n")
