"""Carrying a command out on a server, and printing what it answers."""

from __future__ import annotations

import re
from itertools import islice
from typing import Any

import click
from click.core import ParameterSource

from hookline.cli.bulk import confirm
from hookline.cli.command import DocumentPrinted, Failure
from hookline.cli.output import print_fields, print_rows
from hookline.cli.remote.client import Client, client_of, in_path
from hookline.cli.remote.route import Answered, Given, Route
from hookline.cli.remote.routes import REASONS, ROUTES
from hookline.core.url import shown_url

_CAPITAL = re.compile(r"(?<=[a-z0-9])([A-Z])")


def run(server: str, key: str | None, ctx: click.Context) -> None:
    """Do a command on a server. Raises Failure, HooklineError, and a usage error for what the API does not have."""
    command = path_of(ctx)
    route = ROUTES.get(command)
    if route is None:
        why = f", {REASONS[command]}" if command in REASONS else ""
        raise click.UsageError(
            f"`{command}` does not work over the API{why}; run it where the server runs, without --server"
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
        print_list([hidden(spelled(item), route, given) for item in islice(items, limit)], route.columns, as_json)
        return
    if route.each:
        names = list(given[route.each])
        refuse_the_rest(ctx, given)
        print_each([_one(client, route, name) for name in names], as_json)
        return
    path = route.filled(client, given)
    given.seen |= {"yes", *(["reveal"] if route.urls else [])}
    refuse_the_rest(ctx, given)
    if route.question:
        confirm(route.question.format(**given), given["yes"])
    answer = client.ask(route.method, path, query, body)
    told = route.told(Answered(client, path, given, answer)) if route.told else answer or {"done": True}
    print_fields(hidden(spelled(told), route, given), as_json)
    if route.failed and (problem := route.failed(told)):
        raise DocumentPrinted(problem)


def _one(client: Client, route: Route, name: str) -> dict[str, Any]:
    """What became of one of several; `note` is empty unless it went wrong."""
    try:
        answer = client.ask(route.method, route.path.format(**{route.each: in_path(name)}))
    except Failure as failure:
        return {"id": name, "note": str(failure.message)}
    return {"id": name, **spelled(answer), "note": ""}


def print_each(rows: list[dict[str, Any]], as_json: bool) -> None:
    """Raises DocumentPrinted, behind the rows, where one went wrong."""
    names = dict.fromkeys(name for row in rows for name in row if name != "note")
    print_list(rows, (*names, "note"), as_json)
    if wrong := sum(bool(row["note"]) for row in rows):
        raise DocumentPrinted(f"{wrong} of {len(rows)} went wrong")


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
            raise click.UsageError(f"{parameter.opts[0]} works only on the local database, not with --server")


def hidden(answer: dict[str, Any], route: Route, given: Given) -> dict[str, Any]:
    """The same, without what may be secret in URLs."""
    if given.get("reveal"):
        return answer
    return answer | {name: shown_url(answer[name]) for name in route.urls if answer.get(name)}


def spelled(answer: Any) -> dict[str, Any]:
    """The fields of an answer, spelled as commands do."""
    return {_CAPITAL.sub(lambda found: f"_{found[1].lower()}", name): value for name, value in answer.items()}
