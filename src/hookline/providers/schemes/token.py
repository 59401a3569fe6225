"""The base for senders that prove themselves with a shared token and sign nothing.

Whoever has seen one request can make any other: the token is all there is. It is compared in constant time, and it is
not stored with the event, neither as a header nor as a field of the body.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar
from urllib.parse import quote_plus

from hookline.core.request import HIDDEN, WebhookRequest
from hookline.core.signing import equal
from hookline.exceptions import CannotVerify, ConfigurationError, NotVerified
from hookline.providers.base import ParsedEvent, Provider, SourceConfig
from hookline.providers.schemes.parts import Form, Header, Json, Part, Query
from hookline.providers.schemes.signed import as_sent


class TokenProvider(Provider):
    """A sender that sends a secret with every request.

    The event id counts as signed, although nothing is: a forger who has the token needs no replay.
    """

    # ---- what a subclass states -------------------------------------------------------------------
    #: Where the token is: a Header, a Query parameter, a Json field of the body or a Form field.
    token_at: ClassVar[Part]
    #: What stands before the token, such as `Bearer `. One that ends in a space is read in any case (RFC 9110 11.1).
    prefix: ClassVar[str] = ""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        where = getattr(cls, "token_at", None)
        if isinstance(where, Header):
            cls.credential_headers = cls.credential_headers | {where.name}
        if isinstance(where, Query):
            cls.credential_query = cls.credential_query | {where.name}

    # ---- steps ------------------------------------------------------------------------------------
    def verify(self, request: WebhookRequest, config: SourceConfig, now: float) -> None:
        where = self.token_part(config.options)
        sent = where.read(request)
        if not sent:
            raise where.missing()
        token = as_sent(without_prefix(sent, self.prefix, where), where.charset)
        check_token(self, config, token)

    def sign(self, request: WebhookRequest, config: SourceConfig, now: float) -> WebhookRequest:
        if not config.secrets:
            raise ConfigurationError(f"{self.title} cannot send without a secret")
        self.check_secret(config.secrets[0])
        where = self.token_part(config.options)
        return where.write(request, self.prefix + config.secrets[0].encode().decode(where.charset))

    def token_part(self, options: Mapping[str, str]) -> Part:
        """Where the token is, for a provider whose options say so. Raises CannotVerify for an option that is wrong."""
        return self.token_at

    def hidden_headers(self, options: Mapping[str, str]) -> frozenset[str]:
        where = self.token_part(options)
        return self.credential_headers | ({where.name} if isinstance(where, Header) else set())

    def parsed_event(self, request: WebhookRequest, config: SourceConfig) -> ParsedEvent:
        event = super().parsed_event(request, config)
        where = self.token_part(config.options)
        return replace(event, body=without_token(request, where)) if isinstance(where, Json | Form) else event

    def hidden_body(self, request: WebhookRequest, options: Mapping[str, str]) -> bytes:
        where = self.token_part(options)
        return without_token(request, where) if isinstance(where, Json | Form) and where.read(request) else request.body


def check_token(provider: Provider, config: SourceConfig, sent: bytes) -> None:
    """Return if these bytes are one of the secrets; else raise. An empty secret can only raise CannotVerify."""
    problem = ""
    for secret in config.secrets:
        try:
            expected = secret.encode()
        except UnicodeEncodeError:
            problem = "it is not text"
            continue
        if not expected:
            problem = "it is empty"
        elif equal(expected, sent):
            return
    if problem:
        raise CannotVerify("bad_secret", f"a secret of this source cannot be a {provider.title} secret: {problem}")
    raise NotVerified("wrong_token", f"it is none of {len(config.secrets)} active secrets")


def without_prefix(text: str, prefix: str, where: Part) -> str:
    """The rest of the text behind the prefix. Raises NotVerified where it does not begin so."""
    head = text[: len(prefix)]
    matches = head.lower() == prefix.lower() if prefix.endswith(" ") else head == prefix
    if not matches:
        raise NotVerified("malformed_token", f"{where} does not begin with {prefix!r}")
    return text[len(prefix) :]


def without_token(request: WebhookRequest, where: Json | Form) -> bytes:
    """The body with its token hidden; all other bytes are as they were sent, unless the token was written oddly."""
    token = where.read(request)
    spellings = {json.dumps(token)[1:-1], json.dumps(token, ensure_ascii=False)[1:-1], quote_plus(token)}
    body = request.body
    for spelling in spellings:
        body = body.replace(spelling.encode(), HIDDEN.encode())
    hidden = replace(request, body=body)
    # Escapes that nobody needs (`\\u0061`, `%61`) spell the same token: then the body is re-serialised.
    return body if where.read(hidden) == HIDDEN else where.write(request, HIDDEN).body
