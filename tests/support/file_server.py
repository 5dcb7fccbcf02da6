"""A web server on loopback that gives files, well and badly."""

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class FileServer:
    """What it offers and how it behaves.

    Attributes:
        address: Its URL, without a slash at the end.
        files: Content by path, e.g. `/set.zip`.
        honours_ranges: Whether it sends parts of files.
        cuts: Bytes after which each of the next answers breaks off.
        statuses: Codes of the next answers.
        etag: Mark of the files' version; "" sends none.
        asked: `Range` of every request, "" without one.
    """

    address: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    honours_ranges: bool = True
    cuts: list[int] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    etag: str = '"1"'
    asked: list[str] = field(default_factory=list)


@contextmanager
def serving(files: dict[str, bytes]) -> Iterator[FileServer]:
    """Serves files while the context is open."""
    told = FileServer(files=files)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            told.asked.append(self.headers.get("Range", ""))
            if told.statuses:
                return self._empty(told.statuses.pop(0))
            if self.path not in told.files:
                return self._empty(404)
            content, status, first = told.files[self.path], 200, 0
            match = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
            same = self.headers.get("If-Range", told.etag) == told.etag
            if match and told.honours_ranges and same:
                status, first = 206, int(match[1])
                if first >= len(content):
                    return self._empty(416, f"bytes */{len(content)}")
            self.send_response(status)
            self.send_header("Content-Length", str(len(content) - first))
            if status == 206:
                self.send_header(
                    "Content-Range", f"bytes {first}-{len(content) - 1}/{len(content)}"
                )
            if told.etag:
                self.send_header("ETag", told.etag)
            self.end_headers()
            sent = content[first:]
            if told.cuts:
                sent = sent[: told.cuts.pop(0)]
            self.wfile.write(sent)

        def _empty(self, status: int, content_range: str = "") -> None:
            self.send_response(status)
            self.send_header("Content-Length", "0")
            if content_range:
                self.send_header("Content-Range", content_range)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        told.address = f"http://127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        try:
            yield told
        finally:
            server.shutdown()
