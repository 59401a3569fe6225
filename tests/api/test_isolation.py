"""Nobody reaches what belongs to another: every path of the OpenAPI document, with every key that must not get in.

The document is walked, so that an operation that is added is covered without a word here. What a path or a body names
is taken from the world of `tests/operations`, which has something of every kind.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest
from django.db.models import Q
from django.urls import reverse

from hookline.api.build import build
from hookline.audit.actor import key as key_actor
from hookline.core import ids, scopes
from hookline.db.row import Row, new_id
from hookline.models import ApiKey, AuditEntry, Tenant
from hookline.operations import app_tokens, keys
from hookline.tenants.organisation import key_in
from tests.api.calls import Calls
from tests.operations.cases import World

pytestmark = pytest.mark.django_db

ACTOR = key_actor("key_of_the_test")
#: What is called so holds an id of something.
NAMES_ONE = re.compile(r"(?:^|_|[a-z])(?:id|ids|Id|Ids)$|^(?:endpoint|source|tenant|application|app)s?$")


@dataclass(frozen=True)
class Step:
    """An operation of the document."""

    method: str
    path: str
    scope: str
    operator: bool
    many: bool
    public: bool
    body: Any
    #: Parameters of the query, and members of the body, that name something by its id.
    query_names: tuple[str, ...]
    body_names: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def names(self) -> list[str]:
        return re.findall(r"{(\w+)}", self.path)


def steps() -> list[Step]:
    """Every operation of the API, with what it asks for, as Django Ninja knows it."""
    found = []
    api = build()
    document = json.loads(json.dumps(api.get_openapi_schema(path_prefix="")))
    for _, router in api._routers:
        for view in router.path_operations.values():
            for operation in view.operations:
                needs = operation.auth_callbacks[0] if operation.auth_callbacks else None
                for method in operation.methods:
                    path = _path_of(document, operation.operation_id)
                    described = document["paths"][path][method.lower()]
                    found.append(
                        Step(
                            method,
                            path,
                            getattr(needs, "scope", ""),
                            getattr(needs, "operator", False),
                            getattr(needs, "many", False),
                            needs is None,
                            _example(document, described),
                            tuple(
                                one["name"]
                                for one in described.get("parameters", [])
                                if one["in"] == "query" and NAMES_ONE.search(one["name"])
                            ),
                            tuple(name for name in _members(document, described) if NAMES_ONE.search(name)),
                        )
                    )
    return sorted(found, key=str)


def _path_of(document: dict[str, Any], operation_id: str | None) -> str:
    paths: dict[str, Any] = document["paths"]
    return next(
        path
        for path, operations in paths.items()
        for operation in operations.values()
        if operation["operationId"] == operation_id
    )


def _example(document: dict[str, Any], operation: dict[str, Any]) -> Any:
    """A body that fits the schema, with what is required."""
    content = operation.get("requestBody", {}).get("content", {}).get("application/json")
    return None if content is None else _value(document, content["schema"])


def _members(document: dict[str, Any], operation: dict[str, Any]) -> list[str]:
    content = operation.get("requestBody", {}).get("content", {}).get("application/json")
    if content is None:
        return []
    schema = content["schema"]
    if "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return list(schema.get("properties", {}))


def _value(document: dict[str, Any], schema: dict[str, Any]) -> Any:
    if "$ref" in schema:
        return _value(document, document["components"]["schemas"][schema["$ref"].rpartition("/")[2]])
    for choice in ("anyOf", "oneOf", "allOf"):
        if choice in schema:
            return _value(document, schema[choice][0])
    if "enum" in schema:
        return schema["enum"][0]
    match schema.get("type"):
        case "object":
            wanted = schema.get("required", [])
            return {
                name: _value(document, part) for name, part in schema.get("properties", {}).items() if name in wanted
            }
        case "array":
            return [_value(document, schema["items"])] if schema.get("minItems") else []
        case "string":
            return "2026-11-26T00:00:00Z" if schema.get("format") == "date-time" else "https://example.com/x"
        case "integer" | "number":
            return schema.get("minimum", 1)
        case "boolean":
            return False
    return {}


STEPS = steps()
#: What a path behind an application names.
IN_AN_APPLICATION = {"ep", "msg", "atmpt", "dlv"}
#: With nobody to be isolated from: who may ask them anything gets the same answer.
ABOUT_ONESELF = {"GET /key/self", "POST /auth/logout"}


class Stranger:
    """Two tenants: one with something of every kind, and one whose key is used, or that of its organisation."""

    def __init__(self, kind: str = "key") -> None:
        self.world = World()
        self.theirs = self.world.tenant
        self.kind = kind
        organisation = "beta" if kind == "organisation" else ""
        self.mine = Tenant.objects.create(key=key_in(organisation, "mine"))
        match kind:
            case "key":
                text = keys.create(ACTOR, ["all"], tenant=self.mine).text
            case "token":
                text = app_tokens.issue(ACTOR, self.mine).text
            case _:
                text = keys.create(ACTOR, ["all"], organisation=organisation).text
        self.api = Calls(text)
        #: What is done to anybody else.
        own = Tenant.objects.filter(Q(pk=self.mine.pk) | Q(key__startswith="beta:"))
        self.of_others = AuditEntry.objects.exclude(tenant_id__in=own.values("pk"))

    def rows(self, name: str) -> Iterator[Row]:
        """What a parameter of a path could name of the other tenant: everything that it has, or one of each kind."""
        if name in ("app", "app_id"):
            yield self.theirs
            return
        kinds = set()
        for value in vars(self.world).values():
            if isinstance(value, Row) and value != self.world.tenant:
                if self.kind == "key" or type(value) not in kinds:
                    yield value
                kinds.add(type(value))


@pytest.fixture
def stranger(request: pytest.FixtureRequest) -> Stranger:
    return Stranger(getattr(request, "param", "key"))


#: A key of a tenant, a token of its page, and a key of an organisation that has the tenant.
WHOSE = pytest.mark.parametrize("stranger", ["key", "token", "organisation"], indirect=True)


def test_the_walk_finds_the_operations() -> None:
    assert len(STEPS) >= 15
    assert {"GET /app", "POST /key", "DELETE /app/{app}"} <= {str(step) for step in STEPS}
    assert {step.path for step in STEPS if step.public} <= {"/health", "/health/ping", "/openapi.json", "/docs"}
    assert {step.scope for step in STEPS} - {""} <= set(scopes.ALL)


@pytest.mark.parametrize("step", [step for step in STEPS if not step.public], ids=str)
def test_without_a_key_or_with_one_that_is_not_genuine_nothing_is_answered(step: Step) -> None:
    path = re.sub(r"{\w+}", "x", step.path)
    made = keys.create(ACTOR, ["all"])
    revoked = keys.create(ACTOR, ["all"])
    keys.revoke(ACTOR, revoked.key)
    for text in (None, "", "hk_live_x", made.text[:-1], revoked.text, "eyJhbGciOiJub25lIn0.e30."):
        answer = Calls(text).ask(step.method, path, step.body)
        assert (answer.status_code, json.loads(answer.content)["code"]) == (401, "authentication_failed")


def walk(chosen: Iterable[Step], check: Callable[[Step], None]) -> None:
    """Check each of these operations in one world: what is refused changes nothing. Tells of all that are wrong."""
    wrong = []
    # Those that make something under the name that they were given come last: it would be found afterwards.
    for step in sorted(chosen, key=lambda step: "uid" in step.body_names):
        try:
            check(step)
        except AssertionError as error:
            wrong.append(f"{step}: {str(error).partition(chr(10))[0]}")
    assert wrong == []


def test_without_the_scope_of_an_operation_nothing_is_answered_and_nothing_is_done(stranger: Stranger) -> None:
    texts = {
        (scope, tenant): Calls(keys.create(ACTOR, [one for one in scopes.ALL if one != scope], tenant=tenant).text)
        for scope in {step.scope for step in STEPS} - {""}
        for tenant in (None, stranger.theirs)
    }
    before = AuditEntry.objects.count()

    def check(step: Step) -> None:
        for tenant in (None, stranger.theirs):
            for name in ("x", stranger.theirs.key):
                path = re.sub(r"{\w+}", name, step.path)
                answer = texts[step.scope, tenant].ask(step.method, path, step.body)
                assert answer.status_code == 403, answer.content
                assert stranger.theirs.public_id not in answer.content.decode()

    walk([step for step in STEPS if step.scope], check)
    assert AuditEntry.objects.count() == before


def test_what_is_an_operators_is_not_done_for_the_key_of_a_tenant(stranger: Stranger) -> None:
    def check(step: Step) -> None:
        answer = stranger.api.ask(step.method, re.sub(r"{\w+}", "mine", step.path), step.body)
        assert answer.status_code == 403, answer.content

    walk([step for step in STEPS if step.operator or step.many], check)


@pytest.mark.parametrize("stranger", ["organisation"], indirect=True)
def test_what_is_an_operators_is_not_done_for_the_key_of_an_organisation(stranger: Stranger) -> None:
    def check(step: Step) -> None:
        answer = stranger.api.ask(step.method, re.sub(r"{\w+}", "mine", step.path), step.body)
        assert answer.status_code == 403, answer.content

    walk([step for step in STEPS if step.operator], check)


@WHOSE
def test_what_belongs_to_another_tenant_is_answered_as_what_does_not_exist(stranger: Stranger) -> None:
    """Whatever of the other's a path names, in place of each of its parameters, in my application or the other."""
    mine, theirs, api = stranger.mine, stranger.theirs, stranger.api
    before = stranger.of_others.count()

    def check(step: Step) -> None:
        if step.names == ["app"]:
            _same(step, api, theirs, theirs)
            return
        for app in (mine, theirs) if "app" in step.names else (mine,):
            for row in stranger.rows("other"):
                if app is mine or row.prefix in IN_AN_APPLICATION:
                    _same(step, api, app, row)

    walk([step for step in STEPS if step.names and not step.public], check)
    assert stranger.of_others.count() == before
    assert not ApiKey.objects.filter(revoked_at__isnull=False).exists()


@pytest.mark.parametrize("stranger", ["key", "organisation"], indirect=True)
def test_what_a_query_or_body_names_of_another_tenant_is_answered_as_what_does_not_exist(stranger: Stranger) -> None:
    before = stranger.of_others.count()

    def check(step: Step) -> None:
        path = re.sub(r"{\w+}", "mine", step.path)
        for row in (*stranger.rows("app"), *stranger.rows("other")):
            for name in step.query_names:
                _equal(step, stranger.api, row, partial(_with_query, path, step.body, name))
            for name in set(step.body_names) - {"uid"}:  # which is a name that one gives, and names nothing of others
                _equal(step, stranger.api, row, partial(_with_member, path, step.body, name))
                _equal(step, stranger.api, row, partial(_with_list, path, step.body, name))

    walk([step for step in STEPS if (step.query_names or step.body_names) and not step.public], check)
    assert stranger.of_others.count() == before


def _with_query(path: str, body: Any, name: str, text: str) -> tuple[str, Any]:
    return f"{path}?{name}={text}", body


def _with_member(path: str, body: Any, name: str, text: str) -> tuple[str, Any]:
    return path, {**body, name: text}


def _with_list(path: str, body: Any, name: str, text: str) -> tuple[str, Any]:
    return path, {**body, name: [text]}


def _same(step: Step, api: Calls, app: Tenant, row: Row) -> None:
    """The answers for a path with this row and with one that does not exist are the same, and a refusal.

    A PUT makes one of one's own in place of what does not exist.
    """
    only_app = step.names == ["app"]

    def asked(text: str) -> tuple[str, Any]:
        known = {} if only_app else {"app": ids.to_text("app", app.pk)}
        return re.sub(r"{(\w+)}", lambda found: known.get(found[1], text), step.path), step.body

    allowed = (401, 403, 404, 422, *((201,) if step.method == "PUT" else ()))
    assert _equal(step, api, row, asked) in allowed, f"{step} of {row!r}"


def _equal(step: Step, api: Calls, row: Row, asked: Callable[[str], tuple[str, Any]]) -> int:
    """The status that both are answered with: what names this row, and what names one that does not exist."""
    found = []
    for text in (row.public_id, type(row).public(new_id())):
        path, body = asked(text)
        answer = api.ask(step.method, path, body)
        done = answer.status_code < 300  # with a text of one's own, such as a session's: what is made differs
        found.append((answer.status_code, "" if done else answer.content.decode().replace(text, "<id>")))
    assert found[0] == found[1], f"{step} of {row!r}"
    return int(found[0][0])


@WHOSE
def test_nothing_that_a_tenants_key_reads_holds_an_id_of_another(stranger: Stranger) -> None:
    foreign = {row.public_id for row in stranger.rows("other")} | {stranger.theirs.public_id, stranger.theirs.key}
    foreign -= {stranger.world.event_type.public_id}  # of the catalogue, which is everybody's

    def check(step: Step) -> None:
        answer = stranger.api.ask("GET", re.sub(r"{\w+}", "mine", step.path))
        assert answer.status_code in (200, 400, 403, 404), answer.content
        assert [name for name in foreign if f'"{name}"' in answer.content.decode()] == []

    walk([step for step in STEPS if step.method == "GET" and not step.public], check)


def test_the_api_is_where_its_clients_look_for_it() -> None:
    assert reverse("hookline_api:v1", kwargs={"rest": "/app"}) == "/api/v1/app"
