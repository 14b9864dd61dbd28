"""A server on this machine that answers as Zenodo does, and misbehaves on request."""

from __future__ import annotations

import hashlib
import json
import re
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

TOKEN = "a-token-that-nobody-may-see"


@dataclass
class Request:
    method: str
    path: str
    headers: dict
    body: bytes
    time: float


@dataclass
class Fault:
    """What is wrong with one answer.

    `status` answers that instead; `cut` closes the connection after so many bytes of the body; `length` announces so
    many bytes more; `ignore_range` sends the whole; `body` sends other bytes; `range_from` begins elsewhere than asked;
    `redirect` sends elsewhere; `drip` sends so many bytes at a time, `pause` seconds apart; `stall` stops after so
    many; `raw` sends these bytes instead of any answer, one at a time if there is a `pause`.
    """

    status: int | None = None
    headers: dict = field(default_factory=dict)
    cut: int | None = None
    length: int = 0
    ignore_range: bool = False
    body: bytes | None = None
    range_from: int | None = None
    redirect: str | None = None
    drip: int | None = None
    pause: float = 0.0
    stall: int | None = None
    raw: bytes | None = None


class Zenodo:
    """The state of the server.

    Attributes
    ----------
    records : dict
        Answers of the records' API by number.
    contents : dict
        Bytes by path.
    faults : list of (pattern, Fault)
        Used up one by one, each by the first request whose "METHOD path" it matches.
    requests : list of Request
        All that was asked.
    drafts : dict
        Deposits by number.
    sent : int
        Bytes of files that were sent.
    """

    def __init__(self):
        self.records, self.contents, self.faults, self.requests, self.drafts = {}, {}, [], [], {}
        self.released = threading.Event()
        self.sent = 0

    def add(self, record, files, form="today"):
        """Publish a record with some files (name -> bytes), described as Zenodo does or did."""
        entries = [self._entry(record, name, data, form) for name, data in files.items()]
        described = {entry["key"]: entry for entry in entries} if form == "software" else entries
        self.records[record] = {
            "id": record,
            "metadata": {"title": f"Record {record}"},
            "files": {"entries": described} if form == "software" else described,
        }

    def _entry(self, record, name, data, form):
        md5, path = hashlib.md5(data).hexdigest(), f"/api/records/{record}/files/{name}/content"
        if form == "2020":
            path = f"/api/files/0f1e/{name}"
        self.contents[path] = data
        link = f"https://zenodo.org{path}"
        return {
            "2020": {"key": name, "size": len(data), "checksum": f"md5:{md5}", "links": {"self": link}},
            "autumn 2023": {
                "filename": name,
                "filesize": len(data),
                "checksum": md5,
                "links": {"self": f"https://zenodo.org/api/records/{record}/files/{md5}", "download": link},
            },
            "today": {"key": name, "size": len(data), "checksum": f"md5:{md5}", "links": {"self": link}},
            "software": {
                "key": name,
                "size": float(len(data)),
                "checksum": f"md5:{md5}",
                "links": {"self": link.removesuffix("/content"), "content": link},
            },
        }[form]

    def asked(self, pattern):
        """Return the requests whose "METHOD path" a pattern matches."""
        return [each for each in self.requests if re.search(pattern, f"{each.method} {each.path}")]

    def fault_of(self, what):
        for number, (pattern, _) in enumerate(self.faults):
            if re.search(pattern, what):
                return self.faults.pop(number)[1]
        return Fault()

    def deposit(self, method, parts, body, headers):
        """Answer the API of drafts: (status, JSON)."""
        if headers.get("Authorization") != f"Bearer {TOKEN}":
            return 403, {"message": f"Permission denied to {headers.get('Authorization')}."}
        given = json.loads(body) if body and headers.get("Content-Type") == "application/json" else None
        if parts == ["api", "records"] or parts[3:] == ["versions"]:
            known = [n for n, draft in self.drafts.items() if draft["of"] == parts[2:3] and not draft["published"]]
            number = known[0] if parts[2:] and known else 1000 + len(self.drafts)
            self.drafts.setdefault(number, {"of": parts[2:3], "files": {}, "published": False, "metadata": None})
            if given:
                self.drafts[number]["metadata"] = given["metadata"]
            return 201, self._draft(number)
        draft = self.drafts.get(int(parts[2]))
        if draft is None or draft["published"]:
            return 404, {"message": "The persistent identifier does not exist."}
        rest = [unquote(part) for part in parts[4:]]
        if not rest:
            if method == "PUT":
                draft["metadata"] = given["metadata"]
            return 200, self._draft(int(parts[2]))
        if rest == ["actions", "publish"]:
            draft["published"] = True
            self.records[int(parts[2])] = self._draft(int(parts[2]))
            return 202, self._draft(int(parts[2]))
        if rest == ["files"]:
            for each in given or []:
                if each["key"] in draft["files"]:
                    return 400, {"message": f"File with key {each['key']} already exists."}
                draft["files"][each["key"]] = {"key": each["key"], "status": "pending", "data": None}
            return 201 if given else 200, {"entries": [_public(entry) for entry in draft["files"].values()]}
        entry = draft["files"].get(rest[1])
        if entry is None:
            return 404, {"message": f"Record has no file {rest[1]}."}
        if method == "DELETE":
            del draft["files"][rest[1]]
            return 204, None
        if rest[2] == "content":
            entry["data"] = body
        elif rest[2] == "commit":
            entry["status"] = "completed"
        return 200, _public(entry)

    def _draft(self, number):
        published, metadata = self.drafts[number]["published"], self.drafts[number]["metadata"]
        missing = metadata is not None and not metadata.get("publication_date")
        return {
            "id": str(number),
            "is_published": published,
            "links": {"self_html": f"https://zenodo.org/{'records' if published else 'uploads'}/{number}"},
            **({"errors": [{"field": "metadata.publication_date", "messages": ["Missing data."]}]} if missing else {}),
        }


def answer_of(body, status="200 OK", **headers):
    """Return a whole answer, as it goes over the wire."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def _public(entry):
    answer = {"key": entry["key"], "status": entry["status"], "links": {"content": "https://example.com/elsewhere"}}
    if entry["status"] == "completed":
        answer |= {"checksum": f"md5:{hashlib.md5(entry['data']).hexdigest()}", "size": float(len(entry["data"]))}
    return answer


@contextmanager
def serve():
    """Run a server; yield its state, which has its address as `url`."""
    state = Zenodo()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def log_message(self, *_):
            pass

        def handle_any(self):
            length = int(self.headers.get("Content-Length", 0))
            path = unquote(urlsplit(self.path).path)
            what = f"{self.command} {path}"
            fault = state.fault_of(what)
            if fault.cut is not None and length:
                self.rfile.read(min(fault.cut, length))  # and hang up in the middle of an upload
                self.close_connection = True
                return self.connection.close()
            body = self.rfile.read(length)
            state.requests.append(Request(self.command, self.path, dict(self.headers), body, time.monotonic()))
            if fault.raw is not None:
                step = 1 if fault.pause else len(fault.raw) or 1
                for at in range(0, len(fault.raw), step):
                    self.wfile.write(fault.raw[at : at + step])
                    time.sleep(fault.pause)
                self.close_connection = True
                return None
            if fault.status is not None:
                return self.answer(fault.status, {"message": "Not now."}, fault.headers)
            if fault.redirect is not None:
                return self.answer(302, {}, {"Location": fault.redirect})
            parts = urlsplit(self.path).path.strip("/").split("/")
            if self.command == "GET" and parts[:2] == ["api", "records"] and len(parts) == 3:
                record = state.records.get(int(parts[2]))
                return self.answer(*((200, record) if record else (404, {"message": "No such record."})))
            if self.command == "GET" and path in state.contents:
                return self.send(state.contents[path], fault)
            if parts[:2] == ["api", "records"]:
                return self.answer(*state.deposit(self.command, parts, body, self.headers))
            return self.answer(404, {"message": "Nothing there."})

        do_GET = do_PUT = do_POST = do_DELETE = handle_any

        def answer(self, status, content, headers=()):
            data = b"" if content is None else json.dumps(content).encode()
            self.send_response(status)
            for name, value in dict(headers).items():
                self.send_header(name, value)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def send(self, data, fault):
            data = data if fault.body is None else fault.body
            asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
            begin = 0
            if asked and not fault.ignore_range:
                begin = int(asked[1]) if fault.range_from is None else fault.range_from
                if begin >= len(data):
                    self.answer(416, {}, {"Content-Range": f"bytes */{len(data)}"})
                    return
            part = data[begin:]
            self.send_response(206 if asked and not fault.ignore_range else 200)
            if asked and not fault.ignore_range:
                self.send_header("Content-Range", f"bytes {begin}-{len(data) - 1}/{len(data)}")
            self.send_header("Content-Length", str(len(part) + fault.length))
            self.end_headers()
            step = fault.drip or len(part) or 1
            sent = part if fault.cut is None else part[: fault.cut]
            for at in range(0, len(sent), step):
                if fault.stall is not None and at >= fault.stall:
                    state.released.wait(10)  # until the test is over
                    break
                self.wfile.write(sent[at : at + step])
                state.sent += len(sent[at : at + step])
                time.sleep(fault.pause)
            if fault.length or fault.cut is not None or fault.stall is not None:
                self.close_connection = True

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.handle_error = lambda *_: None  # a client that hangs up is what some tests are about
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    state.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield state
    finally:
        state.released.set()
        server.shutdown()
        server.server_close()
