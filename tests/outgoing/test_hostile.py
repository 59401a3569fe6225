"""A consumer that fails in every way at once: each is an Attempt that says how, nothing is held past the deadline."""

from __future__ import annotations

import asyncio
import gzip
import socket
import ssl
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from cryptography import x509

from hookline import dispatch
from hookline.models import Attempt, Delivery
from tests.engine.rows import make_endpoint
from tests.outgoing.conftest import Sending
from tests.outgoing.test_transport_tls import make_certificate
from tests.outgoing.transport_server import OK, Server, serve
from tests.waiting import wait_until

pytestmark = pytest.mark.django_db(transaction=True)

DEADLINE = 2.0
#: Ten gigabytes of zeros are a hundred times as short.
BOMB = gzip.compress(bytes(20_000_000))

#: Path -> the status and the error of the attempt.
WAYS: dict[str, tuple[int | None, str]] = {
    "/refuses": (None, "connect_failed"),
    "/resets": (None, "disconnected"),
    "/hangs": (None, "timeout"),
    "/drips": (None, "timeout"),
    "/drips-an-answer": (200, "timeout"),
    "/endless": (200, ""),
    "/bomb": (200, ""),
    "/redirects": (302, ""),
    "/invalid-tls": (None, "tls_failed"),
    "/headers": (None, "headers_too_large"),
    "/not-http": (None, "bad_response"),
    "/closes-first": (200, ""),
    "/well": (200, ""),
}
#: What counts as delivered: the headers of a 2xx came.
DELIVERED = {path for path, (status, _) in WAYS.items() if status == 200}


BOMB_HEAD = f"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {len(BOMB)}\r\n\r\n"
#: What is said at once.
SAID = {
    "/bomb": BOMB_HEAD.encode() + BOMB,
    "/redirects": b"HTTP/1.1 302 Found\r\nLocation: /redirects\r\nContent-Length: 0\r\n\r\n",
    "/headers": b"HTTP/1.1 200 OK\r\n" + b"X-Filler: yyyyyyyyyy\r\n" * 4600 + b"\r\n",
    "/not-http": b"220 mail.example.com ESMTP\r\n",
}
#: What is said first, what is said then without end, and the seconds in between.
ENDLESS = {
    "/drips": (b"HTTP/1.1 200 OK\r\nX:", b"x", 0.1),
    "/drips-an-answer": (b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n", b"x", 0.1),
    "/endless": (b"HTTP/1.1 200 OK\r\nContent-Length: 10000000000\r\n\r\n", bytes(65536), 0.0),
}


async def answer(writer: asyncio.StreamWriter, path: str) -> bool:
    if path == "/resets":
        linger = struct.pack("ii", 1, 0)  # a reset instead of an end
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        return False
    if path == "/hangs":
        await asyncio.sleep(30)
    first, then, pause = ENDLESS.get(path, (SAID.get(path, OK), b"", 0.0))
    writer.write(first)
    await writer.drain()
    while then:
        writer.write(then)
        await writer.drain()
        await asyncio.sleep(pause)
    return path != "/closes-first"  # without having said so


@contextmanager
def hostile(folder: Path) -> Iterator[tuple[Server, Server]]:
    """The server, and one whose certificate is not valid, on an event loop of their own."""
    started, stop, seen = threading.Event(), asyncio.Event(), list[tuple[Server, Server]]()
    make_certificate(folder, [x509.DNSName("hooks.example.com")])
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    loops: list[asyncio.AbstractEventLoop] = []

    async def run() -> None:
        async def by_path(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
            return await answer(writer, seen[0][0].requests[-1].split(b" ", 2)[1].decode())

        async with serve(by_path) as server, serve(tls=tls) as secure:
            seen.append((server, secure))
            loops.append(asyncio.get_running_loop())
            started.set()
            await stop.wait()

    thread = threading.Thread(target=asyncio.run, args=(run(),))
    thread.start()
    assert started.wait(10)
    try:
        yield seen[0]
    finally:
        loops[0].call_soon_threadsafe(stop.set)
        thread.join(20)


def peak_of_memory() -> int:
    """The most that this process had in memory so far, in bytes (proc_pid_status(5))."""
    status = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) * 1024


def test_each_way_to_fail_is_an_attempt_that_names_it_within_the_deadline_and_in_bounded_memory(
    sending: Sending, free_port: int, tmp_path: Path
) -> None:
    with hostile(tmp_path) as (server, secure):
        endpoints = {path: make_endpoint(server.url(path=path)) for path in WAYS}
        endpoints["/refuses"].url = f"http://127.0.0.1:{free_port}/refuses"
        endpoints["/invalid-tls"].url = secure.url(path="/invalid-tls", scheme="https")
        for path in ("/refuses", "/invalid-tls"):
            endpoints[path].save()
        for number in range(3):  # the second one finds a connection that was closed meanwhile
            dispatch("invoice.paid", {"n": number})
        before = peak_of_memory()
        with sending(DELIVERY_TIMEOUT=DEADLINE, RESPONSE_BODY_BYTES=1000) as running:
            wait_until(lambda: Attempt.objects.count() >= 3 * len(WAYS), 30)
            wait_until(lambda: len(running._leases) == 0)
        assert peak_of_memory() - before < 64 * 1024 * 1024
    found = Attempt.objects.values_list("delivery__endpoint", "status", "error")
    assert set(found) == {(endpoints[path].pk, *WAYS[path]) for path in WAYS}
    # The deadline is that of the endpoint; what is beyond it is the machine's.
    assert max(Attempt.objects.values_list("duration_ms", flat=True)) < (DEADLINE + 3) * 1000
    assert max(map(len, Attempt.objects.values_list("response_body", flat=True))) <= 4 * 1000  # escapes are longer
    delivered = Delivery.objects.filter(state="succeeded").values_list("endpoint", flat=True)
    assert set(delivered) == {endpoints[path].pk for path in DELIVERED}
    assert len(delivered) == 3 * len(DELIVERED)
