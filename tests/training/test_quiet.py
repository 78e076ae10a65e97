import logging
import signal
import warnings

import pytest

from ser_pipeline.training.quiet import quiet_lightning


def test_lightning_is_quiet_inside_and_as_before_outside():
    logger = logging.getLogger("lightning.pytorch")
    level, filters = logger.level, list(warnings.filters)
    with quiet_lightning():
        assert not logger.isEnabledFor(logging.INFO)
        warnings.warn(
            "The 'train_dataloader' does not have many workers which may be a bottleneck", stacklevel=1
        )
    assert (logger.level, warnings.filters) == (level, filters)


def test_other_warnings_stay():
    with quiet_lightning(), pytest.raises(UserWarning, match="something new"):
        warnings.warn("something new", stacklevel=1)


def test_lightnings_exit_is_ctrl_c_again():
    before = signal.getsignal(signal.SIGINT)

    def interrupted():
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        raise SystemExit(1)

    with pytest.raises(KeyboardInterrupt), quiet_lightning():
        interrupted()
    assert signal.getsignal(signal.SIGINT) is before
