"""Clips for training and evaluation, read from manifest, split and store alone."""
