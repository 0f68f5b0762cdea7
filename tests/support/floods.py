"""What the clients of a flood do, each on its connections until the flood ends."""

import asyncio
import multiprocessing
import socket
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from tests.support.service import LIMIT_SECONDS

Client = Callable[[int], Coroutine[Any, Any, None]]

# What a client that does not read leaves unread fills this soon.
UNREAD_BYTES = 4096


async def _answer(reader: asyncio.StreamReader) -> None:
    head = await reader.readuntil(b"\r\n\r\n")
    size = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
    await reader.readexactly(int(size or 0))


async def ask_on(port: int, request: bytes) -> None:
    """Ask again and again on one connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        while True:
            writer.write(request)
            await _answer(reader)
    finally:
        writer.close()


async def ask_once(port: int, request: bytes) -> None:
    """Connect, ask once and close."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(request)
        await _answer(reader)
    finally:
        writer.close()


async def dawdle(port: int, begin: bytes, more: bytes) -> None:
    """Begin a request, and send a little more of it ten times a second."""
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(begin)
        while not writer.is_closing():
            await asyncio.sleep(0.1)
            writer.write(more)
    finally:
        writer.close()


async def send_alone(port: int, request: bytes, *, stays: bool) -> None:
    """Send a request and read nothing; then stay until the server closes, or leave."""
    loop = asyncio.get_running_loop()
    with socket.socket() as client:
        client.setblocking(False)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, UNREAD_BYTES)
        await loop.sock_connect(client, ("127.0.0.1", port))
        await loop.sock_sendall(client, request)
        if stays:
            await asyncio.sleep(LIMIT_SECONDS)


async def _again_and_again(client: Client, port: int) -> None:
    while True:
        with suppress(OSError, EOFError):
            await client(port)
        await asyncio.sleep(0)


async def _run(client: Client, clients: int, port: int) -> None:
    await asyncio.gather(*(_again_and_again(client, port) for _ in range(clients)))


def _serve(client: Client, clients: int, port: int) -> None:
    asyncio.run(_run(client, clients, port))


@contextmanager
def flooding(client: Client, clients: int, port: int) -> Iterator[None]:
    """Let that number of clients do the same until the end of the block, in a process of their own."""
    process = multiprocessing.get_context("spawn").Process(target=_serve, args=(client, clients, port), daemon=True)
    process.start()
    try:
        yield
    finally:
        process.kill()
        process.join()
