"""What listeners said of the test clips of several runs, and what each run said: sums that are compared."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ser_pipeline.arrays import Float64s, Strings, texts_of
from ser_pipeline.datasets.targets import vote_counts
from ser_pipeline.evaluation.listeners import task_of
from ser_pipeline.evaluation.score import manifest_rows
from ser_pipeline.labels import DIMENSIONS
from ser_pipeline.manifest import Manifest
from ser_pipeline.metrics import rating_columns, rating_scores, speaker_sums, vote_columns, vote_scores
from ser_pipeline.records import named_among
from ser_pipeline.runs.predictions import read_part, read_ratings
from ser_pipeline.runs.types import RunInfo

RATED_TRUTH = (0, 1, 3)
"""Columns of :func:`ser_pipeline.metrics.rating_columns` that listeners decide alone."""


@dataclass(frozen=True)
class Sums:
    """One score of several runs on the same clips.

    Attributes:
        score: its name.
        of: from sums of shape ``(..., columns)`` to the score.
        truth: columns that are the same for all runs.
        by_run: folder -> sums by speaker, shape ``(drawn, columns)``.
        clips: ids of the clips, sorted.
        people: how many known speakers they are of.
        left_out: clips of some runs that others were not tested on.
    """

    score: str
    of: Callable[[Any], Float64s]
    truth: tuple[int, ...]
    by_run: Mapping[Path, Float64s]
    clips: Strings
    people: int
    left_out: int

    def arm(self, folders: Sequence[Path]) -> Float64s:
        """Sums of the seeds of an arm, shape ``(seeds, drawn, columns)``."""
        return np.stack([self.by_run[folder] for folder in folders])


def rating_sums(infos: Mapping[Path, RunInfo], manifest: Manifest) -> Iterator[Sums]:
    """Concordance of each dimension that all runs rate, on the clips that listeners rated.

    Args:
        infos: folder -> settings of a run that is scored.
        manifest: that they were trained on.

    Raises:
        RunError: what a run said is missing or damaged.
    """
    shared = [name for name in DIMENSIONS if all(name in info.recipe.rated for info in infos.values())]
    tables = {folder: read_ratings(folder) for folder in infos} if shared else {}
    tables = {folder: table.filter(pc.equal(table["part"], "test")) for folder, table in tables.items()}
    for name in shared:
        pairs = {}
        for folder, table in tables.items():
            ids = texts_of(table["utterance_id"])
            rated, said = (
                np.asarray(table[column].to_numpy(zero_copy_only=False), np.float64)
                for column in (f"rated_{name}", name)
            )
            there = ~np.isnan(rated)
            pairs[folder] = ids[there], rating_columns(rated[there], said[there])
        yield _summed(f"ccc {name}", lambda sums: rating_scores(sums)["ccc"], RATED_TRUTH, pairs, manifest)


def vote_sums(infos: Mapping[Path, RunInfo], manifest: Manifest) -> Iterator[Sums]:
    """Cross-entropy of probabilities against votes, where listeners voted.

    Args:
        infos: as for :func:`rating_sums`.
        manifest: likewise.

    Raises:
        RunError: what a run said is missing or damaged.
    """
    pairs = {}
    known = manifest.table.select(["utterance_id", "votes"])
    for folder, info in infos.items():
        found = read_part(folder, info.emotions, "test")
        names = np.asarray(found.clips, np.str_)
        votes = vote_counts(manifest_rows(pa.array(names, pa.string()), known)["votes"], task_of(info))
        voted = votes.any(1)
        shares = votes[voted] / votes[voted].sum(1, keepdims=True)
        pairs[folder] = names[voted], vote_columns(shares, found.probabilities[voted])
    if all(len(names) for names, _ in pairs.values()):
        yield _summed("cross_entropy", lambda sums: vote_scores(sums)["cross_entropy"], (0,), pairs, manifest)


def _summed(
    score: str,
    of: Callable[[Any], Float64s],
    truth: tuple[int, ...],
    pairs: Mapping[Path, tuple[Strings, Float64s]],
    manifest: Manifest,
) -> Sums:
    """Columns of the clips that all runs were tested on, added up by speaker."""
    every = [names for names, _ in pairs.values()]
    clips: Strings = reduce(np.intersect1d, every)
    known = manifest.table.select(["utterance_id", "speaker_id"])
    speakers = texts_of(manifest_rows(pa.array(clips, pa.string()), known)["speaker_id"])
    by_run = {}
    for folder, (names, columns) in pairs.items():
        order = np.argsort(names, kind="stable")
        by_run[folder] = speaker_sums(columns[order[np.searchsorted(names[order], clips)]], speakers)
    people = len(named_among({*speakers.tolist()}))
    return Sums(score, of, truth, by_run, clips, people, len(reduce(np.union1d, every)) - len(clips))
