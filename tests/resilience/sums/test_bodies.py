"""Bodies that are made to be costly: each has the status of the contract, and none costs more than it may."""

import gzip
import statistics
from pathlib import Path

import psutil
import pytest

from tests.support.http_client import Client, exchange
from tests.support.memory import CAN_BE_TOLD, CONTAINER_BYTES, peak_bytes
from tests.support.service import Service
from tests.support.sums import post, post_chunked

MEBIBYTE = 1024 * 1024
GIBIBYTE = 1024 * MEBIBYTE


def bomb() -> bytes:
    """Compress a gigabyte of blanks into a megabyte."""
    step = gzip.compress(b" " * (32 * MEBIBYTE), mtime=0)
    return step * (GIBIBYTE // (32 * MEBIBYTE))


def one(element: bytes) -> bytes:
    """Make the body of a single element."""
    return b'{"data":[%s]}' % element


# The bodies of the issue; what takes more than the limit of a megabyte is cut to it.
BODIES = {
    "gzip bomb without its header": (bomb()[:MEBIBYTE], 400),
    "a million nested brackets": (b"[" * 500_000 + b"]" * 500_000, 400),
    "a million nested brackets as data": (b'{"data":' + b"[" * 500_000 + b"]" * 500_000 + b"}", 400),
    "a million brackets that are not closed": (b'{"data":' + b"[" * 1_000_000, 400),
    "nested objects": (b'{"data":[' + b'{"a":' * 170_000 + b"1" + b"}" * 170_000 + b"]}", 400),
    "empty strings": (one(b",".join([b'""'] * 349_000)), 422),
    "a number of a million digits": (one(b"7" * 1_000_000), 422),
    "a string of a million digits": (one(b'"%s"' % (b"7" * 1_000_000)), 422),
    "a million digits behind the point": (one(b"0." + b"7" * 1_000_000), 422),
    "a million zeros in front": (one(b'"%s1"' % (b"0" * 1_000_000)), 200),
    "a million zeros at the end": (one(b"1." + b"0" * 1_000_000), 200),
    "an exponent of a billion": (one(b"1e1000000000"), 422),
    "an exponent of minus a billion": (one(b'"1e-1000000000"'), 422),
    "exponents of a billion": (one(b",".join([b"1e1000000000"] * 80_000)), 422),
    "zero with an exponent of a billion": (one(b",".join([b"0e1000000000"] * 80_000)), 200),
    "an exponent of a million digits": (one(b"1e" + b"9" * 1_000_000), 422),
    "an exponent of a million zeros": (one(b"1e" + b"0" * 1_000_000), 200),
    "the same key ten thousand times": (b"{" + b'"data":[1],' * 10_000 + b'"data":[1]}', 200),
    "ten thousand different keys": (b"{" + b"".join(b'"%d":1,' % n for n in range(10_000)) + b'"data":[1]}', 200),
    "a key of a million characters": (b'{"%s":1,"data":[1]}' % (b"k" * 1_000_000), 200),
    "a million escapes": (one(b'"%s"' % (b"\\u0031" * 170_000)), 422),
}


@pytest.mark.parametrize("name", BODIES)
@pytest.mark.parametrize("make", [post, post_chunked])
def test_status(service: Service, name: str, make: object) -> None:
    """The body has the status of the contract, however it comes."""
    body, status = BODIES[name]
    assert callable(make)
    assert MEBIBYTE >= len(body)
    assert status == exchange(service.port, make(body)).status


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd", "gzip, gzip", "x-gzip", "identity, gzip"])
def test_a_bomb_is_not_unpacked(service: Service, encoding: str) -> None:
    """What is compressed is refused unread, and the connection serves the next request."""
    with Client(service.port) as client:
        assert 415 == client.ask(post(bomb()[:MEBIBYTE], f"Content-Encoding: {encoding}")).status
        assert b"1\n" == client.ask(post(one(b"1"))).body


@pytest.mark.parametrize("size", [MEBIBYTE, MEBIBYTE + 1])
@pytest.mark.parametrize("make", [post, post_chunked])
def test_limit(service: Service, size: int, make: object) -> None:
    """The limit is exact to the byte, by Content-Length and in chunks."""
    assert callable(make)
    assert (200 if size == MEBIBYTE else 413) == exchange(service.port, make(one(b"1").ljust(size))).status


def cpu_seconds(service: Service) -> float:
    """Tell the CPU time of the workers so far: on Linux to the nanosecond, where cpu_times() counts by 10 ms."""
    exact = [Path(f"/proc/{pid}/schedstat") for pid in service.workers()]
    if all(file.exists() for file in exact):
        return sum(int(file.read_text().split()[0]) for file in exact) / 1e9
    times = [psutil.Process(pid).cpu_times() for pid in service.workers()]
    return sum(time.user + time.system for time in times)


def cost_per_byte(service: Service, body: bytes) -> float:
    """Measure what a byte of a body costs the workers."""
    request = post(body)
    before = cpu_seconds(service)
    with Client(service.port) as client:
        for _ in range(5):
            client.ask(request)
    return (cpu_seconds(service) - before) / len(body)


def cost_ratio(service: Service, body: bytes, other: bytes) -> float:
    """Compare what two bodies cost, in turns: what else the machine does makes CPU time dearer, for both alike."""
    return statistics.median(cost_per_byte(service, body) / cost_per_byte(service, other) for _ in range(3))


def test_cpu(unmeasured_service: Service) -> None:
    """No large body costs more than four times the CPU of ordinary decimals of the same size."""
    ordinary = one(b",".join(b"%d.%02d" % (n % 100_000, n % 100) for n in range(110_000)))
    large = {name: body for name, (body, _) in BODIES.items() if len(body) > 100_000}
    ratios = {name: cost_ratio(unmeasured_service, body, ordinary) for name, body in large.items()}
    assert {} == {name: ratio for name, ratio in ratios.items() if ratio > 4}


@pytest.mark.skipif(not CAN_BE_TOLD, reason="the memory of a tree of processes is told by Linux only")
@pytest.mark.parametrize("name", BODIES)
def test_memory(unmeasured_service: Service, name: str) -> None:
    """While eight clients send the body at once, a container of 128 MB is large enough."""
    workers = unmeasured_service.workers()
    assert CONTAINER_BYTES > peak_bytes(unmeasured_service, post(BODIES[name][0]))
    assert workers == unmeasured_service.workers()
