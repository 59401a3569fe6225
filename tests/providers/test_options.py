"""Options and secrets are checked when a source is created, with a message that says what to do."""

from __future__ import annotations

import re
from itertools import product

import pytest

from hookline import providers
from hookline.exceptions import CannotVerify, ConfigurationError
from tests.providers.vectors import load

every_provider = pytest.mark.parametrize("name", providers.names())


@every_provider
def test_no_options_is_valid(name: str) -> None:
    providers.get(name).check_options({})


@every_provider
def test_an_unknown_option_is_refused_and_the_known_ones_are_named(name: str) -> None:
    provider = providers.get(name)
    with pytest.raises(ConfigurationError, match="has no option 'colour'; it has: ") as refusal:
        provider.check_options({"colour": "green"})
    for option in provider.known_options:
        assert (option.name in str(refusal.value)) is not option.deprecated


@every_provider
def test_every_option_has_a_help_text_and_a_name_of_its_own(name: str) -> None:
    options = providers.get(name).known_options
    assert all(option.help.endswith(".") for option in options)
    assert len({option.name for option in options}) == len(options)


@every_provider
def test_a_value_that_is_not_text_is_refused(name: str) -> None:
    provider = providers.get(name)
    values: list[object] = [None, 300, True, ["300"], {"a": "b"}]
    for option, value in product(provider.known_options, values):
        with pytest.raises(ConfigurationError, match=f"the option '{option.name}' of .* must be text"):
            provider.check_options({option.name: value})


@every_provider
def test_a_value_outside_the_choices_or_the_format_is_refused(name: str) -> None:
    provider = providers.get(name)
    for option in provider.known_options:
        if option.choices or option.check:
            with pytest.raises(ConfigurationError, match=f"the option '{option.name}' of {re.escape(provider.title)}"):
                provider.check_options({option.name: "no such value \x00"})


@every_provider
def test_an_empty_secret_is_refused(name: str) -> None:
    with pytest.raises(ConfigurationError, match="empty"):
        providers.get(name).check_secret("")


def test_a_secret_that_is_not_base64_is_refused_for_standard_webhooks_without_being_quoted() -> None:
    with pytest.raises(ConfigurationError, match="base64") as refusal:
        providers.get("standard").check_secret("whsec_not base64!")
    assert "not base64!" not in str(refusal.value)


@pytest.mark.parametrize("value", ["0", "-1", "1.5", "five", "", "604801", " 300"])
def test_a_tolerance_is_a_whole_number_of_seconds_up_to_a_week(value: str) -> None:
    with pytest.raises(ConfigurationError, match="'tolerance' of Stripe cannot be"):
        providers.get("stripe").check_options({"tolerance": value})


@pytest.mark.parametrize(
    ("options", "age", "genuine"),
    [({}, 300, True), ({}, 301, False), ({}, -300, True), ({}, -301, False),
     ({"tolerance": "60"}, 60, True), ({"tolerance": "60"}, 61, False), ({"tolerance": "86400"}, 86400, True)],
)  # fmt: skip
def test_the_window_is_as_wide_as_the_tolerance_on_both_sides(
    options: dict[str, str],
    age: float,
    genuine: bool,
) -> None:
    vector = load("stripe")[0].with_options(options)
    if genuine:
        assert vector.receive(now=1721895291 + age).events
    else:
        with pytest.raises(Exception, match="timestamp_"):
            vector.receive(now=1721895291 + age)


def test_a_tolerance_that_was_spoilt_later_is_a_refusal_and_not_a_pass() -> None:
    with pytest.raises(CannotVerify, match="bad_option"):
        load("stripe")[0].with_options({"tolerance": "for ever"}).receive()


# ---- the registry -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("alias", "name"),
    [("hellosign", "dropbox_sign"), ("Dropbox-Sign", "dropbox_sign"), ("svix", "standard"),
     ("standard_webhooks", "standard"), ("hmac", "generic"), ("generic_hmac", "generic"), ("stripe", "stripe")],
)  # fmt: skip
def test_a_provider_is_found_by_its_name_and_by_its_aliases(alias: str, name: str) -> None:
    assert providers.get(alias).name == name


def test_an_unknown_provider_is_an_error_that_names_the_nearest() -> None:
    with pytest.raises(ConfigurationError, match=r"there is no provider 'zzzz'; `hookline providers list` lists them$"):
        providers.get("zzzz")
    with pytest.raises(ConfigurationError, match="there is no provider 'strip'; did you mean one of: stripe"):
        providers.get("strip")


@pytest.mark.parametrize("name", ["base", "schemes", "schemes.hmac", "__init__", "__pycache__", "", "../stripe"])
def test_what_is_not_a_provider_is_not_found(name: str) -> None:
    with pytest.raises(ConfigurationError, match="there is no provider"):
        providers.get(name)
