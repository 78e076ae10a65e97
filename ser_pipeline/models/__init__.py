"""Models, one architecture per file; ``options/registry.py`` names them."""
