"""What must never stand on both sides of a split: a speaker, or the same audio."""

import numpy as np
import pyarrow as pa

from ser_pipeline.errors import SplitError, some
from ser_pipeline.manifest.arrays import Ints
from ser_pipeline.manifest.people import Codes, codes
from ser_pipeline.manifest.schema import NO_PART


def on_both_sides(things: Codes, sides: Ints) -> list[str]:
    """Names of the things that stand on more than one side.

    Args:
        things: what each row is of.
        sides: shape ``(rows,)``, the side of each row; ``NO_PART`` is no side.
    """
    taken = sides != NO_PART
    thing, side = things.of[taken], sides[taken]
    first = np.full(len(things.names), NO_PART, np.int64)
    first[thing] = side
    torn = np.unique(thing[first[thing] != side])
    return [things.names[number] for number in torn.tolist()]


def check_sides(table: pa.Table, sides: Ints, where: str, *, speakers: bool = True) -> None:
    """Check that no speaker and no audio stands on two sides.

    Args:
        table: rows of the manifest.
        sides: shape ``(rows,)``, part or fold of each row; ``NO_PART`` is none.
        where: what is checked, for messages.
        speakers: look at speakers too; a split that says it leaks them need not be.

    Raises:
        SplitError: something stands on two sides; the first ten are named.
    """
    if speakers:
        torn = on_both_sides(codes(table["speaker_id"]), sides)
        if torn:
            raise SplitError(f"{where}: speakers stand in more than one part: {some(torn)}")
    audio = table["audio_digest"].combine_chunks().dictionary_encode()
    if len(audio.dictionary) < len(audio):  # in a whole manifest each stands once, and nothing can be torn
        things = Codes(audio.indices.to_numpy().astype(np.int64), tuple(audio.dictionary.to_pylist()))
        torn = on_both_sides(things, sides)
        if torn:
            raise SplitError(f"{where}: the same audio stands in more than one part: {some(torn)}")
