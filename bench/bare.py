"""A bare ASGI application: reads a body, checks its HMAC, parses the JSON and answers. Nothing is stored.

python -m bench.bare [PROCESSES]    prints where it listens. It runs under uvicorn with its own protocol, as anybody
would run it: in one process, or in as many of uvicorn's own as are asked for.

It is what somebody has who takes webhooks or messages without Hookline, so what stores is held against it: with the
same load generator, over as many connections, and in turns.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import sys
from collections.abc import Sequence
from typing import Any

import uvicorn
from uvicorn.supervisors import Multiprocess

from bench.load import send
from bench.process import port_of, running
from hookline.runtime import http_server
from tests.waiting import wait_until

SECRET = b"made up for the benchmark"
#: Of the requests to it: the HMAC-SHA256 of the body, in hexadecimal digits.
SIGNATURE = b"x-signature"
#: What each process prints when it is about to accept connections.
READY = "a process is ready"


async def application(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "lifespan":
        await receive()
        print(READY, flush=True)
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})
        return
    pieces, more = [], True
    while more:
        message = await receive()
        pieces.append(message.get("body", b""))
        more = message.get("more_body", False)
    body = b"".join(pieces)
    signature = next((value for name, value in scope["headers"] if name == SIGNATURE), b"")
    genuine = hmac.compare_digest(signature, _signature(body))
    document = json.loads(body) if genuine else None
    answer = json.dumps({"id": "msg_1", "genuine": genuine, "members": document and len(document)}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(answer)).encode())]
    await send({"type": "http.response.start", "status": 202 if genuine else 401, "headers": headers})
    await send({"type": "http.response.body", "body": answer})


def rate(requests: Sequence[bytes], connections: int, processes: int = 1) -> float:
    """How many of these requests it answers in a second, each with a signature that it checks."""
    signed = [_with_signature(request) for request in requests]
    with running(sys.executable, "-m", "bench.bare", str(processes)) as server:
        port = port_of(server)
        wait_until(lambda: server.output.count(READY) == processes)
        send(port, signed[:200], connections).check(202)
        return send(port, signed, connections).check(202).rate


def _with_signature(request: bytes) -> bytes:
    head, end, body = request.partition(b"\r\n\r\n")
    return b"%b\r\n%b: %b%b%b" % (head, SIGNATURE, _signature(body), end, body)


def _signature(body: bytes) -> bytes:
    return hmac.digest(SECRET, body, hashlib.sha256).hex().encode()


def main(processes: int = 1) -> None:
    with http_server.listen("127.0.0.1", 0) as listener:
        listener.listen()  # who reads the line may come before uvicorn does it
        print(f"listens on {http_server.url_of(listener)}", flush=True)
        config = uvicorn.Config(
            "bench.bare:application",
            http="httptools",
            lifespan="on",
            access_log=False,
            log_config=None,
            workers=processes,
        )
        if processes == 1:
            uvicorn.Server(config).run(sockets=[listener])
        else:
            Multiprocess(config, sockets=[listener]).run()


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
