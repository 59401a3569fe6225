"""NewEvent: what is about to be stored as an Event. No model: making one is a fifth of the edge's time."""

from __future__ import annotations

from dataclasses import dataclass, field
from uuid import UUID

from hookline.core.request import WebhookRequest
from hookline.db.row import new_id
from hookline.engine.job import UNREAD
from hookline.incoming.models import Event, Source
from hookline.providers.base import IfKnown


@dataclass(slots=True, eq=False)
class NewEvent:
    """The columns of an Event that is not stored yet, and what decides whether it is new.

    What it is to an event that is there is found out while it is stored: `dedup_key`, `repeat_of` and `conflict_of` are
    what is inserted.
    """

    source: Source = field(repr=False)
    type: str
    dedup_key: str
    body: bytes = field(repr=False)
    provider_id: str = ""
    #: Those of one request are the same object.
    headers: dict[str, str] = field(default_factory=dict, repr=False)
    method: str | None = None
    url: str | None = field(default=None, repr=False)
    #: See ParsedEvent.
    if_known: IfKnown = "duplicate"
    previous_key: str = ""
    #: Not stored: why an item of a batch cannot be read.
    problem: str = ""
    repeat_of: UUID | None = None
    conflict_of: UUID | None = None
    id: UUID = field(default_factory=new_id)
    source_id: UUID = field(init=False)
    order_key: str | None = field(init=False)

    def __post_init__(self) -> None:
        self.source_id = self.source.id  # `pk` would look for the name of the primary key
        self.order_key = UNREAD if self.source.order_by else None

    @property
    def public_id(self) -> str:
        return Event.public(self.id)

    @property
    def request(self) -> WebhookRequest:
        """The request with this event alone, as far as it will be kept."""
        headers = {name: (value,) for name, value in self.headers.items()}
        return WebhookRequest(self.method or "POST", self.url or "", headers, self.body)


#: The columns that are inserted. The others get their defaults from the database.
COLUMNS = (
    "id",
    "source_id",
    "type",
    "dedup_key",
    "provider_id",
    "headers",
    "body",
    "method",
    "url",
    "repeat_of",
    "conflict_of",
    "order_key",
)
