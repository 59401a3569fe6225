"""Who asks: the token of a request becomes a Principal, and an operation says what that must be allowed to do."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest

from hookline.access.authenticate import admit, authenticate
from hookline.access.principal import Principal
from hookline.exceptions import NotAllowed


class Request(HttpRequest):
    """A request of somebody who is known."""

    auth: Principal


class Needs:
    """What an operation asks for: a scope of `core/scopes.py`, or none; with `operator` who may see all tenants, and
    with `many` who may see all those of an organisation at least."""

    #: For the OpenAPI document.
    openapi_security_schema: dict[str, Any] = {"type": "http", "scheme": "bearer"}

    def __init__(self, scope: str = "", *, operator: bool = False, many: bool = False) -> None:
        self.scope = scope
        self.operator = operator
        self.many = many

    def __call__(self, request: HttpRequest) -> Principal:
        """Raises NotAuthenticated, RateLimited, CannotStore or NotAllowed."""
        principal = authenticate(request.headers.get("Authorization"))
        admit(principal)
        self.check(principal)
        return principal

    def check(self, principal: Principal) -> None:
        """Raises NotAllowed."""
        if self.operator and not principal.is_operator:
            raise NotAllowed("this operation needs an operator's key, which belongs to no application or organisation")
        if self.many and not principal.has_many:
            raise NotAllowed(
                "this key belongs to one application; the operation needs an operator's, or an organisation's"
            )
        if self.scope and not principal.may(self.scope):
            raise NotAllowed(f"the key lacks the scope {self.scope}")
