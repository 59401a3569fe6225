"""Providers, handlers, and options of sources on the command line."""

from __future__ import annotations

import pytest

from hookline.incoming.process.handlers import forget, handler
from hookline.models import Source
from tests.cli.conftest import Cli
from tests.engine.rows import make_source


@pytest.mark.django_db
def test_providers_and_handlers_are_shown(cli: Cli) -> None:
    names = [found["name"] for found in cli.json("providers", "list")]
    assert {"stripe", "github", "slack"} <= set(names)
    shown = cli.json("providers", "show", "hellosign")
    assert (shown["name"], shown["aliases"]) == ("dropbox_sign", ["hellosign"])
    assert "tolerance" in [option["name"] for option in cli.json("providers", "show", "stripe")["options"]]
    assert "invoice.paid" in cli.json("providers", "show", "stripe")["samples"]
    assert "did you mean one of: stripe" in cli.fails("providers", "show", "strip")


@pytest.mark.django_db
def test_handlers_are_listed_in_the_order_in_which_they_run(cli: Cli) -> None:
    def on_invoice(event: object) -> None: ...

    handler("stripe", "invoice.*")(on_invoice)
    try:
        listed = cli.json("handlers")
    finally:
        forget(on_invoice)
    name = f"{__name__}.{on_invoice.__qualname__}"
    place = f"tests/cli/test_catalogue.py:{on_invoice.__code__.co_firstlineno}"
    assert listed[-1] == {
        "provider": "stripe",
        "type": "invoice.*",
        "handler": name,
        "place": place,
        "source": None,
        "tenant": None,
        "order": 0,
        "retry": None,
    }


@pytest.mark.django_db
def test_an_option_of_a_source_is_set_and_unset(cli: Cli) -> None:
    source = make_source(options={"tolerance": "600"})
    shown = cli.json("source", "update", source.public_id, "--unset", "tolerance", "--name", "Shop")
    assert (shown["options"], shown["name"]) == ({}, "Shop")
    assert "Stripe has no option 'colour'" in cli.fails("source", "update", source.public_id, "--option", "colour=red")
    assert Source.objects.get().name == "Shop"
