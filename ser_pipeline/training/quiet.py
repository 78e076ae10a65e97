"""Lightning without its banner and hints, and with Ctrl-C given back."""

import logging
import signal
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

_LOGGERS = ("lightning.pytorch", "lightning.fabric")


def hush() -> None:
    """Keep Lightning's banner off this process's screen, and two warnings that are understood."""
    for name in _LOGGERS:
        logging.getLogger(name).setLevel(logging.WARNING)
    # batches come out of memory faster than a worker process could hand them over
    warnings.filterwarnings("ignore", message=".*does not have many workers")
    # Lightning 2.6 uses a class of torch's tree utilities under its old name
    warnings.filterwarnings("ignore", message=".*LeafSpec", category=FutureWarning)


@contextmanager
def quiet_lightning() -> Iterator[None]:
    """Hush Lightning for a while; levels, filters and the handler of Ctrl-C are put back.

    Raises:
        KeyboardInterrupt: Ctrl-C, of which Lightning makes a silent exit.
    """
    levels = {name: logging.getLogger(name).level for name in _LOGGERS}
    handler = signal.getsignal(signal.SIGINT)
    try:
        with warnings.catch_warnings():
            hush()
            yield
    except SystemExit:
        raise KeyboardInterrupt from None
    finally:
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)
        signal.signal(signal.SIGINT, handler)
