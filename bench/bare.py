"""A bare ASGI application: reads a body, checks the token, parses the JSON and answers. Nothing is stored.

python -m bench.bare    prints where it listens. It runs under uvicorn with its own protocol, as anybody would run it.
"""

from __future__ import annotations

import hmac
import json
from typing import Any

import uvicorn

from hookline.runtime import http_server

TOKEN = b"Bearer hk_made_up_for_the_benchmark_alone"


async def application(scope: Any, receive: Any, send: Any) -> None:
    pieces, more = [], True
    while more:
        message = await receive()
        pieces.append(message.get("body", b""))
        more = message.get("more_body", False)
    token = next((value for name, value in scope["headers"] if name == b"authorization"), b"")
    document = json.loads(b"".join(pieces))
    status = 202 if hmac.compare_digest(token, TOKEN) and "eventType" in document else 400
    body = json.dumps({"eventType": document["eventType"], "id": "msg_1", "payload": {}}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def main() -> None:
    with http_server.listen("127.0.0.1", 0) as listener:
        print(f"listens on {http_server.url_of(listener)}", flush=True)
        config = uvicorn.Config(application, http="httptools", lifespan="off", access_log=False, log_config=None)
        uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main()
