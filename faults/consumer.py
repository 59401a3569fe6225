"""The consumer, a process: `python -m faults.consumer LEDGER`, with its secret in FAULTS_SECRET.

It verifies with the public `standardwebhooks` package, and answers 200 only when the arrival is in its ledger on the
disk, and a moment has passed. Writes "listening on <port>" when it is ready.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import random
import sys
from pathlib import Path

from aiohttp import web
from standardwebhooks import Webhook, WebhookVerificationError

from faults.account import event_of
from faults.ledger import Ledger

#: Up to so many seconds pass between an arrival's entry in the ledger and the answer: others do something then, too.
#: Whatever ends a worker in that time has it deliver again, and at 40 a second each of two has three under way.
LONGEST_WORK = 0.3


async def main(path: Path) -> None:
    ledger, webhook = Ledger(path), Webhook(os.environ["FAULTS_SECRET"])

    async def receive(request: web.Request) -> web.Response:
        body = await request.read()
        webhook_id = request.headers.get("webhook-id", "")
        try:
            webhook.verify(body, {name.lower(): value for name, value in request.headers.items()})
        except WebhookVerificationError as error:
            await ledger.add("refused", webhook_id=webhook_id, why=str(error))
            return web.Response(status=400)
        event = event_of(json.loads(body))
        digest = hashlib.sha256(body).hexdigest()[:16]
        await ledger.add("consumed", webhook_id=webhook_id, event=event, body=digest)
        await asyncio.sleep(random.uniform(0, LONGEST_WORK))
        return web.Response(text="ok")

    application = web.Application()
    application.router.add_post("/hook", receive)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, backlog=512)
    await site.start()
    print("listening on", runner.addresses[0][1], flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
