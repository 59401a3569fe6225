"""What a person sees in a terminal: nothing that they would copy is cut, and the reason is always there."""

from __future__ import annotations

import shlex

import pytest

from hookline.cli import layout
from hookline.engine.job import State
from hookline.models import Attempt, Event, Rejection
from tests.cli.conftest import Cli
from tests.cli.terminal import Terminal, cut
from tests.engine.rows import make_delivery, make_endpoint, make_event, make_source
from tests.operations.cases import World

pytestmark = pytest.mark.django_db

WIDTHS = [80, 120, 200]
REASON = "IntegrityError: duplicate key value violates unique constraint (at shop/webhooks.py:8), first seen in "


@pytest.fixture
def world() -> World:
    """Rows of each kind with names, URLs and reasons as long as real ones get."""
    world = World()
    world.source.name = "The web shop of Acme in Europe, 支払い"
    world.source.save()
    endpoint = make_endpoint(
        f"https://consumer.example.com/{'hooks/' * 12}", tenant=world.tenant, uid="shop-of-acme",
        description="All orders of the European shop, for the team that bills them",
    )  # fmt: skip
    first = make_event(world.source, type="customer.subscription.pending_update_applied")
    make_event(
        world.source, type=first.type, state=State.DEAD, attempts=9, note=REASON + first.public_id, repeat_of=first.pk
    )
    delivery = make_delivery(endpoint, state=State.DEAD, attempts=10, note=f"the endpoint answered 500; {REASON}")
    Attempt.objects.create(
        delivery=delivery, number=1, status=500, duration_ms=12, detail="internal error", response_body="<h1>Sorry</h1>"
    )
    return world


def commands(world: World) -> list[str]:
    lists = ["tenant", "source", "endpoint", "events", "rejections", "messages", "deliveries", "audit", "providers"]
    shown = {
        "tenant": "acme", "source": world.source.public_id, "endpoint": "shop-of-acme",
        "events": Event.objects.latest("id").public_id, "rejections": world.rejection.public_id,
        "deliveries": world.delivery.public_id, "messages": world.delivery.message.public_id, "providers": "stripe",
    }  # fmt: skip
    changes = [
        f"source update {world.source.public_id} --name Shop", f"endpoint disable {world.endpoint.public_id}",
        f"endpoint rotate {world.endpoint.public_id}", f"events retry {world.event.public_id}",
        "events retry --since 1h --yes", "deliveries retry --tenant acme --yes", "dispatch order.paid {}",
        "rejections reverify --reason signature_mismatch --yes", "audit list", "stats", "doctor",
    ]  # fmt: skip
    return [*(f"{noun} list" for noun in lists), *(f"{noun} show {name}" for noun, name in shown.items()), *changes]


@pytest.mark.parametrize("columns", WIDTHS)
def test_no_id_is_cut_in_a_terminal(world: World, columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal(columns, monkeypatch)
    seen = ""
    for command in commands(world):
        lines = terminal.lines(*shlex.split(command))
        assert cut(lines, columns) == [], command
        seen += "\n".join(lines)
    rows = (world.source, world.endpoint, world.event, world.delivery, world.rejection, world.delivery.message)
    assert [row.public_id for row in rows if row.public_id not in seen] == []


def test_no_id_is_cut_in_a_pipe_where_each_row_is_one_line(world: World, cli: Cli) -> None:
    for command in commands(world):
        assert cut(cli.run(*shlex.split(command)).output.split("\n"), None) == [], command
    for noun in ("events", "deliveries", "rejections"):
        assert len(cli.text(noun, "list").splitlines()) == 2 + len(cli.json(noun, "list"))


@pytest.mark.parametrize("columns", WIDTHS)
@pytest.mark.parametrize("noun", ["events", "deliveries", "rejections"])
def test_a_list_shows_the_whole_reason(
    world: World, noun: str, columns: int, monkeypatch: pytest.MonkeyPatch, cli: Cli
) -> None:
    words = " ".join(Terminal(columns, monkeypatch).run(noun, "list").split())
    if columns > 80:  # a table with wrapped cells mixes columns; each word is there
        words = words.replace(" ", "")
    for row in cli.json(noun, "list"):
        reason = row.get("note") or row.get("detail")
        if reason and columns == 80:
            assert reason in words
        elif reason:
            assert [word for word in reason.split() if word not in words] == []


def test_a_narrow_terminal_gets_records_and_a_wide_one_a_table(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    narrow = Terminal(80, monkeypatch).lines("rejections", "list")
    assert narrow[0].startswith("Id ")
    assert f"Id           {world.rejection.public_id}" in narrow
    assert "Reason       signature_mismatch" in narrow
    wide = Terminal(200, monkeypatch).lines("rejections", "list")
    assert wide[0].split()[:4] == ["Id", "Status", "Reason", "Provider"]
    assert wide[2].split()[:3] == [world.rejection.public_id, "401", "signature_mismatch"]


def test_many_are_counted_and_asked_about_before_they_are_retried(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal = Terminal(80, monkeypatch)
    assert Event.objects.filter(state=State.DEAD).count() == 3
    refused = terminal.run("events", "retry", "--since", "1h", answer="n\n")
    assert "Retry 3 events? [y/N]" in refused
    assert Event.objects.filter(state=State.DEAD).count() == 3
    done = terminal.run("events", "retry", "--since", "1h", "--limit", "2", answer="y\n")
    assert "Retry the newest 2 events (--limit)? [y/N]" in done
    assert "100%" in done
    assert "There may be more" in done
    assert Event.objects.filter(state=State.DEAD).count() == 1
    again = terminal.run("rejections", "reverify", "--since", "1h", answer="y\n")
    assert "Verify 1 rejection again? [y/N]" in again
    assert Event.objects.filter(provider_id="evt_1").exists()


def test_many_are_retried_in_portions_and_all_of_them_are_named_in_json(cli: Cli) -> None:
    source = make_source()
    made = [make_event(source, state=State.DEAD).public_id for _ in range(250)]
    retried = cli.json("events", "retry", "--source", source.public_id)["retried"]
    assert sorted(retried) == sorted(made)
    assert len(cli.json("audit", "list", "--action", "event.retry")) == 2
    usage = cli.run("events", "retry", "--status", "pending")
    assert (usage.exit_code, "add --now" in usage.output) == (2, True)


#: Set the title, clear the screen, C1's control sequence, an override of the direction, a line that seems to be ours.
HOSTILE = "\x1b]0;owned\x07 \x1b[2J \x9b31m \u202etxt.exe\u2066 \r\n2026-01-01 ERROR made up"


@pytest.mark.parametrize("columns", [80, 200])
def test_what_strangers_sent_steers_no_terminal(columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    source = make_source("stripe")
    event = make_event(source, type=HOSTILE, provider_id=HOSTILE, note=HOSTILE, headers={HOSTILE: HOSTILE},
                       body=HOSTILE.encode(), state=State.DEAD)  # fmt: skip
    rejection = Rejection.objects.create(
        source=source, provider="stripe", reason="signature_mismatch", detail=HOSTILE, status=401, method="POST",
        path=HOSTILE, remote_addr=HOSTILE, kept_whole=True,
        encrypted_request='{"method": "POST", "url": "", "headers": {"a\\u001b": ["\\u009b31m"]}, "body": ""}',
    )  # fmt: skip
    terminal = Terminal(columns, monkeypatch)
    for command in (
        "events list", f"events show {event.public_id}", "rejections list", f"rejections show {rejection.public_id}",
        f"rejections reverify {rejection.public_id}", "rejections reverify --since 1h --yes", "stats", "doctor",
        f"events show {shlex.quote(HOSTILE)}",
    ):  # fmt: skip
        shown = terminal.run(*shlex.split(command)).replace("\r\n", "\n")
        assert [c for c in shown if not c.isprintable() and c != "\n"] == [], command


def test_an_error_that_quotes_a_stranger_is_one_line_without_escapes(cli: Cli) -> None:
    said = cli.fails("events", "show", HOSTILE)
    assert said.isprintable()


def test_words_are_never_broken_and_wide_letters_count_twice() -> None:
    assert layout.wrap("a rather long sentence with 支払い支払い in it", 16) == [
        "a rather long", "sentence with", "支払い支払い in", "it",
    ]  # fmt: skip
    assert layout.wrap("evt_0123456789012345678901", 10) == ["evt_0123456789012345678901"]
    assert layout.wrap("two\n\nlines", 80) == ["two", "", "lines"]
