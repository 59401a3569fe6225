"""Registering handlers."""

from __future__ import annotations

import importlib.util
from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from hookline.exceptions import ConfigurationError
from hookline.incoming.models import Source
from hookline.incoming.process import handlers
from hookline.tenants.models import Tenant
from tests.edges.conftest import Register


def names(provider: str, event_type: str, *, name: str = "", tenant: str = "default") -> list[str]:
    source = Source(provider=provider, name=name, tenant=Tenant(key=tenant))
    return [handlers.name_of(found.function).rpartition(".")[2] for found in handlers.matching(source, event_type)]


def test_handlers_are_found_by_provider_and_pattern_in_the_order_of_registration(handler: Register) -> None:
    @handler("stripe", "invoice.*")
    def invoices(event: Any) -> None: ...

    @handler("*", "invoice.paid")
    def paid(event: Any) -> None: ...

    @handler("github")
    def github(event: Any) -> None: ...

    @handler("*")
    def everything(event: Any) -> None: ...

    assert names("stripe", "invoice.paid") == ["invoices", "paid", "everything"]
    assert names("stripe", "invoice.payment.failed") == ["invoices", "everything"]
    assert names("stripe", "invoice") == ["everything"]
    assert names("github", "push") == ["github", "everything"]
    assert names("github", "invoice.paid") == ["paid", "github", "everything"]


def test_a_function_may_be_registered_for_several_things_and_stays_a_function(handler: Register) -> None:
    @handler("stripe", "a")
    @handler("github", "b")
    def both(event: Any) -> str:
        return "called"

    assert both(None) == "called"  # type: ignore[arg-type]  # it does not look at the event
    assert names("stripe", "a") == names("github", "b") == ["both"]
    assert names("stripe", "b") == []


def test_a_renamed_sender_is_found_under_both_names(handler: Register) -> None:
    @handler("hellosign")
    def signed(event: Any) -> None: ...

    assert names("dropbox_sign", "a") == names("hellosign", "a") == ["signed"]


@pytest.mark.parametrize("pattern", ["", None, 5])
def test_a_pattern_that_is_none_is_refused(pattern: Any) -> None:
    with pytest.raises(ConfigurationError, match="event type"):
        handlers.handler("stripe", pattern)


def test_an_unknown_provider_is_refused_with_the_names_that_were_perhaps_meant() -> None:
    with pytest.raises(ConfigurationError, match="stripe"):
        handlers.handler("strip")


def test_what_is_not_a_function_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="function of one argument"):
        handlers.handler("stripe")("not a function")  # type: ignore[type-var]  # that is the point


def test_what_would_run_nothing_when_it_is_called_is_refused() -> None:
    def generator(event: Any) -> Iterator[None]:
        yield

    async def async_generator(event: Any) -> AsyncIterator[None]:
        yield

    class Generator:
        def __call__(self, event: Any) -> Iterator[None]:
            yield

    for function in (generator, async_generator, Generator(), partial(generator)):
        with pytest.raises(ConfigurationError, match="generator"):
            handlers.handler("stripe")(function)


def test_an_object_with_an_async_call_is_refused() -> None:
    class Async:
        async def __call__(self, event: Any) -> None: ...

    with pytest.raises(ConfigurationError, match="an object with an async __call__"):
        handlers.handler("stripe")(Async())


def test_an_object_with_a_plain_call_is_a_handler(handler: Register) -> None:
    class Plain:
        def __call__(self, event: Any) -> None: ...

    plain = Plain()
    handler("stripe")(plain)
    assert [found.function for found in handlers.registered()][-1] is plain
    assert names("stripe", "a") == ["Plain"]


def test_a_handler_may_want_one_source_or_one_tenant_only(handler: Register) -> None:
    @handler("stripe", source="Shop")
    def shop(event: Any) -> None: ...

    @handler("stripe", tenant="acme")
    def acme(event: Any) -> None: ...

    assert names("stripe", "a") == []
    assert names("stripe", "a", name="Shop") == ["shop"]
    assert names("stripe", "a", name="Shop", tenant="acme") == ["shop", "acme"]
    source = Source(provider="stripe", tenant=Tenant(key="default"))

    @handler("stripe", source=source.public_id)
    def this_one(event: Any) -> None: ...

    assert [found.function for found in handlers.matching(source, "a")] == [this_one]


def test_handlers_run_by_their_order_and_then_as_they_were_registered(handler: Register) -> None:
    @handler("stripe", order=10)
    def last(event: Any) -> None: ...

    @handler("stripe")
    def second(event: Any) -> None: ...

    @handler("stripe", order=-1)
    def first(event: Any) -> None: ...

    @handler("stripe")
    def third(event: Any) -> None: ...

    assert names("stripe", "a") == ["first", "second", "third", "last"]


@pytest.mark.parametrize("retry", [5, [-1], [1e9], "abc", [None]])
def test_a_retry_schedule_is_a_list_of_seconds(retry: Any) -> None:
    with pytest.raises(ConfigurationError, match="seconds"):
        handlers.handler("stripe", retry=retry)


@pytest.fixture
def imported(tmp_path: Path) -> Iterator[Callable[[str], ModuleType]]:
    """Imports one file of handlers under the name that is given."""
    file = tmp_path / "webhooks.py"
    file.write_text(
        """
import functools, hookline

def logged(function):
    @functools.wraps(function)
    def wrapper(event):
        return function(event)
    return wrapper

@hookline.handler("stripe", "paid")
def plain(event): ...

@hookline.handler("stripe", "paid")
@logged
def wrapped(event): ...

for name in ("a", "b"):
    @hookline.handler("stripe", "paid")
    def one_of_two(event): ...
"""
    )
    before = handlers.registered()

    def load(name: str) -> ModuleType:
        spec = importlib.util.spec_from_file_location(name, file)
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    yield load
    for item in handlers.registered():
        if item not in before:
            handlers.forget(item.function)


def test_a_file_that_is_imported_under_two_names_registers_its_handlers_once(
    imported: Callable[[str], ModuleType], caplog: pytest.LogCaptureFixture
) -> None:
    imported("webhooks")
    assert names("stripe", "paid") == ["plain", "wrapped", "one_of_two", "one_of_two"]
    imported("shop.webhooks")
    assert names("stripe", "paid") == ["plain", "wrapped", "one_of_two", "one_of_two"]
    assert "webhooks.plain and shop.webhooks.plain are the same handler" in caplog.text


def test_a_function_that_wants_an_event_for_two_reasons_gets_it_once(handler: Register) -> None:
    @handler("stripe", "invoice.*")
    @handler("*", "invoice.paid")
    def paid(event: Any) -> None: ...

    assert names("stripe", "invoice.paid") == ["paid"]


@pytest.mark.parametrize(
    ("provider", "event_type", "older"),
    [
        ("gitlab", "merge_request.open", "merge_request"),
        ("gitlab", "push", "push"),
        ("slack", "message.message_deleted", "message"),
        ("linkedin", "LEAD_ACTION.CREATED", "LEAD_ACTION"),
        ("meta", "page.feed.add", "page.feed"),
        ("whatsapp", "whatsapp_business_account.messages.statuses", "whatsapp_business_account.messages"),
    ],
)
def test_a_handler_for_a_type_without_its_action_still_gets_every_action(
    handler: Register, provider: str, event_type: str, older: str
) -> None:
    @handler(provider, older)
    def before(event: Any) -> None: ...

    @handler(provider, f"{older}*")
    def by_pattern(event: Any) -> None: ...

    @handler(provider, event_type)
    def exact(event: Any) -> None: ...

    @handler(provider, f"{older}.made_up")
    def another(event: Any) -> None: ...

    assert names(provider, event_type) == ["before", "by_pattern", "exact"]


def test_other_senders_types_have_no_other_names(handler: Register) -> None:
    @handler("github", "pull_request")
    def without_action(event: Any) -> None: ...

    assert names("github", "pull_request.opened") == []
