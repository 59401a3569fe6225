"""Gathering what may explain a Rejection from the database."""

from __future__ import annotations

from collections.abc import Iterator

from hookline import providers
from hookline.exceptions import AddressNotAllowed, ConfigurationError, VerificationError
from hookline.incoming.diagnose.case import Case, Other, Retired
from hookline.incoming.diagnose.diagnosis import Diagnosis
from hookline.incoming.diagnose.explain import explain
from hookline.incoming.diagnose.readers import readers
from hookline.incoming.diagnose.reasons import diagnosis
from hookline.incoming.models import Rejection, Source
from hookline.incoming.receive import kept_request
from hookline.incoming.receive.documents import documents
from hookline.providers.base import Provider

#: Other sources of the tenant whose secrets are tried, the newest.
MOST_OTHERS = 100
#: Refused before anything was verified: there is nothing to try.
_NOT_VERIFIED = frozenset({404, 405, 413, 415, 429, 431})


def diagnose(rejection: Rejection, now: float) -> Diagnosis:
    """Why this request was refused. Fetches nothing over the network, and changes nothing."""
    source = rejection.source
    if rejection.admitted_at is not None:
        text = "It was refused when it came; it verified later, and its events were stored."
        return Diagnosis("admitted", text, "Nothing more: what became of its events, `hookline events show` tells.")
    if rejection.status == 404 or source is None:
        return _unknown_source(rejection)
    try:
        provider = providers.get(source.provider)
    except ConfigurationError as error:
        return diagnosis("bad_configuration", 503, str(error), source=source.public_id, title=source.provider)
    if rejection.status in _NOT_VERIFIED or not _allows(source, rejection):
        return _plain(rejection, source, provider)
    if not rejection.complete:
        found = _plain(rejection, source, provider)
        text = f"{found.text} Not all of the request was kept, so nothing can be tried."
        return Diagnosis(found.cause, text, found.advice)
    try:
        case = case_of(rejection, source, provider, now)
    except ConfigurationError as error:  # the key to its secrets or to the request is lost
        return diagnosis("bad_configuration", 503, str(error), source=source.public_id, title=provider.title)
    return explain(case)


def case_of(rejection: Rejection, source: Source, provider: Provider, now: float) -> Case:
    """Raises ConfigurationError where something cannot be decrypted."""
    return Case(
        source=source.public_id,
        provider=provider,
        request=kept_request.load(rejection),
        config=source.config(now),
        came_at=rejection.created_at.timestamp(),
        fetch=documents.cached,
        retired=[
            Retired(secret.value, secret.expires_at)
            for secret in source.secrets.secrets
            if secret.expires_at is not None and secret.expires_at <= now
        ],
        others=list(_others(source, now)),
        readers=readers(),
    )


def _allows(source: Source, rejection: Rejection) -> bool:
    try:
        return rejection.status != AddressNotAllowed.status or source.allows(rejection.remote_addr)
    except ConfigurationError:  # somebody wrote into the table
        return False


def _others(source: Source, now: float) -> Iterator[Other]:
    for other in Source.objects.filter(tenant=source.tenant_id).exclude(pk=source.pk)[:MOST_OTHERS]:
        try:
            yield Other(other.public_id, other.name, providers.get(other.provider), other.config(now))
        except (ConfigurationError, VerificationError):  # its provider or its key is gone
            continue


def _plain(rejection: Rejection, source: Source, provider: Provider) -> Diagnosis:
    found = (rejection.reason, rejection.status, rejection.detail)
    return diagnosis(*found, source=source.public_id, title=provider.title)


def _unknown_source(rejection: Rejection) -> Diagnosis:
    """A source may be disabled, or its URL may have been copied with something missing or added."""
    token = rejection.path.removeprefix("/in/")
    found = Source.objects.filter(token=token).first()
    if found is not None:
        if not found.disabled:
            return Diagnosis(
                "passes_now",
                f"Its URL is that of source {found.public_id}, which was disabled or not yet there when it came.",
                "Store its events with `hookline rejections reverify`.",
            )
        return Diagnosis(
            "source_disabled",
            f"Its URL is that of source {found.public_id}, which is disabled.",
            f"`hookline source enable {found.public_id}`, then `hookline rejections reverify`.",
        )
    for near in Source.objects.filter(token__startswith=token[:8])[:10] if len(token) >= 8 else ():
        return Diagnosis(
            "url_copied_badly",
            f"Its URL is nearly that of source {near.public_id}.",
            f"Give the sender the URL that `hookline source show {near.public_id}` prints.",
        )
    return Diagnosis(
        "unknown_source",
        "Its URL belongs to no source.",
        "It is a stranger's, or that of a source which was deleted.",
    )
