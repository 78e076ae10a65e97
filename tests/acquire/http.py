"""A server of files that fails as it is told."""

import hashlib
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from ser_pipeline.records import Download


class Server(ThreadingHTTPServer):
    """Gives files by name; the first folder of an address says how.

    Attributes:
        files: name -> bytes.
        asked: the header ``Range`` of each request, empty for none.
    """

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.files = {}
        self.asked = []

    def offer(self, name, data, how="whole", **changes):
        """A download of these bytes."""
        self.files[name] = data
        url = f"http://127.0.0.1:{self.server_port}/{how}/{name}"
        facts = {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        return Download(url=url, **{**facts, **changes})

    def handle_error(self, request, client_address):
        """Clients that went away are part of the tests."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.0"

    def log_message(self, *_):
        """Print nothing."""

    def do_GET(self):
        _, how, name = self.path.split("/")
        wanted = self.headers.get("Range", "")
        asked = self.server.asked
        asked.append(wanted)
        data = self.server.files[name]
        if how.isdigit() or (how == "busy" and len(asked) < 3):
            self.send_error(int(how) if how.isdigit() else 503)
            return
        if how == "slow" and len(asked) < 2:
            time.sleep(0.5)
        start = int(wanted[6:-1]) if wanted and how not in ("whole-only", "misplaced") else 0
        if start >= len(data):
            self.send_error(416)
            return
        self.send_response(206 if wanted and how != "whole-only" else 200)
        if wanted and how != "whole-only":
            self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        if how != "endless":
            self.send_header("Content-Length", str(len(data) - start))
        self.end_headers()
        part = data[start:]
        if how == "cut" and len(asked) < 3:
            part = part[: len(data) // 3]
        elif how == "stuck":
            part = part[:20_000] if start < 30_000 else b""
        elif how == "endless":
            part = part * 3
        self.wfile.write(part)
