"""Commands of ``ser corpora``."""

from collections import Counter
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ser_pipeline.cli.common import JobsOption, next_step, out, plain_errors, progress, say, show_table
from ser_pipeline.cli.corpora_disk import check, download
from ser_pipeline.cli.corpora_known import list_corpora, show
from ser_pipeline.cli.flags import names_in
from ser_pipeline.tables.cells import plural

if TYPE_CHECKING:
    from ser_pipeline.api.corpora import Drafted
    from ser_pipeline.corpora.draft import Draft

app = typer.Typer(
    no_args_is_help=True,
    help="List, show, check, download and describe corpora, or make synthetic ones to try.",
)
app.command("list")(list_corpora)
app.command()(show)
app.command()(check)
app.command()(download)

MOST_CODES = 8
"""Codes of a fact that the table of a draft lists."""


@app.command()
def init(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Look at this folder of one corpus.")],
    name: Annotated[str, typer.Option(help="Give the corpus this id instead of the folder's name.")] = "",
    language: Annotated[str, typer.Option(help="Set its language, a BCP 47 tag such as en-GB.")] = "",
    force: Annotated[
        bool,
        typer.Option(
            "--force",
            help="Write the draft even if the corpus is known, or has a description already.",
        ),
    ] = False,
) -> None:
    """Look at a folder of recordings, and write the first draft of its description to corpora/NAME.toml."""
    with plain_errors():
        from ser_pipeline.api.corpora import init_corpus

        _tell(init_corpus(folder, name=name, language=language or None, force=force), folder)


@app.command()
def add(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE",
            help="Add this description, a TOML file, or describe the recordings beside this table.",
        ),
    ],
    force: Annotated[
        bool, typer.Option("--force", help="Replace the description of that name, if there is one.")
    ] = False,
) -> None:
    """Write a description to corpora/NAME.toml, where it is found, from a TOML file or from a table."""
    with plain_errors():
        from ser_pipeline.api.corpora import add_corpus, init_corpus

        if file.suffix.lower() != ".toml":
            _tell(init_corpus(file.parent, table=file, force=force), file.parent)
            return
        path, corpus = add_corpus(file, force=force)
        out(f"{path}: {corpus.CARD.title}, {plural(len(corpus.EMOTIONS), 'code')} of emotions")
        next_step("ser manifest build")


class SynthSize(StrEnum):
    """How much ``ser corpora synth`` makes."""

    small = "small"
    medium = "medium"


@app.command()
def synth(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="Write to this folder, which must be new or empty.")
    ],
    seed: Annotated[int, typer.Option(help="Draw voices and clips from this seed.")] = 0,
    size: Annotated[SynthSize, typer.Option(help="Make corpora of this size.")] = SynthSize.medium,
    clips_per_class: Annotated[
        int | None,
        typer.Option(
            help="Make this many clips of each class and speaker, 1 to 8; the default depends on the size."
        ),
    ] = None,
    corpora: Annotated[
        list[str] | None,
        typer.Option(
            help="Make only these corpora, by id; repeat the flag or separate ids by commas. All of them by "
            "default."
        ),
    ] = None,
    jobs: JobsOption = 1,
) -> None:
    """Write small synthetic corpora in the official layouts, spoken by a synthetic voice."""
    from ser_pipeline import synth as synthesis

    with plain_errors():
        chosen = names_in(corpora or ())
        clips = synthesis.plan(size.value, clips_per_class, chosen)
        with progress("synthesise", sum(map(len, clips.values())), "clips") as advance:
            summary = synthesis.synth(
                folder, seed=seed, size=size.value, clips_per_class=clips_per_class,
                corpora=chosen, jobs=jobs, on_progress=advance,
            )  # fmt: skip
        kept = f"; {', '.join(summary.kept)} already present" if summary.kept else ""
        out(
            f"{folder}: {plural(summary.total, 'synthetic recording')} in "
            f"{plural(len(summary.clips), 'corpus', 'corpora')}, {plural(summary.speakers, 'voice')}{kept}"
        )
        next_step("ser manifest build", data=folder)


def _tell(drafted: "Drafted", folder: Path) -> None:
    _show(drafted.found)
    if drafted.alike:
        say(
            f"the file names match {drafted.alike}, which is already known; rename the folder to "
            f"{drafted.alike} and no description is needed"
        )
    for table in drafted.found.tables:
        if table.unread:
            say(f"not read, so rows are whole recordings: {', '.join(table.unread)} of {table.files[0]}")
        for line in table.remarks:
            say(line)
    for line in drafted.found.remarks:
        say(line)
    if not drafted.rows:
        say("nothing says what its codes of emotions mean; fill in [codes.emotion] of the draft")
    if drafted.found.guess("speaker") is None:
        say(
            "nothing looks like a speaker, and without one, scores for new speakers are not possible; "
            "name a group 'speaker' in the pattern if a field says who speaks"
        )
    out(f"{drafted.path}: draft written; {drafted.summary}")
    next_step("ser manifest build", data=folder.parent)


def _show(found: "Draft") -> None:
    rows = []
    for number, guess in enumerate(found.guesses):
        votes = guess.fact == "emotion" and "emotion" in {each.fact for each in found.guesses[:number]}
        told = [
            f"{code} = {guess.codes[code]}" if code in guess.codes else code
            for code, _ in Counter(guess.counts).most_common(MOST_CODES)
        ]
        more = f", {len(guess.counts) - len(told)} more" if len(guess.counts) > len(told) else ""
        rows.append(
            (
                "votes" if votes else guess.fact,
                guess.source,
                len(guess.counts),
                "" if guess.sure else "?",
                ", ".join(told) + more,
            )
        )
    if found.guess("emotion") is None:
        rows += [
            ("emotion", f"votes of {table.files[0]}", len(table.votes), "", ", ".join(table.votes))
            for table in found.tables
            if table.votes
        ]
    show_table(f"{found.folder}: what would be read", ("fact", "from", "values", "unsure", "codes"), rows)
