"""Keys: made, rotated and revoked by a key that may do so, and for no more than it may do itself."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

from ninja import Query, Status
from pydantic import Field

from hookline.access.models import ApiKey
from hookline.access.principal import Principal
from hookline.api.auth import Needs, Request
from hookline.api.errors import Missing
from hookline.api.names import app_id_of, application
from hookline.api.pages import ListResponse, id_keys, page
from hookline.api.query import Listing, Toggle
from hookline.api.renderer import written
from hookline.api.routes import Routes
from hookline.api.schema import In, Moment, Out, Text, optional
from hookline.core import scopes
from hookline.exceptions import NotAllowed, NotFound
from hookline.operations import keys

routes = Routes("Key")

READ = Needs("keys:read")
WRITE = Needs("keys:write")
IDS = id_keys(ApiKey.prefix)

KeyName = Annotated[Text, Field(max_length=256)]
Scopes = Annotated[list[str], Field(min_length=1, max_length=len(scopes.ALL) + len(scopes.SETS))]
Burst = Annotated[int, Field(strict=True, ge=1, le=10_000_000)]
PerSecond = Annotated[float, Field(strict=True, ge=0, le=1_000_000)]


class KeyOut(Out):
    id: str
    kind: str
    #: None for the key of an organisation or an operator.
    app_id: str | None
    #: None for an operator's key, and for one of an application.
    organisation: str | None
    name: str
    scopes: list[str]
    status: str
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None
    rate_limit: float | None
    rate_burst: int | None

    @classmethod
    def of(cls, key: ApiKey) -> KeyOut:
        return cls.model_construct(**_fields(key))


class NewKeyOut(KeyOut):
    #: What a program sends. It cannot be shown again.
    key: str


class KeySelfOut(Out):
    """Whose key a request has."""

    #: None for the key of the settings.
    id: str | None
    app_id: str | None
    #: None for an operator's key; for an application's, the one that it belongs to, if any.
    organisation: str | None
    scopes: list[str]


class KeyIn(In):
    name: KeyName = ""
    scopes: Scopes
    #: Whose data it may use; left out, that which the key that makes it may use.
    app_id: str | None = None
    #: The same for all applications of an organisation; only an operator's key has to name it.
    organisation: str | None = None
    expires_at: Moment | None = None
    rate_limit: PerSecond | None = None
    rate_burst: Burst | None = None


class KeyPatch(In):
    name: KeyName = optional()
    scopes: Scopes = optional()
    #: 0 removes it.
    rate_limit: PerSecond = optional()
    rate_burst: Burst = optional()


class KeyRotateIn(In):
    #: Seconds that the previous text still counts; left out, as the settings say.
    grace_period_seconds: Annotated[int, Field(strict=True, ge=0, le=604_800)] | None = None


class KeyTextOut(Out):
    key: str


class KeyQuery(Listing):
    app_id: str | None = None
    #: Tokens of pages in place of keys.
    tokens: Toggle = False


@routes.get("/key/self", "v1.key.self", Needs(), KeySelfOut)
def get_self(request: Request) -> KeySelfOut:
    """Say whose key this request has, and what it may do."""
    own = request.auth
    shown = None if own.key_id is None else ApiKey.public(own.key_id)
    return KeySelfOut(
        id=shown, app_id=app_id_of(own.tenant_id), organisation=own.organisation or None, scopes=sorted(_scopes_of(own))
    )


@routes.get("/key", "v1.key.list", READ, ListResponse[KeyOut])
def list_keys(request: Request, query: Query[KeyQuery]) -> ListResponse[KeyOut]:
    """List keys, newest first."""
    found = keys.within(request.auth, keys.of_kind(tokens=query.tokens))
    if query.app_id is not None:
        found = found.filter(tenant=application(request, query.app_id))
    return page(found, query, IDS, KeyOut.of, descending=True)


@routes.post("/key", "v1.key.create", WRITE, {201: NewKeyOut})
def create_key(request: Request, body: KeyIn) -> Status[NewKeyOut]:
    """Create a key, which may do no more than the one that makes it, and lasts no longer.

    Its text is in this answer, and nowhere else. Left out, `expiresAt` is that of the key that makes it.
    """
    _check_own(request.auth, body.scopes)
    end = body.expires_at or _end_of(request.auth)
    _check_end(request.auth, end)
    organisation = _organisation(request.auth, body)
    bound = body.app_id or app_id_of(request.auth.tenant_id)
    made = keys.create(
        request.auth.actor,
        body.scopes,
        tenant=None if bound is None else application(request, bound),
        organisation=organisation,
        name=body.name,
        expires_at=end,
        rate_limit=body.rate_limit or None,
        rate_burst=body.rate_burst,
    )
    return Status(201, NewKeyOut.model_construct(**_fields(made.key), key=made.text))


@routes.get("/key/{id}", "v1.key.get", READ, KeyOut)
def get_key(request: Request, id: str) -> KeyOut:  # noqa: A002 # the name in the path
    """Get a key. Its text is not known."""
    return KeyOut.of(_found(request, id))


@routes.patch("/key/{id}", "v1.key.patch", WRITE, KeyOut)
def patch_key(request: Request, id: str, body: KeyPatch) -> KeyOut:  # noqa: A002 # as above
    """Change what is given of a key."""
    found = _found(request, id)
    _check_own(request.auth, [*found.scopes, *(body.scopes or [])])
    keys.update(
        request.auth.actor,
        found,
        name=body.name,
        given=body.scopes,
        rate_limit=body.rate_limit,
        rate_burst=body.rate_burst,
    )
    return KeyOut.of(found)


@routes.post("/key/{id}/rotate", "v1.key.rotate", WRITE, KeyTextOut)
def rotate_key(request: Request, id: str, body: KeyRotateIn) -> KeyTextOut:  # noqa: A002 # as above
    """Give a key a new text, which is in this answer, and nowhere else."""
    found = _found(request, id)
    _check_own(request.auth, found.scopes)
    _check_end(request.auth, found.expires_at)
    return KeyTextOut(key=keys.rotate(request.auth.actor, found, overlap=body.grace_period_seconds).secret)


@routes.delete("/key/{id}", "v1.key.revoke", WRITE)
def revoke_key(request: Request, id: str) -> Status[None]:  # noqa: A002 # as above
    """Revoke a key: it is refused from now on."""
    keys.revoke(request.auth.actor, _found(request, id))
    return Status(204, None)


def _found(request: Request, name: str) -> ApiKey:
    """Raises Missing, also for a key of somebody else."""
    try:
        found = keys.find(name)
    except (NotFound, ValueError):
        raise Missing from None
    if not keys.within(request.auth, ApiKey.objects.filter(pk=found.pk)).exists():
        raise Missing
    return found


def _organisation(principal: Principal, body: KeyIn) -> str:
    """Of the key that is asked for. Raises NotAllowed for another than the principal's own."""
    if body.organisation and not principal.is_operator and body.organisation != principal.organisation:
        raise NotAllowed("this key may make keys of its own organisation only")
    if body.app_id is not None or principal.tenant_id is not None:
        return ""  # that of the application
    return body.organisation or principal.organisation


def _check_own(principal: Principal, names: list[str]) -> None:
    """Raises NotAllowed for what the principal may not do itself, and ConfigurationError for an unknown scope."""
    beyond = scopes.expanded(tuple(scopes.checked(names))) - _scopes_of(principal)
    if beyond:
        raise NotAllowed(f"this key lacks {', '.join(sorted(beyond))} itself")


def _end_of(principal: Principal) -> datetime | None:
    """When the key of a request expires."""
    return None if principal.key_id is None else keys.by_id(principal.key_id).expires_at


def _check_end(principal: Principal, end: datetime | None) -> None:
    """Raises NotAllowed for a key that lasts longer than the principal's own: its text would outlive that."""
    own = _end_of(principal)
    if own is not None and (end is None or end > own):
        raise NotAllowed(f"this key expires at {written(own)} itself, and hands out none that lasts longer")


def _scopes_of(principal: Principal) -> frozenset[str]:
    return frozenset(scopes.ALL) if principal.scopes is None else principal.scopes


def _fields(key: ApiKey) -> dict[str, Any]:
    return {
        "id": key.public_id,
        "kind": key.kind,
        "app_id": app_id_of(key.tenant_id),
        "organisation": key.organisation or None,
        "name": key.name,
        "scopes": key.scopes,
        "status": keys.state(key),
        "created_at": key.created_at,
        "expires_at": key.expires_at,
        "revoked_at": key.revoked_at,
        "last_used_at": key.last_used_at,
        "rate_limit": key.rate_limit,
        "rate_burst": key.rate_burst,
    }
