"""Tenants and sources on the command line."""

from __future__ import annotations

import time

import pytest

from hookline.models import Source, Tenant
from tests.cli.conftest import Cli

pytestmark = pytest.mark.django_db


def test_a_source_is_created_with_exactly_the_fields_of_the_contract(cli: Cli) -> None:
    created = cli.json("source", "create", "--provider", "stripe", "--secret", "whsec_one")
    assert set(created) == {"id", "url", "path", "provider", "tenant"}
    source = Source.find(created["id"])
    assert created["path"] == f"/in/{source.token}"
    assert (created["provider"], created["tenant"]) == ("stripe", "default")
    assert source.secrets.active(time.time()) == ("whsec_one",)


def test_an_alias_is_stored_under_the_name_of_its_provider(cli: Cli) -> None:
    assert cli.json("source", "create", "--provider", "hellosign", "--secret", "k")["provider"] == "dropbox_sign"


def test_options_secrets_tenant_and_name_are_kept(cli: Cli) -> None:
    cli.json("tenant", "create", "acme")
    created = cli.json(
        "source", "create", "--provider", "generic", "--secret", "a", "--secret", "b", "--tenant", "acme",
        "--name", "Shop", "--option", "header=x-shop", "--option", "prefix=v1=",
    )  # fmt: skip
    source = Source.find(created["id"])
    assert source.options == {"header": "x-shop", "prefix": "v1="}
    assert source.secrets.active(time.time()) == ("a", "b")
    assert (source.name, source.tenant.key) == ("Shop", "acme")


def test_a_source_without_a_secret_is_created_with_a_warning_on_standard_error(cli: Cli) -> None:
    result = cli.run("source", "create", "--provider", "stripe", "--json")
    assert result.exit_code == 0
    assert "without a secret this source refuses every request" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--provider", "strip"], "there is no provider 'strip'; did you mean one of: stripe"),
        (["--provider", "stripe", "--option", "colour=red"], "Stripe has no option 'colour'"),
        (["--provider", "stripe", "--tenant", "nobody"], "tenant 'nobody' not found"),
        (["--provider", "standard", "--secret", "not base64!"], "base64"),
    ],
)
def test_what_cannot_be_a_source_is_refused_in_one_line(cli: Cli, arguments: list[str], reason: str) -> None:
    assert reason in cli.fails("source", "create", *arguments)
    assert not Source.objects.exists()


def test_the_list_shows_no_secret(cli: Cli) -> None:
    created = cli.json("source", "create", "--provider", "stripe", "--secret", "whsec_hidden")
    [listed] = cli.json("source", "list")
    assert (listed["id"], listed["path"], listed["secrets"]) == (created["id"], created["path"], 1)
    table = cli.text("source", "list")
    assert created["id"] in table
    assert "whsec_hidden" not in table
    assert "whsec_hidden" not in str(listed)


def test_a_rotation_keeps_the_former_secret_for_the_overlap(cli: Cli) -> None:
    created = cli.json("source", "create", "--provider", "stripe", "--secret", "old")
    before = time.time()
    rotated = cli.json("source", "rotate", created["id"], "--secret", "new", "--overlap", "30m")
    assert rotated == {"id": created["id"], "overlap_seconds": 1800.0}
    secrets = Source.find(created["id"]).secrets
    assert secrets.active(before + 1700) == ("new", "old")
    assert secrets.active(time.time() + 1801) == ("new",)


def test_a_rotation_without_a_secret_makes_one_up_and_shows_it_once(cli: Cli) -> None:
    created = cli.json("source", "create", "--provider", "github", "--secret", "old")
    rotated = cli.json("source", "rotate", created["id"])
    assert rotated["secret"].startswith("whsec_")
    assert rotated["overlap_seconds"] == 86400
    assert Source.find(created["id"]).secrets.active(time.time()) == (rotated["secret"], "old")


def test_a_source_is_disabled_and_enabled(cli: Cli) -> None:
    created = cli.json("source", "create", "--provider", "stripe", "--secret", "s")
    assert cli.json("source", "disable", created["id"]) == {"id": created["id"], "disabled": True}
    assert Source.find(created["id"]).disabled
    assert cli.json("source", "enable", created["id"]) == {"id": created["id"], "disabled": False}
    assert not Source.find(created["id"]).disabled


def test_an_id_that_is_none_or_belongs_to_nothing_is_refused_in_one_line(cli: Cli) -> None:
    assert "is not an id of the form src_" in cli.fails("source", "disable", "evt_1")
    missing = Source().public_id
    assert cli.fails("source", "disable", missing) == f"source {missing} not found"


def test_a_tenant_is_created_once(cli: Cli) -> None:
    created = cli.json("tenant", "create", "acme", "--name", "Acme", "--email", "ops@example.com")
    assert created == {
        "id": Tenant.objects.get().public_id, "key": "acme", "name": "Acme", "email": "ops@example.com",
        "rate_limit": None, "rate_burst": None, "throttle_rate": None, "deleted_at": None, "removal": None,
    }  # fmt: skip
    assert "already exists" in cli.fails("tenant", "create", "acme")
    assert "Use letters, digits" in cli.fails("tenant", "create", "a/b")
