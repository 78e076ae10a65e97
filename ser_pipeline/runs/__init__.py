"""Runs: all that a run's folder holds, its types, names, readers and writers; knows no torch."""
