"""The consumer over TLS, under any number of names: `*.hooks.test` on several addresses of 127.0.0.0/8 and one port.

python -m bench.tls_consumer DIRECTORY    makes an authority and a certificate in the directory, prints the ports as
                                          JSON, and serves until its standard input is closed
"""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import uvloop
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from bench.consumer import Consumer
from bench.process import beside, line_of

ADDRESSES = [f"127.0.0.{last}" for last in range(1, 21)]


@dataclass
class Seen:
    """Connections made to the consumer so far, and the seconds of processor time it spent."""

    connections: int = 0
    cpu: float = 0.0


@dataclass(frozen=True)
class Served:
    """Where the consumer is. `ca` is its authority's certificate as PEM."""

    port: int
    counter: int
    ca: str

    def url(self, host: int) -> str:
        return f"https://{self.name(host)}:{self.port}/webhooks"

    @staticmethod
    def name(host: int) -> str:
        return f"host{host}.hooks.test"

    @staticmethod
    def address(host: int) -> str:
        """What the name resolves to."""
        return ADDRESSES[host % len(ADDRESSES)]

    def seen(self) -> Seen:
        with socket.create_connection(("127.0.0.1", self.counter), 10) as link, link.makefile("rb") as reply:
            return Seen(**json.loads(reply.read()))


@contextmanager
def tls_consumer() -> Iterator[Served]:
    """Run the consumer in a process of its own."""
    with (
        tempfile.TemporaryDirectory(prefix="hookline-bench-") as directory,
        beside("bench.tls_consumer", directory) as process,
    ):
        yield Served(**json.loads(line_of(process)), ca=Path(directory, "ca.pem").read_text())


async def _serve(directory: Path) -> None:
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(directory / "server.pem")
    loop, seen = asyncio.get_running_loop(), Seen()

    class Counted(Consumer):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            seen.connections += 1
            super().connection_made(transport)

    async def tell(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.cpu = time.process_time()
        writer.write(json.dumps(asdict(seen)).encode())
        await writer.drain()
        writer.close()

    counter = await asyncio.start_server(tell, "127.0.0.1", 0)
    first = await loop.create_server(Counted, ADDRESSES[0], 0, ssl=tls, backlog=1024)
    port = first.sockets[0].getsockname()[1]
    others = await loop.create_server(Counted, ADDRESSES[1:], port, ssl=tls, backlog=1024)
    print(json.dumps({"port": port, "counter": counter.sockets[0].getsockname()[1]}), flush=True)
    async with counter, first, others:
        await loop.run_in_executor(None, sys.stdin.read)  # the end of the input is the end of the server


def write_certificates(directory: Path) -> None:
    """Into the directory: `ca.pem` for clients, and `server.pem` with the key and the chain."""
    authority, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Benchmark authority")])
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "hooks.test")])
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .issuer_name(issuer)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=30))
    )
    ca = (
        builder.subject_name(issuer)
        .public_key(authority.public_key())
        .serial_number(x509.random_serial_number())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(authority, hashes.SHA256())
    )
    leaf = (
        builder.subject_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("*.hooks.test")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .sign(authority, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    pem = serialization.Encoding.PEM
    (directory / "ca.pem").write_bytes(ca.public_bytes(pem))
    (directory / "server.pem").write_bytes(private + leaf.public_bytes(pem) + ca.public_bytes(pem))


if __name__ == "__main__":
    write_certificates(Path(sys.argv[1]))
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(Path(sys.argv[1])))
