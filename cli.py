"""Launch the command line from a checkout: ``python cli.py --help``."""

from ser_pipeline.cli import app

if __name__ == "__main__":
    app()
