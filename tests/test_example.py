"""The example project does what its README says, with real processes and real sockets."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import standardwebhooks
import stripe

from tests.databases import empty_database, template_database
from tests.processes import Processes
from tests.waiting import wait_until

MANAGE = str(Path(__file__).parent.parent / "example" / "manage.py")
STRIPE_SECRET = "whsec_example"

# Not for the tests' own database, but for the permission to create others.
pytestmark = pytest.mark.django_db


class Shop:
    """The example project on a database of its own."""

    def __init__(self, database_url: str) -> None:
        self.environment = {
            "DATABASE_URL": database_url,
            "DJANGO_SETTINGS_MODULE": "project.settings",  # the tests' own are in the environment
            "PYTHONWARNINGS": "error",
        }

    def manage(self, *arguments: str) -> str:
        """What `manage.py` with these arguments prints."""
        command = [sys.executable, MANAGE, *arguments]
        ended = subprocess.run(
            command, capture_output=True, text=True, timeout=60, check=False, env={**os.environ, **self.environment}
        )
        assert ended.returncode == 0, f"{command} ended with {ended.returncode}:\n{ended.stdout}{ended.stderr}"
        return ended.stdout

    def hookline(self, *arguments: str) -> Any:
        """What `manage.py hookline` with these arguments prints, as a value."""
        return json.loads(self.manage("hookline", *arguments, "--json"))


@pytest.fixture(scope="session")
def shop_template_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    def migrate(url: str) -> None:
        Shop(url).manage("migrate", "--verbosity", "0")

    with template_database(tmp_path_factory.mktemp("shop"), migrate) as url:
        yield url


@pytest.fixture
def shop(tmp_path: Path, shop_template_url: str) -> Iterator[Shop]:
    with empty_database(tmp_path, shop_template_url) as url:
        yield Shop(url)


class Consumer:
    """A merchant's server. It keeps the messages that the public verifier accepts."""

    def __init__(self) -> None:
        self.secret = ""
        self.messages: list[Any] = []
        consumer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                consumer.messages.append(standardwebhooks.Webhook(consumer.secret).verify(body, dict(self.headers)))
                self.send_response(204)
                self.end_headers()

            def log_message(self, *arguments: Any) -> None:
                """Nothing on standard error."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hooks"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def consumer() -> Iterator[Consumer]:
    consumer = Consumer()
    yield consumer
    consumer.server.shutdown()
    consumer.server.server_close()


def get(url: str) -> Any:
    """The JSON at this URL, or None when nobody answers."""
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return json.load(answer)
    except OSError:
        return None


def post_as_stripe(url: str, payload: dict[str, Any]) -> Any:
    """Post an event that Stripe's own package signed. The JSON of the answer."""
    body = json.dumps(payload)
    signature = stripe.WebhookSignature.generate_signature_header(body, STRIPE_SECRET)
    headers = {"content-type": "application/json", "stripe-signature": signature}
    with urllib.request.urlopen(urllib.request.Request(url, body.encode(), headers), timeout=20) as answer:
        return json.load(answer)


def test_the_examples_own_tests_pass(shop: Shop) -> None:
    shop.manage("check", "--fail-level", "WARNING", "--database", "default")
    shop.manage("makemigrations", "--check", "--dry-run")
    shop.manage("test", "shop")


@pytest.mark.parametrize(
    "commands",
    [[["hookline", "serve", "--port", "{port}"]], [["runserver", "--noreload", "{port}"], ["hookline", "worker"]]],
    ids=["one process", "server and worker"],
)
def test_a_payment_is_booked_once_and_the_merchant_hears_of_it(
    shop: Shop, consumer: Consumer, processes: Processes, free_port: int, commands: list[list[str]]
) -> None:
    source = shop.hookline("source", "create", "--provider", "stripe", "--secret", STRIPE_SECRET)
    consumer.secret = shop.hookline("endpoint", "create", "--url", consumer.url, "--events", "order.*")["secret"]
    for command in commands:
        arguments = [argument.format(port=free_port) for argument in command]
        processes.start(sys.executable, MANAGE, *arguments, environment=shop.environment)
    orders_url = f"http://127.0.0.1:{free_port}/shop/orders/"
    wait_until(lambda: get(orders_url) == {"orders": []}, 20, "the shop answers")

    shop.manage("place_order", "20.00", "in_1")
    event = {"id": "evt_1", "type": "invoice.paid", "data": {"object": {"id": "in_1", "amount_paid": 2000}}}
    answers = [post_as_stripe(f"http://127.0.0.1:{free_port}{source['path']}", event) for _ in range(3)]

    assert [answer["status"] for answer in answers] == ["accepted", "duplicate", "duplicate"]
    wait_until(lambda: get(orders_url)["orders"][0]["paid"] == ["20.00"], 20)
    wait_until(lambda: len(consumer.messages) == 2, 20)
    created, paid = sorted(consumer.messages, key=lambda message: str(message["type"]))
    assert (created["type"], created["data"]) == ("order.created", {"order": 1, "total": "20.00"})
    assert (paid["type"], paid["data"]["order"], paid["data"]["amount"]) == ("order.paid", 1, "20.00")
    wait_until(lambda: {d["status"] for d in shop.hookline("deliveries", "list")} == {"succeeded"}, 20)
    assert get(orders_url)["orders"][0]["paid"] == ["20.00"]


def test_an_order_that_is_rolled_back_leaves_no_message(shop: Shop) -> None:
    shop.hookline("endpoint", "create", "--url", "https://merchant.example.com/hooks")
    shop.manage(
        "shell",
        "--command",
        "from decimal import Decimal\n"
        "from django.db import transaction\n"
        "from shop.services import place_order\n"
        "with transaction.atomic():\n"
        "    place_order(Decimal('20.00'), 'in_1')\n"
        "    transaction.set_rollback(True)\n"
        "place_order(Decimal('30.00'), 'in_2')\n",
    )
    (delivery,) = shop.hookline("deliveries", "list")
    shown = shop.hookline("deliveries", "show", delivery["id"])
    assert json.loads(shown["body"])["data"]["total"] == "30.00"
