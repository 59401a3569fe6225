"""`hookline trigger`: send a webhook as a provider would."""

from __future__ import annotations

import secrets
import time
from typing import TYPE_CHECKING

import click

from hookline.cli.command import DocumentPrinted, PlainCommand, json_option, load_django
from hookline.cli.output import print_fields, printable
from hookline.cli.secret_options import secret_options

if TYPE_CHECKING:
    from hookline.providers.base import Provider, SourceConfig

DEFAULT_SERVER = "http://127.0.0.1:8000"


@click.command(cls=PlainCommand)
@click.argument("provider")
@click.argument("event_type", metavar="TYPE")
@click.option("--source", "source_id", metavar="ID", help="Post to this source, signed with its secret.")
@click.option("--url", help="Post here instead, signed with --secret.")
@secret_options("What to sign with.")
@click.option("--data", metavar="JSON", help="The payload, in place of the sample.")
@click.option(
    "--server", metavar="URL", help=f"Where the source is served.  [default: PUBLIC_URL, or {DEFAULT_SERVER}]"
)
@click.option(
    "--event-id",
    metavar="ID",
    help="The sender's id of the event; given twice on a day, it is the same event.  [default: a new one]",
)
@json_option
def trigger(
    *,
    provider: str,
    event_type: str,
    source_id: str | None,
    url: str | None,
    secret: str | None,
    data: str | None,
    server: str | None,
    event_id: str | None,
    as_json: bool,
) -> None:
    """Send a realistic, correctly signed webhook, as that provider would.

    Exits with 1 unless the answer is 2xx.
    """
    from hookline import providers
    from hookline.cli import payload
    from hookline.cli.post import post

    found = providers.get(provider)
    target_url, signed_url, config = _target(found, source_id, url, secret, server)
    again = event_id is not None
    event_id = event_id or f"evt_{secrets.token_hex(12)}"
    if data is None and event_type not in found.samples:
        click.echo(
            f"Note: no sample for {printable(event_type)!r}, so its payload is empty. Samples exist for: "
            f"{', '.join(found.samples)}",
            err=True,
        )
    sent = None if data is None else payload.parse(data)
    request = found.signed_request(
        event_type, config, time.time(), url=signed_url, event_id=event_id, data=sent, again=again
    )
    # Some senders put their token, or a hash of the body, into the query: it is there once the request is signed.
    query = request.url.partition("?")[2]
    status, body = post(f"{target_url.partition('?')[0]}?{query}" if query else target_url, request)
    answer = body.decode("utf-8", "backslashreplace")
    print_fields({"event_id": event_id, "url": target_url, "status": status, "body": answer}, as_json)
    if not 200 <= status < 300:
        raise DocumentPrinted(f"the server answered {status}")


def _target(
    found: Provider, source_id: str | None, url: str | None, secret: str | None, server: str | None
) -> tuple[str, str, SourceConfig]:
    """Where to post, the URL that is signed, and what it is signed with."""
    from hookline.providers.base import SourceConfig

    if source_id is None:
        if url is None or secret is None:
            raise click.UsageError(
                "say where to post: --source ID, or --url URL with --secret SECRET or --secret-file FILE"
            )
        if server is not None:
            raise click.UsageError("--server goes with --source")
        return url, url, SourceConfig((secret,))
    if url is not None or secret is not None:
        raise click.UsageError("--source has its own URL and secret; leave out --url and --secret")
    load_django()
    from hookline.operations.trigger import source_target

    return source_target(found, source_id, server, DEFAULT_SERVER)
