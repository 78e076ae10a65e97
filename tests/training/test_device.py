import logging
import os
import platform
import signal
import subprocess
import sys
import warnings
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from ser_pipeline.errors import SettingsError
from ser_pipeline.options import TrainOptions
from ser_pipeline.training import device as module
from ser_pipeline.training.device import (
    check_devices,
    choose_precision,
    cpu_multiplies_bf16,
    holds_data,
    keep_freed_memory,
    quiet_lightning,
)

GIB = 1 << 30


@pytest.mark.parametrize(
    ("wanted", "device", "workers", "free", "expected"),
    [
        ("auto", "cpu", 0, 9, False),
        ("auto", "cuda", 0, 2, True),
        ("auto", "cuda", 0, 1.9, False),
        ("auto", "cuda", 2, 9, False),
        ("auto", "mps", 0, 9, False),
        ("device", "cpu", 0, 0, True),
        ("device", "cuda", 0, 0, True),
        ("host", "cuda", 0, 9, False),
    ],
)
def test_clips_are_held_on_a_card_with_room_for_twice_as_much(
    monkeypatch, wanted, device, workers, free, expected
):
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (int(free * GIB), 80 * GIB))
    options = TrainOptions(data_on=wanted, workers=workers)
    assert holds_data(options, torch.device(device), GIB) is expected


def test_every_process_needs_a_card_of_its_own(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    check_devices(TrainOptions(devices=2), "cuda")
    check_devices(TrainOptions(devices=3), "cpu")
    with pytest.raises(SettingsError, match="--devices 3: there are 2 of device 'cuda'"):
        check_devices(TrainOptions(devices=3), "cuda")
    with pytest.raises(SettingsError, match="--devices 2: there are 1 of device 'mps'"):
        check_devices(TrainOptions(devices=2), "mps")
    with pytest.raises(
        SettingsError, match="--batch-size 2: each of 3 --devices needs a clip of every batch; "
    ):
        check_devices(TrainOptions(devices=3, batch_size=2), "cpu")


@pytest.mark.parametrize(
    ("wanted", "native", "device", "expected"),
    [
        ("auto", True, "cpu", "bf16-mixed"),
        ("auto", False, "cpu", "32-true"),
        ("fp32", True, "cpu", "32-true"),
        ("bf16", False, "cpu", "bf16-mixed"),
        ("auto", True, "mps", "32-true"),
        ("tf32", True, "cuda", "32-true"),
    ],
)
def test_auto_is_bf16_only_where_it_is_native(monkeypatch, wanted, native, device, expected):
    monkeypatch.setattr(module, "cpu_multiplies_bf16", lambda: native)
    assert choose_precision(TrainOptions(precision=wanted), device) == expected


@pytest.mark.parametrize("native", [True, False])
def test_graphics_cards_are_asked(monkeypatch, native):
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: native)
    assert choose_precision(TrainOptions(), "cuda") == ("bf16-mixed" if native else "32-true")


@pytest.mark.skipif(not hasattr(torch.cpu, "get_capabilities"), reason="this torch does not tell")
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


def test_it_can_be_used_in_a_thread_of_a_cluster():
    with ThreadPoolExecutor(1) as pool:

        def inside():
            with quiet_lightning():
                return "trained"

        assert pool.submit(inside).result() == "trained"


def test_onnxruntime_which_lightning_loads_reports_to_nobody(tmp_path):
    told = {name: value for name, value in os.environ.items() if name != "ORT_DISABLE_TELEMETRY"}
    code = "import ser_pipeline.training, onnxruntime"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False,
        env={**told, "TMPDIR": str(tmp_path)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert list(tmp_path.iterdir()) == []  # where onnxruntime would keep who it reports as
