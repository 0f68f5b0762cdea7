"""What holds for the answer to any bytes at all, from a service that has a secret in its environment."""

import json
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support import example
from tests.support.http_client import Answer, exchange_all
from tests.support.paths import ROOT
from tests.support.scraping import REQUESTS, scrape
from tests.support.service import Service, running, wait_until

CANARY = "canary-6b1f0a"

# The environment, the places of the code and of Python, and the form of a traceback.
SECRETS = (CANARY, str(ROOT), "site-packages", "Traceback", 'File \\"', ".py")

VIEWS = {"/echo", "/sleep", "/wait", "/stream", "/flags", "/exit", "/no-content", "/not-modified"}
VIEWS |= {"/fail", "/fail-at-once", "/fail-half-way"}

LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')
LABELS = {
    "method": {"CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE", "_OTHER"},
    "route": {"/healthz", "/readyz", "/version", "/openapi.json", "/*", "unmatched", *example.ROUTES, *VIEWS},
    "status": {"200", "400", "404", "405", "408", "413", "414", "415", "422", "431", "499", "500", "501", "503"},
}

# A request that no client has sent: it stands in the body, or behind the end, of one that a client has.
SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: test\r\n\r\n"


class Target:
    """A service under attack: what it logs and counts is held against what it answers."""

    def __init__(self, service: Service) -> None:
        self.service = service
        wait_until(lambda: scrape(service).samples["http_requests_in_progress"] == 0, "the first probes are logged")
        self._lines = len(lines_of(service))
        self._counted = counted(service)

    def attack(self, *attacks: bytes) -> list[list[int]]:
        """Send bytes, each on a connection of its own, and return the statuses of the answers to each.

        Every answer is logged once and counted once, and tells no secret.
        """
        answers = [
            [answer for answer in exchange_all(self.service.port, data) if answer.status != 100] for data in attacks
        ]
        flat = [answer for several in answers for answer in several]
        for answer in flat:
            check_answer(answer)
        # An answer is logged and counted when it is with the kernel: the client may be quicker.
        wait_until(lambda: len(lines_of(self.service)) >= self._lines + len(flat), "every answer is logged")
        lines = lines_of(self.service)[self._lines :]
        self._lines += len(lines)
        for line in lines:
            check_line(line)
        assert [(answer.headers["x-request-id"], answer.status) for answer in flat] == [
            (line["request_id"], line["status"]) for line in lines
        ]
        wait_until(lambda: (counted(self.service) - self._counted).total() >= len(flat), "every answer is counted")
        before, self._counted = self._counted, counted(self.service)
        assert Counter(str(answer.status) for answer in flat) == self._counted - before
        return [[answer.status for answer in several] for several in answers]


def lines_of(service: Service) -> list[dict[str, object]]:
    """Return the lines that have been printed, without what the master tells of its workers at the level of debug."""
    return [line for line in service.lines() if (line.get("logger"), line["level"]) != ("gunicorn.error", "debug")]


def counted(service: Service) -> Counter[str]:
    """Count the requests in the metrics by status, the refused ones too; no label has a value that a client chose."""
    statuses: Counter[str] = Counter()
    for sample, value in scrape(service).samples.items():
        name, _, text = sample.partition("{")
        labels = dict(LABEL.findall(text))
        unknown = {label: value for label, value in labels.items() if label in LABELS and value not in LABELS[label]}
        assert {} == unknown, f"{name} has {unknown}: a new route belongs into ROUTES of tests/support/example.py"
        if name in {REQUESTS, "http_requests_rejected_total"}:
            statuses[labels["status"]] += int(value)
    return +statuses


def check_line(line: dict[str, object]) -> None:
    """Check that a line is that of a request and shows nothing that a terminal would obey."""
    assert line["event"] == "request"
    text = json.dumps(line, ensure_ascii=False)
    assert text.isascii()
    assert text.isprintable()
    assert 4096 > len(text)


def check_answer(answer: Answer) -> None:
    """Check that an answer has the headers of every answer, is no bug, and tells no secret."""
    assert answer.status < 500 or answer.status == 501
    assert answer.headers["x-content-type-options"] == "nosniff"
    told = " ".join(answer.headers.values()) + answer.body.decode()
    assert [] == [secret for secret in SECRETS if secret in told]
    if answer.status >= 400 and answer.body:
        assert answer.headers["content-type"] == "application/problem+json"
        assert 512 > len(answer.json()["detail"])


@contextmanager
def target(output: Path, **settings: str | int) -> Iterator[Target]:
    """Run a service that logs everything and has a secret."""
    with running(output, arguments=[], WEB_CONCURRENCY=1, LOG_LEVEL="debug", SECRET=CANARY, **settings) as service:
        yield Target(service)
