"""Sums of an epoch."""

import numpy as np
import pytest
import torch

from ser_pipeline.metrics import rating_columns, rating_scores
from ser_pipeline.training.totals import RatingTotals


def kept(tensor):
    return tensor


@pytest.mark.parametrize("loss", ["ccc", "mse"])
def test_concordance_of_an_epoch_is_that_of_all_its_clips(rng, loss):
    rated, said = rng.uniform(-1, 1, (2, 30, 2))
    rated[::3, 1] = np.nan
    totals = RatingTotals(2, loss)
    for start in range(0, 30, 7):
        batch = slice(start, start + 7)
        totals.add(torch.zeros(()), torch.from_numpy(said[batch]), torch.from_numpy(rated[batch]))
    there = ~np.isnan(rated)
    scores = [
        rating_scores(rating_columns(x[m], y[m]).sum(0))
        for x, y, m in zip(rated.T, said.T, there.T, strict=True)
    ]
    found = totals.scores(kept)
    assert found["ccc"] == pytest.approx(np.mean([each["ccc"] for each in scores]))
    wanted = 1 - found["ccc"] if loss == "ccc" else np.mean([each["rmse"] ** 2 for each in scores])
    assert (found["loss"], found["clips"]) == (pytest.approx(wanted), 30)


def test_without_rated_clips_there_is_no_score():
    totals = RatingTotals(1, "ccc")
    totals.add(torch.zeros(()), torch.zeros(3, 1), torch.full((3, 1), torch.nan))
    assert totals.scores(kept) == {"clips": 0, "loss": None, "ccc": None}
