"""The command ``ser warm``."""

import time

from ser_pipeline.cli.common import out, plain_errors


def warm() -> None:
    """Compile the loops of the front end now, so that no later command waits; for container images.

    The code is kept beside the package if that folder is writable, and all users of an image read it there.
    """
    with plain_errors():
        from pathlib import Path

        from ser_pipeline.dsp import gate
        from ser_pipeline.dsp.kept import keep_in, numba, why_not_first
        from ser_pipeline.errors import SettingsError
        from ser_pipeline.front_end import warm as compile_all

        if numba is None:
            out("ready: without numba, nothing is compiled")
            return
        source = Path(gate.__file__)
        folder = keep_in(source)
        if folder is None:
            raise SettingsError(
                f"compiled code cannot be stored anywhere: {why_not_first(source)}; set NUMBA_CACHE_DIR to a "
                "folder of your own"
            )
        began = time.monotonic()
        compile_all()
    out(f"ready in {time.monotonic() - began:.1f} s; compiled code is kept in {folder}")
