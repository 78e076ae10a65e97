"""The chapter on experiments: what holds, what does not, what cannot be told, what did not run."""

from collections.abc import Sequence

from ser_pipeline.findings import OUTCOMES, Findings
from ser_pipeline.report import cells
from ser_pipeline.report.document import Block, Callout, Code, Mark, Section, text
from ser_pipeline.report.experiment_arms import arms_table, corpora_table
from ser_pipeline.report.experiment_claims import beside_table, claims_table


def experiment_sections(found: Sequence[Findings], manifest_digest: str) -> tuple[Section, ...]:
    """Write a chapter head and one part for each experiment; nothing where there is none."""
    if not found:
        return ()
    lead = text(
        "An experiment trains the same thing several times, one setting apart, and judges claims by "
        "comparing arms on the same test recordings. A claim holds if its whole interval lies on its side "
        "and its p-value, corrected over its family, is at most 0.05; it does not hold if the whole interval "
        "lies on the other side, or below what is claimed; anything else is not decidable here. A claim "
        "whose runs are not all done reads 'not run'.",
    )
    head = Section("experiments", "Experiments", (lead,), 2)
    return (head, *(_part(each, manifest_digest) for each in found))


def _part(found: Findings, manifest_digest: str) -> Section:
    marks: list[Mark] = ["synthetic"] if found.synthetic else []
    if found.manifest_digest != manifest_digest:
        marks.append("other manifest")
    blocks: list[Block] = [text(found.about)] if found.about else []
    blocks += [_state(found), *_cautions(found)]
    given = tuple(marks)
    if found.claims:
        blocks.append(claims_table(found, given))
    if any(claim.beside for claim in found.claims):
        blocks.append(beside_table(found, given))
    blocks.append(arms_table(found, given))
    if len({score.corpus for arm in found.arms for score in arm.corpora}) > 1:
        blocks.append(corpora_table(found, given))
    return Section(f"experiment-{found.name}", found.title, tuple(blocks), 3, given)


def _state(found: Findings) -> Block:
    count, verdicts = found.cells(), found.outcomes()
    told = ", ".join(f"{verdicts[outcome]} {outcome}" for outcome in OUTCOMES if verdicts[outcome])
    return text(
        f"{cells.plural(count['done'], 'run')} done, {count['failed']} failed, {count['not run']} not run; "
        f"seeds {', '.join(map(str, found.seeds))}. ",
        f"Claims: {told}. " if told else "",
        "Go on with ",
        Code(f"ser experiment run {found.name}"),
        ".",
    )


def _cautions(found: Findings) -> list[Block]:
    blocks: list[Block] = []
    if found.epochs is not None:
        blocks.append(Callout("note", (f"Networks were trained for at most {found.epochs} epochs.",)))
    failed = [arm for arm in found.arms if arm.failed]
    if failed:
        first = failed[0]
        words = f"Runs of {cells.plural(len(failed), 'arm')} failed, as {first.arm}: {first.reason}."
        blocks.append(Callout("warning", (words,)))
    return blocks
