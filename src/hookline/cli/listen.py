"""`hookline listen`: the webhooks of a source, as they come, at an application on this machine."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Any

import click

from hookline.cli import complete
from hookline.cli.command import one_line_errors
from hookline.cli.times import Since

#: Of the journey to us, and of the connection: the request to the application has its own.
_NOT_PASSED_ON = frozenset((
    "accept-encoding", "connection", "content-length", "expect", "host", "keep-alive", "te", "trailer",
    "transfer-encoding", "upgrade",
))  # fmt: skip


class Listen(click.Command):
    """It reads from here or from a server elsewhere by itself."""

    def invoke(self, ctx: click.Context) -> Any:
        with one_line_errors():
            return super().invoke(ctx)


@click.command(cls=Listen)
@click.option("--source", shell_complete=complete.sources, required=True, metavar="ID", help="Whose webhooks.")
@click.option("--to", required=True, metavar="URL", help="Where to POST them, such as http://localhost:3000/hooks.")
@click.option("--type", "patterns", multiple=True, metavar="PATTERN", help="Only this event type, or invoice.*.")
@click.option("--since", type=Since(), help="Also those that came since then: 30m, 24h or 7d ago, or a time.")
@click.option("--count", type=click.IntRange(min=1), help="Stop after this many.  [default: go on until Ctrl-C]")
@click.pass_context
def listen(
    ctx: click.Context,
    *,
    source: str,
    to: str,
    patterns: tuple[str, ...],
    since: datetime | None,
    count: int | None,
) -> None:
    """Send the webhooks of a source on to your own machine, with the sender's bytes and headers.

    The sender's own signature goes along, so the application verifies as in production. What it answers is shown and
    changes nothing at the server: no attempt is counted, and nothing is retried. `hookline --server URL listen ...`
    reads from a server elsewhere, with a key that has the scope events:read. When that goes away for a while, it asks
    again, and goes on where it was.
    """
    from hookline.cli.feed import Events, Feed, LocalEvents, RemoteEvents
    from hookline.cli.output import printable
    from hookline.cli.patience import patiently
    from hookline.cli.post import post
    from hookline.cli.remote.client import client_of
    from hookline.core.event_types import matches
    from hookline.exceptions import HooklineError

    asked = ctx.find_root().params
    server = asked.get("server")
    events: Events
    if server:
        events = RemoteEvents(client_of(server, asked.get("key")), source)
    else:
        events = LocalEvents(source)
        ctx.with_resource(events.heard())
    feed = Feed(events, since)
    click.echo(f"Listening to {source}; each webhook goes to {to}. Ctrl-C ends it.")
    sent = 0
    while True:
        for found in feed.arrived():
            if patterns and not any(matches(pattern, found.type) for pattern in patterns):
                continue
            request = patiently(partial(events.request_of, found.id))
            kept = {name: values for name, values in request.headers.items() if name not in _NOT_PASSED_ON}
            began = time.monotonic()
            try:
                status, _ = post(to, replace(request, headers=kept))
                answer = f"{status} in {(time.monotonic() - began) * 1000:.0f} ms"
            except HooklineError as error:
                answer = str(error)
            click.echo(f"{found.id}  {printable(found.type)}  {len(request.body)} bytes  ->  {printable(answer)}")
            sent += 1
            if sent == count:
                return
