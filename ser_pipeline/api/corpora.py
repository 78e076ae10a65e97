"""Descriptions of corpora: a first draft from a look at a folder, and taking one over."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from ser_pipeline.api.places import SETTINGS_FILE
from ser_pipeline.atomic import write_atomically
from ser_pipeline.corpora import OWN_FOLDER, Corpus, known_corpora, own_descriptions
from ser_pipeline.corpora.described import Described
from ser_pipeline.corpora.description import parse_description, read_description
from ser_pipeline.corpora.discover import Found, discover
from ser_pipeline.corpora.draft import SOME, Draft, draft, id_of, looks_like
from ser_pipeline.corpora.draft_text import as_toml
from ser_pipeline.corpora.files import audio_files
from ser_pipeline.errors import CorpusError, some
from ser_pipeline.options.made import own_files
from ser_pipeline.records import Reject, Utterance
from ser_pipeline.tables.cells import plural


@dataclass(frozen=True)
class Drafted:
    """A draft that was written.

    Attributes:
        path: of the description.
        found: what the look at the folder found.
        alike: id of a corpus that is shipped and whose names these are; "" for none.
        rows: recordings that the draft reads as rows.
        rejects: reason -> number of recordings that it does not read.
    """

    path: Path
    found: Draft
    alike: str
    rows: int
    rejects: Mapping[str, int]

    @property
    def summary(self) -> str:
        """How many recordings it reads, in words."""
        if not self.rejects:
            return f"it reads {plural(self.rows, 'recording')} and rejects none"
        reasons = [f"{count} x {reason}" for reason, count in Counter(self.rejects).most_common()]
        return (
            f"it reads {plural(self.rows, 'recording')} and rejects {sum(self.rejects.values())}: "
            f"{some(reasons, show=3)}"
        )


def init_corpus(
    folder: Path,
    *,
    table: Path | None = None,
    name: str = "",
    language: str | None = None,
    force: bool = False,
) -> Drafted:
    """Look at a folder, and write the first draft of its description below ``corpora``.

    Args:
        folder: of one corpus.
        table: below it, which says the emotions; None looks for one.
        name: id; by default made from the folder's name.
        language: BCP 47 tag; by default guessed from the labels.
        force: write it even if the corpus is known or a description is there.

    Raises:
        CorpusError: nothing in the folder looks like emotions, the corpus is known, or a description
            of that name is there.
    """
    if folder.is_file():
        raise CorpusError(
            f"{folder}: is not a folder; 'ser corpora add {folder}' describes the recordings beside a table"
        )
    called = name or id_of(folder)
    others = {
        known: corpus
        for known, corpus in known_corpora(own_descriptions(Path(), own_files(SETTINGS_FILE))).items()
        if not (_is_own(corpus) and known == called)
    }
    if not force and folder.is_dir():
        _refuse_described(folder, others)
    found = replace(draft(folder, table), name=called)
    text = as_toml(found, language=language)
    corpus = Described(parse_description(text, f"the draft of {found.name}"), own=True)
    records = list(corpus.scan(folder))
    rejects = Counter(record.reason for record in records if isinstance(record, Reject))
    path = _place(found.name, force)
    with write_atomically(path) as part:
        part.write_text(text, encoding="utf-8", newline="\n")
    return Drafted(
        path,
        found,
        looks_like(folder, {known: corpus for known, corpus in others.items() if not _is_own(corpus)}) or "",
        sum(isinstance(record, Utterance) for record in records),
        rejects,
    )


def _refuse_described(folder: Path, corpora: Mapping[str, Corpus]) -> None:
    """Refuse a folder whose recordings a description reads already, as two may not claim the same ones.

    Raises:
        CorpusError: most recordings are of corpora that are known, or some of one that the user described.
    """
    recordings = len(audio_files(folder))
    if not recordings:
        return
    found = discover(folder, corpora).found
    own = [each for each in found if _is_own(corpora[each.corpus])]
    held = [each for each in found if each in own or _is_known(corpora[each.corpus], each)]
    if not own and 2 * sum(len(each.files) for each in held) <= recordings:
        return
    titles = list(dict.fromkeys(corpora[each.corpus].CARD.title for each in held))
    build = f"build the manifest with 'ser manifest build --data {folder}'"
    if len(held) == 1 and held[0].root == PurePosixPath():
        raise CorpusError(
            f"{folder}: is {titles[0]}, which is known and needs no description; {build}, or draft one with "
            "--force"
        )
    are = "is" if len(titles) == 1 else "are"
    raise CorpusError(
        f"{folder} holds {some(titles, show=5)}, which {are} already described; {build}, or pass the folder "
        "of a corpus that is not"
    )


def _is_known(corpus: Corpus, held: Found) -> bool:
    """Whether most recordings are of a corpus, by their names and the codes in them."""
    few = held.files[:: max(1, len(held.files) // SOME)]
    read = [corpus.parse(path) for path in few]
    foreign = sum(isinstance(each, Reject) and not each.reason.startswith("no label") for each in read)
    return 2 * foreign < len(few)


def _is_own(corpus: Corpus) -> bool:
    return isinstance(corpus, Described) and corpus.own


def add_corpus(file: Path, *, force: bool = False) -> tuple[Path, Described]:
    """Check a description, and copy it to where the descriptions of the working folder are found.

    Args:
        file: TOML.
        force: write over a description of that name.

    Raises:
        CorpusError: it cannot be read, says what a description cannot say, or one of that name is there.
    """
    described = Described(read_description(file), own=True)
    path = _place(described.CARD.name, force or file.resolve() == _path(described.CARD.name).resolve())
    with write_atomically(path) as part:
        part.write_bytes(file.read_bytes())
    return path, described


def _path(name: str) -> Path:
    return Path(OWN_FOLDER) / f"{name}.toml"


def _place(name: str, force: bool) -> Path:
    path = _path(name)
    if path.exists() and not force:
        raise CorpusError(f"{path}: is there already; edit it, or overwrite it with --force")
    return path
