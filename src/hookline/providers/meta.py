"""Meta (Facebook Pages, Instagram, WhatsApp): `X-Hub-Signature-256: sha256=<hex>`, HMAC-SHA256 over the raw body.

The key is the app secret as text. https://developers.facebook.com/docs/graph-api/webhooks/getting-started
Meta signs the bytes that it sends, in which every character outside ASCII is escaped (`\\u00e4`): a re-serialised body
fails, though a test with ASCII alone passes. The older X-Hub-Signature (SHA-1) is ignored. There is no timestamp.

Meta checks the URL when it is saved: GET with `hub.mode=subscribe`, `hub.verify_token` and `hub.challenge`. The
challenge is echoed as plain text if the token is the one of the source's option `verify_token`; without that option
nothing is answered. It is a password between you and Meta for this one request, of your own choosing; the signing key
plays no part in it.

A request is a batch of up to 1000 updates: each item of `entry[].changes`, `entry[].messaging` or `entry[].standby`
becomes an event of its own, whose body has the shape of a request with this item alone. Its type is the `object` and
the change's `field` with its `verb` behind it where there is one (`page.feed.add`, `instagram.comments`), or with
`statuses` (`whatsapp_business_account.messages.statuses`, beside `whatsapp_business_account.messages` for a message);
or the object, the list's name and what the update holds (`page.messaging.message`, `page.messaging.postback`). A
handler for `page.feed` or `page.messaging` gets all of them. An entry with none of these lists is one event, whose
type is the object. There is no id that all products share: the deduplication key is a hash of the event's body,
without the entry's time where the update has the id of a message or a time of its own. Retries may come in other
batches, and are still recognised; of other updates only as long as Meta repeats the entry's time.

One app secret signs for all pages and accounts of an app, so look at `entry[].id` before acting.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from hookline.core.json_slices import JsonSlice
from hookline.core.request import WebhookRequest
from hookline.core.signing import equal
from hookline.exceptions import NotVerified, Unreadable
from hookline.providers.base import Option, ParsedEvent, Reply, SourceConfig, clean_name, hash_key, json_request
from hookline.providers.schemes.batches import each_item, json_list
from hookline.providers.schemes.hmac import HmacProvider
from hookline.providers.schemes.parts import Json, field_of
from hookline.providers.schemes.signatures import Plain
from hookline.providers.schemes.signed import as_sent

_LISTS = ("changes", "messaging", "standby")
#: What every update of Messenger has.
_AROUND = frozenset({"sender", "recipient", "timestamp"})
_VERB = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)


class Meta(HmacProvider):
    title = "Meta"
    docs_url = "https://developers.facebook.com/docs/graph-api/webhooks/getting-started"
    aliases = ("facebook", "instagram", "whatsapp")
    methods = frozenset({"POST", "GET"})
    options = (Option("verify_token", "The token that you typed into Meta's dashboard, for the check of the URL."),)

    max_events = 1000
    signature = Plain("x-hub-signature-256", prefix="sha256=")
    type_at = Json("object")
    retries = "the batch, and perhaps the entry's time; the ids of messages stay (payloads recorded by others)"

    samples = {
        "whatsapp_business_account.messages": {
            "messaging_product": "whatsapp",
            "metadata": {"display_phone_number": "441632960000", "phone_number_id": "106540352242922"},
            "messages": [{"from": "441632960001", "id": "wamid.HBgL", "type": "text", "text": {"body": "Hello"}}],
        },
        "instagram.comments": {"id": "17865799348089039", "text": "Nice", "media": {"id": "17887498072083520"}},
        "page.feed.add": {"item": "post", "post_id": "44444444_444444444", "message": "Hello"},
        "page.messaging.message": {
            "sender": {"id": "123"},
            "recipient": {"id": "456"},
            "message": {"mid": "m_1", "text": "Hi"},
        },
    }

    def unsigned_handshake(self, request: WebhookRequest, config: SourceConfig) -> Reply | None:
        if request.method != "GET":
            return None
        next(self.keys(config))  # raises CannotVerify: a source that could verify no event is not ready to be checked
        query = request.query()
        expected, sent = config.options.get("verify_token"), query.get("hub.verify_token", "")
        if not isinstance(expected, str) or not expected:
            raise NotVerified("refused_challenge", "set the source's option verify_token to let Meta check the URL")
        if not equal(as_sent(sent, "utf-8"), as_sent(expected, "utf-8")):
            raise NotVerified("refused_challenge", "hub.verify_token is not the source's option verify_token")
        if query.get("hub.mode") != "subscribe":
            raise NotVerified("refused_challenge", "hub.mode is not subscribe")
        return Reply(clean_name(query.get("hub.challenge", ""), "challenge").encode())

    def events(self, request: WebhookRequest, config: SourceConfig) -> Iterable[ParsedEvent]:
        request.json()  # checks that it is one
        updates = _single_updates(JsonSlice.whole(request.body))
        return each_item(request, updates, lambda update: self.parsed_event(update, config), most=self.max_events)

    def signed_bytes(self, request: WebhookRequest) -> bytes:
        """Without the entry's time where the update has an id or a time of its own: it may be that of the attempt."""
        if not _names_itself(request.json()["entry"][0]):
            return request.body
        document = JsonSlice.whole(request.body)
        entry = (json_list(document, "entry") or ())[0]
        return document.with_members({"entry": f"[{entry.with_members({'time': None})}]"}).encode()

    def parsed_event(self, request: WebhookRequest, config: SourceConfig) -> ParsedEvent:
        return replace(super().parsed_event(request, config), previous_key=hash_key(request.body))

    def event_type(self, request: WebhookRequest, config: SourceConfig) -> str:
        kind = self.type_at.read(request)
        entry = request.json()["entry"][0]
        if not isinstance(entry, dict):
            raise Unreadable("wrong_item", "an entry is not a JSON object")
        name = next((name for name in _LISTS if name in entry), "")
        if not kind or not name:
            return kind
        if not isinstance(entry[name], list):
            raise Unreadable("wrong_item", f"`{name}` of an entry is not a list")
        update = entry[name][0]
        field = field_of(update, "field") if name == "changes" else name
        if not isinstance(field, str) or not field:
            return ""
        action = _verb_of(update) if name == "changes" else _content_of(update)
        return f"{kind}.{field}.{action}" if action else f"{kind}.{field}"

    def older_types(self, event_type: str) -> tuple[str, ...]:
        kind, _, rest = event_type.partition(".")
        field, _, action = rest.partition(".")
        return (f"{kind}.{field}",) if action else ()

    def compose(
        self, event_type: str, event_id: str, now: float, data: Mapping[str, Any] | None = None
    ) -> WebhookRequest:
        kind, _, rest = event_type.partition(".")
        field, _, action = rest.partition(".")
        sample = _with_own_ids(self.samples.get(event_type, {}), now) if data is None else dict(data)
        if field in _LISTS and action:
            sample = {action: {}, **sample}
        elif action:
            sample = {"statuses": [{}], **sample} if action == "statuses" else {"verb": action, **sample}
        update = {field: [sample]} if field in _LISTS else {"changes": [{"field": field, "value": sample}]}
        entry = {"id": event_id or "102290129340398", "time": int(now), **(update if field else sample)}
        return json_request({"object": kind, "entry": [entry]})


def _with_own_ids(sample: Mapping[str, Any], now: float) -> dict[str, Any]:
    """A sample whose messages are of this moment."""
    made_up = f"{now * 1000:.0f}"
    messages = [{**message, "id": f"wamid.{made_up}"} for message in sample.get("messages", [])]
    message = sample.get("message")
    named = {"message": {**message, "mid": f"m_{made_up}"}} if isinstance(message, dict) else {}
    return {**sample, **({"messages": messages} if messages else {}), **named}


def _names_itself(entry: Any) -> bool:
    """Whether the only update of an entry has an id or a time of its own."""
    for name in ("messaging", "standby"):
        if (update := _first(field_of(entry, name))) is not None:
            return bool(field_of(update, "message.mid") or field_of(update, "timestamp"))
    value = field_of(_first(field_of(entry, "changes")), "value")
    return any(field_of(_first(field_of(value, name)), "id") for name in ("messages", "statuses"))


def _first(items: Any) -> Any:
    return items[0] if isinstance(items, list) and items else None


def _verb_of(change: Any) -> str:
    """What a change says was done, as those of a page's feed do; `statuses` for those of WhatsApp's messages."""
    value = field_of(change, "value")
    verb = field_of(value, "verb")
    if isinstance(verb, str) and _VERB.fullmatch(verb):
        return verb
    is_status = isinstance(value, dict) and "statuses" in value and "messages" not in value
    return "statuses" if is_status else ""


def _content_of(update: Any) -> str:
    """What an update of Messenger is about: `message`, `postback`, `read`, ..., the one member that only it has."""
    names = [name for name in update if name not in _AROUND] if isinstance(update, dict) else []
    return next((name for name in names if _VERB.fullmatch(name)), "")


def _single_updates(document: JsonSlice) -> Iterator[bytes]:
    """A document for each update, in the shape of the request, with all else as it was sent. Raises Unreadable."""
    entries = json_list(document, "entry")
    if not entries:
        raise Unreadable("wrong_body", "there is no list `entry`, or an empty one")
    before, behind = document.around("entry")
    for entry in entries:
        for single in _singles_of(entry):
            yield f"{before}[{single}]{behind}".encode()


def _singles_of(entry: JsonSlice) -> Iterator[str]:
    """An entry for each of its updates; itself, where it has no list of them."""
    found = {name: value for name in _LISTS if (value := entry.at(name)) is not None}
    for name, value in found.items():
        before, behind = entry.around(name, leaving_out=set(_LISTS) - {name})
        for update in (f"[{item.written}]" for item in value.items) if value.is_list else (value.written,):
            yield f"{before}{update}{behind}"
    if not found:
        yield entry.written
