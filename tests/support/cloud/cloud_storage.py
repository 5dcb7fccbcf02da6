"""Google Cloud Storage on loopback: what TensorFlow's, Google's and Beam's clients ask for.

TensorFlow's client knows one address only, `https://*.googleapis.com`. It is reached, like
those of all other clients, through an HTTPS proxy: `CloudStorage.environment` names it, a
certificate of its own and a service account's key that was made for the occasion.
"""

import contextlib
import json
import os
import re
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

from tests.support.cloud import certificates
from tests.support.cloud.objects import Answer, Objects, RefusedError

_HOSTS = re.compile(r"([a-z0-9-]+\.)*googleapis\.com:443")


class CloudStorage:
    """The service.

    Attributes:
        objects: What is stored.
        environment: Variables that make a process talk to it.
        requests: Method and path of every request, in their order.
    """

    def __init__(self, folder: Path) -> None:
        """Starts to listen.

        Args:
            folder: For the certificate and the key.
        """
        self.objects = Objects()
        self.requests: list[tuple[str, str]] = []
        self._names = certificates.make(folder)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self._names.chain)
        handler = type("Handler", (_Handler,), {"service": self, "context": context})
        self._server = _Server(("127.0.0.1", 0), handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def environment(self) -> dict[str, str]:
        """Variables of a process that is to find the service."""
        proxy = f"http://127.0.0.1:{self._server.server_port}"
        authority = str(self._names.authority)
        return {
            "https_proxy": proxy,
            "HTTPS_PROXY": proxy,
            # Beam's workers reach a job's own services by the host's name.
            "no_proxy": f"localhost,127.0.0.1,{socket.gethostname()},{socket.getfqdn()}",
            "CURL_CA_BUNDLE": authority,
            "REQUESTS_CA_BUNDLE": authority,
            "SSL_CERT_FILE": authority,
            "GOOGLE_APPLICATION_CREDENTIALS": str(self._names.account),
            "GOOGLE_CLOUD_PROJECT": "a-project",
            "NO_GCE_CHECK": "true",
            "GCS_READ_CACHE_BLOCK_SIZE_MB": "4",
        }

    def close(self) -> None:
        """Stops to listen."""
        self._server.shutdown()
        self._server.server_close()


@contextlib.contextmanager
def running(folder: Path) -> Iterator[CloudStorage]:
    """Starts the service, with a bucket `b`, and has this process find it in the context."""
    service = CloudStorage(folder)
    service.objects.make_bucket("b")
    try:
        with _in_environment(service.environment):
            yield service
    finally:
        service.close()


@contextlib.contextmanager
def running_apart(folder: Path) -> Iterator[dict[str, str]]:
    """Does what `running` does in a process of its own; yields the service's environment.

    Some calls of TensorFlow hold Python's lock while they wait for the service, which then
    cannot answer in the same process.
    """
    process = subprocess.Popen(
        [sys.executable, "-m", __name__, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[3],
        text=True,
    )
    with process:  # it ends with its standard input
        assert process.stdout is not None
        environment = json.loads(process.stdout.readline())
        with _in_environment(environment):
            yield environment


@contextlib.contextmanager
def _in_environment(environment: dict[str, str]) -> Iterator[None]:
    earlier = {name: os.environ.get(name) for name in environment}
    os.environ.update(environment)
    try:
        yield
    finally:
        for name, value in earlier.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: object, client_address: object) -> None:
        """Says nothing of clients that were killed."""


class _Handler(BaseHTTPRequestHandler):
    service: CloudStorage
    context: ssl.SSLContext
    protocol_version = "HTTP/1.1"
    wbufsize = 1 << 16
    disable_nagle_algorithm = True

    def do_CONNECT(self) -> None:
        if not _HOSTS.fullmatch(self.path):
            self._send(Answer(403, b"this proxy leads to Google alone"))
            return
        self.send_response(200)
        self.end_headers()
        self.wfile.flush()
        self.connection = self.context.wrap_socket(self.connection, server_side=True)
        self.rfile = self.connection.makefile("rb", self.rbufsize)
        self.wfile = self.connection.makefile("wb", self.wbufsize)
        self.close_connection = False

    def do_GET(self) -> None:
        self._answer()

    do_POST = do_PUT = do_DELETE = do_PATCH = do_HEAD = do_GET  # noqa: N815

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing."""

    def _answer(self) -> None:
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            body = b"".join(self._chunks())  # TensorFlow tells a length as well
        else:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = urlsplit(self.path)
        query = {
            key: values[-1] for key, values in parse_qs(parts.query, keep_blank_values=True).items()
        }
        self.service.requests.append((self.command, unquote(parts.path)))
        headers = {name.lower(): value for name, value in self.headers.items()}
        if not isinstance(self.connection, ssl.SSLSocket):
            self._send(Answer(403, b"expected TLS"))
            return
        try:
            answer = self.service.objects.answer(self.command, parts.path, query, headers, body)
        except RefusedError as refused:
            text = {"error": {"code": refused.status, "message": refused.message}}
            answer = Answer(refused.status, json.dumps(text).encode())
        self._send(answer)

    def _chunks(self) -> Iterator[bytes]:
        while size := int(self.rfile.readline().split(b";")[0], 16):
            yield self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()

    def _send(self, answer: Answer) -> None:
        with contextlib.suppress(ConnectionError, ssl.SSLError, socket.timeout):
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            if answer.status != 204:
                self.send_header("Content-Length", str(len(answer.body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(answer.body)
            self.wfile.flush()


def main() -> None:
    """Serves until the standard input ends; prints the environment of its clients first."""
    service = CloudStorage(Path(sys.argv[1]))
    service.objects.make_bucket("b")
    print(json.dumps(service.environment), flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
