"""`event.json` and `event.parse(Model)`: what a handler reads."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum
from typing import Any, Literal
from uuid import UUID

import pydantic
import pytest

from hookline import providers
from hookline.exceptions import ConfigurationError, DoesNotFit
from hookline.incoming.models import Event, Source
from hookline.incoming.process import run as process
from tests.edges.conftest import Register

SENT: dict[str, Any] = {
    "id": "in_1",
    "paid": True,
    "amount": "12.50",
    "rate": 2,
    "created": "2026-01-02T03:04:05Z",
    "due": "2026-02-01",
    "account": "0b7f0c4e-6b8f-4a07-9f5a-0a3a0e3a1f11",
    "status": "open",
    "lines": [{"sku": "a", "count": 1}, {"sku": "b", "count": 2, "note": "gift"}],
    "tags": {"x": 1},
    "added_by_the_sender_last_week": {},
}


class Status(Enum):
    OPEN = "open"
    CLOSED = "closed"


@dataclass(frozen=True)
class Line:
    sku: str
    count: int
    note: str | None = None


@dataclass
class Invoice:
    id: str
    paid: bool
    amount: Decimal
    rate: float
    created: datetime
    due: date
    account: UUID
    status: Status
    lines: list[Line]
    tags: dict[str, int]
    kind: Literal["invoice", "credit"] = "invoice"
    more: tuple[int, ...] = field(default_factory=tuple)


class Model(pydantic.BaseModel):
    model_config = pydantic.ConfigDict(strict=True)

    id: str
    created: datetime
    lines: list[dict[str, Any]]


def event(value: Any = None) -> Event:
    body = json.dumps(SENT if value is None else value).encode()
    return Event(source=Source(provider="stripe"), type="invoice.paid", body=body)


def test_a_dataclass_gets_its_fields_by_their_types() -> None:
    assert event().parse(Invoice) == Invoice(
        "in_1",
        True,
        Decimal("12.50"),
        2.0,
        datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
        date(2026, 2, 1),
        UUID("0b7f0c4e-6b8f-4a07-9f5a-0a3a0e3a1f11"),
        Status.OPEN,
        [Line("a", 1), Line("b", 2, "gift")],
        {"x": 1},
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"paid": 1}, r"json\.paid must be bool, got 1"),
        ({"rate": True}, r"json\.rate must be float, got True"),
        ({"amount": "a lot"}, r"json\.amount must be Decimal, got 'a lot'"),
        ({"created": 1767323045}, r"json\.created must be datetime, got 1767323045"),
        ({"due": "soon"}, r"json\.due must be date, got 'soon'"),
        ({"account": "x"}, r"json\.account must be UUID, got 'x'"),
        ({"status": "lost"}, r"json\.status must be Status, got 'lost'"),
        ({"kind": "other"}, r"json\.kind must be 'invoice' or 'credit', got 'other'"),
        ({"lines": {}}, r"json\.lines must be a list, got \{\}"),
        ({"lines": [{"sku": "a", "count": 1}, {"sku": "b"}]}, r"json\.lines\[1\]\.count is missing"),
        ({"lines": [{"sku": "a", "count": 1, "note": 5}]}, r"json\.lines\[0\]\.note"),
        ({"tags": {"x": "1"}}, r"json\.tags\.x must be int, got '1'"),
        ({"more": [1, None]}, r"json\.more\[1\] must be int, got None"),
    ],
)
def test_what_does_not_fit_is_a_value_error_that_names_the_path(change: dict[str, Any], message: str) -> None:
    with pytest.raises(DoesNotFit, match=message) as caught:
        event({**SENT, **change}).parse(Invoice)
    assert isinstance(caught.value, ValueError)


def test_a_union_takes_what_fits_best() -> None:
    @dataclass
    class When:
        at: str | datetime | None
        by: Line | str

    found = event({"at": "2026-01-02T03:04:05+00:00", "by": {"sku": "a", "count": 1}}).parse(When)
    assert found == When(datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), Line("a", 1))
    assert event({"at": "tomorrow", "by": "me"}).parse(When) == When("tomorrow", "me")


def test_a_strict_pydantic_model_takes_what_json_has_for_a_date() -> None:
    parsed = event().parse(Model)
    assert (parsed.id, parsed.created) == ("in_1", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC))
    with pytest.raises(pydantic.ValidationError, match="created"):
        event({**SENT, "created": None}).parse(Model)


def test_what_is_neither_is_refused() -> None:
    for wrong in (dict, int, "Invoice", SENT):
        with pytest.raises(ConfigurationError, match="a dataclass or a pydantic model"):
            event().parse(wrong)  # type: ignore[arg-type]  # that is the point


def test_a_field_of_a_type_that_json_has_not_is_refused_by_name() -> None:
    @dataclass
    class Strange:
        id: complex

    with pytest.raises(ConfigurationError, match=r"json\.id.*complex"):
        event().parse(Strange)


@pytest.fixture
def payloads_read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """One item for each time that a payload is read."""
    provider = providers.get("stripe")
    read: list[str] = []
    payload: Callable[..., Any] = type(provider).payload

    def counted(self: Any, request: Any) -> Any:
        read.append(self.name)
        return payload(self, request)

    monkeypatch.setattr(type(provider), "payload", counted)
    return read


def test_json_is_read_once_however_often_it_is_asked_for(payloads_read: list[str]) -> None:
    one = event()
    assert one.json is one.json
    one.parse(Invoice)
    assert payloads_read == ["stripe"]


def test_a_run_begins_with_what_was_sent_and_not_with_what_the_previous_one_made_of_it(
    handler: Register, payloads_read: list[str]
) -> None:
    seen: list[Any] = []

    @handler("stripe")
    def takes(event: Event) -> None:
        seen.append(event.json.pop("id"))

    @handler("stripe")
    def shares(event: Event) -> None:
        assert event.json["paid"] is True

    one = event()
    wanting = process.handlers_of(one)
    for _ in range(2):
        process.call_handlers(one, wanting)
    assert seen == ["in_1", "in_1"]
    assert payloads_read == ["stripe", "stripe"]
