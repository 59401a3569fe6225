"""Trials: one thing changed about a refused request or its source, and what it would explain."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import product
from typing import Any

from hookline.core.request import WebhookRequest, without_fields
from hookline.incoming.diagnose.bodies import bodies
from hookline.incoming.diagnose.case import Case
from hookline.incoming.diagnose.diagnosis import Diagnosis
from hookline.incoming.diagnose.urls import urls
from hookline.providers.base import Provider, SourceConfig
from hookline.providers.generic import Generic
from hookline.providers.schemes.signed import SignedProvider

_ENCODINGS = ("hex", "base64", "base64url")
#: Providers of which one is tried because a header of theirs came.
_MOST_READERS = 20


@dataclass(frozen=True, slots=True)
class Trial:
    """If the request verifies with these things changed, this is why it was refused."""

    diagnosis: Diagnosis
    provider: Provider | None = None
    request: WebhookRequest | None = None
    config: SourceConfig | None = None


def trials(case: Case) -> Iterator[Trial]:
    """What to try, the cheapest and likeliest first; some 300 at most beside those for other sources."""
    yield from _retired(case)
    yield from _other_sources(case)
    yield from _spelled_secrets(case)
    yield from _options(case)
    yield from _other_schemes(case)
    yield from _encodings(case)
    yield from _bodies(case)
    yield from _urls(case)


def _proven(cause: str, text: str, advice: str) -> Diagnosis:
    return Diagnosis(cause, text, advice, proven=True)


def _retired(case: Case) -> Iterator[Trial]:
    for secret in case.retired:
        ended = datetime.fromtimestamp(secret.until, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        yield Trial(
            _proven(
                "secret_rotated",
                f"It was signed with a previous secret of this source, which ended at {ended}.",
                "Give the sender the new secret. To accept the previous one meanwhile, rotate to it: "
                f"`hookline source rotate {case.source} --secret-file -`.",
            ),
            config=replace(case.config, secrets=(secret.value,)),
        )


def _other_sources(case: Case) -> Iterator[Trial]:
    for other in case.others:
        if other.provider is case.provider:
            diagnosis = _proven(
                "secret_of_other_source",
                f"It was signed with the secret of source {other.title}, which is of the same tenant and sender.",
                "Send it to that source's URL, or give this source the secret too. Senders with a test and a live mode "
                f"have a secret for each: `hookline source rotate {case.source} --secret-file -`.",
            )
        else:
            diagnosis = _proven(
                "meant_for_other_source",
                f"It is genuine for source {other.title}, whose provider is `{other.provider.name}`.",
                f"Have {other.provider.title} send to that source's URL; this one expects {case.provider.title}.",
            )
        yield Trial(diagnosis, provider=other.provider, config=other.config)


def _spelled_secrets(case: Case) -> Iterator[Trial]:
    """A secret that was copied with something around it, or without its prefix."""
    for secret in case.config.secrets:
        bare = secret.strip().strip("\"'").strip()
        spelled = {
            "white space or quotation marks around it": (bare,),
            "something missing at its end or beginning": (secret + "\n", f"whsec_{bare}", f"Bearer {bare}"),
            "something before it that is no part of it": tuple(
                bare[len(prefix) :]
                for prefix in ("whsec_", "Bearer ", "bearer ", "sha256=", "secret=")
                if bare.startswith(prefix)
            ),
        }
        for what, values in spelled.items():
            for value in values:
                if value and value != secret:
                    yield Trial(
                        _proven(
                            "secret_copied_badly",
                            f"The secret of this source has {what}.",
                            f"Store it again as the sender shows it: `hookline source rotate {case.source} "
                            "--secret-file -`.",
                        ),
                        config=replace(case.config, secrets=(value,)),
                    )


def _options(case: Case) -> Iterator[Trial]:
    """The options of a generic source: how the signature, the key and the hash are written."""
    if not isinstance(case.provider, Generic):
        return
    given = case.config.options
    for encoding, key, digest in product(_ENCODINGS, ("text", "hex", "base64"), ("sha256", "sha1", "sha512")):
        tried = {"encoding": encoding, "key": key, "digest": digest}
        defaults = {"encoding": "hex", "key": "text", "digest": "sha256"}
        changed = {name: value for name, value in tried.items() if value != given.get(name, defaults[name])}
        if not changed:
            continue
        said = " and ".join(f"{name}={value}" for name, value in changed.items())
        yield Trial(
            _proven(
                "wrong_option",
                f"It verifies with the option {said}, which this source does not have.",
                f"`hookline source update {case.source} "
                f"{' '.join(f'--option {name}={value}' for name, value in changed.items())}`.",
            ),
            config=replace(case.config, options={**given, **changed}),
        )


def _other_schemes(case: Case) -> Iterator[Trial]:
    for provider in schemes_of(case)[:_MOST_READERS]:
        yield Trial(
            _proven(
                "other_scheme",
                f"It is signed the way of {provider.title}, with a secret of this source, whose provider is "
                f"`{case.provider.name}`.",
                f"Make a source with `--provider {provider.name}` and the same secret, and give its URL to the sender.",
            ),
            provider=provider,
            config=replace(case.config, options={}, awaiting_handshake=False),
        )


def schemes_of(case: Case) -> list[Provider]:
    """The other providers that read a header of this request to verify it; those that share it with fewest first."""
    shared: dict[Provider, int] = {}
    for name in case.request.headers:
        found = case.readers.get(name, ())
        if case.provider in found:
            continue
        for provider in found:
            shared[provider] = min(shared.get(provider, len(found)), len(found))
    # Of a family that shares its headers, the one that gives it its name.
    return sorted(shared, key=lambda provider: (shared[provider], provider.name != "standard", provider.name))


def _encodings(case: Case) -> Iterator[Trial]:
    provider = case.provider
    if not isinstance(provider, SignedProvider) or isinstance(provider, Generic):
        return
    for encoding in _ENCODINGS:
        if encoding == provider.encoding:
            continue
        attributes: dict[str, Any] = {"encoding": encoding}
        yield Trial(
            _proven(
                "signature_encoding",
                f"The signature is right but written in {encoding}; {provider.title} writes it in {provider.encoding}.",
                f"Write it in {provider.encoding} if the sender is a program of yours, or receive it with a source of "
                f"the provider `generic` and its option encoding={encoding}.",
            ),
            provider=type(type(provider).__name__, (type(provider),), attributes)(),
        )


def _bodies(case: Case) -> Iterator[Trial]:
    for said, body in bodies(case.request):
        yield Trial(
            _proven(
                "body_changed",
                f"The body was changed on its way: {said}.",
                "Have the proxy, middleware or queue before Hookline hand on the raw bytes of the body.",
            ),
            request=replace(case.request, body=body),
        )


def _urls(case: Case) -> Iterator[Trial]:
    hidden = case.provider.credential_query
    for url in urls(case.request):
        yield Trial(
            _proven(
                "url_changed",
                f"The sender signed the URL {without_fields(url, hidden)}; Hookline expects "
                f"{without_fields(case.request.url, hidden)}.",
                "Set HOOKLINE['PUBLIC_URL'] to the scheme and host that the sender uses, and have the proxy leave path "
                "and query as they are.",
            ),
            request=replace(case.request, url=url),
        )
