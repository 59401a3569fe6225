"""Provider: how one sender signs, names and shakes hands.

A provider is pure: it gets a request, the source's configuration and the time, and returns a value or
raises a VerificationError. It never reads a clock, a database or the network; a document that it
needs in order to verify is asked for with DocumentNeeded.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Literal
from uuid import UUID

from hookline.core.request import WebhookRequest, read_headers
from hookline.exceptions import CannotVerify, ConfigurationError, Unreadable, WrongMethod
from hookline.providers.schemes.documents import Document, DocumentNeeded
from hookline.providers.schemes.parts import Part, part_of

#: An id or type longer than this is not one; PostgreSQL would also refuse to index it.
MAX_NAME_LENGTH = 255
#: In seconds.
DAY = 86400
MAX_KEY_LENGTH = 300
#: The type of an event that is an item of a batch which cannot be read.
UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True)
class Option:
    """A setting of a source that this provider understands (`hookline source create --option name=value`).

    `check` is called with a value and raises ValueError, saying what is wrong with it.
    """

    name: str
    help: str
    default: str = ""
    choices: tuple[str, ...] = ()
    check: Callable[[str], object] | None = None
    #: Still understood for the sources that have it, and offered to nobody else.
    deprecated: bool = False

    def problem_with(self, value: object) -> str:
        """What is wrong with this value, as the end of a sentence; empty when nothing is."""
        if not isinstance(value, str):
            return f"must be text, not {type(value).__name__}; write it in quotes"
        if self.choices and value not in self.choices:
            return f"must be one of {', '.join(self.choices)}, not {value[:80]!r}"
        try:
            if self.check is not None:
                self.check(value)
        except ValueError as error:
            return f"cannot be {value[:80]!r}: {error}"
        return ""


#: Offered by every provider whose distinct events are told apart by something that is not signed.
REPEATED_BODIES = Option(
    "repeated_bodies",
    "What a signed body is that came before, under another delivery id or name: `allow` makes it a new event with "
    "`repeat_of`, so that no event is lost; `refuse` makes it a duplicate, so that whoever captured a request cannot "
    "have it processed twice.",
    default="allow",
    choices=("allow", "refuse"),
)

#: What `repeated_bodies` replaced. Sources that have it keep their deduplication keys.
TRUST_UNSIGNED_ID = Option(
    "trust_unsigned_id",
    "true: the deduplication key is the sender's event id alone, although it is not signed.",
    default="false",
    choices=("true", "false"),
    deprecated=True,
)


@dataclass(frozen=True, slots=True)
class SourceConfig:
    """What a provider may know of the Source: its active secrets (newest first) and its options."""

    secrets: tuple[str, ...] = field(repr=False)
    options: Mapping[str, str] = field(default_factory=dict)
    #: The source still waits for the sender's first contact, so an unsigned handshake may be answered.
    awaiting_handshake: bool = False
    #: The documents that have been fetched for this request so far, and why the others could not be.
    documents: Mapping[Document, bytes | CannotVerify] = field(default_factory=dict, repr=False)
    #: The id of the source, for whoever fetches documents: what one source asks for is no burden to another.
    source: UUID | None = None

    def document(self, document: Document) -> bytes:
        """The content of a document. Raises DocumentNeeded where it is not at hand: the edge then fetches it.

        Raises CannotVerify where that failed.
        """
        content = self.documents.get(document)
        if content is None:
            raise DocumentNeeded(document)
        if isinstance(content, CannotVerify):
            raise content
        return content


@dataclass(slots=True, unsafe_hash=True)  # not frozen, which takes three times as long to make; nobody changes one
class Reply:
    """An exact HTTP reply that a provider requires instead of the JSON of the contract."""

    body: bytes = b""
    content_type: str = "text/plain; charset=utf-8"
    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()

    @classmethod
    def json(cls, value: Any, status: int = 200, headers: tuple[tuple[str, str], ...] = ()) -> Reply:
        return cls(json.dumps(value, separators=(",", ":")).encode(), "application/json", status, headers)


#: What the body of an event may be.
Media = Literal["JSON", "form", "XML", "JSON Web Token", "anything"]

#: What an event is whose deduplication key is known: a duplicate; or that only where its content is the same, else a
#: conflict; or that only where its delivery id is the same, else a repeat.
IfKnown = Literal["duplicate", "conflict", "repeat"]


@dataclass(slots=True)  # not frozen, which takes three times as long to make: every request makes one
class ParsedEvent:
    """One event found in a verified request.

    `dedup_key` decides what is new, together with `if_known`, and is unique per source. `provider_id` is the sender's
    id of the event or of its delivery, for people to read; it is empty where there is none. `body` is the exact bytes
    of this one event: the whole request body, unless the request was a batch.
    """

    type: str
    dedup_key: str
    provider_id: str
    body: bytes = field(repr=False)
    if_known: IfKnown = "duplicate"
    #: The key that an earlier version gave to this event, where it was another one: what was stored then is known.
    previous_key: str = ""
    #: Why this item of a batch cannot be read; empty for an event that can.
    problem: str = ""

    @classmethod
    def unreadable(cls, body: bytes, problem: Unreadable) -> ParsedEvent:
        """An item of a genuine batch in which no event can be found, so that it is not lost."""
        return cls(UNREADABLE, hash_key(body), "", body, problem=f"{problem.reason}: {problem.detail}")


@dataclass(slots=True)  # as ParsedEvent
class Received:
    """What a genuine request means: events to store, and the reply if the provider prescribes one.

    A handshake has a reply and no events.
    """

    events: tuple[ParsedEvent, ...] = ()
    reply: Reply | None = None
    #: How much of the time that the sender has was used up when the request came: 1.0 is all of it. None: no window.
    tolerance_used: float | None = None


class Provider:
    """Base of all providers. `receive` is the flow; subclasses fill in its steps."""

    # ---- what a subclass states -------------------------------------------------------------------
    title: ClassVar[str]
    #: The sender's own page about its signatures.
    docs_url: ClassVar[str]
    #: What a secret of a source is, where it is not simply the secret that the sender shows.
    secret_help: ClassVar[str] = "the secret with which the sender signs, as the sender shows it"
    #: What proves that the sender made a request, in a few words, where the scheme's base does not say it.
    proof: ClassVar[str] = ""
    #: False where only the sender's words say how it signs: no code of its own or of others and no captured request was
    #: found that agrees with ours.
    confirmed: ClassVar[bool] = True
    #: Other names under which the provider is found, where the sender was renamed.
    aliases: ClassVar[tuple[str, ...]] = ()
    methods: ClassVar[frozenset[str]] = frozenset({"POST"})
    #: The longest body that the sender documents, in bytes, where it may be longer than the default MAX_BODY_BYTES.
    #: An edge reads up to the larger of the two.
    max_body_bytes: ClassVar[int] = 0
    #: How many events one request may carry: what the sender documents, or else more than any is known to send.
    max_events: ClassVar[int] = 1000
    options: ClassVar[tuple[Option, ...]] = ()
    #: The exact reply to an event, where the sender requires one.
    reply: ClassVar[Reply | None] = None
    #: The exact reply to a request that is not verified, where the sender requires one.
    refusal: ClassVar[Reply | None] = None
    #: As what the sender may send an event. A genuine form from a sender that sends none is refused: with the type in a
    #: header it would be stored, and found to be unreadable by a handler.
    media: ClassVar[frozenset[Media]] = frozenset({"JSON"})
    #: The form field that holds the JSON, where the sender may post a form.
    json_field: ClassVar[str] = ""
    #: Request headers that hold a credential in the clear; they are not stored with the event.
    credential_headers: ClassVar[frozenset[str]] = frozenset()
    #: Fields of the query that hold a credential in the clear; they are not stored with the event.
    credential_query: ClassVar[frozenset[str]] = frozenset()
    #: Where the event type stands, and the event id that stays the same when the event is sent again.
    type_at: ClassVar[Part]
    id_at: ClassVar[Part | None] = None
    #: Is the event id covered by the signature? Where it is not, an attacker could replay a captured body
    #: under a new id, so the deduplication key is then a hash of the signed bytes.
    id_is_signed: ClassVar[bool] = True
    #: The unsigned header that names the event, where several names may share a body: it is part of the hash.
    event_header: ClassVar[Part | None] = None
    #: The evidence that distinct events of this sender can have identical signed content. Such a sender's known body
    #: under a new delivery id (`event_id`), or without any, is a new event with `repeat_of`. Empty: they cannot.
    repeats_bodies: ClassVar[str] = ""
    #: What the sender changes when it delivers an event again, and who says so.
    retries: ClassVar[str] = ""
    #: The JSON fields that change then, as dotted paths: they tell no two events apart.
    retry_fields: ClassVar[tuple[str, ...]] = ()
    #: Whether the signature covers the whole URL, so that nothing verifies without PUBLIC_URL.
    signs_url: ClassVar[bool] = False
    #: Whether the signature covers values that are read out of the JSON, and not its bytes: whoever captured a request
    #: could write a key twice, so that it is refused.
    signs_values: ClassVar[bool] = False
    #: Whether you choose the secret and give it to the sender, so that one can be made up here.
    secret_is_yours: ClassVar[bool] = False
    #: Event types for `hookline trigger` to offer, each with the payload that the sender would send.
    samples: ClassVar[Mapping[str, Mapping[str, Any]]] = {}
    #: Whether `verify` holds the time of the event, which `compose` writes into the body, against its tolerance.
    time_is_checked: ClassVar[bool] = False
    #: Whether the sender has event types besides the samples. Where not, `compose` refuses any other.
    open_types: ClassVar[bool] = True

    #: The registry key: the module's name. Set by `hookline.providers.get`.
    name: ClassVar[str] = ""

    # ---- the flow ---------------------------------------------------------------------------------
    def receive(self, request: WebhookRequest, config: SourceConfig, now: float) -> Received:
        """Verify a request and find its events. `now` is Unix time in seconds.

        Raises VerificationError, and nothing else, whatever the request holds.
        """
        if request.method not in self.methods:
            raise WrongMethod("wrong_method", f"{self.title} does not send {request.method[:20]} requests")
        if not any(config.secrets):
            raise CannotVerify("no_secret", "this source has no active secret; add one with `hookline source rotate`")
        if reply := self.unsigned_handshake(request, config):
            return Received(reply=reply)
        if self.signs_values:
            request.check_keys(self.json_field)
        used = self.verify(request, config, now)
        if reply := self.signed_handshake(request, config):
            return Received(reply=reply)
        if len(request.headers.get("content-type", ())) == 1 and request.is_form:
            self.check_form(request)
        return Received(tuple(self.events(request, config)), self.reply_to(request), used)

    def check_form(self, request: WebhookRequest) -> None:
        """Raises Unreadable for a form from a sender that sends none."""
        if not self.media & {"form", "anything"}:
            found = (request.header("content-type") or "").partition(";")[0]
            expected = " or ".join(sorted(self.media))
            raise Unreadable("wrong_content_type", f"a form came ({found[:80]}), where {self.title} sends {expected}")

    # ---- steps for subclasses ---------------------------------------------------------------------
    def verify(self, request: WebhookRequest, config: SourceConfig, now: float) -> float | None:
        """Return if one of the secrets proves that the sender made this request at about `now`; else raise.

        What is returned is `Received.tolerance_used`.
        """
        raise NotImplementedError

    def unsigned_handshake(self, request: WebhookRequest, config: SourceConfig) -> Reply | None:
        """Answer a handshake that the sender does not sign, or return None for anything else."""
        return None

    def signed_handshake(self, request: WebhookRequest, config: SourceConfig) -> Reply | None:
        """Answer a handshake that was verified like an event, or return None for anything else."""
        return None

    def events(self, request: WebhookRequest, config: SourceConfig) -> Iterable[ParsedEvent]:
        """The events of a verified request; one, unless the sender batches."""
        return (self.parsed_event(request, config),)

    def reply_to(self, request: WebhookRequest) -> Reply | None:
        """The exact reply that the sender requires for these events, or None for the contract's own."""
        return self.reply

    def payload(self, request: WebhookRequest) -> Any:
        """What `event.json` is: the JSON that the sender sent, wherever in the body it stands. Raises Unreadable."""
        return request.json(self.json_field)

    def event_type(self, request: WebhookRequest, config: SourceConfig) -> str:
        """The sender's name for what happened."""
        return self.type_at.read(request)

    def event_id(self, request: WebhookRequest, config: SourceConfig) -> str:
        """The sender's id of the event, the same when it is sent again; empty where there is none."""
        return self.id_at.read(request) if self.id_at else ""

    def signed_bytes(self, request: WebhookRequest) -> bytes:
        """What two deliveries of one event have in common and the signature covers; normally the body."""
        return request.body

    def unsigned_name(self, request: WebhookRequest, config: SourceConfig) -> str:
        """The name of the event where it stands in a header that is not signed; else empty. It is part of the hash.

        Such a header may also be named by the option `type` that some providers have.
        """
        header, named = self.event_header, config.options.get("type")
        if isinstance(named, str) and named.startswith("header:"):  # the option may have been spoilt
            header = part_of(named)  # valid, or the type could not have been read
        return header.read(request).strip() if header else ""

    def delivery_id(self, request: WebhookRequest, config: SourceConfig) -> str:
        """What tells look-alikes without an `event_id` apart, and is taken to stay the same on a retry; empty: nothing.

        A header that is not signed, or a time of sending that is.
        """
        return ""

    def repeats(self, request: WebhookRequest, config: SourceConfig) -> bool:
        """Whether another event than this one may have the same signed content."""
        return bool(self.repeats_bodies)

    def content(self, request: WebhookRequest) -> bytes:
        """What two deliveries of one event have in common, to tell whether two under one id are the same event.

        The request has the headers and body that were stored. Fields in another order are the same.
        """
        try:
            document = self.payload(request)
            for path in self.retry_fields:
                document = without_field(document, path.split("."))
            return json.dumps(document, sort_keys=True, separators=(",", ":")).encode()
        except (Unreadable, RecursionError):
            return request.body

    def compose(
        self, event_type: str, event_id: str, now: float, data: Mapping[str, Any] | None = None
    ) -> WebhookRequest:
        """The unsigned request that the real sender would make for this event, without its URL.

        `event_id` may be empty: then the provider makes one up from `now`. `data` is a JSON object that replaces the
        sample's payload.
        """
        raise NotImplementedError

    def sign(self, request: WebhookRequest, config: SourceConfig, now: float) -> WebhookRequest:
        """The same request with the signature that the real sender would add, made with the first secret.

        Raises ConfigurationError when that secret cannot sign.
        """
        raise NotImplementedError

    def older_types(self, event_type: str) -> tuple[str, ...]:
        """What earlier versions of Hookline called events of this type: a handler for that name still gets them."""
        return ()

    def signed_request(
        self,
        event_type: str,
        config: SourceConfig,
        now: float,
        *,
        url: str,
        event_id: str = "",
        data: Mapping[str, Any] | None = None,
        again: bool = False,
    ) -> WebhookRequest:
        """The whole request that the real sender would make to this URL: composed, and signed. Raises as `sign`.

        With `again` the event happened when the day began, so that the same id names the same event all day long:
        two that differ in their time would be two events under one id.
        """
        happened = now - now % DAY if again and not self.time_is_checked else now
        request = self.configured(config.options).compose(event_type, event_id, happened, data)
        return self.sign(replace(request, url=url), config, now)

    def hidden_headers(self, options: Mapping[str, str]) -> frozenset[str]:
        """The request headers that are not stored with an event; `credential_headers`, and what the options add."""
        return self.credential_headers

    def hidden_body(self, request: WebhookRequest, options: Mapping[str, str]) -> bytes:
        """The body without credentials that it holds. Raises VerificationError where they cannot be found."""
        return request.body

    # ---- configuration, checked when a source is created or changed -------------------------------
    def configured(self, options: Mapping[str, str]) -> Provider:
        """This provider as a source's options shape it; itself, unless the options decide what is sent.

        Only `compose` needs it: `receive` and `sign` get the options with the source's configuration.
        """
        return self

    @property
    def known_options(self) -> tuple[Option, ...]:
        """Every option of this provider, those that its base adds included."""
        named_outside = self.event_header or (
            any(option.name == "type" for option in self.options) and (self.id_at is None or not self.id_is_signed)
        )
        added = [REPEATED_BODIES] if self.repeats_bodies or named_outside else []
        return (*self.options, *added, *([] if self.id_is_signed else [TRUST_UNSIGNED_ID]))

    def check_options(self, options: Mapping[str, Any]) -> None:
        """Raises ConfigurationError, naming the option, for an unknown name or a value that it cannot have."""
        known = {option.name: option for option in self.known_options}
        for name, value in options.items():
            if name not in known:
                names = ", ".join(sorted(name for name in known if not known[name].deprecated)) or "none"
                raise ConfigurationError(f"{self.title} has no option {name!r}; it has: {names}")
            if problem := known[name].problem_with(value):
                raise ConfigurationError(f"the option {name!r} of {self.title} {problem}")

    def needs_public_url(self, options: Mapping[str, Any]) -> bool:
        """Whether a source with these options can verify nothing without PUBLIC_URL."""
        return self.signs_url

    def check_secret(self, secret: str) -> None:
        """Raises ConfigurationError, without quoting the secret, if it can verify nothing."""
        if not secret:
            raise ConfigurationError(f"a secret of {self.title} is empty")

    # ---- shared by subclasses ---------------------------------------------------------------------
    def parsed_event(self, request: WebhookRequest, config: SourceConfig) -> ParsedEvent:
        """Name one verified event and choose its deduplication key."""
        event_type = clean_name(self.event_type(request, config), "type")
        provider_id = self.event_id(request, config)
        if provider_id:
            clean_name(provider_id, "id")
        if provider_id and (self.id_is_signed or config.options.get(TRUST_UNSIGNED_ID.name) == "true"):
            return ParsedEvent(event_type, f"id:{provider_id}", provider_id, request.body, "conflict")
        signed = self.signed_bytes(request)
        name = self.unsigned_name(request, config)
        key = hash_key(signed)
        named_key = hash_key(f"{name}\n".encode("utf-8", "surrogatepass") + signed) if name else key
        refuses = config.options.get(REPEATED_BODIES.name) == "refuse"
        # The other key is that of an earlier version, or of the other choice of the option.
        key, other_key = (key, named_key) if refuses else (named_key, key)
        previous_key = other_key if name else ""
        event = ParsedEvent(event_type, key, provider_id, request.body, previous_key=previous_key)
        if refuses:
            return event
        if not self.repeats(request, config):
            return event
        delivery = provider_id or self.delivery_id(request, config)
        return replace(event, provider_id=delivery and clean_name(delivery, "id"), if_known="repeat")


def hash_key(signed: bytes) -> str:
    """The deduplication key of an event without a trustworthy id: SHA-256 of the signed bytes, in full."""
    return f"sha256:{hashlib.sha256(signed).hexdigest()}"


def bounded_key(key: str) -> str:
    """A deduplication key made of several parts; their hash where together they are longer than the column."""
    return key if len(key) <= MAX_KEY_LENGTH else hash_key(key.encode("utf-8", "surrogatepass"))


def without_field(document: Any, path: Sequence[str]) -> Any:
    """A JSON value without the field at this path; itself where there is none."""
    if not isinstance(document, dict) or path[0] not in document:
        return document
    name, *rest = path
    if not rest:
        return {key: value for key, value in document.items() if key != name}
    return {**document, name: without_field(document[name], rest)}


def clean_name(value: str, what: str) -> str:
    """An event id or type as printable text of bounded length. Raises Unreadable.

    Control characters are refused here because a single NUL would make PostgreSQL refuse the row.
    """
    if not value:
        raise Unreadable(f"missing_{what}", f"the event has no {what}")
    if len(value) > MAX_NAME_LENGTH or not value.isprintable():
        raise Unreadable(f"bad_{what}", f"the event's {what} is longer than {MAX_NAME_LENGTH} or not printable")
    return value


def json_request(body: Mapping[str, Any] | list[Any], headers: Mapping[str, str] | None = None) -> WebhookRequest:
    """A POST of compact JSON, for `compose`."""
    raw = json.dumps(body, separators=(",", ":")).encode()
    pairs = {"content-type": "application/json", **(headers or {})}
    return WebhookRequest("POST", "", read_headers(pairs.items()), raw)
