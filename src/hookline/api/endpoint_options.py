"""Options of sending that Svix does not have: all of them in one optional field, `sending`, of its objects."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field, StrictInt
from pydantic.alias_generators import to_camel

from hookline.api.schema import Flag, In, Out, Text, optional
from hookline.exceptions import ConfigurationError
from hookline.models import Endpoint
from hookline.operations import limits

Line = Annotated[Text, Field(max_length=2000)]
Count = Annotated[StrictInt, Field(ge=1, le=limits.MOST)]
Seconds = Annotated[float, Field(strict=True, ge=0)]


class RetryIn(In):
    #: Seconds before each retry.
    delays: Annotated[list[Seconds], Field(max_length=100)] | None = None
    #: Seconds after the first attempt in which the last one begins.
    deadline: Seconds | None = None


class OAuth2In(In):
    token_url: Line
    client_id: Line
    client_secret: Line
    scope: Line = ""
    audience: Line = ""
    #: `basic` or `body`.
    send_as: Line = "basic"


class SendingIn(In):
    """What is left out stays as it is; null returns to the default."""

    #: Number its deliveries, so that they can be polled.
    sequenced: Flag = optional()
    #: Where the order key stands in a message, such as `$.data.customer`.
    order_by: Line | None = optional()
    #: Only messages that fulfil it, such as `@.data.total > 100`.
    filter: Annotated[Text, Field(max_length=10_000)] | None = optional()
    #: What is sent instead of the message: `{"fields": [...]}` or `{"template": ...}`.
    payload: dict[str, Any] | None = optional()
    #: Such as `["v1", "svix"]`.
    signatures: Annotated[list[Line], Field(max_length=10)] | None = optional()
    retry: RetryIn | None = optional()
    #: Deliveries at once after a pause, where there is a `throttleRate`.
    burst: Count | None = optional()
    #: Deliveries under way at the same time.
    at_once: Count | None = optional()
    #: Certificates and private key in PEM, for mutual TLS.
    client_certificate: Annotated[str, Field(max_length=100_000)] | None = optional()
    #: A forward proxy, such as `http://proxy.example.com:3128`.
    proxy: Line | None = optional()
    #: Client credentials, with which tokens are fetched (RFC 6749, section 4.4).
    oauth2: OAuth2In | None = optional()


class SendingOut(Out):
    """What is not as it is by default, and nothing secret."""

    sequenced: bool
    order_by: str
    filter: str
    payload: dict[str, Any]
    signatures: list[str]
    retry: dict[str, Any]
    burst: int
    at_once: int
    client_certificate: dict[str, Any]
    proxy: str
    oauth2: dict[str, Any]

    @classmethod
    def of(cls, endpoint: Endpoint) -> SendingOut | None:
        """None where everything is as usual."""
        found = {name: value for name, value in _options(endpoint).items() if value}
        return cls.model_construct(**found) if found else None


_LIMITS = ("burst", "at_once")
_ACCESS = ("client_certificate", "proxy", "oauth2")
_EMPTY: Mapping[str, Any] = {"order_by": "", "signatures": [], "payload": {}}


def fields_of(sending: SendingIn | None) -> dict[str, Any]:
    """The fields of an endpoint that are asked for, as operations take them; without those of `limits_of`."""
    given = {} if sending is None else sending.given()
    fields = {
        name: _EMPTY.get(name) if value is None else value
        for name, value in given.items()
        if name not in _LIMITS and name not in _ACCESS
    }
    if (retry := fields.get("retry")) is not None:
        fields["retry"] = {name: value for name, value in dict(retry).items() if value is not None}
    if access := {name: given[name] for name in _ACCESS if name in given}:
        if (oauth2 := access.get("oauth2")) is not None:
            access["oauth2"] = dict(oauth2)
        fields["access"] = access
    return fields


def limits_of(sending: SendingIn | None) -> dict[str, Any]:
    """The limits that are asked for."""
    given = {} if sending is None else sending.given()
    return {name: given[name] for name in _LIMITS if name in given}


def _options(endpoint: Endpoint) -> dict[str, Any]:
    options = {name: getattr(endpoint, name) for name in ("sequenced", "order_by", "filter", "payload", "signatures")}
    options |= {"retry": endpoint.retry, "burst": endpoint.lane_burst, "at_once": endpoint.lane_at_once}
    if not endpoint.encrypted_access:
        return options
    try:
        shown = endpoint.access.as_json()
    except ConfigurationError:  # the key that encrypted it is lost
        return options
    for name in ("client_certificate", "oauth2"):
        shown[name] = {to_camel(key): value for key, value in (shown[name] or {}).items()}
    return options | shown
