"""A tunnel through a forward proxy: CONNECT (RFC 9110 section 9.3.6)."""

from __future__ import annotations

import asyncio
import re
import socket

from hookline.core.outcome import Failure
from hookline.core.proxy import Proxy
from hookline.transport.failures import Failed

#: Bytes of a proxy's answer.
_MAX_ANSWER = 8 * 1024
_STATUS = re.compile(rb"HTTP/1\.[01] ([0-9]{3})[ \r]")


async def open_tunnel(sock: socket.socket, proxy: Proxy, address: str, port: int) -> None:
    """Have the proxy at the other end of a connected socket connect to an address. Raises Failed and OSError.

    To the address, and not to a name: the proxy would look that up again, and the guard judged the address.
    """
    loop = asyncio.get_running_loop()
    authority = f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
    lines = [f"CONNECT {authority} HTTP/1.1", f"Host: {authority}"]
    if proxy.authorization:
        lines.append(f"Proxy-Authorization: {proxy.authorization}")
    await loop.sock_sendall(sock, "\r\n".join([*lines, "", ""]).encode("ascii"))
    answer = b""
    while b"\r\n\r\n" not in answer:
        more = await loop.sock_recv(sock, _MAX_ANSWER)
        if not more or len(answer) > _MAX_ANSWER:
            raise Failed(Failure.PROXY_FAILED, f"the proxy {proxy.shown} gave no answer that can be read")
        answer += more
    match = _STATUS.match(answer)
    if match is None or not match[1].startswith(b"2"):
        said = match[1].decode() if match else "what is not HTTP"
        raise Failed(Failure.PROXY_FAILED, f"the proxy {proxy.shown} answered {said}")
    if not answer.endswith(b"\r\n\r\n"):
        raise Failed(Failure.PROXY_FAILED, f"the proxy {proxy.shown} sent more than its answer")
