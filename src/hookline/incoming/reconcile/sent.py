"""Sent: one webhook in the sender's own record; and how the record of each sender is read.

Stripe lists events of the last 30 days (https://docs.stripe.com/api/events/list); GitHub lists deliveries of a webhook
of the last 3 days, and sends one again when asked (https://docs.github.com/rest/repos/webhooks).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, urlencode

from hookline.exceptions import ConfigurationError
from hookline.incoming.reconcile.api import MAX_PAGES, Api, ApiFailed


@dataclass(frozen=True, slots=True)
class Sent:
    """`id` is the sender's own, as an event has it in `provider_id`. `body` is empty where only the sender can send it
    again, with `again` as the path that asks it to.
    """

    id: str
    type: str
    sent_at: datetime
    body: bytes = field(default=b"", repr=False)
    again: str = ""


def stripe(api: Api, hook: str, since: datetime) -> Iterator[Sent]:
    """Events, newest first."""
    after = ""
    for _ in range(MAX_PAGES):
        query = {
            "limit": "100",
            "created[gte]": str(int(since.timestamp())),
            **({"starting_after": after} if after else {}),
        }
        page, _response = api.get(f"/v1/events?{urlencode(query)}")
        events = _list(page.get("data") if isinstance(page, dict) else None, api)
        for event in events:
            after = str(event["id"])
            yield Sent(after, str(event["type"]), datetime.fromtimestamp(event["created"], UTC), _compact(event))
        if not events or not page.get("has_more"):
            return


def github(api: Api, hook: str, since: datetime) -> Iterator[Sent]:
    """Deliveries of one webhook, newest first; `hook` is its path, such as `repos/octocat/hello-world/hooks/42`."""
    base = f"/{quote(hook.strip('/'))}/deliveries"
    path: str | None = f"{base}?per_page=100"
    for _ in range(MAX_PAGES):
        page, response = api.get(str(path))
        for delivery in _list(page, api):
            sent_at = datetime.fromisoformat(str(delivery["delivered_at"]))
            if sent_at < since:
                return
            name = ".".join(str(delivery[key]) for key in ("event", "action") if delivery.get(key))
            yield Sent(str(delivery["guid"]), name, sent_at, again=f"{base}/{int(delivery['id'])}/attempts")
        path = api.next_path(response)
        if path is None:
            return


@dataclass(frozen=True, slots=True)
class Record:
    """Where a sender's own record is. `hook_help`: what names the webhook in it; empty where nothing needs to."""

    base: str
    headers: Callable[[str], Mapping[str, str]] = field(repr=False)
    read: Callable[[Api, str, datetime], Iterator[Sent]] = field(repr=False)
    hook_help: str = ""


#: Provider -> its record. Shopify, Slack, Twilio's webhooks and most others offer none over an API.
RECORDS: Mapping[str, Record] = {
    "stripe": Record("https://api.stripe.com", lambda key: {"Authorization": f"Bearer {key}"}, stripe),
    "github": Record(
        "https://api.github.com",
        lambda token: {
            "Authorization": f"Bearer {token}",
            "Accept": "application/vnd.github+json",
            "X-GitHub-Api-Version": "2022-11-28",
        },
        github,
        "its path, such as repos/octocat/hello-world/hooks/42 or orgs/octocat/hooks/42",
    ),
}


def record_of(provider: str) -> Record:
    """Raises ConfigurationError for a sender that has no such record, or none that Hookline reads."""
    if provider not in RECORDS:
        raise ConfigurationError(
            f"{provider} has no record of what it sent that Hookline can read; these have: {', '.join(sorted(RECORDS))}"
        )
    return RECORDS[provider]


def _list(value: Any, api: Api) -> list[dict[str, Any]]:
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise ApiFailed(f"{api.base} answered something else than a list")
    return value


def _compact(event: Mapping[str, Any]) -> bytes:
    return json.dumps(event, separators=(",", ":"), ensure_ascii=False).encode()
