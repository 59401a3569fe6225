"""Account: what was acknowledged against what happened. Pure, so that a test can feed it crimes."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

#: How many ids a violation names.
NAMED = 10
#: Of the load: so many are ordered side by side.
CUSTOMERS = 16


@dataclass(frozen=True)
class Message:
    """A row of Message with its only Delivery. `event` is the provider's id of the event that it is about."""

    event: str
    state: str
    #: How often a worker claimed the delivery in order to send it.
    claims: int


@dataclass(frozen=True)
class Books:
    """Everything that is known when all is settled: the two ledgers, and the rows."""

    #: The generator's ledger: `sent`, `accepted`, `duplicate`, `failed` and `refused`, each with the provider's `id`.
    sender: Sequence[Mapping[str, Any]]
    #: The consumer's ledger: `consumed` and `refused`, with `webhook_id`, `event` and `body` (a hash).
    consumer: Sequence[Mapping[str, Any]]
    #: The provider's id and the state of every Event row.
    events: Sequence[tuple[str, str]]
    #: The provider's id of every row of the effect table, in the order in which they were made by the database's clock.
    effects: Sequence[str]
    messages: Sequence[Message]
    #: The provider's id of every event that a follow-up told of.
    told: Sequence[str] = ()
    #: Whether each customer's events had to be processed and delivered in order, and followed.
    ordered: bool = False
    #: How many events and deliveries have no order key.
    keyless: int = 0
    #: The ledger of what was posted through the API: `sent`, `accepted` with the `message`, `failed` and `refused`.
    poster: Sequence[Mapping[str, Any]] = ()
    #: What the consumer got of that, and the rows.
    posts_consumed: Sequence[Mapping[str, Any]] = ()
    posts: Sequence[Message] = ()


@dataclass
class Account:
    acknowledged: int = 0
    lost: int = 0
    twice: int = 0
    #: Arrivals at the consumer after the first of each message.
    repeated: int = 0
    delivered: int = 0
    #: Messages that the API answered 202.
    posted: int = 0
    violations: list[str] = field(default_factory=list)

    def charge(self, what: str, ids: Sequence[str]) -> int:
        """Note a violation if there are ids. Returns how many."""
        if ids:
            more = f" and {len(ids) - NAMED} more" if len(ids) > NAMED else ""
            self.violations.append(f"{len(ids)} {what}: {', '.join(sorted(ids)[:NAMED])}{more}")
        return len(ids)


def settle_up(books: Books) -> Account:
    """Compare the ledgers with the rows. All work must be settled: nothing pending, nothing running."""
    account = Account()
    _account_in(books, account)
    _account_out(books, account)
    if books.ordered:
        _account_order(books, account)
    _account_posts(books, account)
    return account


def event_of(document: Mapping[str, Any]) -> str:
    """The provider's id of the event that a message is about: one that a handler dispatched, or the event itself."""
    name = document["id"] if "id" in document else document["data"]["event"]
    return str(name)


def is_post(name: str) -> bool:
    """Whether it is a message that was posted, and no event's."""
    return name.startswith("pst_")


def _account_posts(books: Books, account: Account) -> None:
    answered: dict[str, set[str]] = defaultdict(set)
    for entry in books.poster:
        if entry["what"] == "accepted":
            answered[entry["id"]].add(entry["message"])
    rows = Counter(message.event for message in books.posts)
    succeeded = {message.event for message in books.posts if message.state == "succeeded"}
    arrivals: dict[str, set[str]] = defaultdict(set)
    times = Counter(entry["event"] for entry in books.posts_consumed)
    for entry in books.posts_consumed:
        arrivals[entry["event"]].add(entry["webhook_id"])
    account.posted = len(answered)
    account.charge(
        "posts answered 202 and lost (no row, or not delivered)",
        [post for post in answered if post not in succeeded or not arrivals[post]],
    )
    account.charge("posts whose key was not kept: two ids", [post for post, ids in answered.items() if len(ids) > 1])
    account.charge("posts stored more than once", [post for post, count in rows.items() if count > 1])
    account.charge(
        "posts that arrived under another id than was answered",
        [post for post, ids in answered.items() if arrivals[post] and arrivals[post] != ids],
    )
    account.charge(
        "posts delivered more often than they were claimed",
        [message.event for message in books.posts if times[message.event] > message.claims],
    )
    account.charge("posts refused with 4xx", [entry["id"] for entry in books.poster if entry["what"] == "refused"])
    sent = {entry["id"] for entry in books.poster if entry["what"] == "sent"}
    account.charge("posts sent, and never answered although all was healed", sorted(sent - answered.keys()))


def customer_of(event: str) -> str:
    """The customer that an event of the load is about, by the number in its id."""
    return f"cus_{int(event.removeprefix('evt_')) % CUSTOMERS}"


def _account_order(books: Books, account: Account) -> None:
    _charge_overtaken(books, account)
    _charge_disarranged(books, account)
    if books.keyless:
        account.violations.append(f"{books.keyless} events and deliveries have no order key, so nothing kept an order")
    told = set(books.told)
    account.charge("events whose follow-up never ran", sorted(set(books.effects) - told))
    account.charge("follow-ups of events without effect", sorted(told - set(books.effects)))


def _charge_overtaken(books: Books, account: Account) -> None:
    """Events that were processed after one of their customer that was first sent when they were acknowledged already.

    Those that a sender has under way at the same time have no order.
    """
    sent = _first_times(books.sender, ("sent",))
    acknowledged = _first_times(books.sender, ("accepted", "duplicate"))
    overtaken = []
    for processed in _by_customer(dict.fromkeys(books.effects)).values():
        newest = float("-inf")
        for event in processed:
            if acknowledged.get(event, float("inf")) < newest:
                overtaken.append(event)
            newest = max(newest, sent.get(event, float("-inf")))
    account.charge("events processed after a later one of their customer", overtaken)


def _charge_disarranged(books: Books, account: Account) -> None:
    """Messages that arrived, or arrived again, after one of their customer whose event was processed later."""
    place = {event: number for number, event in enumerate(dict.fromkeys(books.effects))}
    consumed = (entry["event"] for entry in books.consumer if entry["what"] == "consumed")
    late = []
    for arrived in _by_customer(event for event in consumed if event in place).values():
        newest = -1
        for event in arrived:
            if place[event] < newest:
                late.append(event)
            newest = max(newest, place[event])
    account.charge("messages delivered after a later one of their customer", late)


def _first_times(entries: Iterable[Mapping[str, Any]], what: Sequence[str]) -> dict[str, float]:
    found: dict[str, float] = {}
    for entry in entries:
        if entry["what"] in what:
            found.setdefault(entry["id"], entry["at"])
    return found


def _by_customer(events: Iterable[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    for event in events:
        found[customer_of(event)].append(event)
    return found


def _account_in(books: Books, account: Account) -> None:
    acknowledged = {entry["id"] for entry in books.sender if entry["what"] in ("accepted", "duplicate")}
    accepted = Counter(entry["id"] for entry in books.sender if entry["what"] == "accepted")
    rows, states = Counter(event for event, _ in books.events), dict(books.events)
    effects = Counter(books.effects)
    account.acknowledged = len(acknowledged)
    account.lost = account.charge(
        "acknowledged and lost (no row, not succeeded, or without effect)",
        [event for event in acknowledged if states.get(event) != "succeeded" or not effects[event]],
    )
    account.twice = account.charge(
        "events took effect more than once", [event for event, count in effects.items() if count > 1]
    )
    account.charge("events stored more than once", [event for event, count in rows.items() if count > 1])
    account.charge(
        "events acknowledged as new more than once", [event for event, count in accepted.items() if count > 1]
    )
    account.charge("effects without an event", [event for event in effects if event not in states])
    account.charge(
        "events stored but never acknowledged, and not processed",
        [e for e, state in books.events if e not in acknowledged and (state != "succeeded" or not effects[e])],
    )
    account.charge(
        "genuine events refused with 4xx", [entry["id"] for entry in books.sender if entry["what"] == "refused"]
    )
    sent = {entry["id"] for entry in books.sender if entry["what"] == "sent"}
    account.charge("events sent, and never acknowledged although all was healed", sorted(sent - acknowledged))


def _account_out(books: Books, account: Account) -> None:
    effects = Counter(books.effects)
    messages = Counter(message.event for message in books.messages)
    arrivals: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for entry in books.consumer:
        if entry["what"] == "consumed":
            arrivals[entry["event"]].append(entry)
    account.delivered = len(arrivals)
    account.repeated = sum(len(found) - 1 for found in arrivals.values())
    account.charge(
        "effects whose message is not exactly one, although both commit together",
        [event for event in effects.keys() | messages.keys() if effects[event] != messages[event]],
    )
    account.charge("messages committed and never delivered", [event for event in messages if event not in arrivals])
    account.charge(
        "deliveries not succeeded", [message.event for message in books.messages if message.state != "succeeded"]
    )
    account.charge("messages delivered that were never committed", [e for e in arrivals if e not in messages])
    account.charge(
        "messages delivered under two ids or with two bodies",
        [e for e, found in arrivals.items() if len({(entry["webhook_id"], entry["body"]) for entry in found}) > 1],
    )
    account.charge(
        "messages delivered more often than they were claimed",
        [m.event for m in books.messages if len(arrivals[m.event]) > m.claims],
    )
    account.charge(
        "genuine messages refused by the consumer",
        [entry["webhook_id"] for entry in books.consumer if entry["what"] == "refused"],
    )
