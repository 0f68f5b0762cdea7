"""What holds for the answer to any bytes at all, from a service that has a secret in its environment."""

import json
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from app.exchange import UNMATCHED
from app.metrics import METHODS, OTHER_METHOD
from tests.support.http_client import Answer, exchange_all
from tests.support.paths import ROOT
from tests.support.scraping import REQUESTS, scrape
from tests.support.service import Service, running

CANARY = "canary-6b1f0a"

# The environment, the places of the code and of Python, and the form of a traceback.
SECRETS = (CANARY, str(ROOT), "site-packages", "Traceback", 'File \\"', ".py")

LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')
LABELS = {
    "method": {*METHODS, OTHER_METHOD},
    "route": {"/", "/healthz", "/readyz", "/version", "/openapi.json", UNMATCHED},
    "status": {"200", "400", "404", "405", "408", "413", "414", "415", "422", "431", "500", "503"},
}

# A request that nobody has sent: it stands in the body, or behind the end, of one that somebody has.
SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: test\r\n\r\n"


class Target:
    """A service under attack: what it logs and counts is held against what it answers."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self._lines = len(service.lines())
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
        lines = self.service.lines()[self._lines :]
        self._lines += len(lines)
        for line in lines:
            check_line(line)
        assert [(answer.headers["x-request-id"], answer.status) for answer in flat] == [
            (line["request_id"], line["status"]) for line in lines
        ]
        before, self._counted = self._counted, counted(self.service)
        assert Counter(str(answer.status) for answer in flat) == self._counted - before
        return [[answer.status for answer in several] for several in answers]


def counted(service: Service) -> Counter[str]:
    """Count the requests in the metrics by status, the refused ones too; no label has a value that somebody chose."""
    statuses: Counter[str] = Counter()
    for sample, value in scrape(service).samples.items():
        name, _, text = sample.partition("{")
        labels = dict(LABEL.findall(text))
        assert [] == [label for label, value in labels.items() if label in LABELS and value not in LABELS[label]]
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
    assert 500 > answer.status
    assert answer.headers["x-content-type-options"] == "nosniff"
    told = " ".join(answer.headers.values()) + answer.body.decode()
    assert [] == [secret for secret in SECRETS if secret in told]
    if answer.status >= 400 and answer.body:
        assert answer.headers["content-type"] == "application/problem+json"
        assert 512 > len(answer.json()["detail"])


@contextmanager
def target(output: Path, **settings: str | int) -> Iterator[Target]:
    """Run a service that logs everything and has a secret."""
    with running(output, WEB_CONCURRENCY=1, LOG_LEVEL="debug", SECRET=CANARY, **settings) as service:
        yield Target(service)
