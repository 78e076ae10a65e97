"""Fetch one file over HTTP: continued where it was interrupted, and kept only if its hash is right."""

import errno
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ser_pipeline.atomic import TEMPORARY_SUFFIX, explained
from ser_pipeline.errors import CorpusError
from ser_pipeline.records import Download
from ser_pipeline.tables.cells import thousands

if TYPE_CHECKING:
    import requests

CHUNK_BYTES: Final = 1 << 14
"""Written at once; a transfer that breaks loses less than this."""

BUSY: Final = frozenset({408, 429, 500, 502, 503, 504})
"""Answers after which a server is asked again."""

OnBytes = Callable[[int], None]
"""Called with how many bytes came; a negative number takes back what has to come again."""


class _AgainError(Exception):
    """The transfer ended before the file did; a second try may go on."""


@dataclass(frozen=True)
class Patience:
    """How long a server is waited for.

    Attributes:
        timeout_s: longest silence, in seconds.
        tries: how often it is asked before giving up.
        wait_s: before the second try, in seconds; twice as long before each further one.
    """

    timeout_s: float = 60.0
    tries: int = 5
    wait_s: float = 1.0


@dataclass
class _Transfer:
    """Downloads for pooch, through a file that outlives an interruption.

    Attributes:
        item: what is fetched.
        part: holds what has come so far.
        on_bytes: called with how many bytes came.
        patience: with the server.
    """

    item: Download
    part: Path
    on_bytes: OnBytes
    patience: Patience

    def __call__(self, url: str, output_file: Any, _: Any) -> None:
        """Fetch a file, as pooch asks for it.

        Raises:
            CorpusError: the server does not give the file, or gives another one.
            SerError: it cannot be written.
        """
        self.on_bytes(self._have())
        for number in range(self.patience.tries):
            try:
                self._go_on(url)
                break
            except _AgainError as error:
                if number == self.patience.tries - 1:
                    kept = f"{thousands(self._have())} of {thousands(self.item.size)} bytes are kept"
                    raise CorpusError(
                        f"{url}: {error}; {kept}: run the same command again to continue"
                    ) from None
                time.sleep(self.patience.wait_s * 2**number)
        try:
            self.part.replace(output_file)
        except OSError as error:
            raise explained(error, self.part) from None

    def _have(self) -> int:
        return self.part.stat().st_size if self.part.exists() else 0

    def _go_on(self, url: str) -> None:
        """Ask for what is missing, and write what comes."""
        import requests

        have = self._have()
        if have == self.item.size:
            return
        headers = {"Accept-Encoding": "identity", **({"Range": f"bytes={have}-"} if have else {})}
        try:
            with requests.get(url, headers=headers, stream=True, timeout=self.patience.timeout_s) as answer:
                self._write(answer, have)
        except (
            requests.ConnectionError,
            requests.Timeout,
            requests.exceptions.ChunkedEncodingError,
        ) as error:
            raise _AgainError(f"the connection failed ({_reason(error)})") from None
        except requests.RequestException as error:
            raise CorpusError(f"{url}: cannot be fetched: {error}") from None
        if self._have() < self.item.size:
            raise _AgainError("the server ended the transfer early")

    def _write(self, answer: "requests.Response", have: int) -> None:
        """Write an answer behind what is there, or anew if it is the whole file."""
        size = self.item.size
        if answer.status_code in BUSY:
            raise _AgainError(f"the server answers {answer.status_code} {answer.reason}")
        if answer.status_code not in (200, 206, 416):
            raise CorpusError(f"{self.item.url}: the server answers {answer.status_code} {answer.reason}")
        if have and not self._continues(answer, have):
            self.part.unlink()
            self.on_bytes(-have)
            have = 0
        if answer.status_code == 416:
            raise _AgainError("the server refuses to continue")
        length = answer.headers.get("Content-Length", "")
        if length.isdigit() and have + int(length) != size:
            offered = f"{thousands(have + int(length))} bytes instead of {thousands(size)}"
            raise CorpusError(f"{self.item.url}: the server offers {offered}: not the file that is described")
        with self._opened() as file:
            for chunk in answer.iter_content(CHUNK_BYTES):
                have += len(chunk)
                if have > size:
                    self.part.unlink()
                    raise CorpusError(
                        f"{self.item.url}: is larger than {thousands(size)} bytes: not the file that is "
                        "described, and nothing of it was kept"
                    )
                self._put(file, chunk)
                self.on_bytes(len(chunk))

    @staticmethod
    def _continues(answer: "requests.Response", have: int) -> bool:
        start = answer.headers.get("Content-Range", "").removeprefix("bytes ").partition("-")[0]
        return answer.status_code == 206 and start == str(have)

    def _opened(self) -> Any:
        try:
            return self.part.open("ab")
        except OSError as error:
            raise explained(error, self.part) from None

    def _put(self, file: Any, chunk: bytes) -> None:
        try:
            file.write(chunk)
            file.flush()
        except OSError as error:
            raise explained(error, self.part) from None


def fetch(
    item: Download, folder: Path, *, on_bytes: OnBytes | None = None, patience: Patience | None = None
) -> Path:
    """Fetch a file into a folder; what came before an interruption is not fetched again.

    Args:
        item: what to fetch.
        folder: to write to; it must exist.
        on_bytes: called with how many bytes came.
        patience: how long the server is waited for.

    Returns:
        Path of the file, whose hash is right.

    Raises:
        CorpusError: the server does not give the file, or gives another one.
        SerError: it cannot be written.
    """
    import pooch

    pooch.get_logger().setLevel(logging.WARNING)
    part = folder / f"{item.name}{TEMPORARY_SUFFIX}"
    transfer = _Transfer(item, part, on_bytes or (lambda _: None), patience or Patience())
    resumed = part.exists()
    try:
        pooch.retrieve(item.url, item.digest, fname=item.name, path=folder, downloader=transfer)
    except ValueError:  # pooch's word for a wrong hash; it has removed the file
        transfer.on_bytes(-item.size)
        if not resumed:
            raise CorpusError(
                f"{item.url}: the file is not the one that is described (its hash is not {item.digest}); "
                "nothing of it was kept: try again later, or download it by hand"
            ) from None
        return fetch(item, folder, on_bytes=on_bytes, patience=patience)
    except OSError as error:
        raise explained(error, folder) from None
    return folder / item.name


def _reason(error: Exception) -> str:
    """What is at the bottom of an error of a connection, in a few words."""
    inner: BaseException = error
    while (below := inner.__cause__ or inner.__context__) is not None:
        inner = below
    if isinstance(inner, OSError) and inner.errno == errno.ECONNREFUSED:
        return "refused"
    return str(inner).strip().splitlines()[0][:100] if str(inner).strip() else type(inner).__name__
