"""`hookline endpoint`: the subscribers' URLs."""

from __future__ import annotations

from typing import Any

import click

from hookline.cli import complete
from hookline.cli.access_options import access_options
from hookline.cli.command import Group, json_option, something_to_change
from hookline.cli.endpoint_sending import challenge, example, messages, recover, test
from hookline.cli.headers_options import headers_options
from hookline.cli.json_file import JsonFile
from hookline.cli.limit_options import limit_options
from hookline.cli.output import print_fields, print_rows, say
from hookline.cli.pairs import Pair, merged
from hookline.cli.retry_options import own_retry, retry_options
from hookline.cli.secret_options import secret_options
from hookline.cli.separated import Separated
from hookline.cli.times import Duration
from hookline.core.url import shown_url

ORDER_BY = "Send deliveries one after the other that have the same value here, such as $.data.customer_id."
SEQUENCE = "Number its deliveries (webhook-sequence), so that the subscriber can tell that it missed none."


@click.group(cls=Group)
def endpoint() -> None:
    """Manage endpoints: the URLs that messages are delivered to."""


_FILTER = "Only messages that match this JSONPath expression, such as '@.data.total > 100'."
_PAYLOAD = 'A file with what is sent instead of the message: {"fields": ["id"]} or {"template": ...}.'
_SIGNATURES = (
    "How to sign, separated by commas: v1, v1a, rfc9421-hmac, rfc9421-ed25519, x-webhook, svix.  [default: v1]"
)


@endpoint.command()
@click.option("--url", required=True, help="Where to POST messages to.")
@click.option(
    "--events",
    "event_types",
    type=Separated(),
    default="",
    help="Event types separated by commas, such as 'invoice.*,order.paid'.",
)
@click.option("--tenant", shell_complete=complete.tenants, metavar="KEY", help="The tenant it belongs to.")
@secret_options("A secret of Standard Webhooks: whsec_ and base64 of 24 to 64 bytes. Without it one is generated.")
@click.option("--uid", help="Your own id for it, unique within the tenant.")
@click.option("--description", default="", help="For people.")
@click.option("--channel", "channels", multiple=True, help="Only messages of this channel. May be repeated.")
@click.option("--metadata", multiple=True, type=Pair(), help="Your own metadata. May be repeated.")
@click.option("--filter", help=_FILTER)
@click.option("--payload", type=JsonFile(), help=_PAYLOAD)
@click.option("--challenge", is_flag=True, default=None, help="Send it nothing until it answered `endpoint challenge`.")
@click.option("--signatures", type=Separated(), default="", help=_SIGNATURES)
@headers_options
@click.option("--order-by", default="", metavar="PLACE", help=ORDER_BY)
@retry_options
@access_options
@click.option("--sequence", "sequenced", is_flag=True, help=SEQUENCE)
@json_option
def create(
    *,
    metadata: tuple[tuple[str, str], ...],
    retry_delays: list[float] | None,
    deadline: float | None,
    as_json: bool,
    **given: Any,
) -> None:
    """Create an endpoint. The secret is shown only now: the subscriber verifies messages with it."""
    from hookline.cli.actor import actor
    from hookline.operations import endpoint_rows, endpoints

    retry = own_retry(None, retry_delays, deadline)
    created = endpoints.create(actor(), metadata=dict(metadata), retry=retry, **given)
    fields: dict[str, Any] = {
        "id": created.public_id,
        "url": shown_url(created.url),
        "secret": created.secrets.secrets[0].value,
        "tenant": created.tenant.key,
    }
    if created.challenge:
        fields["challenge"] = created.challenge
    if given["signatures"]:
        shown = endpoint_rows.as_json(created)
        fields |= {name: shown[name] for name in ("signatures", "public_keys", "jwks_url")}
    print_fields(fields, as_json)


@endpoint.command("list")
@click.option("--tenant", shell_complete=complete.tenants, metavar="KEY", help="Only of this tenant.")
@click.option("--limit", type=click.IntRange(min=1), help="Maximum number of rows.  [default: all]")
@json_option
def list_endpoints(tenant: str | None, limit: int | None, as_json: bool) -> None:
    """List all endpoints, newest first. Secrets are counted, not shown."""
    from hookline.operations import endpoint_rows, endpoints

    rows = [endpoint_rows.as_json(found) for found in endpoints.newest(tenant=tenant, limit=limit)]
    columns = ("id", "tenant", "url", "events", "breaker", "disabled", "created_at")
    print_rows(rows, columns, as_json, "No endpoints yet; create one with `hookline endpoint create`.")


@endpoint.command()
@click.argument("id", shell_complete=complete.endpoints)
@click.option(
    "--tenant", shell_complete=complete.tenants, metavar="KEY", help="The tenant, if several tenants use this uid."
)
@click.option("--reveal", is_flag=True, help="Show the whole URL, with the query, which may hold a token.")
@json_option
def show(id: str, tenant: str | None, reveal: bool, as_json: bool) -> None:  # noqa: A002 # as above
    """Show one endpoint, by its id or uid, and its health. Its secrets are counted, not shown."""
    from hookline.operations import endpoint_health, endpoint_rows, endpoints

    found = endpoints.find(id, tenant=tenant)
    print_fields(
        {**endpoint_rows.as_json(found, reveal=reveal), "health": endpoint_health.of(found).as_json()}, as_json
    )


@endpoint.command()
@click.argument("id", shell_complete=complete.endpoints)
@click.option("--url", help="Where to POST messages to.")
@click.option(
    "--events", "event_types", type=Separated(), help="Event types it receives, separated by commas; '' for all."
)
@click.option("--uid", help="Your own id for it; '' for none.")
@click.option("--description", help="For people.")
@click.option("--channels", type=Separated(), help="Channels it receives, separated by commas; '' for all.")
@click.option("--metadata", multiple=True, type=Pair(), help="Set this key; the others stay. May be repeated.")
@click.option("--unset", multiple=True, metavar="NAME", help="Metadata to remove.")
@click.option("--filter", help=f"{_FILTER} '' for none.")
@click.option("--payload", type=JsonFile(), help=f"{_PAYLOAD} One with {{}} in it: none.")
@click.option("--signatures", type=Separated(), help=_SIGNATURES)
@headers_options
@click.option("--dry-run", is_flag=True, help="Change nothing; show what it would get of the newest messages.")
@click.option("--order-by", metavar="PLACE", help=f"{ORDER_BY} '' for no order.")
@retry_options
@access_options
@click.option("--sequence/--no-sequence", "sequenced", default=None, help=SEQUENCE)
@json_option
def update(
    *,
    id: str,  # noqa: A002 # as above
    metadata: tuple[tuple[str, str], ...],
    unset: tuple[str, ...],
    dry_run: bool,
    retry_delays: list[float] | None,
    deadline: float | None,
    as_json: bool,
    **fields: Any,
) -> None:
    """Change the given fields of an endpoint; the others stay."""
    from hookline.cli.actor import actor
    from hookline.operations import endpoint_preview, endpoint_rows, endpoints

    something_to_change(*fields.values(), metadata or None, unset or None, retry_delays, deadline)
    found = endpoints.find(id)
    fields["metadata"] = merged(found.metadata, metadata, unset)
    fields["retry"] = own_retry(found.retry, retry_delays, deadline)
    given = {field: value for field, value in fields.items() if value is not None}
    if dry_run:
        wanted = {name: given[name] for name in endpoint_preview.PREVIEWED if name in given}
        rows = [endpoint_preview.preview_as_json(preview) for preview in endpoint_preview.preview(found, **wanted)]
        print_rows(rows, ("message", "type", "wanted", "reason", "body"), as_json, "No messages yet.")
        return
    endpoints.update(actor(), found, **given)
    print_fields(endpoint_rows.as_json(found), as_json)


@endpoint.command()
@click.argument("id", shell_complete=complete.endpoints)
@secret_options("The new secret. Without it one is generated and shown once.")
@click.option("--overlap", type=Duration(), help="How long to sign with the previous one, too.  [default: 24h]")
@click.option("--key", is_flag=True, help="The key pair, and not the secret; a given one is whsk_...")
@json_option
def rotate(id: str, secret: str | None, overlap: float | None, key: bool, as_json: bool) -> None:  # noqa: A002 # the name of the argument in help
    """Give an endpoint a new secret or key pair; messages are also signed with the previous ones for a while."""
    from hookline.cli.actor import actor
    from hookline.operations import endpoints

    found = endpoints.find(id)
    if key:
        rotated = endpoints.rotate_key(actor(), found, secret, overlap=overlap)
        fields = {"id": found.public_id, "public_key": rotated.secret, "overlap_seconds": rotated.overlap}
        print_fields(fields, as_json)
        return
    rotated = endpoints.rotate(actor(), found, secret, overlap=overlap)
    fields = {"id": found.public_id, "secret": rotated.secret, "overlap_seconds": rotated.overlap}
    print_fields(fields, as_json)


@endpoint.command()
@click.argument("id", shell_complete=complete.endpoints)
@limit_options
@json_option
def limit(id: str, rate: float | None, burst: int | None, at_once: int | None, as_json: bool) -> None:  # noqa: A002 # as above
    """Limit how many deliveries begin a second, and run at once; without options, remove the limits."""
    from hookline.cli.actor import actor
    from hookline.operations import endpoints, limits

    found = endpoints.find(id)
    limits.limit(actor(), found, rate=rate, burst=burst, at_once=at_once)
    print_fields({"id": found.public_id, **found.limits}, as_json)


@endpoint.command()
@click.argument("id")
@json_option
def disable(id: str, as_json: bool) -> None:  # noqa: A002 # as above
    """Send nothing more to an endpoint; waiting deliveries keep waiting."""
    from hookline.cli.actor import actor
    from hookline.operations import endpoints

    found = endpoints.find(id)
    endpoints.disable(actor(), found)
    print_fields({"id": found.public_id, "disabled": found.disabled}, as_json)


@endpoint.command()
@click.argument("id", shell_complete=complete.endpoints)
@json_option
def enable(id: str, as_json: bool) -> None:  # noqa: A002 # as above
    """Send to an endpoint again, what waited first."""
    from hookline.cli.actor import actor
    from hookline.operations import endpoints

    found = endpoints.find(id)
    since = found.disabled_at
    endpoints.enable(actor(), found)
    print_fields({"id": found.public_id, "disabled": found.disabled}, as_json)
    if since is not None and (missed := endpoints.missed(found, since)):
        were, them = ("1 message was", "it") if missed == 1 else (f"{missed} messages were", "them")
        say(
            f"{were} published while it was disabled. Send {them} with "
            f"`hookline endpoint recover {found.public_id} --since {since:%Y-%m-%dT%H:%M:%SZ}`."
        )


@endpoint.command()
@click.argument("id", shell_complete=complete.endpoints)
@click.option(
    "--keep-history", is_flag=True, help="Also if it has history: waiting deliveries are cancelled, the history stays."
)
@json_option
def delete(id: str, keep_history: bool, as_json: bool) -> None:  # noqa: A002 # as above
    """Delete a disabled endpoint that has no history; with --keep-history any."""
    from hookline.cli.actor import actor
    from hookline.operations import endpoint_removal, endpoints

    found = endpoints.find(id)
    (endpoint_removal.remove if keep_history else endpoints.delete)(actor(), found)
    print_fields({"id": found.public_id, "deleted": True}, as_json)


for command in (challenge, example, test, recover, messages):
    endpoint.add_command(command)
