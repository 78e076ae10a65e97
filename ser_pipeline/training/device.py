"""What to compute on and in which precision, and Lightning without its banner."""

import ctypes
import logging
import platform
import signal
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, Literal

import torch

from ser_pipeline.errors import SettingsError
from ser_pipeline.options import TrainOptions

LightningPrecision = Literal["32-true", "bf16-mixed"]

_M_TRIM_THRESHOLD: Final = -1
_M_TOP_PAD: Final = -2
_M_MMAP_MAX: Final = -4
_TWO_GIB: Final = (1 << 31) - 1

_LOGGERS = ("lightning.pytorch", "lightning.fabric")


def choose_precision(options: TrainOptions, device: str) -> LightningPrecision:
    """Turn ``auto`` into bf16 where the hardware multiplies it natively, else fp32.

    On processors without such instructions bf16 is emulated and many times slower than fp32.
    """
    if options.precision in ("fp32", "tf32"):
        return "32-true"
    if options.precision == "bf16":
        return "bf16-mixed"
    if device == "cuda":
        return "bf16-mixed" if torch.cuda.is_bf16_supported(including_emulation=False) else "32-true"
    return "bf16-mixed" if device == "cpu" and cpu_multiplies_bf16() else "32-true"


def check_devices(options: TrainOptions, device: str) -> None:
    """Make sure that each process has a device of its own, and a clip of every whole batch.

    On the processor they share the cores.

    Raises:
        SettingsError: there are fewer.
    """
    there = {"cuda": torch.cuda.device_count(), "cpu": options.devices}.get(device, 1)
    if options.devices > there:
        raise SettingsError(f"--devices {options.devices}: there are {there} of device '{device}'")
    if options.batch_size < options.devices:
        raise SettingsError(
            f"--batch-size {options.batch_size}: each of {options.devices} --devices needs a clip of every "
            f"batch; take {options.devices} or more"
        )


def holds_data(options: TrainOptions, device: torch.device, nbytes: int) -> bool:
    """Whether the clips of a run are held on the device that trains.

    Args:
        options: ``data_on``; ``auto`` holds them on a card with room for twice their size, for the network
            needs room too, unless worker processes are to read them.
        device: that trains.
        nbytes: of all clips.
    """
    if options.data_on != "auto":
        return options.data_on == "device"
    if device.type != "cuda" or options.workers:
        return False
    free, _ = torch.cuda.mem_get_info(device)
    return 2 * nbytes <= free


def cpu_multiplies_bf16() -> bool:
    """Whether the processor has AVX512-BF16, AMX-BF16 or ARM's counterpart; older torch cannot tell."""
    has = getattr(torch.cpu, "get_capabilities", dict[str, bool])()
    return any(bool(has.get(name)) for name in ("avx512_bf16", "amx_bf16", "arm_bf16"))


def keep_freed_memory() -> bool:
    """Let the C library keep large freed blocks instead of handing them back to the system.

    A training step frees and asks for the same hundreds of megabytes again. glibc by default
    returns such blocks at once, and the system clears every page again: measured, that is half of
    the time of an fp32 step on the CPU. Other C libraries are left as they are.

    Returns:
        Whether it was done.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    settings = ((_M_MMAP_MAX, 0), (_M_TRIM_THRESHOLD, _TWO_GIB), (_M_TOP_PAD, 64 << 20))
    return bool(sum(mallopt(name, value) == 1 for name, value in settings) == len(settings))


def hush() -> None:
    """Keep Lightning's banner off this process's screen, and warnings that are understood."""
    for name in _LOGGERS:
        logging.getLogger(name).setLevel(logging.WARNING)
    # batches come out of memory faster than a worker process could hand them over
    warnings.filterwarnings("ignore", message=".*does not have many workers")
    # an encoder that is fine-tuned stays without dropout
    warnings.filterwarnings("ignore", message=r".*module\(s\) in eval mode at the start of training")
    # Lightning 2.6 uses a class of torch's tree utilities under its old name
    warnings.filterwarnings("ignore", message=".*LeafSpec", category=FutureWarning)


@contextmanager
def quiet_lightning() -> Iterator[None]:
    """Hush Lightning for a while; levels, filters and the handler of Ctrl-C are put back.

    The handler is that of the main thread; in others, as on a cluster, Lightning sets none.

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
        if threading.current_thread() is threading.main_thread():  # no other may set one
            signal.signal(signal.SIGINT, handler)
