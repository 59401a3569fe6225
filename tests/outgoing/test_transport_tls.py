"""Certificates are checked against the name in the URL, and the system's authorities unless the caller has others."""

from __future__ import annotations

import asyncio
import socket
import ssl
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from hookline.core.addresses import AddressPolicy
from hookline.transport.connection import Connection
from hookline.transport.tls import client_context
from hookline.transport.transport import Response, Transport, TransportSettings
from tests.outgoing.transport_server import Names, Server, say, serve

LOOPBACK = AddressPolicy.parse(["127.0.0.0/8"])
SETTINGS = TransportSettings(deadline=5)
Contexts = tuple[ssl.SSLContext, ssl.SSLContext]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Has a self-signed certificate for hooks.example.com, and its key."""
    return make_certificate(tmp_path_factory.mktemp("tls"), [x509.DNSName("hooks.example.com")])


def make_certificate(folder: Path, names: list[x509.GeneralName]) -> Path:
    """A self-signed certificate with the common name hooks.example.com and these names; its folder."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "hooks.example.com")])
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    )
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    certificate = builder.sign(key, hashes.SHA256())
    (folder / "cert.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return folder


@pytest.fixture
def contexts(folder: Path) -> Contexts:
    """For a server with that certificate, and for a client that trusts it."""
    return contexts_of(folder)


def contexts_of(folder: Path) -> Contexts:
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    return server, ssl.create_default_context(cafile=str(folder / "cert.pem"))


def deliver(
    server_side: ssl.SSLContext | None, client_side: ssl.SSLContext | None, host: str
) -> tuple[Server, Response]:
    async def run() -> tuple[Server, Response]:
        names = Names(["127.0.0.1"])
        async with serve(say(b"HTTP/1.1 204 Done\r\n\r\n"), tls=server_side) as server:
            async with Transport(LOOPBACK, SETTINGS, tls=client_side, resolver=names) as transport:
                response = await transport.send(server.url(host, scheme="https"), {}, b"{}")
            return server, response

    return asyncio.run(run())


def test_a_trusted_certificate_for_the_name_is_accepted(contexts: Contexts) -> None:
    server, response = deliver(*contexts, "hooks.example.com")
    assert (response.status, response.error) == (204, "")
    assert b"Host: hooks.example.com:" in server.requests[0]


@pytest.mark.parametrize("host", ["other.example.com", "127.0.0.1"])
def test_a_certificate_for_another_name_is_refused_before_anything_is_sent(contexts: Contexts, host: str) -> None:
    server, response = deliver(*contexts, host)
    assert (response.status, response.error, server.requests) == (None, "tls_failed", [])


@pytest.mark.parametrize("names", [[], [x509.RFC822Name("ada@hooks.example.com")]], ids=["none", "another kind"])
def test_a_certificate_without_a_dns_name_is_refused_whatever_its_common_name(
    tmp_path: Path, names: list[x509.GeneralName]
) -> None:
    """RFC 9525 section 2: a common name is no identity of a service."""
    server, response = deliver(*contexts_of(make_certificate(tmp_path, names)), "hooks.example.com")
    assert (response.status, response.error, server.requests) == (None, "tls_failed", [])


def test_the_systems_authorities_are_asked_for_the_name_in_the_url_only() -> None:
    context = client_context()
    assert (context.check_hostname, context.verify_mode) == (True, ssl.CERT_REQUIRED)
    assert context.hostname_checks_common_name is False


def test_a_certificate_that_the_system_does_not_trust_is_refused(contexts: Contexts) -> None:
    server, response = deliver(contexts[0], None, "hooks.example.com")
    assert (response.status, response.error, server.requests) == (None, "tls_failed", [])
    assert "certificate verify failed" in response.detail


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_server_that_wants_a_certificate_of_ours_is_a_failure_of_tls(
    contexts: Contexts, version: ssl.TLSVersion
) -> None:
    contexts[0].verify_mode = ssl.CERT_REQUIRED
    contexts[0].minimum_version = contexts[0].maximum_version = version

    async def run(port: int) -> Response:
        async with Transport(LOOPBACK, SETTINGS, tls=contexts[1], resolver=Names(["127.0.0.1"])) as transport:
            return await transport.send(f"https://hooks.example.com:{port}/", {}, b"{}")

    def refuse() -> None:  # on a thread: asyncio's server closes without saying why
        connection, _ = listener.accept()
        with connection.dup() as wire, suppress(ConnectionResetError):
            with connection, pytest.raises(ssl.SSLError):
                contexts[0].wrap_socket(connection, server_side=True)
            while wire.recv(9999):  # closing before the request is read would be a reset, which may overtake the reason
                pass

    with socket.create_server(("127.0.0.1", 0)) as listener, ThreadPoolExecutor(1) as threads:
        refused = threads.submit(refuse)
        response = asyncio.run(run(listener.getsockname()[1]))
        refused.result(10)
    assert (response.status, response.error) == (None, "tls_failed"), response.detail


def test_an_answer_that_comes_before_the_request_was_sent_costs_the_connection(contexts: Contexts) -> None:
    async def run() -> Response:
        async def answer_at_once(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                await reader.readuntil(b"\r\n\r\n")
                writer.write(b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\n\r\n")
                await ended.wait()
            finally:
                writer.transport.abort()

        ended = asyncio.Event()
        server = await asyncio.start_server(answer_at_once, "127.0.0.1", 0, limit=1024, ssl=contexts[0])
        names = Names(["127.0.0.1"])
        async with server, Transport(LOOPBACK, SETTINGS, tls=contexts[1], resolver=names) as transport:
            port = server.sockets[0].getsockname()[1]
            response = await transport.send(f"https://hooks.example.com:{port}/", {}, b"x" * 20_000_000)
            assert transport.idle == 0
            ended.set()
            return response

    response = asyncio.run(run())
    assert (response.status, response.error) == (413, "")


def test_a_request_that_is_cancelled_as_the_handshake_ends_harms_no_other(
    contexts: Contexts, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def run() -> list[Response]:
        made = Connection.connection_made

        def made_and_cancelled(connection: Connection, transport: asyncio.BaseTransport) -> None:
            made(connection, transport)
            monkeypatch.undo()
            task.cancel()

        names = Names(["127.0.0.1"])
        async with (
            serve(tls=contexts[0]) as server,
            Transport(LOOPBACK, SETTINGS, tls=contexts[1], resolver=names) as transport,
        ):
            url = server.url("hooks.example.com", scheme="https")
            monkeypatch.setattr(Connection, "connection_made", made_and_cancelled)
            task = asyncio.create_task(transport.send(url, {}, b""))
            with pytest.raises(asyncio.CancelledError):
                await task
            return [await transport.send(url, {}, b"") for _ in range(3)]

    assert [(response.status, response.error) for response in asyncio.run(run())] == [(200, "")] * 3


def test_a_server_that_does_not_speak_tls_is_a_failure_of_tls() -> None:
    async def run() -> Response:
        async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
                await reader.read()
            finally:
                writer.close()

        server = await asyncio.start_server(refuse, "127.0.0.1", 0)
        async with server, Transport(LOOPBACK, SETTINGS) as transport:
            port = server.sockets[0].getsockname()[1]
            return await transport.send(f"https://127.0.0.1:{port}/", {}, b"{}")

    assert asyncio.run(run()).error == "tls_failed"
