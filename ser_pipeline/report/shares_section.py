"""The part on the importance of each input, layer, pooling or band of frequencies of a run."""

from ser_pipeline.report.document import Block, Callout, Figure, Panel, Section, text
from ser_pipeline.report.explain_effects import importance_panel
from ser_pipeline.report.results_section import run_marks
from ser_pipeline.report.sources import Data
from ser_pipeline.runs.explanation import InputImportance, Shares, ShareTable
from ser_pipeline.runs.read import Run
from ser_pipeline.tables import Column, Row, RowGroup, Table, cells

MANY = {
    "input": "Inputs",
    "layer": "Layers",
    "pooling": "Poolings",
    "layer and pooling": "Poolings of each layer",
    "band of frequencies": "Bands of frequencies",
    "group of features": "Groups of features",
    "part of the clip": "Parts of the clip",
    "training of a layer": "Training of each layer",
}


def shares_section(run: Run, shares: Shares, data: Data) -> Section:
    """Write the part on how much a run relies on each part of its input."""
    marks, tag = run_marks(run, data.digest), run.tag.lower()
    columns = (
        Column("Permuted", numeric=False),
        Column("Numbers"),
        Column("Drop of UAR, points"),
        Column("Share, %"),
        Column("Drop when left out, points"),
        *[Column("Learned weight, %")] * shares.weighted,
    )
    table = Table(
        key=f"shares-{tag}",
        caption=f"Importance of each part of the input of {run.tag}",
        columns=columns,
        groups=tuple(
            RowGroup(tuple(_row(entry, len(columns)) for entry in each.entries), MANY[each.kind])
            for each in shares.tables
        ),
        notes=(f"Intervals: {shares.interval}.",),
        marks=marks,
    )
    figure = Figure(
        f"shares-{tag}",
        f"Drop of UAR of {run.tag}, in points with 95 % intervals, when a part of its input is permuted",
        tuple(_panel(tag, each) for each in shares.tables),
        marks,
    )
    blocks: list[Block] = [
        _opening(run, shares),
        *(Callout("note", (cells.sentence(note),)) for note in shares.notes),
        figure,
        table,
    ]
    return Section(f"shares-{tag}", f"{run.tag}: importance of its inputs", tuple(blocks), 3, marks)


def _panel(tag: str, table: ShareTable) -> Panel:
    name = f"shares-{tag}-{table.kind.replace(' ', '-')}"
    undone = "the training of a layer is undone"
    permuted = f"one of the {MANY[table.kind].lower()} is permuted"
    return importance_panel(
        name, undone if table.kind == "training of a layer" else permuted, table.entries, bars=True
    )


def _opening(run: Run, shares: Shares) -> Block:
    people = cells.plural(shares.speakers, "speaker")
    clips = cells.plural(shares.clips, f"{shares.part} clip")
    return text(
        f"{run.tag} reaches a UAR of {cells.score_text(shares.uar)} on {clips} of {people}. All values of "
        f"{_pieces(shares)} are permuted together among these clips, "
        f"{cells.plural(shares.repeats, 'time')}; the share is the drop of UAR as a percentage of the drops "
        "of all parts of the same kind. Neighbours carry similar information and replace each other, so a "
        "small drop does not mean that a part carries none. When a part is left out, its values are held at "
        "their mean over the training clips."
        + (" The learned weights are those by which the probe multiplies the layers." * shares.weighted)
    )


def _pieces(shares: Shares) -> str:
    """What is permuted, as in ``a layer or a part of the clip``."""
    kinds = [table.kind for table in shares.tables if table.kind != "training of a layer"]
    return " or ".join(f"{'an' if kind[0] in 'aeiou' else 'a'} {kind}" for kind in kinds)


def _row(entry: InputImportance, columns: int) -> Row:
    told = (
        cells.words(entry.name),
        cells.count(entry.columns),
        cells.score(entry.drop),
        cells.percent(entry.share, bar=True),
        cells.percent(entry.without),
        cells.percent(entry.weight),
    )
    return Row(told[:columns])
