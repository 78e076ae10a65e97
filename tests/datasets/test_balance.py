import numpy as np
import pytest

from ser_pipeline.datasets.balance import MOST, draw_chances

CORPORA = ["a"] * 70 + ["b"] * 30
TARGETS = [0] * 60 + [1] * 10 + [0] * 20 + [1] * 10


def by_cell(chances):
    cells = np.array([f"{corpus}{target}" for corpus, target in zip(CORPORA, TARGETS, strict=True)])
    return {cell: chances[cells == cell].sum() for cell in np.unique(cells)}


def test_fully_balanced_draws_every_pair_alike():
    assert by_cell(draw_chances(CORPORA, TARGETS, 1.0)) == pytest.approx(
        dict.fromkeys(["a0", "a1", "b0", "b1"], 0.25)
    )


def test_without_balance_every_clip_is_as_likely():
    assert draw_chances(CORPORA, TARGETS, 0.0) == pytest.approx(np.full(100, 0.01))


def test_half_way_pairs_are_drawn_by_the_root_of_their_clips():
    found = by_cell(draw_chances(CORPORA, TARGETS, 0.5))
    roots = {cell: np.sqrt(clips) for cell, clips in {"a0": 60, "a1": 10, "b0": 20, "b1": 10}.items()}
    assert found == pytest.approx({cell: root / sum(roots.values()) for cell, root in roots.items()})


def test_a_corpus_of_one_clip_is_not_learned_by_heart():
    chances = draw_chances(["a"] * 99 + ["b"], [0] * 100, 1.0)
    assert chances.sum() == pytest.approx(1)
    assert chances[-1] == pytest.approx(MOST * chances[0])


def test_no_clips_have_no_chances():
    assert draw_chances([], [], 1.0).shape == (0,)
