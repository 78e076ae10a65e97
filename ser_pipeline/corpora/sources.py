"""What the tables and side files that a description names say of recordings."""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence, Set
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Self

from ser_pipeline.corpora.description import VALUES, Sidecar, Table
from ser_pipeline.corpora.files import Guarded, key_of, stem
from ser_pipeline.corpora.table_formats import Row, cell_of, lines_of
from ser_pipeline.corpora.tables import ANY_ENCODING, CorpusTable, left_out, read_any, read_text
from ser_pipeline.corpora.values import Values, of_all, votes_of
from ser_pipeline.errors import CorpusError, some

Numbered = list[tuple[int, Row]]
"""Lines of a table, each with its number."""


@dataclass(frozen=True)
class Lines:
    """A table as it was read.

    Attributes:
        table: its description.
        found: key -> facts and votes of the line.
        unclear: key that several lines have which label it differently -> why its recordings have no label.
    """

    table: Table
    found: CorpusTable
    unclear: Mapping[str, str]

    @classmethod
    def read(cls, corpus: str, root: Path, table: Table, values: Values, stems: Set[str]) -> Self:
        """Read a table below a folder; what cannot be read of it is a remark.

        Args:
            corpus: corpus id.
            root: folder of the corpus.
            table: its description.
            values: reads the facts of the corpus.
            stems: names of the recordings as keys, to which a table that names more is kept.
        """
        lines, problems = lines_below(root, table)
        rows: dict[str, Mapping[str, Any]] = {}
        numbers, unclear = dict[str, int](), dict[str, str]()
        answers = defaultdict[str, list[Mapping[str, Any]]](list)
        judged = set[tuple[str, str]]()
        bad = []
        for number, line in lines:
            key = key_for(table, [line[column].strip() for column in table.key], values)
            if table.more and table.match == ("stem",) and key not in stems:
                continue
            told, odd = _told(table, line, values)
            bad += [f"line {number}: {reason}" for reason in odd]
            if (rater := told.get("rater")) and (key, rater) in judged:
                bad.append(f"line {number}: {rater!r} answers {key!r} a second time")
            elif rater is not None:
                answers[key].append(told)
                judged.add((key, rater))
            elif (earlier := rows.setdefault(key, told)) is told:
                numbers[key] = number
            elif any(earlier.get(fact) != told.get(fact) for fact in ("emotion", "speaker", "votes")):
                name = Path(table.file).name
                unclear[key] = (
                    f"lines {numbers[key]} and {number} of {name!r} both are of {key!r}, and contradict each "
                    "other; correct the table, or compare more than the name, as with match = 'folder/stem'"
                )
            elif other := [fact for fact, value in told.items() if earlier[fact] not in ("", value)]:
                bad.append(f"line {number}: {key!r} occurs a second time, with another {', '.join(other)}")
                rows[key] = {**earlier, **dict.fromkeys(other, "")}
        rows |= {
            key: each[0] if len(each) == 1 and values.by_tables else of_all(each, values.answer)
            for key, each in answers.items()
        }
        problem = "; ".join(filter(None, [left_out(bad, "value"), *problems]))
        return cls(table, CorpusTable(corpus, table.file, rows, problem or None), unclear)


def _told(table: Table, line: Row, values: Values) -> tuple[dict[str, Any], list[str]]:
    """What a line says, without what cannot be read of it, and why that cannot."""
    told: dict[str, Any] = {fact: line[column].strip() for fact, column in table.columns.items()}
    odd = []
    for fact, text in told.items():
        try:
            if text and fact not in ("emotion", "speaker"):
                values.of(fact, text)
        except ValueError as error:
            odd.append(str(error))
            told[fact] = ""
    try:
        if votes := votes_of(values.votes(line, table)):
            told["votes"] = votes
    except ValueError as error:
        odd.append(str(error))
    return told, odd


def key_for(table: Table, texts: Iterable[str], values: Values) -> str:
    """What a line of a table is looked up by; facts with codes are compared by what these stand for.

    Args:
        table: its description.
        texts: cells of its key, or what a recording says of the same.
        values: reads the facts of the corpus.
    """
    return "\t".join(_key(what, text, values) for what, text in zip(table.match, texts, strict=True))


def _key(what: str, text: str, values: Values) -> str:
    with suppress(ValueError):
        return str(values.of(what, text)) if what in VALUES else key_of(what, text)
    return text


def lines_below(root: Path, table: Table) -> tuple[Numbered, list[str]]:
    """Lines of the files of a table below a folder, and what is wrong with it, one line each."""
    places = [Path(table.file)] if Path(table.file).is_absolute() else sorted(root.glob(table.file))
    places = places or sorted(root.rglob(Path(table.file).name))
    lines: Numbered = []
    bad, odd = [], list[str]()
    for place in places:
        named = "" if len(places) == 1 else f"{place.name}: "
        met: list[str] = []
        try:
            lines += _lines(root, place, table, met)
        except CorpusError as error:
            bad.append(f"{named}{error}")
        odd += [named + line for line in met]
    odd = odd if len(places) == 1 or not odd else [some(odd, show=1)]
    if not bad:
        return lines, odd if places else ["not found; the rows lack its information"]
    several = f"{len(bad)} of {len(places)} files cannot be read; the first is " if len(places) > 1 else ""
    return lines, [f"{several}{bad[0]}; the rows lack its information", *odd]


def _lines(root: Path, place: Path, table: Table, odd: list[str]) -> Numbered:
    """Lines of one file of a table, with the columns that its own path gives.

    ``odd`` takes what should be known of lines and sheets that are not read in full.

    Raises:
        CorpusError: it cannot be read, or lacks a column.
    """
    if table.line:
        found = _matches(place, table)
    else:
        found = read_any(
            place, separator=table.separator, encoding=table.encoding, heading=table.heading, odd=odd
        )
    below = place.relative_to(root) if root in place.parents else place
    path = {
        "(file)": place.stem,
        "(folder)": place.parent.name,
        "(path)": stem(PurePosixPath(below.as_posix())),
    }
    wanted = dict.fromkeys([*table.key, *table.columns.values(), *table.of_votes])
    if not wanted.keys().isdisjoint(path):
        found = [(number, {**line, **path}) for number, line in found]
    absent = [column for column in wanted if column not in found[0][1]]
    if absent:
        raise CorpusError(f"lacks column {', '.join(absent)} (found {', '.join(found[0][1])[:80]})")
    if place.suffix.lower() == ".textgrid":  # intervals of other tiers say nothing
        said = {*table.columns.values()} - {"start", "end", *path}
        found = [(number, line) for number, line in found if any(line[column].strip() for column in said)]
    return found


def _matches(place: Path, table: Table) -> Numbered:
    text = read_text(place, (table.encoding,) if table.encoding else ANY_ENCODING)
    pattern = Guarded(table.line, f"the pattern {table.line!r} of a line")
    lines = [(at, pattern.fullmatch(line.strip())) for at, line in enumerate(lines_of(text), 1)]
    found: Numbered = [(number, match.groupdict("")) for number, match in lines if match]
    if not found:
        raise CorpusError(f"no line is as {table.line!r} says")
    return found


def said_beside(root: Path, path: PurePosixPath, sidecars: Sequence[Sidecar]) -> dict[str, str]:
    """What the files beside a recording say of it: fact -> text.

    Args:
        root: folder of the corpus.
        path: of the recording, relative to ``root``.
        sidecars: their descriptions.

    Raises:
        CorpusError: one of them cannot be read.
    """
    told: dict[str, str] = {}
    for sidecar in sidecars:
        place = sidecar.file.format(stem=path.stem, folder=path.parent.as_posix())
        place = place if "/" in place else (path.parent / place).as_posix()
        try:
            told |= _read_sidecar(root / place, sidecar)
        except CorpusError as error:
            raise CorpusError(f"its side file {place!r} {error}") from None
    return told


def _read_sidecar(path: Path, sidecar: Sidecar) -> dict[str, str]:
    text = read_text(path, ANY_ENCODING)
    if sidecar.fact is not None:
        return {sidecar.fact: text.strip()}
    try:
        whole = json.loads(text)
        return {fact: cell_of(whole[key]) for fact, key in sidecar.columns.items()}
    except (KeyError, TypeError, ValueError) as error:
        names = ", ".join(sidecar.columns.values())
        raise CorpusError(f"is not a JSON object with {names} ({error})") from None
