"""Take a recording out of an HTTP request, in memory, refusing too much while it arrives."""

import asyncio
from collections.abc import AsyncGenerator

from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from ser_pipeline.errors import AudioError, AudioTooLarge
from ser_pipeline.serving.service import Place


class BadBody(AudioError):
    """A request whose body holds no recording."""


async def read_recording(request: Request, place: Place, seconds: float) -> bytes:
    """Read the recording of a request: the file of a form, or the whole body.

    Args:
        request: whose body was not read yet.
        place: counts the bytes.
        seconds: within which all of it must have arrived.

    Raises:
        AudioTooLarge: more bytes than allowed; the rest is not read.
        BadBody: no form that can be read, no file in it, or one that came too slowly.
        ServerBusy: others that wait hold too much.
    """
    _check_announced(request, place)
    try:
        async with asyncio.timeout(seconds):
            body = await _whole(request, place)
    except TimeoutError:
        raise BadBody(f"the recording had not arrived after {seconds:g} s; send a shorter one") from None
    if request.headers.get("content-type", "").lower().startswith("multipart/form-data"):
        return await _file_of_form(request, body)
    return body


def _check_announced(request: Request, place: Place) -> None:
    announced = request.headers.get("content-length", "")
    if announced.isdigit() and int(announced) > place.most:
        raise AudioTooLarge(f"{int(announced) / 1e6:.1f} MB; at most {place.most / 1e6:g} MB are taken")


async def _whole(request: Request, place: Place) -> bytes:
    body = bytearray()
    async for piece in request.stream():
        place.grow(len(piece))
        body += piece
    return bytes(body)


async def _file_of_form(request: Request, body: bytes) -> bytes:
    async def pieces() -> AsyncGenerator[bytes, None]:
        yield body

    parser = MultiPartParser(request.headers, pieces(), max_files=1, max_fields=8)
    parser.spool_max_size = len(body) + 1  # never on disk
    try:
        form = await parser.parse()
    except (MultiPartException, ValueError) as error:
        raise BadBody(f"the form cannot be read: {getattr(error, 'message', error)}") from None
    files = [value for value in form.values() if isinstance(value, UploadFile)]
    if not files:
        raise BadBody("the form holds no file; send one, as 'curl -F file=@a.wav' does")
    try:
        return await files[0].read()
    finally:
        await form.close()
