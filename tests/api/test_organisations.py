"""Organisations: parts of an installation with applications of their own, of which no other knows."""

from __future__ import annotations

import json

import pytest

from hookline.access.models import ApiKey
from hookline.audit.actor import key as key_actor
from hookline.exceptions import ConfigurationError
from hookline.models import Message, Tenant
from hookline.operations import keys
from tests.api.calls import Calls

pytestmark = pytest.mark.django_db

ACTOR = key_actor("key_of_the_test")


def of(organisation: str) -> Calls:
    return Calls(keys.create(ACTOR, ["all"], organisation=organisation).text)


def test_two_organisations_may_use_the_same_uid() -> None:
    """As Svix's `test_uid_across_users` demands."""
    alpha, beta, operator = of("alpha"), of("beta"), of("")
    made = [api.post("/app", {"name": "App 1", "uid": "app1"}) for api in (alpha, beta, operator)]
    assert [app["uid"] for app in made] == ["app1"] * 3
    assert len({app["id"] for app in made}) == 3
    assert [api.get("/app/app1")["id"] for api in (alpha, beta, operator)] == [app["id"] for app in made]
    assert beta.post("/app", {"name": "Again", "uid": "app1"}, status=409)["code"] == "conflict"
    assert set(Tenant.objects.values_list("key", flat=True)) == {"alpha:app1", "beta:app1", "app1"}


def test_an_organisation_lists_its_own_applications_and_an_operator_all() -> None:
    alpha, beta, operator = of("alpha"), of("beta"), of("")
    named = alpha.post("/app", {"name": "One", "uid": "one"})
    unnamed = beta.post("/app", {"name": "Two"})
    assert unnamed["uid"] is None
    assert [app["id"] for app in alpha.get("/app")["data"]] == [named["id"]]
    assert [app["id"] for app in beta.get("/app")["data"]] == [unnamed["id"]]
    assert [app["id"] for app in operator.get("/app")["data"]] == [named["id"], unnamed["id"]]
    assert operator.get("/app/alpha:one")["id"] == named["id"]
    assert beta.get("/app/alpha:one", status=404)["code"] == "not_found"
    assert operator.get("/app/one", status=404)["code"] == "not_found"


def test_a_changed_uid_stays_within_the_organisation_whoever_changes_it() -> None:
    alpha, operator = of("alpha"), of("")
    app = alpha.post("/app", {"name": "One", "uid": "one"})["id"]
    alpha.patch(f"/app/{app}", {"uid": "two"})
    assert operator.patch(f"/app/{app}", {"uid": "three"})["uid"] == "three"
    assert Tenant.objects.get().key == "alpha:three"
    assert operator.patch(f"/app/{app}", {"uid": None})["uid"] is None
    assert Tenant.objects.get().key.startswith("alpha:ten_")
    assert alpha.put("/app/four", {"name": "Four"}, status=201)["uid"] == "four"
    assert alpha.put("/app/four", {"name": "4"})["name"] == "4"


@pytest.mark.django_db(transaction=True)
def test_a_message_goes_to_the_application_of_the_organisation() -> None:
    alpha, beta = of("alpha"), of("beta")
    for api in (alpha, beta):
        api.post("/app", {"name": "App", "uid": "app"})
    sent = beta.post("/app/app/msg", {"eventType": "a.b", "payload": {}}, status=202)["id"]
    assert Message.objects.get().tenant.key == "beta:app"
    assert alpha.get(f"/app/app/msg/{sent}", status=404)["code"] == "not_found"
    brought = {"eventType": "a.b", "payload": {}, "application": {"name": "New", "uid": "new"}}
    alpha.post("/app/new/msg", brought, status=202)
    assert Tenant.objects.filter(key="alpha:new").exists()


def test_the_key_of_an_application_of_an_organisation_finds_it_by_its_uid() -> None:
    alpha = of("alpha")
    app = alpha.post("/app", {"name": "App", "uid": "app"})["id"]
    Tenant.objects.create(key="app")
    own = Calls(alpha.post("/key", {"scopes": ["tenants:read"], "appId": "app"})["key"])
    assert own.get("/app/app")["id"] == app
    assert own.get("/key/self")["organisation"] == "alpha"
    assert own.get("/app", status=403)["code"] == "insufficient access"


def test_a_key_that_an_organisations_key_makes_is_of_the_organisation() -> None:
    alpha = of("alpha")
    made = alpha.post("/key", {"scopes": ["tenants:read"]})
    assert (made["organisation"], made["appId"]) == ("alpha", None)
    assert {key["id"] for key in alpha.get("/key")["data"]} == {row.public_id for row in ApiKey.objects.all()}
    assert of("beta").get(f"/key/{made['id']}", status=404)["code"] == "not_found"
    assert alpha.post("/key", {"scopes": ["tenants:read"], "organisation": "beta"}, status=403)["code"]


def test_what_belongs_to_no_application_is_an_operators() -> None:
    alpha = of("alpha")
    alpha.post("/event-type", {"name": "a.b", "description": ""}, status=403)
    assert alpha.get("/event-type")["data"] == []
    refused = alpha.post("/source", {"provider": "stripe", "secrets": ["whsec_made_up"]}, status=422)
    assert "organisation" in json.dumps(refused)


@pytest.mark.parametrize("name", ["Alpha", "al:pha", "x" * 41, " "])
def test_the_name_of_an_organisation_is_checked(name: str) -> None:
    with pytest.raises(ConfigurationError, match="name of an organisation"):
        keys.create(ACTOR, ["all"], organisation=name)


def test_a_key_belongs_to_a_tenant_or_to_an_organisation() -> None:
    with pytest.raises(ConfigurationError, match="name one of them"):
        keys.create(ACTOR, ["all"], organisation="alpha", tenant=Tenant.objects.create(key="a"))
