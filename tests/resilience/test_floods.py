"""Floods: what an honest client waits for meanwhile, and what the service says of the same requests."""

import math
import multiprocessing
import time
from dataclasses import dataclass
from functools import partial
from multiprocessing.pool import Pool
from pathlib import Path

import pytest

from tests.support import example
from tests.support.floods import Client, ask_on, ask_once, dawdle, flooding, send_alone
from tests.support.http_client import exchange, get, post
from tests.support.scraping import REQUESTS, scrape
from tests.support.service import Service, running, wait_until, wait_until_workers

SECONDS = 3.5
PAUSE_SECONDS = 0.04
LEAST_REQUESTS = 10

# What the scheduler of a machine with two busy CPUs adds. A flood may keep an honest client waiting for three times as
# long as one of ordinary requests does. By p50: of the fifty requests of a flood, p99 is the one slowest.
SPARE_SECONDS = 0.05
TIMES = 3

# Whatever else a machine has to do for a moment makes a client wait, too. A flood does so each time.
ATTEMPTS = 3

HEAD = b"POST /echo HTTP/1.1\r\nHost: test\r\n"
NOTHING = b"GET /nothing HTTP/1.1\r\nHost: test\r\n\r\n"
HEALTH = b"GET /healthz HTTP/1.1\r\nHost: test\r\n\r\n"
METRICS = b"GET /metrics HTTP/1.1\r\nHost: test\r\n\r\n"
SMALL_CHUNKS = HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + 102_400 * b"1\r\n1\r\n" + b"0\r\n\r\n"
UNREAD = 100 * b"GET /openapi.json HTTP/1.1\r\nHost: test\r\n\r\n"
SLOW_HEAD = b"GET / HTTP/1.1\r\nHost: test\r\nX-Slow: "
SLOW_BODY = HEAD + b"Content-Length: 100000\r\n\r\n"

# Each flood: how many clients, and what each of them does. The first is what the others are compared with.
ORDINARY = "ordinary requests"
FLOODS: dict[str, tuple[int, Client]] = {
    ORDINARY: (200, partial(ask_on, request=example.REQUEST)),
    "404, 200 connections": (200, partial(ask_on, request=NOTHING)),
    "404, 32 kept-alive connections": (32, partial(ask_on, request=NOTHING)),
    "probes": (100, partial(ask_on, request=HEALTH)),
    "churn": (32, partial(ask_once, request=example.REQUEST)),
    "slow heads": (500, partial(dawdle, begin=SLOW_HEAD, more=b"x")),
    "slow bodies": (500, partial(dawdle, begin=SLOW_BODY, more=b" ")),
    "chunks of one byte": (16, partial(ask_on, request=SMALL_CHUNKS)),
    "never reading": (200, partial(send_alone, request=UNREAD, stays=True)),
    "large bodies": (40, partial(ask_on, request=post(bytes(400_000)))),
    "large bodies, then gone": (2, partial(send_alone, request=post(bytes(1024 * 1024)), stays=False)),
    "metrics": (60, partial(ask_on, request=METRICS)),
}


@dataclass(frozen=True)
class Honest:
    """What a client saw: the seconds of each request by its id, those of each scrape, and the statuses."""

    seconds: dict[str, float]
    scrapes: list[float]
    statuses: set[int]


def ask(name: str, port: int, metrics_port: int) -> Honest:
    """Ask for the example on one connection after the other, and for the metrics now and then."""
    honest = Honest({}, [], set())
    end = time.monotonic() + SECONDS
    while time.monotonic() < end or len(honest.seconds) < LEAST_REQUESTS:
        identity = f"{name.replace(' ', '-').replace(',', '')}-{len(honest.seconds)}"
        begun = time.monotonic()
        honest.statuses.add(exchange(port, example.request(f"X-Request-ID: {identity}")).status)
        honest.seconds[identity] = time.monotonic() - begun
        if len(honest.seconds) % 10 == 0:
            begun = time.monotonic()
            honest.statuses.add(get(metrics_port, "/metrics").status)
            honest.scrapes.append(time.monotonic() - begun)
        time.sleep(PAUSE_SECONDS)
    return honest


def percentiles(seconds: list[float]) -> tuple[float, float]:
    """Return p50 and p99."""
    ordered = sorted(seconds)
    return ordered[len(ordered) // 2], ordered[int(0.99 * len(ordered))]


def shown(seconds: list[float]) -> str:
    """Write p50 and p99 in milliseconds."""
    return "{:8.1f} {:8.1f}".format(*(1000 * value for value in percentiles(seconds)))


def wait_during(flood: str, service: Service, client: Pool, attempt: int) -> tuple[float, set[int]]:
    """Let a flood come, show what an honest client saw and what the log says of it; return its p50 and its statuses."""
    number, habit = FLOODS[flood]
    with flooding(habit, number, service.metrics_port if flood == "metrics" else service.port):
        honest = client.apply(ask, (f"{flood} {attempt}", service.port, service.metrics_port))
    lines = {line["request_id"]: line for line in service.requests() if line["request_id"] in honest.seconds}
    durations = [line["duration_ms"] / 1000 for line in lines.values()]
    queued = [line["queue_ms"] / 1000 for line in lines.values() if line["queue_ms"] is not None]
    print(  # noqa: T201
        f"{flood:32}{number:5}  client {shown([*honest.seconds.values()])}  duration {shown(durations)}"
        f"  queue {shown(queued)}  scrape {shown(honest.scrapes)}  of {len(lines)} {honest.statuses}"
    )
    assert honest.seconds.keys() == lines.keys(), flood
    return percentiles([*honest.seconds.values()])[0], honest.statuses


@pytest.mark.usefixtures("many_descriptors")
def test_floods(output: Path) -> None:
    """An honest client is answered during every flood, as soon as the service says, and each answer is logged once."""
    statuses: dict[str, set[int]] = {}
    late: list[str] = []
    bound = math.inf
    context = multiprocessing.get_context("spawn")
    with running(output, arguments=[]) as service, context.Pool(1) as client:
        wait_until_workers(service, 2)
        for name in FLOODS:
            for attempt in range(ATTEMPTS):
                wait, statuses[name] = wait_during(name, service, client, attempt)
                if name == ORDINARY:
                    bound = TIMES * wait + SPARE_SECONDS
                if wait <= bound:
                    break
            else:
                late.append(name)

        def counts_minus_lines() -> float:
            samples = scrape(service)
            probes = sum(
                value
                for sample, value in samples.samples.items()
                if sample.startswith(REQUESTS) and ('"/healthz"' in sample or '"/readyz"' in sample)
            )
            counted = samples.total(REQUESTS) + samples.total("http_requests_rejected_total") - probes
            return counted - len(service.requests())

        wait_until(lambda: counts_minus_lines() == 0, "each request is logged and counted once")
    assert {} == {name: seen for name, seen in statuses.items() if seen != {200}}
    assert [] == late
