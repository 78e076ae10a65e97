"""Predictions and scores as result files."""
