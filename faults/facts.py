"""Facts: what is known of a stage, from the ledgers, the rows and the workers' tallies."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import psycopg

from faults.account import Books, Message, event_of, is_post
from faults.database import Database
from faults.ledger import Reader

#: What may go wrong while the database is being broken.
DATABASE_ERRORS = (psycopg.Error, OSError)


class Facts:
    """Reads only. The methods that ask the database raise DATABASE_ERRORS."""

    def __init__(self, directory: Path, database: Database, *, ordered: bool = False) -> None:
        #: Whether customers' events are in order, and followed.
        self.ordered = ordered
        self._directory, self._database = directory, database
        #: The ledgers of the load generator and of the consumer.
        self.sender_ledger, self.consumer_ledger = directory / "sender.jsonl", directory / "consumer.jsonl"
        self._sender_reader, self._consumer_reader = Reader(self.sender_ledger), Reader(self.consumer_ledger)
        #: That of what is posted through the API.
        self.poster_ledger = directory / "poster.jsonl"
        self._poster_reader = Reader(self.poster_ledger)
        self._sender: list[dict[str, Any]] = []
        self._poster: list[dict[str, Any]] = []
        #: What arrived of the events' messages, and of those that were posted.
        self._consumed: list[dict[str, Any]] = []
        self._posts_consumed: list[dict[str, Any]] = []

    def look(self) -> None:
        """Read what the ledgers say since the last look."""
        self._sender += self._sender_reader.read()
        self._poster += self._poster_reader.read()
        for entry in self._consumer_reader.read():
            (self._posts_consumed if is_post(entry.get("event", "")) else self._consumed).append(entry)

    def unacknowledged(self, older: float) -> int:
        """Events and posts that were sent more than so many seconds ago, and not acknowledged yet."""
        self.look()
        sent = [*self._sender, *self._poster]
        done = {entry["id"] for entry in sent if entry["what"] in ("accepted", "duplicate")}
        since = time.time() - older
        return sum(e["what"] == "sent" and e["at"] < since and e["id"] not in done for e in sent)

    def acknowledged_since(self, moment: float) -> bool:
        self.look()
        return any(e["what"] == "accepted" and e["at"] > moment for e in reversed(self._sender[-2000:]))

    def coming(self, count: int) -> list[str]:
        """The ids of events that will be sent in a moment."""
        self.look()
        newest = max(int(e["id"].removeprefix("evt_")) for e in self._sender if e["what"] == "sent")
        return [f"evt_{newest + 20 + number:08d}" for number in range(count)]

    def hanging(self) -> int:
        """How many handlers hang, as the workers tell each other."""
        return int(self._database.rows("SELECT count(*) FROM hookline_hang")[0][0])

    def took_effect_since(self, moment: float) -> bool:
        rows = self._database.rows(f"SELECT count(*) FROM faults_effect WHERE at > {moment}")
        return int(rows[0][0]) > 0

    def unfinished(self, older: float) -> int:
        """Events, follow-ups and deliveries of more than so many seconds ago that are not done."""
        waiting = "(SELECT count(*) FROM hookline_{} WHERE state IN ('pending', 'running') AND created_at < {})"
        ago = self._database.ago.format(f"{older:.3f}")
        kinds = ("event", "followup", "delivery")
        sql = f"SELECT {' + '.join(waiting.format(kind, ago) for kind in kinds)}"
        return int(self._database.rows(sql)[0][0])

    def rates(self, seconds: float) -> dict[str, float]:
        """Watch the load for so long. Per second: acknowledged, in effect, delivered."""
        start = time.time()
        time.sleep(seconds)
        end = time.time()
        # What was sent in the window, counted a little later: everything of it that keeps up is done by then.
        time.sleep(0.5)
        self.look()
        taken = self._database.rows(f"SELECT count(*) FROM faults_effect WHERE at >= {start} AND at < {end}")
        return {
            "acknowledged": sum(e["what"] == "accepted" and start <= e["at"] < end for e in self._sender) / seconds,
            "in effect": taken[0][0] / seconds,
            "delivered": sum(e["what"] == "consumed" and start <= e["at"] < end for e in self._consumed) / seconds,
        }

    def most_consumed_within(self, seconds: float) -> int:
        """How many messages came to the consumer within so many seconds, in the fullest such time of the run."""
        self.look()
        times = sorted(entry["at"] for entry in self._consumed)
        most = first = 0
        for place, at in enumerate(times):
            while times[first] <= at - seconds:
                first += 1
            most = max(most, place - first + 1)
        return most

    def replaying(self) -> int:
        """Replays that are not done."""
        rows = self._database.rows("SELECT count(*) FROM hookline_replay WHERE state IN ('pending', 'running')")
        return int(rows[0][0])

    def activity(self, workers: Iterable[int]) -> dict[int, tuple[int, int]]:
        """For each worker how many effects it made and how many deliveries it recorded so far."""
        made = dict(self._database.rows("SELECT worker, count(*) FROM faults_effect GROUP BY worker"))
        tallies = {number: self.tally(number) for number in workers}
        return {
            number: (made.get(str(number), 0), tally.stat().st_size if tally.exists() else 0)
            for number, tally in tallies.items()
        }

    def tally(self, worker: int) -> Path:
        """The file to which a worker adds a byte for each delivery that it recorded."""
        return self._directory / f"recorded-by-{worker}"

    def requests_failed(self) -> int:
        """How often a webhook was not acknowledged: no answer, or 5xx."""
        self.look()
        return sum(entry["what"] == "failed" for entry in self._sender)

    def jobs_caught(self) -> int:
        """Events and deliveries that were claimed more than once: a first try was cut short, or failed."""
        again = "(SELECT count(*) FROM hookline_{} WHERE attempts > 1 OR claim > 1)"
        return int(self._database.rows(f"SELECT {again.format('event')} + {again.format('delivery')}")[0][0])

    def books(self) -> Books:
        """Everything that is known at the end."""
        self.look()
        stored = "SELECT provider_id, state FROM hookline_event"
        messages = self._database.rows(
            "SELECT m.body, d.state, d.claim FROM hookline_message m "
            "LEFT JOIN hookline_delivery d ON d.message_id = m.id"
        )
        found = [
            Message(event_of(json.loads(bytes(body))), state or "", claims or 0) for body, state, claims in messages
        ]
        return Books(
            sender=self._sender,
            poster=self._poster,
            posts_consumed=self._posts_consumed,
            posts=[message for message in found if is_post(message.event)],
            consumer=self._consumed,
            events=[(row[0], row[1]) for row in self._database.rows(stored)],
            ordered=self.ordered,
            keyless=self._keyless(),
            effects=[event for (event,) in self._database.rows("SELECT event FROM faults_effect ORDER BY at")],
            told=[event for (event,) in self._database.rows("SELECT event FROM faults_told")],
            messages=[message for message in found if not is_post(message.event)],
        )

    def _keyless(self) -> int:
        none = "(SELECT count(*) FROM hookline_{} WHERE order_key IS NULL)"
        return int(self._database.rows(f"SELECT {none.format('event')} + {none.format('delivery')}")[0][0])
