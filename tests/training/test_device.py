import logging
import platform
import signal
import warnings

import pytest
import torch

from ser_pipeline.errors import SettingsError
from ser_pipeline.options import TrainOptions
from ser_pipeline.training import device as module
from ser_pipeline.training.device import (
    choose_device,
    choose_precision,
    cpu_multiplies_bf16,
    keep_freed_memory,
    quiet_lightning,
)


def test_auto_takes_what_is_there(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert choose_device("auto") == choose_device("cpu") == "cpu"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert choose_device("auto") == "cuda"


def test_a_device_that_is_not_there_is_named(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(SettingsError, match="device 'cuda' is not there; this machine has cpu"):
        choose_device("cuda")


@pytest.mark.parametrize(
    ("wanted", "native", "device", "expected"),
    [
        ("auto", True, "cpu", "bf16-mixed"),
        ("auto", False, "cpu", "32-true"),
        ("fp32", True, "cpu", "32-true"),
        ("bf16", False, "cpu", "bf16-mixed"),
        ("auto", True, "mps", "32-true"),
    ],
)
def test_auto_is_bf16_only_where_it_is_native(monkeypatch, wanted, native, device, expected):
    monkeypatch.setattr(module, "cpu_multiplies_bf16", lambda: native)
    assert choose_precision(TrainOptions(precision=wanted), device) == expected


@pytest.mark.parametrize("native", [True, False])
def test_graphics_cards_are_asked(monkeypatch, native):
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: native)
    assert choose_precision(TrainOptions(), "cuda") == ("bf16-mixed" if native else "32-true")


@pytest.mark.skipif(platform.system() != "Linux", reason="/proc/cpuinfo is Linux's")
def test_the_processor_is_asked():
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        flags = set(file.read().split())
    if platform.machine() == "x86_64":
        assert cpu_multiplies_bf16() == bool({"avx512_bf16", "amx_bf16"} & flags)


def test_memory_is_kept_where_the_c_library_can(monkeypatch):
    assert keep_freed_memory() == (platform.libc_ver()[0] == "glibc")
    monkeypatch.setattr(platform, "libc_ver", lambda: ("", ""))
    assert not keep_freed_memory()


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
