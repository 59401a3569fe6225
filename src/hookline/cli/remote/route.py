"""A command as a request to the management API."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from string import Formatter
from typing import Any

from hookline.cli.remote.client import Client, in_path


class Given(dict[str, Any]):
    """The arguments and options of a command. It remembers which were looked at: the others could not be sent."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        super().__init__(values)
        self.seen: set[str] = set()

    def __getitem__(self, name: str) -> Any:
        self.seen.add(name)
        return super().__getitem__(name)

    def named(self, **names: str) -> dict[str, Any]:
        """What was given of these options, under the names of the API."""
        return {name: value for option, name in names.items() if (value := self[option]) not in (None, (), [])}


Make = Callable[[Given], Any]


@dataclass(frozen=True, slots=True)
class Answered:
    """What a command asked for, and what was answered; `client` for what has to be asked besides."""

    client: Client
    path: str
    given: Given
    answer: Any


@dataclass(frozen=True, slots=True)
class Route:
    """How a command is asked for. `{app}` in the path is its tenant, or that of the object that `{id}` names."""

    method: str
    path: str
    body: Make | None = None
    query: Make | None = None
    #: Of a table; a route that has them is a list.
    columns: tuple[str, ...] = ()
    #: The path with `--dry-run`.
    preview: str = ""
    #: What is told in place of the answer.
    told: Callable[[Answered], Any] | None = None
    #: Fields of the answer that hold a URL whose query may hold a token: hidden without `--reveal`.
    urls: tuple[str, ...] = ()
    #: The argument with several names: it is asked for each of them, and a row tells what became of it.
    each: str = ""
    #: What a terminal is asked before, with the names of the arguments in it.
    question: str = ""
    #: Why what was told, and printed, is a failure; empty where it is none.
    failed: Callable[[Any], str] | None = None

    def filled(self, client: Client, given: Given) -> str:
        """The path of this request. Raises as `Client.ask` does."""
        return self._filled(given, _app(client, given) if "{app}" in self.path else "")

    def paths(self, client: Client, given: Given) -> Iterator[str]:
        """Those of a list: of each tenant, where no option and no key says which. Raises as `Client.ask` does."""
        if "{app}" not in self.path:
            return iter([self._filled(given, "")])
        tenant = given["tenant"] or client.ask("GET", "/key/self")["appId"]
        apps = [tenant] if tenant else (app["id"] for app in client.pages("/app", {}, None))
        return (self._filled(given, app) for app in apps)

    def _filled(self, given: Given, app: str) -> str:
        path = self.preview if self.preview and given["dry_run"] else self.path
        names = {name for _, name, _, _ in Formatter().parse(path) if name}
        return path.format(**{name: in_path(app if name == "app" else given[name]) for name in sorted(names)})


def _app(client: Client, given: Given) -> str:
    """The tenant of a command: the one it names, that of the object it names, that of the key, or the default one."""
    if "tenant" in given and given["tenant"] is not None:
        return str(given["tenant"])
    if "id" in given:
        return str(client.ask("GET", f"/object/{in_path(given['id'])}")["appId"])
    return client.ask("GET", "/key/self")["appId"] or "default"


def deleted(argument: str, called: str = "id") -> Callable[[Answered], Any]:
    """What a command tells of what it deleted, which its argument names."""
    return lambda answered: {called: answered.given[argument], "deleted": True}


def seconds(value: float | None) -> int | None:
    """A duration as the API takes it."""
    return None if value is None else int(value)
