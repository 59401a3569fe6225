"""No answer of the API, and nothing that is logged meanwhile, holds a secret: every operation of the OpenAPI document.

Asked are an operator's key and what a tenant has; refused are bodies that hold a secret in the wrong place.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from hookline.db.row import Row
from tests.api.calls import KEY, Calls
from tests.api.test_isolation import STEPS, Step
from tests.ear import Ear, listening
from tests.operations.cases import SECRETS, World

pytestmark = pytest.mark.django_db

TYPED = "whsec_typed_into_the_wrong_field"
#: Whose purpose it is to show a secret to those who may have it.
SHOWS_ONE = re.compile(r"/secret(/rotate)?$")


@pytest.fixture
def ear() -> Iterator[Ear]:
    with listening() as ear:
        ear.keep_secret(*SECRETS, TYPED, KEY)
        yield ear


def paths(step: Step, world: World) -> Iterator[str]:
    """The path with whatever the tenant has in it."""
    path = re.sub(r"{app(_id)?}", world.tenant.key, step.path)
    if "{" not in path:
        yield path
        return
    for row in (value for value in vars(world).values() if isinstance(value, Row)):
        yield re.sub(r"{\w+}", row.public_id, path)


def test_nothing_that_can_be_read_holds_a_secret(api: Calls, ear: Ear) -> None:
    world = World()
    answered = 0
    for step in STEPS:
        if step.method == "GET" and not SHOWS_ONE.search(step.path):
            for path in paths(step, world):
                answer = api.ask("GET", path)
                answered += answer.status_code == 200
                ear.answered(f"GET {path}", answer)
    assert answered > 20
    assert ear.told() == []


def test_a_secret_in_a_body_that_is_refused_comes_back_nowhere(api: Calls, ear: Ear) -> None:
    world = World()
    refused = 0
    bodies = ({"secret": TYPED, "url": TYPED, "name": [TYPED]}, {TYPED: TYPED, "secret": [TYPED]}, [TYPED], TYPED)
    for step in STEPS:
        if step.method in ("POST", "PUT", "PATCH"):
            path = re.sub(r"{\w+}", world.source.public_id, re.sub(r"{app(_id)?}", world.tenant.key, step.path))
            for body in bodies:
                answer = api.ask(step.method, path, body)
                if answer.status_code >= 400:
                    refused += 1
                    ear.answered(f"{step.method} {path}", answer)
    assert refused > 40
    assert ear.told() == []


def test_a_wrong_key_comes_back_nowhere(ear: Ear) -> None:
    wrong = "hk_live_nobody_has_this_key_and_nobody_may_see_it"
    ear.keep_secret(wrong)
    for step in STEPS[:20]:
        ear.answered(str(step), Calls(wrong).ask(step.method, re.sub(r"{\w+}", "x", step.path), step.body))
        ear.answered(str(step), Calls(None).ask(step.method, "/app?key=x", step.body, authorization=wrong))
    assert ear.told() == []
