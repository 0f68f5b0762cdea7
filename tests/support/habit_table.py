"""The table of Flask's habits: requests to the views of habits.py, and what Flask's documentation lets one expect.

It is data, so that it runs through any way of serving: each step is one request and what comes back.
"""

import re
from dataclasses import dataclass, field
from pathlib import Path

PROXY = {
    "X-Forwarded-For": "203.0.113.7:51008",
    "X-Forwarded-Proto": "https",
    "X-Forwarded-Host": "example.org",
    "X-Forwarded-Prefix": "/shop",
}
MULTIPART = (
    b'--x\r\nContent-Disposition: form-data; name="upload"; filename="a.txt"\r\n'
    b"Content-Type: text/plain\r\n\r\ncontent\r\n--x--\r\n"
)
CUT_SHORT = "the application failed after the response had begun"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
JSON = {"Content-Type": "application/json"}


@dataclass(frozen=True, slots=True)
class Step:
    """A request under /habits, and the answer.

    `body` is the whole body, or a pattern that is found in it; so are the values of `headers`, of which None stands for
    a header that must be missing. `events` are log lines that bear the id of the request. Cookies of the steps before
    are sent. `problem` is the detail of an error's body; `is_cut_short` that the response ends before it is complete.
    """

    path: str
    status: int = 200
    body: bytes | re.Pattern[bytes] | None = None
    headers: dict[str, str | re.Pattern[str] | None] = field(default_factory=dict)
    method: str = "GET"
    send_headers: dict[str, str] = field(default_factory=dict)
    send: bytes = b""
    is_chunked: bool = False
    events: tuple[str, ...] = ()
    problem: str | None = None
    reason: str | None = None
    is_cut_short: bool = False
    route: str | None = None

    @property
    def target(self) -> str:
        """The path and query of the request."""
        return self.path if self.path.startswith("//") else f"/habits{self.path}"


def _post(path: str, send: bytes, send_headers: dict[str, str] | None = None, **rest: object) -> Step:
    return Step(path, method="POST", send=send, send_headers=send_headers or {}, **rest)  # type: ignore[arg-type]


SOURCE = (Path(__file__).parent / "habits.py").read_bytes()

HABITS: dict[str, tuple[Step, ...]] = {
    "text": (Step("/text", body=b"hello", headers={"Content-Type": "text/html; charset=utf-8"}),),
    "dictionary": (Step("/json", body=re.compile(rb'{\s*"a":\s*\[\s*1,\s*null\s*\]\s*}\n')),),
    "list": (Step("/list", body=re.compile(rb"\[\s*1,\s*2\s*\]\n")),),
    "status and headers": (Step("/tuple", 201, b"made", {"X-Own": "yes"}),),
    "unknown status": (Step("/status-line", 299, b"odd", {"Content-Type": "text/x-odd"}),),
    "no content": (Step("/nothing", 204, b""),),
    "not modified": (
        Step("/etag", body=b"tagged", headers={"ETag": '"v1"'}),
        Step("/etag", 304, b"", {"ETag": '"v1"'}, send_headers={"If-None-Match": '"v1"'}),
    ),
    "query": (Step("/args?a=1&a=%C3%A9&b=3", body="1|é".encode()),),
    "variables": (
        Step("/numbers/41/a/b", body=re.compile(rb'42,\s*"a/b"'), route="/habits/numbers/<int:number>/<path:rest>"),
        Step("/numbers/x/a", 404, problem="no such path", route="unmatched"),
    ),
    "form": (
        _post("/form", b"name=J%C3%BCrgen", FORM, body="Jürgen".encode()),
        _post("/form", b"other=1", FORM, status=400, problem="Bad Request"),
    ),
    "upload": (
        _post(
            "/file",
            MULTIPART,
            {"Content-Type": "multipart/form-data; boundary=x"},
            body=re.compile(rb'\[\s*"a.txt",\s*7\s*\]'),
        ),
    ),
    "whole body": (_post("/length", b"x" * 1_048_576, body=b"1048576"),),
    "too large a body": (
        _post("/length", b"x" * 2_000_000, status=413, problem="the body is larger than 1048576 bytes"),
    ),
    "body in pieces": (_post("/pieces", b"x" * 12_345, body=b"12345"),),
    "chunked body": (
        _post("/length", b"x" * 12_345, is_chunked=True, body=b"12345"),
        _post("/length", b"x" * 2_000_000, is_chunked=True, status=413),
    ),
    "limit of a view": (
        _post("/small", b"0123456789", body=b"0123456789"),
        _post("/small", b"0123456789x", status=413, problem="the body is larger than 10 bytes"),
    ),
    "JSON": (
        _post("/json-in", b'{"a": "b"}', JSON, body=re.compile(rb'"a":\s*"b"')),
        _post("/json-in", b"{", JSON, status=400, problem="Bad Request"),
        _post("/json-in", b"{}", status=415, reason="Unsupported Media Type"),
    ),
    "abort": (
        Step("/abort/404?description=no%20such%20quote", 404, problem="no such quote", reason="Not Found"),
        Step("/abort/404", 404, problem="not found", route="/habits/abort/<int:status>"),
        Step("/abort/409", 409, problem="Conflict"),
        Step("/abort/503?description=later", 503, problem="later"),
    ),
    "abort with a response": (Step("/abort-with-response", 418, b"mine"),),
    "problem": (Step("/problem", 422, headers={"X-Own": "yes"}, problem='quantity: "abc"', reason="no such quantity"),),
    "error of its own form": (Step("/own-json-error", 422, re.compile(rb'{\s*"error":\s*"mine"\s*}')),),
    "handler of an exception": (Step("/handled", 409, b"handled: missing"),),
    "handler of a status": (Step("/abort/410", 410, b"handled: gone"),),
    "bug": (Step("/bug", 500, problem="internal error", events=("Exception on /habits/bug [GET]",)),),
    "no answer": (Step("/none", 500, problem="internal error", events=("Exception on /habits/none [GET]",)),),
    "call on close": (Step("/closing", body=b"closing", events=("closed",)),),
    "stream": (Step("/stream", body=b"piece 0;piece 1;piece 2;"),),
    "stream with context": (Step("/stream-context?a=x-", body=b"x-before", events=("streaming",)),),
    "iterator that is closed": (Step("/iterator", body=b"one,two", events=("iterator closed",)),),
    "stream that fails": (Step("/stream-fails", body=b"begun", is_cut_short=True, events=(CUT_SHORT,)),),
    "file": (
        Step("/download", body=b"0123456789", headers={"Content-Disposition": "attachment; filename=digits.txt"}),
        Step("/source", body=SOURCE, headers={"Content-Length": str(len(SOURCE))}),
        Step(
            "/source",
            206,
            SOURCE[2:6],
            {"Content-Range": f"bytes 2-5/{len(SOURCE)}"},
            send_headers={"Range": "bytes=2-5"},
        ),
    ),
    "session": (
        Step("/whoami", body=b"None"),
        Step("/login/ann", body=b"welcome", headers={"Set-Cookie": re.compile("^session=.*HttpOnly")}),
        Step("/whoami", body=b"ann"),
    ),
    "cookies": (
        Step("/cookies", body=b"none", headers={"Set-Cookie": re.compile("first=1.*second=2.*third=;", re.DOTALL)}),
        Step("/cookies", body=b"1"),
    ),
    "flash and redirect": (
        Step("/flash", 302, headers={"Location": "/habits/flashed"}),
        Step("/flashed", body=re.compile(rb'\[\s*"saved"\s*\]')),
        Step("/flashed", body=b"[]\n"),
    ),
    "async view": (Step("/async", body=b"async", events=("awaited",)),),
    "event loop in a view": (Step("/asyncio-run", body=b"run"),),
    "external address": (
        Step(
            "/external", body=b"http://example.org:8080/habits/external?a=b", send_headers={"Host": "example.org:8080"}
        ),
        Step("/external", body=b"https://example.org/shop/habits/external?a=b", send_headers=PROXY),
    ),
    "client behind a proxy": (
        Step(
            "/who",
            body=re.compile(rb'"203.0.113.7",\s*"https",\s*"example.org",\s*"/shop",\s*true'),
            send_headers=PROXY,
        ),
        Step(
            "/who",
            body=re.compile(rb'"127.0.0.1",\s*"http",\s*"localhost",\s*"",\s*false'),
            send_headers={"Host": "localhost"},
        ),
    ),
    "OPTIONS": (
        Step("/form", 200, b"", {"Allow": re.compile("^(?=.*OPTIONS)(?=.*POST)")}, "OPTIONS"),
        Step("/own-options", 204, b"", {"X-Own": "OPTIONS"}, "OPTIONS"),
    ),
    "HEAD": (
        Step("/text", body=b"", headers={"Content-Length": "5"}, method="HEAD"),
        Step("/stream", body=b"", method="HEAD"),
        Step("/bug", 500, b"", {"Content-Type": "application/problem+json"}, "HEAD"),
    ),
    "trusted hosts": (
        Step("/text", 400, send_headers={"Host": "evil.example"}, problem="this host is not served"),
        Step("/text", body=b"hello", send_headers={"Host": "example.org"}),
    ),
    "hooks": (
        Step("/g", body=re.compile(rb'"before",\s*true'), headers={"Access-Control-Allow-Origin": "*"}),
        Step("/g", 202, b"from before_request", send_headers={"X-Answer-Before": "1"}),
        Step("/g", events=("torn down",), send_headers={"X-Log-Teardown": "1"}),
    ),
    "signals": (Step("/text", headers={"X-Signal": "finished"}),),
    "after this request": (
        Step("/after-this", body=b"after", headers={"X-This": "changed"}),
        Step("/text", headers={"X-This": None}),
    ),
    "thread": (Step("/thread", body=b"/habits/thread"),),
    "slashes": (
        Step("/folder/", body=b"folder"),
        Step("/folder", 308, headers={"Location": re.compile("/habits/folder/$")}),
        Step("/folder//", 308, headers={"Location": re.compile("/habits/folder/$")}),
    ),
    "template": (Step("/template?a=%3Ci%3E", body=b"<b>&lt;i&gt;</b>"),),
    "context of its own": (Step("/inner", body=b"/elsewhere"),),
    "log": (Step("/log", body=b"logged", events=("by structlog", "by the application's logger", "by logging")),),
    "methods": (
        Step("/item", body=b"got"),
        Step("/item", body=b"put it", method="PUT", send=b"it"),
        Step(
            "/item",
            405,
            headers={"Allow": re.compile("^(?=.*GET)(?=.*HEAD)(?=.*OPTIONS)(?=.*PUT)")},
            method="DELETE",
            problem="DELETE is not allowed here",
            route="/habits/item",
        ),
    ),
    "WSGI application": (Step("/wrapped", body=b"from WSGI"),),
}
