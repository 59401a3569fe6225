"""What the shell completes: names of providers, ids, keys and types. Never an error, and never a new database."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress

import click
from click.shell_completion import CompletionItem

#: Each is `shell_complete` of an argument or an option.
Completer = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]

#: A value, and what is shown beside it.
Pairs = Iterable[tuple[str, str]]


def _completer(find: Callable[[click.Context, str], Pairs]) -> Completer:
    def complete(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        with suppress(Exception):  # whatever is wrong: a shell that completes cannot show it
            found = find(ctx, incomplete)
            return [CompletionItem(value, help=text) for value, text in found if value.startswith(incomplete)]
        return []

    return complete


def _from_database(what: str) -> Completer:
    def find(ctx: click.Context, incomplete: str) -> Pairs:
        from hookline.cli.command import is_remote, load_django

        if is_remote(ctx):
            return []
        load_django()
        from hookline.operations import completion

        return getattr(completion, what)(incomplete)  # type: ignore[no-any-return]  # each returns pairs

    return _completer(find)


def _providers(ctx: click.Context, incomplete: str) -> Pairs:
    from hookline import providers

    return [(name, providers.get(name).title) for name in providers.names()]


def _samples(ctx: click.Context, incomplete: str) -> Pairs:
    from hookline import providers

    return [(name, "") for name in providers.get(ctx.params["provider"]).samples]


providers = _completer(_providers)
samples = _completer(_samples)
tenants = _from_database("tenants")
sources = _from_database("sources")
endpoints = _from_database("endpoints")
forwards = _from_database("forwards")
events = _from_database("events")
rejections = _from_database("rejections")
messages = _from_database("messages")
deliveries = _from_database("deliveries")
types = _from_database("types")
reasons = _from_database("reasons")
