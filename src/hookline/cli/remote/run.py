"""Carrying a command out on a server, and printing what it answers."""

from __future__ import annotations

import re
from itertools import islice
from typing import Any

import click
from click.core import ParameterSource

from hookline.cli.output import print_fields, print_rows
from hookline.cli.remote.client import client_of
from hookline.cli.remote.route import Answered, Given
from hookline.cli.remote.routes import ROUTES

_CAPITAL = re.compile(r"(?<=[a-z0-9])([A-Z])")


def run(server: str, key: str | None, ctx: click.Context) -> None:
    """Do a command on a server. Raises Failure, HooklineError, and a usage error for what the API does not have."""
    command = path_of(ctx)
    route = ROUTES.get(command)
    if route is None:
        raise click.UsageError(
            f"`{command}` does not work over the API; run it where the server runs, without --server"
        )
    client = client_of(server, key)
    given = Given(ctx.params)
    as_json = bool(given["as_json"])
    query = route.query(given) if route.query else {}
    body = route.body(given) if route.body else None
    if route.columns:
        given.seen.add("limit")
        limit = given.get("limit")
        paths = route.paths(client, given)
        refuse_the_rest(ctx, given)
        items = (item for path in paths for item in client.pages(path, query, limit))
        print_list([spelled(item) for item in islice(items, limit)], route.columns, as_json)
        return
    path = route.filled(client, given)
    refuse_the_rest(ctx, given)
    answer = client.ask(route.method, path, query, body)
    print_fields(
        spelled(route.told(Answered(client, path, given, answer)) if route.told else answer or {"done": True}), as_json
    )


def print_list(rows: list[dict[str, Any]], columns: tuple[str, ...], as_json: bool) -> None:
    """A column that an answer leaves out is empty."""
    shown = rows if as_json else [{**dict.fromkeys(columns), **row} for row in rows]
    print_rows(shown, columns, as_json, "Nothing found.")


def path_of(ctx: click.Context) -> str:
    """The words of a command, as they are typed after `hookline`."""
    names: list[str] = []
    while ctx.parent is not None:
        names.insert(0, str(ctx.info_name))
        ctx = ctx.parent
    return " ".join(names)


def refuse_the_rest(ctx: click.Context, given: Given) -> None:
    """Raises a usage error for an option that was given and cannot be sent, before anything is."""
    for parameter in ctx.command.params:
        name = str(parameter.name)
        if ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE and name in given and name not in given.seen:
            raise click.UsageError(f"{parameter.opts[0]} works on the database that is there, not with --server")


def spelled(answer: Any) -> dict[str, Any]:
    """The fields of an answer, spelled as commands do."""
    return {_CAPITAL.sub(lambda found: f"_{found[1].lower()}", name): value for name, value in answer.items()}
