"""`hookline trigger`: send a webhook as a provider would."""

from __future__ import annotations

import json
import secrets
import time
from typing import TYPE_CHECKING

import click

from hookline.cli import complete
from hookline.cli.command import DocumentPrinted, PlainCommand, json_option, load_django
from hookline.cli.output import print_fields, print_rows, printable
from hookline.cli.secret_options import secret_options

if TYPE_CHECKING:
    from hookline.providers.base import Provider, SourceConfig

DEFAULT_SERVER = "http://127.0.0.1:8000"


@click.command(cls=PlainCommand)
@click.argument("provider", required=False, shell_complete=complete.providers)
@click.argument("event_type", metavar="[TYPE]", required=False, shell_complete=complete.samples)
@click.option("--list", "only_list", is_flag=True, help="List the types that there are samples of, and send nothing.")
@click.option(
    "--source",
    "source_id",
    metavar="ID",
    shell_complete=complete.sources,
    help="Post to this source, signed with its secret.  [default: the only one of the provider]",
)
@click.option("--url", help="Post here instead, signed with --secret.")
@secret_options("What to sign with.")
@click.option("--data", metavar="JSON", help="The payload, in place of the sample.")
@click.option("--server", metavar="URL", help=f"Where the source is served.  [default: {DEFAULT_SERVER}]")
@click.option(
    "--event-id",
    metavar="ID",
    help="The sender's id of the event; given twice on a day, it is the same event.  [default: a new one]",
)
@json_option
def trigger(
    *,
    provider: str | None,
    event_type: str | None,
    only_list: bool,
    source_id: str | None,
    url: str | None,
    secret: str | None,
    data: str | None,
    server: str | None,
    event_id: str | None,
    as_json: bool,
) -> None:
    """Send a realistic, correctly signed webhook to the local server, as that provider would.

    Shows the sender's id of the event, and Hookline's. Exits with 1 unless the answer is 2xx.
    """
    from hookline import providers
    from hookline.cli import payload
    from hookline.cli.post import post

    if only_list:
        list_samples(provider, as_json)
        return
    if provider is None or event_type is None:
        raise click.UsageError("name the provider and the type of the event; --list shows which there are")
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
    ids = {"event_id": event_id, "id": _id_in(answer)}
    print_fields({**ids, "url": target_url, "status": status, "body": answer}, as_json)
    if not 200 <= status < 300:
        raise DocumentPrinted(f"the server answered {status}")


def _target(
    found: Provider, source_id: str | None, url: str | None, secret: str | None, server: str | None
) -> tuple[str, str, SourceConfig]:
    """Where to post, the URL that is signed, and what it is signed with."""
    from hookline.providers.base import SourceConfig

    if source_id is None and (url is not None or secret is not None):
        if url is None or secret is None:
            raise click.UsageError("--url and --secret (or --secret-file) go together")
        if server is not None:
            raise click.UsageError("--server needs --source")
        return url, url, SourceConfig((secret,))
    if url is not None or secret is not None:
        raise click.UsageError("--source has its own URL and secret; leave out --url and --secret")
    load_django()
    from hookline.operations.trigger import source_target

    return source_target(found, source_id, server or DEFAULT_SERVER)


def list_samples(provider: str | None, as_json: bool) -> None:
    """The types that a provider, or each of them, has samples of."""
    from hookline.operations import providers

    chosen = providers.known() if provider is None else [providers.find(provider)]
    rows = [{"provider": one.name, "type": name} for one in chosen for name in one.samples]
    print_rows(rows, ("provider", "type"), as_json, "There are no samples.")


def _id_in(answer: str) -> str | None:
    """Hookline's id of the event, where its server answered."""
    try:
        found = json.loads(answer)
    except ValueError:
        return None
    return found.get("id") if isinstance(found, dict) and isinstance(found.get("id"), str) else None
