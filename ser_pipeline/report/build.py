"""Make a report from result files: read, write in memory, put the files in place."""

import json
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ser_pipeline.atomic import remove_file, write_atomically
from ser_pipeline.errors import ReportError, SplitError
from ser_pipeline.report.certainty_blocks import Sounds
from ser_pipeline.report.data_section import data_sections, split_section
from ser_pipeline.report.document import Report, Section, numbered
from ser_pipeline.report.drawing import also_drawn
from ser_pipeline.report.experiment_section import comparison, experiment_sections
from ser_pipeline.report.explain_section import explain_section, shares_section
from ser_pipeline.report.internals_section import internals_section
from ser_pipeline.report.method_section import method_section
from ser_pipeline.report.opening import banner, limits_section, opening, unread_blocks
from ser_pipeline.report.ratings_section import ratings_sections
from ser_pipeline.report.render import html_page, json_text, markdown_text
from ser_pipeline.report.results_section import results_section
from ser_pipeline.report.run_section import run_section
from ser_pipeline.report.sources import NO_STORE, Data, StoreFacts, read_data, read_store_facts
from ser_pipeline.runs.find import Unread
from ser_pipeline.runs.findings import Findings, sound_findings
from ser_pipeline.runs.read import Run, Unfinished, read_runs, read_sound_runs
from ser_pipeline.tables.cells import plural

TITLE = "Speech emotion recognition: report"


@dataclass(frozen=True)
class ReportSummary:
    """What was made.

    Attributes:
        page: the HTML file.
        recordings: rows of the manifest.
        runs: finished runs with numbers on the page.
        unfinished: names of runs without numbers.
        unread: runs, splits and experiments that could not be read, one line each, with the reason.
        figures: number of drawings.
        page_bytes: size of the page.
        synthetic: some recordings were synthesised.
    """

    page: Path
    recordings: int
    runs: int
    unfinished: tuple[str, ...]
    unread: tuple[str, ...]
    figures: int
    page_bytes: int
    synthetic: bool

    def __repr__(self) -> str:
        """One line: page, recordings and runs."""
        unread = f", {len(self.unread)} unread" if self.unread else ""
        recordings, runs = plural(self.recordings, "recording"), plural(self.runs, "run")
        return f"ReportSummary({self.page}: {recordings}, {runs}{unread})"


def make_report(
    manifests: Path,
    runs: Sequence[Path],
    out: Path,
    *,
    cache: Path | None = None,
    experiments: Sequence[Path] = (),
    strict: bool = False,
    also: Collection[str] = (),
    sounds: Sounds | None = None,
) -> ReportSummary:
    """Turn result files into ``report.html``, ``report.md``, ``report.json`` and ``figures/``.

    Nothing is written before everything is rendered; the same input gives the same bytes.

    Args:
        manifests: folder that ``ser manifest build`` wrote to.
        runs: run folders, in the order they are shown; may be empty.
        out: folder to write to.
        cache: folder of the stores, whose levels and steps of a few recordings are shown; None shows none.
        experiments: files of findings, in the order they are shown; one that cannot be read is named.
        sounds: gives players to the mistakes of each run; None for none.
        also: formats beside SVG in which each drawing is written: ``png``, ``pdf``.
        strict: raise for a run that cannot be read, instead of naming it on the page.

    Raises:
        ManifestError: the manifest is missing, foreign or broken.
        SplitError: the split of a run that is shown cannot be read.
        RunError: with ``strict``, a run whose files cannot be read or contradict each other.
        ReportError: ``out`` is a file; a plain SerError where it cannot be written to.
    """
    if out.exists() and not out.is_dir():
        raise ReportError(f"{out}: is a file; choose a folder with --out")
    data = read_data(manifests)
    finished, unfinished, bad = (*read_runs(runs), []) if strict else read_sound_runs(runs)
    _need_splits(data, finished)
    found, lost = sound_findings(experiments)
    store = NO_STORE if cache is None else read_store_facts(cache, finished)
    unread = (*data.unread, *bad, *lost, *store.unread)
    with also_drawn(also):
        report = compose(data, finished, unfinished, unread, found, store, sounds)
    texts = {
        "report.md": markdown_text(report),
        "report.json": json_text(report, finished, unfinished, unread),
        "report.html": html_page(report),
    }
    _put(out, dict(_drawings(report)), {name: text.encode() for name, text in texts.items()})
    names, lines = tuple(run.name for run in unfinished), tuple(entry.line for entry in unread)
    panels, size = sum(1 for _ in report.panels), len(texts["report.html"].encode())
    rows = data.table.num_rows
    return ReportSummary(
        out / "report.html", rows, len(finished), names, lines, panels, size, bool(report.banner)
    )


def write_comparison(found: Findings, out: Path) -> Path:
    """Turn findings into ``NAME.html`` and ``NAME.md``, where claims stand beside what was measured.

    Args:
        found: of an experiment about the source report.
        out: folder to write to.

    Returns:
        The HTML file.

    Raises:
        SerError: ``out`` cannot be written to.
    """
    page, report = out / f"{found.name}.html", comparison(found)
    for path, written in ((page.with_suffix(".md"), markdown_text(report)), (page, html_page(report))):
        with write_atomically(path) as part:
            part.write_text(written, encoding="utf-8", newline="\n")
    return page


def _need_splits(data: Data, runs: Sequence[Run]) -> None:
    """Refuse numbers whose split cannot be checked for leaks."""
    used = {run.info.split.name for run in runs}
    for split in data.unread:
        if split.name in used:
            raise SplitError(split.reason)


def compose(
    data: Data,
    runs: Sequence[Run],
    unfinished: Sequence[Unfinished],
    unread: Sequence[Unread] = (),
    experiments: Sequence[Findings] = (),
    store: StoreFacts = NO_STORE,
    sounds: Sounds | None = None,
) -> Report:
    """Write the report's blocks in reading order; a new chapter is one more line here."""
    everyone, runs = runs, [run for run in runs if not run.info.recipe.target]
    sections = (
        results_section(everyone, unfinished, data),
        *(section for run in runs for section in _run_sections(run, data, sounds)),
        *ratings_sections(everyone, data),
        limits_section(data, everyone),
        *experiment_sections(experiments, data),
        *data_sections(data, store, runs),
        split_section(data),
        method_section(runs, store.steps),
    )
    return Report(
        title=TITLE,
        opening=(*opening(data, everyone, unfinished), *unread_blocks(unread)),
        sections=numbered(sections),
        banner=banner(data, everyone, unfinished),
    )


def _run_sections(run: Run, data: Data, sounds: Sounds | None) -> Iterator[Section]:
    """The part on a run, what its network makes of clips, and what its features tell, as far as is known."""
    yield run_section(run, data, sounds)
    inside = internals_section(run, data)
    if inside is not None:
        yield inside
    if run.explanation is not None:
        yield explain_section(run, run.explanation, data)
    if run.shares is not None:
        yield shares_section(run, run.shares, data)


def _drawings(report: Report) -> Iterator[tuple[str, bytes]]:
    for panel in report.panels:
        for suffix, drawn in panel.files.items():
            yield f"figures/{panel.name}.{suffix}", drawn


def _put(out: Path, drawings: dict[str, bytes], texts: dict[str, bytes]) -> None:
    """Write the files that changed, the page last, then remove drawings that only the old report had."""
    old = _listed(out / "report.json")
    same = {name for name in old & drawings.keys() if (out / name).read_bytes() == drawings[name]}
    for name, content in (drawings | texts).items():
        if name in same:
            continue
        with write_atomically(out / name) as part:
            part.write_bytes(content)
    for name in old - drawings.keys():
        remove_file(out / name)


def _listed(path: Path) -> set[str]:
    """Drawings that an earlier report lists, as far as they lie where a report puts them."""
    try:
        sections = json.loads(path.read_bytes())["sections"]
        panels = [
            panel for section in sections for block in section["blocks"] for panel in block.get("panels", [])
        ]
        names = {str(name) for panel in panels for name in panel["files"]}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return set()  # no earlier report, or not one of ours: nothing of it is removed
    return {name for name in names if name == f"figures/{Path(name).name}" and (path.parent / name).is_file()}
