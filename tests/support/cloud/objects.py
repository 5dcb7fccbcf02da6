"""The objects of a fake Cloud Storage, and the requests on them.

The JSON API (https://cloud.google.com/storage/docs/json_api/v1) and the reading half of the
XML API, as far as TensorFlow's, Google's and Beam's clients use them. What is not known here
is refused, never passed over.
"""

from __future__ import annotations

import base64
import dataclasses
import datetime
import email.parser
import email.policy
import hashlib
import itertools
import json
import re
import threading
from typing import Any
from urllib.parse import unquote

import google_crc32c

_TOKEN = "the-token-of-a-test"
_OBJECT = re.compile(r"/storage/v1/b/(?P<bucket>[^/]+)/o/(?P<name>[^/]+)")
_REWRITE = re.compile(
    r"/storage/v1/b/(?P<bucket>[^/]+)/o/(?P<name>[^/]+)/(rewriteTo|copyTo)"
    r"/b/(?P<to_bucket>[^/]+)/o/(?P<to_name>[^/]+)"
)
_COMPOSE = re.compile(r"/storage/v1/b/(?P<bucket>[^/]+)/o/(?P<name>[^/]+)/compose")
_RANGE = re.compile(r"bytes (?:(\d+)-(\d+)|\*)/(\d+|\*)")
_PART = re.compile(r"bytes=(\d+)-(\d*)")
_PAGE = 1000


class RefusedError(Exception):
    """A request that the service does not take."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


@dataclasses.dataclass(frozen=True)
class Answer:
    """What comes back."""

    status: int
    body: bytes = b""
    headers: dict[str, str] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class _Object:
    content: bytes
    generation: int
    time: str


@dataclasses.dataclass
class _Upload:
    bucket: str
    name: str
    conditions: dict[str, str]
    content: bytes = b""


class Objects:
    """Buckets by name; each holds objects by name.

    Whole objects appear at once, or not at all.
    """

    def __init__(self) -> None:
        self._buckets: dict[str, dict[str, _Object]] = {}
        self._uploads: dict[str, _Upload] = {}
        self._count = itertools.count(1)
        self._lock = threading.RLock()

    def make_bucket(self, name: str) -> None:
        """Makes an empty bucket."""
        self._buckets.setdefault(name, {})

    def put(self, uri: str, content: bytes) -> None:
        """Stores an object `gs://BUCKET/NAME`."""
        bucket, name = _split(uri)
        self._store(bucket, name, content, {})

    def get(self, uri: str) -> bytes:
        """Returns an object's content."""
        bucket, name = _split(uri)
        return self._object(bucket, name).content

    def names(self, prefix: str) -> list[str]:
        """Returns the addresses of all objects below `gs://BUCKET/PREFIX`, sorted."""
        bucket, start = _split(prefix)
        with self._lock:
            return [
                f"gs://{bucket}/{n}" for n in sorted(self._bucket(bucket)) if n.startswith(start)
            ]

    def markers(self, prefix: str) -> list[str]:
        """Returns the objects that stand for a folder: empty ones whose name ends in a slash."""
        return [uri for uri in self.names(prefix) if uri.endswith("/")]

    def remove(self, prefix: str) -> None:
        """Deletes everything below `gs://BUCKET/PREFIX`, as a lifecycle rule does."""
        for uri in self.names(prefix):
            bucket, name = _split(uri)
            self._bucket(bucket).pop(name, None)

    def answer(
        self, method: str, path: str, query: dict[str, str], headers: dict[str, str], body: bytes
    ) -> Answer:
        """Does what a request asks for.

        Raises:
            RefusedError: When it cannot, or does not know the request.
        """
        if method == "POST" and re.fullmatch(r"(/oauth2/v\d)?/token", path):
            told = {"access_token": _TOKEN, "expires_in": 3600, "token_type": "Bearer"}
            return _json(told)
        if headers.get("authorization") != f"Bearer {_TOKEN}":
            raise RefusedError(401, "Anonymous caller does not have access")
        if path.endswith("/allowedLocations"):
            return _json({"locations": [], "encodedLocations": "0x0"})
        if path.startswith("/batch/storage/"):
            return self._batch(headers, body)
        with self._lock:
            return self._authorised(method, path, query, headers, body)

    def _authorised(
        self, method: str, path: str, query: dict[str, str], headers: dict[str, str], body: bytes
    ) -> Answer:
        parts = path.split("/")
        if path.startswith("/upload/storage/v1/b/") and len(parts) == 7 and parts[6] == "o":
            return self._upload(method, unquote(parts[5]), query, headers, body)
        if path.startswith("/resumable/"):
            return self._go_on(path, headers, body)
        if path.startswith("/download/"):
            path = path.removeprefix("/download")
            query = {**query, "alt": "media"}
        if match := _REWRITE.fullmatch(path):
            copied = self._object(unquote(match["bucket"]), unquote(match["name"])).content
            made = self._store(
                unquote(match["to_bucket"]), unquote(match["to_name"]), copied, query
            )
            size = str(len(copied))
            whole = {"objectSize": size, "totalBytesRewritten": size, "done": True}
            return _json({"kind": "storage#rewriteResponse", **whole, "resource": made})
        if match := _COMPOSE.fullmatch(path):
            sources = [source["name"] for source in json.loads(body)["sourceObjects"]]
            bucket = unquote(match["bucket"])
            joined = b"".join(self._object(bucket, name).content for name in sources)
            return _json(self._store(bucket, unquote(match["name"]), joined, query))
        if match := _OBJECT.fullmatch(path):
            place = (unquote(match["bucket"]), unquote(match["name"]))
            return self._one(method, *place, query, headers)
        if path.startswith("/storage/v1/b/") and len(parts) == 6 and parts[5] == "o":
            return self._list(unquote(parts[4]), query)
        if method == "GET" and path.startswith("/storage/v1/b/") and parts[5:] == ["storageLayout"]:
            bucket = unquote(parts[4])
            self._bucket(bucket)
            told = {"kind": "storage#storageLayout", "bucket": bucket, "location": "US"}
            return _json({**told, "hierarchicalNamespace": {"enabled": False}})
        if path.startswith("/storage/v1/b/") and len(parts) == 5:
            bucket = unquote(parts[4])
            self._bucket(bucket)
            told = {"kind": "storage#bucket", "name": bucket, "location": "US", "id": bucket}
            return _json({**told, "softDeletePolicy": {"retentionDurationSeconds": "0"}})
        if method in ("GET", "HEAD") and len(parts) > 2 and parts[1] in self._buckets:
            return self._read(parts[1], unquote("/".join(parts[2:])), headers)
        raise RefusedError(400, f"{method} {path} is not known here")

    def _bucket(self, name: str) -> dict[str, _Object]:
        if name not in self._buckets:
            raise RefusedError(404, "The specified bucket does not exist.")
        return self._buckets[name]

    def _object(self, bucket: str, name: str) -> _Object:
        if name not in self._bucket(bucket):
            raise RefusedError(404, f"No such object: {bucket}/{name}")
        return self._bucket(bucket)[name]

    def _store(
        self, bucket: str, name: str, content: bytes, conditions: dict[str, str]
    ) -> dict[str, Any]:
        if not name or len(name.encode()) > 1024:
            raise RefusedError(400, f"No valid name of an object: {name!r}")
        with self._lock:
            there = self._bucket(bucket).get(name)
            wanted = conditions.get("ifGenerationMatch")
            if wanted is not None and int(wanted) != (there.generation if there else 0):
                raise RefusedError(412, "At least one of the pre-conditions did not hold.")
            now = datetime.datetime.now(datetime.timezone.utc)
            time = now.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
            made = _Object(content, next(self._count), time)
            self._bucket(bucket)[name] = made
        return _resource(bucket, name, made)

    def _one(
        self, method: str, bucket: str, name: str, query: dict[str, str], headers: dict[str, str]
    ) -> Answer:
        item = self._object(bucket, name)
        if method == "DELETE":
            del self._bucket(bucket)[name]
            return Answer(204)
        if method == "GET" and query.get("alt") == "media":
            return self._read(bucket, name, headers)
        if method in ("GET", "PATCH"):
            return _json(_resource(bucket, name, item))
        raise RefusedError(405, f"{method} is not known here")

    def _read(self, bucket: str, name: str, headers: dict[str, str]) -> Answer:
        item = self._object(bucket, name)
        told = {
            "Content-Type": "application/octet-stream",
            "x-goog-generation": str(item.generation),
            "x-goog-hash": f"crc32c={_crc32c(item.content)},md5={_md5(item.content)}",
        }
        asked = _PART.fullmatch(headers.get("range", ""))
        if asked is None:
            return Answer(200, item.content, told)
        size, start = len(item.content), int(asked[1])
        if start >= size:
            raise RefusedError(416, "The requested range cannot be satisfied.")
        stop = min(size, int(asked[2]) + 1 if asked[2] else size)
        told["Content-Range"] = f"bytes {start}-{stop - 1}/{size}"
        del told["x-goog-hash"]
        return Answer(206, item.content[start:stop], told)

    def _list(self, bucket: str, query: dict[str, str]) -> Answer:
        prefix, delimiter = query.get("prefix", ""), query.get("delimiter", "")
        after = query.get("pageToken", "")
        most = int(query.get("maxResults") or _PAGE)
        items: list[dict[str, Any]] = []
        folders: list[str] = []
        last = more = ""
        for name, item in sorted(self._bucket(bucket).items()):
            if not name.startswith(prefix) or name < query.get("startOffset", ""):
                continue
            head, cut, _ = name[len(prefix) :].partition(delimiter) if delimiter else ("", "", "")
            shown = prefix + head + cut if cut else name
            if shown <= after or shown == last:
                continue
            if len(items) + len(folders) == most:
                more = last
                break
            last = shown
            if cut:
                folders.append(shown)
            else:
                items.append(_resource(bucket, name, item))
        told: dict[str, Any] = {"kind": "storage#objects"}
        told |= {"items": items} if items else {}
        told |= {"prefixes": folders} if folders else {}
        return _json(told | ({"nextPageToken": more} if more else {}))

    def _upload(
        self,
        method: str,
        bucket: str,
        query: dict[str, str],
        headers: dict[str, str],
        body: bytes,
    ) -> Answer:
        self._bucket(bucket)
        kind = query.get("uploadType")
        if kind == "media":
            return _json(self._store(bucket, query["name"], body, query))
        if kind == "multipart":
            told, content = _multipart(headers["content-type"], body)
            name = query.get("name") or json.loads(told)["name"]
            return _json(self._store(bucket, name, content, query))
        if kind != "resumable" or method != "POST":
            raise RefusedError(400, f"uploadType {kind} is not known here")
        name = query.get("name") or json.loads(body)["name"]
        path = f"/resumable/{next(self._count)}"
        self._uploads[path] = _Upload(bucket, name, query)
        return Answer(200, b"", {"Location": f"https://storage.googleapis.com{path}"})

    def _go_on(self, path: str, headers: dict[str, str], body: bytes) -> Answer:
        upload = self._uploads.get(path)
        if upload is None:
            raise RefusedError(404, "no such upload")
        asked = _RANGE.fullmatch(headers.get("content-range", ""))
        if asked is not None and asked[1] is not None:
            start = int(asked[1])
            if start > len(upload.content) or int(asked[2]) - start + 1 != len(body):
                raise RefusedError(400, "the range does not fit")
            upload.content = upload.content[:start] + body
            total = None if asked[3] == "*" else int(asked[3])
        elif asked is not None:
            total = None if asked[3] == "*" else int(asked[3])
        else:
            upload.content, total = body, len(body)
        if total is not None and total == len(upload.content):
            made = self._store(upload.bucket, upload.name, upload.content, upload.conditions)
            return _json(made)
        told = {"Range": f"bytes=0-{len(upload.content) - 1}"} if upload.content else {}
        return Answer(308, b"", told)

    def _batch(self, headers: dict[str, str], body: bytes) -> Answer:
        """Does several requests, each told in a part of a multipart message."""
        answers = []
        for part in _parts(headers["content-type"], body):
            lines = part.get_payload().lstrip().splitlines()
            method, target, _ = lines[0].split(" ")
            path = re.sub(r"^https://[^/]+", "", target).partition("?")[0]
            try:
                answer = self._authorised(method, path, {}, {}, b"")
            except RefusedError as refused:
                text = json.dumps({"error": {"code": refused.status, "message": refused.message}})
                answer = Answer(refused.status, text.encode())
            answers.append(
                f"--batch\r\nContent-Type: application/http\r\n\r\n"
                f"HTTP/1.1 {answer.status} OK\r\nContent-Type: application/json\r\n"
                f"Content-Length: {len(answer.body)}\r\n\r\n{answer.body.decode()}\r\n"
            )
        text = "".join(answers) + "--batch--\r\n"
        return Answer(200, text.encode(), {"Content-Type": "multipart/mixed; boundary=batch"})


def _split(uri: str) -> tuple[str, str]:
    bucket, _, name = uri.removeprefix("gs://").partition("/")
    return bucket, name


def _json(tree: Any) -> Answer:
    return Answer(200, json.dumps(tree).encode(), {"Content-Type": "application/json"})


def _crc32c(content: bytes) -> str:
    return base64.b64encode(google_crc32c.Checksum(content).digest()).decode()


def _md5(content: bytes) -> str:
    return base64.b64encode(hashlib.md5(content).digest()).decode()


def _resource(bucket: str, name: str, item: _Object) -> dict[str, Any]:
    return {
        "kind": "storage#object",
        "id": f"{bucket}/{name}/{item.generation}",
        "name": name,
        "bucket": bucket,
        "generation": str(item.generation),
        "metageneration": "1",
        "contentType": "application/octet-stream",
        "storageClass": "STANDARD",
        "size": str(len(item.content)),
        "md5Hash": _md5(item.content),
        "crc32c": _crc32c(item.content),
        "etag": str(item.generation),
        "timeCreated": item.time,
        "updated": item.time,
    }


def _parts(content_type: str, body: bytes) -> list[Any]:
    head = f"Content-Type: {content_type}\r\n\r\n".encode()
    whole = email.parser.BytesParser(policy=email.policy.compat32).parsebytes(head + body)
    return whole.get_payload()


def _multipart(content_type: str, body: bytes) -> tuple[bytes, bytes]:
    """Splits metadata from content, whose bytes the standard library would touch."""
    mark = re.search(r'boundary="?([^";]+)', content_type)
    if mark is None:
        raise RefusedError(400, "no boundary")
    boundary = b"--" + mark[1].encode()
    _, told, content, *_ = body.split(boundary)
    return (
        told.split(b"\r\n\r\n", 1)[1].strip(),
        content.split(b"\r\n\r\n", 1)[1].removesuffix(b"\r\n"),
    )
