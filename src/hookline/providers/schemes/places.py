"""Options for senders that publish no format: the source says where the event type and id stand."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from hookline.core.request import WebhookRequest
from hookline.exceptions import CannotVerify
from hookline.providers.base import Option, Provider, SourceConfig
from hookline.providers.schemes.parts import Part, part_of

AnyProvider = TypeVar("AnyProvider", bound=Provider)


def id_part(text: str) -> Part | None:
    """Read the option `id`: `json:PATH`, `header:NAME`, or `none`. Raises ValueError."""
    if text == "none":
        return None
    if text.startswith("fixed:"):
        raise ValueError("a fixed id would make every event a duplicate of the first; write none")
    return part_of(text)


PLACES = (
    Option(
        "type",
        "Where the event type is: json:PATH, header:NAME or fixed:TEXT. Without it all events have one type.",
        check=part_of,
    ),
    Option(
        "id",
        "Where the event id is: json:PATH, header:NAME, or none. Without it each request is an event of its own, "
        "a retry too.",
        default="none",
        check=id_part,
    ),
)


def placed_type(provider: Provider, request: WebhookRequest, config: SourceConfig) -> str:
    """The event type, from where the option `type` says or else the provider. Raises VerificationError."""
    return _type_part(provider, config.options).read(request)


def placed_id(request: WebhookRequest, config: SourceConfig) -> str:
    """The event id, from where the option `id` says; empty without it. Raises VerificationError."""
    part = _id_part(config.options)
    return part.read(request) if part else ""


def placed(provider: AnyProvider, options: Mapping[str, str]) -> AnyProvider:
    """The same provider, whose `type_at` and `id_at` are the options'. Raises ConfigurationError."""
    provider.check_options(options)
    places = {"type_at": _type_part(provider, options), "id_at": _id_part(options)}
    configured: type[AnyProvider] = type(type(provider).__name__, (type(provider),), places)
    return configured()


def _type_part(provider: Provider, options: Mapping[str, str]) -> Part:
    text = options.get("type")
    try:
        return provider.type_at if text is None else part_of(text)
    except (ValueError, AttributeError) as error:
        raise CannotVerify("bad_option", f"the option 'type' of this source is wrong: {error}") from None


def _id_part(options: Mapping[str, str]) -> Part | None:
    try:
        return id_part(options.get("id", "none"))
    except (ValueError, AttributeError) as error:
        raise CannotVerify("bad_option", f"the option 'id' of this source is wrong: {error}") from None
