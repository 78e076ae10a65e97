"""From a wave to the arrays that models learn from."""
