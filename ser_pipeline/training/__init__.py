"""Fit a network to the clips of a split: loop, checkpoint, early stopping."""
