"""Names of speakers that several of the user's own corpora have."""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Collection, Iterator
from typing import Final

import pyarrow as pa

from ser_pipeline.corpora.words import is_nobody, numbered_thing
from ser_pipeline.errors import some

SHORTEST: Final = 3
"""Letters that the name of a person has; shorter ones are codes, which every corpus may use."""


def namesakes(rows: pa.Table, own: Collection[str]) -> Iterator[str]:
    """Yield a line on speakers of the same name in several of the user's own corpora.

    Args:
        rows: columns of a manifest.
        own: ids of the corpora.
    """
    corpora: dict[str, list[str]] = defaultdict(list)
    pairs = rows.select(["corpus", "speaker_id"]).group_by(["corpus", "speaker_id"]).aggregate([])
    for pair in sorted(pairs.to_pylist(), key=lambda pair: (pair["corpus"], pair["speaker_id"])):
        name = unicodedata.normalize("NFC", pair["speaker_id"].removeprefix(f"{pair['corpus']}-"))
        if pair["corpus"] in own and name != pair["speaker_id"] and _is_name(name):
            corpora[name].append(pair["corpus"])
    shared = [f"{name!r} ({', '.join(found)})" for name, found in corpora.items() if len(found) > 1]
    if shared:
        yield (
            "speakers of the same name in several corpora count as different people: "
            f"{some(shared, show=3)}; if they are the same people, pass one table, or say speakers_of in a "
            "description"
        )


def _is_name(text: str) -> bool:
    """Whether a name is that of a person, and not a number or a code as ``spk1``."""
    letters = re.sub(r"[\W\d_]", "", text)
    return len(letters) >= SHORTEST and not is_nobody(text) and numbered_thing(letters) is None
