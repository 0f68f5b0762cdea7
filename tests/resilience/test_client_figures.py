"""Latency as clients see it: what the service says of the same requests, in the log and in the histogram, agrees."""

import asyncio
import multiprocessing
import re
import time
from contextlib import suppress
from pathlib import Path

import pytest

from tests.support.http_client import post
from tests.support.scraping import Scrape, scrape
from tests.support.service import running, wait_until, wait_until_workers

CLIENTS = 40
SECONDS = 5
BODY = bytes(400_000)
WORK = "/compute?seconds=0.002"

# What may lie between the two at p99: the greater of these.
SHARE, SPARE_SECONDS = 0.1, 0.010

BUCKET = re.compile(r'http_request_duration_seconds_bucket\{le="([^"]+)",method="POST",route="/compute",status="200"\}')


def requests(port: int) -> dict[str, float]:
    """Let each client post for some seconds; return those from the last byte sent to the answer, of each 200."""
    seconds: dict[str, float] = {}

    async def ask_until(end: float, client: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.transport.set_write_buffer_limits(0)  # drain() waits until all has been sent.
        status = "200"
        while status == "200" and time.monotonic() < end:
            identity = f"{client}-{len(seconds)}"
            writer.write(post(BODY, f"X-Request-ID: {identity}", target=WORK))
            await writer.drain()
            sent = time.monotonic()
            head = await reader.readuntil(b"\r\n\r\n")
            status = head.split()[1].decode()
            if status == "200":
                seconds[identity] = time.monotonic() - sent
            await reader.readexactly(int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]))
        writer.close()

    async def ask_on(client: int) -> None:
        end = time.monotonic() + SECONDS
        while time.monotonic() < end:
            with suppress(ConnectionError, asyncio.IncompleteReadError):  # Where it is rejected, 503 ends a connection.
                await ask_until(end, client)

    async def all_ask() -> None:
        await asyncio.gather(*map(ask_on, range(CLIENTS)))

    asyncio.run(all_ask())
    return seconds


def p99(seconds: list[float]) -> float:
    """Return what 99 of 100 do not exceed."""
    return sorted(seconds)[int(0.99 * len(seconds))]


def p99_bucket(metrics: Scrape) -> tuple[float, float]:
    """Return the edges of the bucket of the histogram that p99 lies in."""
    counts = {float(match[1]): value for name, value in metrics.samples.items() if (match := BUCKET.fullmatch(name))}
    edges = sorted(counts)
    upper = next(edge for edge in edges if counts[edge] >= 0.99 * counts[edges[-1]])
    return max([edge for edge in edges if edge < upper], default=0.0), upper


def test_forty_clients_of_large_bodies(output: Path) -> None:
    """What forty clients wait for, once they have sent a body of 0.4 MB, is what log and histogram say."""
    with running(output, arguments=[]) as service, multiprocessing.get_context("spawn").Pool(1) as clients:
        wait_until_workers(service, 2)
        seen = clients.apply(requests, (service.port,))
        served = {"route": "/compute", "status": 200}
        wait_until(lambda: len(service.requests(**served)) == len(seen), "all are logged")
        logged = {line["request_id"]: line["duration_ms"] / 1000 for line in service.requests(**served)}
        lower, upper = p99_bucket(scrape(service))
    client, log = p99([*seen.values()]), p99([*logged.values()])
    print({"requests": len(seen), "client p99": client, "log p99": log, "histogram p99": (lower, upper)})  # noqa: T201
    assert seen.keys() == logged.keys()
    assert log == pytest.approx(client, rel=SHARE, abs=SPARE_SECONDS)
    assert lower <= log <= upper
