"""A small Hugging Face hub on the loopback address, and the host its large files lie on.

    with Hub({"openai-community/gpt2": folder}, renamed={"gpt2": "openai-community/gpt2"}) as hub:
        hub.faults.append(Fault("cut", "model.safetensors", at=0.5, times=1))
        ...                                  # HF_ENDPOINT=hub.endpoint
        hub.requests                         # what was asked, with which headers

Redirects and headers are those of the real one in 2026: a renamed repository answers 307 with a
relative address; a small file 307 to /api/resolve-cache, with Git's hash as ETag; a large one 302
to another host, with X-Linked-Etag (SHA-256), X-Linked-Size and the headers of Xet. It stops by
itself after LIFETIME.
"""

import gzip
import hashlib
import json
import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self

LIFETIME = 120.0  # seconds
LARGE_ENDINGS = (".safetensors", ".bin", ".h5", ".onnx", ".msgpack")
BLOCK = 1 << 16
PAUSE = 0.05  # seconds between blocks where a fault is `slow`
DRIP = 0.3  # seconds between bytes where a fault is `drip` or `drip_headers`
OF_BODIES = ("cut", "crumb", "stall", "garbage", "short", "long", "no_range", "slow", "drip")
PORTAL = b"<html><body>Welcome to the airport. Please log in.</body></html>"


@dataclass
class Fault:
    """What goes wrong with a file, or with all.

    kind: status, silent, cut, stall, garbage, short, long, html, no_commit, no_range, slow; crumb
    (a byte and a cut), drip and drip_headers (a byte now and then), gzip, unsized (the file,
    nowhere with its size or hash), endless (the same, and no end). host: hub or cdn, "" for both.
    method: HEAD or GET, "" for both. times: how often, -1 for always. at: for cut and stall the
    share of the file that is sent. status, headers, body: of kind `status`.
    """

    kind: str
    file: str = ""
    host: str = ""
    method: str = ""
    times: int = -1
    at: float = 0.5
    status: int = 500
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True)
class Request:
    """A request as it came. host: hub or cdn. file: its name in the repository."""

    host: str
    method: str
    path: str
    file: str
    headers: Message


def git_hash(content: bytes) -> str:
    """Return the hash under which Git keeps a file."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


class Hub:
    """The hub and its other host; each repository is a folder, by id.

    renamed: old ids to new. tokens: ids to the one token that may read them. gated: ids whose
    licence nobody has accepted.
    """

    def __init__(
        self,
        repositories: Mapping[str, Path],
        renamed: Mapping[str, str] | None = None,
        tokens: Mapping[str, str] | None = None,
        gated: tuple[str, ...] = (),
    ) -> None:
        self.files = {name: _read(folder) for name, folder in repositories.items()}
        self.renamed, self.tokens, self.gated = dict(renamed or {}), dict(tokens or {}), gated
        self.faults: list[Fault] = []
        self.requests: list[Request] = []
        self.closing = threading.Event()
        self._lock = threading.Lock()
        self._servers = [_server(self, host) for host in ("hub", "cdn")]
        self.endpoint, self.cdn = (
            f"http://127.0.0.1:{server.server_address[1]}" for server in self._servers
        )
        self._timer = threading.Timer(LIFETIME, self.stop)
        self._timer.daemon = True

    def __enter__(self) -> Self:
        for server in self._servers:
            threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Refuse connections from now on, and end those that are silent."""
        self._timer.cancel()
        if not self.closing.is_set():
            self.closing.set()
            for server in self._servers:
                server.shutdown()
                server.server_close()

    def commit(self, repository: str) -> str:
        """Return the hash of a repository's one commit."""
        names = "".join(sorted(self.files[repository]))
        return hashlib.sha1(f"{repository}\n{names}".encode()).hexdigest()

    def sent(self) -> set[str]:
        """Return the files whose bytes were asked for."""
        return {one.file for one in self.requests if one.method == "GET" and one.file}

    def note(self, request: Request) -> None:
        """Keep a request."""
        with self._lock:
            self.requests.append(request)

    def fault(self, host: str, method: str, file: str, last: bool) -> Fault | None:
        """Return the fault that this request is to meet, and count it.

        last: whether the answer is no redirect; only such a GET has a body to spoil.
        """
        with self._lock:
            for one in self.faults:
                wanted = (one.host, host), (one.method, method), (one.file, file)
                meets = all(has in ("", asked) for has, asked in wanted)
                spoils = last and method == "GET"
                if one.times and meets and (spoils or one.kind not in OF_BODIES):
                    one.times -= 1
                    return one
        return None


def _read(folder: Path) -> dict[str, bytes]:
    paths = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def _server(hub: Hub, host: str) -> ThreadingHTTPServer:
    handler = type("Handler", (_Handler,), {"hub": hub, "host": host})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    return server


class _Handler(BaseHTTPRequestHandler):
    hub: Hub
    host: str
    protocol_version = "HTTP/1.1"
    timeout = LIFETIME

    def log_message(self, format: str, *arguments: Any) -> None:
        """Say nothing: the hub keeps what was asked."""

    def do_HEAD(self) -> None:
        """Answer with headers alone."""
        self.answer()

    def do_GET(self) -> None:
        """Answer with a file."""
        self.answer()

    def answer(self) -> None:
        """Answer as the host does, a client that hangs up meanwhile notwithstanding."""
        try:
            (self._hub if self.host == "hub" else self._cdn)()
        except (ConnectionError, ValueError):
            self.close_connection = True

    def _hub(self) -> None:
        api = re.fullmatch(r"/api/models/(.+?)/(revision|tree)/([^/?]+)(\?.*)?", self.path)
        direct = re.fullmatch(r"/(?!api/)(.+?)/resolve/([^/]+)/(.+)", self.path)
        inner = re.fullmatch(r"/api/resolve-cache/models/(.+?/.+?)/([^/]+)/([^?]+).*", self.path)
        found = direct or inner
        file = found[3] if found else ""
        repository = (api or found or [""] * 2)[1]
        self._note(file)
        if repository in self.hub.renamed:
            target = self.path.replace(repository, self.hub.renamed[repository], 1)
            self._send(307, {"Location": target})
        elif self._refused(repository) or self._faulty(file):
            return
        elif api:
            self._send_json(self._listing(repository, api[2]))
        elif found and found[2] not in ("main", self.hub.commit(repository)):
            self._send(404, {"X-Error-Code": "RevisionNotFound"})
        else:
            self._resolve(repository, file, direct is not None)

    def _note(self, file: str) -> None:
        self.hub.note(Request(self.host, str(self.command), self.path, file, self.headers))

    def _refused(self, repository: str) -> bool:
        """Refuse what may not be read, as the hub does; say whether it was refused."""
        token = str(self.headers.get("Authorization", "")).removeprefix("Bearer ")
        if token == "hf_expired":
            message = "Invalid credentials in Authorization header"
            self._send(401, {"X-Error-Message": message})
        elif repository in self.hub.gated:
            message = f"Access to model {repository} is restricted."
            headers = {"X-Error-Code": "GatedRepo", "X-Error-Message": message}
            self._send(403 if token else 401, headers)
        elif repository not in self.hub.files or self.hub.tokens.get(repository, token) != token:
            headers = {"X-Error-Code": "RepoNotFound", "X-Error-Message": "Repository not found"}
            self._send(404 if token else 401, headers)
        else:
            return False
        return True

    def _listing(self, repository: str, what: str) -> Any:
        files = self.hub.files[repository]
        if what == "revision":
            return {
                "id": repository,
                "modelId": repository,
                "sha": self.hub.commit(repository),
                "siblings": [{"rfilename": name} for name in files],
            }
        return [
            {"type": "file", "path": name, "size": len(content), "oid": git_hash(content)}
            | (
                {"lfs": {"oid": _sha256(content), "size": len(content), "pointerSize": 130}}
                if name.endswith(LARGE_ENDINGS)
                else {}
            )
            for name, content in files.items()
        ]

    def _resolve(self, repository: str, file: str, redirected: bool) -> None:
        commit = {"X-Repo-Commit": self.hub.commit(repository)}
        content = self.hub.files[repository].get(file)
        if content is None:
            headers = {"X-Error-Code": "EntryNotFound", "X-Error-Message": "Entry not found"}
            self._send(404, headers | commit)
        elif file.endswith(LARGE_ENDINGS):
            digest = _sha256(content)
            xet = f'<{self.hub.endpoint}/api/models/{repository}/xet-read-token/x>; rel="xet-auth"'
            headers = {
                "Location": f"{self.hub.cdn}/{digest}?X-Amz-Signature=secret",
                "X-Linked-Etag": f'"{digest}"',
                "X-Linked-Size": str(len(content)),
                "X-Xet-Hash": digest,
                "Link": xet,
                "Accept-Ranges": "bytes",
            }
            self._send(302, headers | commit)
        elif redirected:
            target = f"/api/resolve-cache/models/{repository}/{commit['X-Repo-Commit']}/{file}"
            headers = {"Location": f"{target}?etag=%22{git_hash(content)}%22"}
            self._send(307, headers | commit | {"ETag": f'"{git_hash(content)}"'})
        else:
            self._send_file(content, commit | {"ETag": f'"{git_hash(content)}"'}, None)

    def _cdn(self) -> None:
        digest = self.path[1:].split("?")[0]
        file, content = next(
            (name, content)
            for files in self.hub.files.values()
            for name, content in files.items()
            if _sha256(content) == digest
        )
        self._note(file)
        if not self._faulty(file):
            self._send_file(content, {}, None)

    def _faulty(self, file: str) -> bool:
        """Do what a fault asks for; say whether the request is answered by that."""
        last = self.host == "cdn" or self.path.startswith("/api/resolve-cache")
        fault = self.hub.fault(self.host, str(self.command), file, last)
        if fault is None:
            return False
        if fault.kind == "silent":
            self.hub.closing.wait(LIFETIME)
            raise ConnectionError
        if fault.kind == "status":
            self._send(fault.status, fault.headers, fault.body)
        elif fault.kind == "drip_headers":
            self._drip(b"HTTP/1.1 200 OK\r\nX-Request-Id: " + b"a" * 10_000)
        elif fault.kind in ("unsized", "endless", "gzip"):
            self._send_unsized(file, fault.kind)
        elif fault.kind == "html":
            self._send(200, {"Content-Type": "text/html"}, PORTAL)
        elif fault.kind == "no_commit":
            self._send(200, {"ETag": '"abc"'}, PORTAL)
        else:
            content = next(files[file] for files in self.hub.files.values() if file in files)
            self._send_file(content, {}, fault)
        return True

    def _send_file(self, content: bytes, headers: Mapping[str, str], fault: Fault | None) -> None:
        kind = fault.kind if fault else ""
        changed = {
            "garbage": bytes(byte ^ 0x55 for byte in content[:1000]) + content[1000:],
            "short": content[:-100],
            "long": content + bytes(100),
        }
        sent = changed.get(kind, content)
        start = 0
        asked = re.fullmatch(r"bytes=(\d+)-", str(self.headers.get("Range", "")))
        if asked and kind != "no_range":
            start = int(asked[1])
            if start >= len(sent):
                self._send(416, {"Content-Range": f"bytes */{len(sent)}"})
                return
            headers = {
                **headers,
                "Content-Range": f"bytes {start}-{len(sent) - 1}/{len(sent)}",
            }
        end = int(len(sent) * fault.at) if fault and kind in ("cut", "stall", "no_range") else None
        end = start + 1 if kind == "crumb" else end
        self.send_response(206 if asked and kind != "no_range" else 200)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Length", str(len(sent) - start))
        self.end_headers()
        if self.command == "GET":
            self._send_body(sent[start:end], kind, end is not None)

    def _send_unsized(self, file: str, kind: str) -> None:
        repository, files = next(
            (name, files) for name, files in self.hub.files.items() if file in files
        )
        self.send_response(200)
        self.send_header("X-Repo-Commit", self.hub.commit(repository))
        self.send_header("ETag", f'"{file}"')
        if kind == "gzip":
            self.send_header("Content-Encoding", "gzip")
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True
        if self.command == "GET":
            self.wfile.write(gzip.compress(files[file]) if kind == "gzip" else files[file])
            while kind == "endless" and not self.hub.closing.is_set():
                self.wfile.write(bytes(1 << 20))

    def _drip(self, content: bytes) -> None:
        for byte in content:
            self.wfile.write(bytes([byte]))
            if self.hub.closing.wait(DRIP):
                raise ConnectionError

    def _send_body(self, body: bytes, kind: str, breaks: bool) -> None:
        if kind == "drip":
            self._drip(body)
            return
        for begin in range(0, len(body), BLOCK):
            self.wfile.write(body[begin : begin + BLOCK])
            if kind == "slow" and self.hub.closing.wait(PAUSE):
                raise ConnectionError
        self.wfile.flush()
        if kind == "stall":
            self.hub.closing.wait(LIFETIME)
        self.close_connection = breaks or self.close_connection

    def _send(self, status: int, headers: Mapping[str, str], body: bytes = b"") -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def _send_json(self, value: Any) -> None:
        self._send(200, {"Content-Type": "application/json"}, json.dumps(value).encode())


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
