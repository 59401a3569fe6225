"""Writes the pages about settings, metrics and providers from the code and the test vectors: `make docs`.

What a page says of a provider is its docstring and its attributes, so that neither can grow old unnoticed; a test fails
when the pages are not what this would write.
"""

from __future__ import annotations

import inspect
import json
import re
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any, cast

import django
from django.conf import settings

from hookline import conf, providers
from hookline.providers.base import Provider
from hookline.providers.schemes.basic import BasicProvider
from hookline.providers.schemes.hmac import HmacProvider
from hookline.providers.schemes.http_signature import HttpSignatureProvider
from hookline.providers.schemes.jwt import JwtProvider
from hookline.providers.schemes.keyed_digest import KeyedDigestProvider
from hookline.providers.schemes.parts import BODY, METHOD, TIMESTAMP, URL, Json, Part
from hookline.providers.schemes.public_key import PublicKeyProvider
from hookline.providers.schemes.signed import SignedProvider
from hookline.providers.schemes.token import TokenProvider
from hookline.server import environment, keys
from hookline.simulator.guarantees import GUARANTEES
from hookline.simulator.scenarios import SCENARIOS
from hookline.telemetry import catalogue as metrics

DOCS = Path(__file__).parent
VECTORS = DOCS.parent / "tests" / "vectors"

#: From the surest to the least sure; a provider is as sure as its surest vector.
SURENESS = {
    "official vector": "official vector",
    "official SDK": "official SDK",
    "captured": "captured from the sender",
    "openssl": "computed with openssl from the documented construction",
    "nothing computed": "the secret itself is compared; nothing is computed",
}

#: What each system check says.
CHECKS = {
    "hookline.E001": "A setting is unknown or of the wrong type",
    "hookline.E002": "There is no usable encryption key. The message says how to make one",
    "hookline.E003": "`LEASE` is not longer than `DELIVERY_TIMEOUT`: a delivery could be claimed by a second "
    "worker while the first still sends it",
    "hookline.E004": "`USE_TZ` is off. Times are compared with the database's clock, which needs their zone",
    "hookline.E005": "The database is neither PostgreSQL nor SQLite",
    "hookline.E006": "`ENGINE` is `celery`, but Celery is not installed",
    "hookline.W001": "`PUBLIC_URL` is not set, so senders that sign the URL cannot be verified",
    "hookline.W002": 'SQLite transactions are not IMMEDIATE, so two writers can fail with "database is locked"',
    "hookline.E007": "An enabled endpoint was written past Hookline: it has no secret, or patterns that are no list",
    "hookline.W003": "An enabled source has no secret, and refuses everything",
    "hookline.W004": "`ENGINE` is `celery`, but there was no Celery app when Django started, so that webhooks wake "
    "nobody",
    "hookline.W005": "Your urls wrap the view of `hookline.urls`, so that `ATOMIC_REQUESTS` applies to it: "
    "webhooks would be acknowledged before their COMMIT",
}

_MARKERS: dict[Part, str] = {BODY: "body", TIMESTAMP: "timestamp", URL: "URL", METHOD: "method"}

#: The samples of docs/consumers.md, by the name that Markdown has for their language.
CONSUMERS = {
    language: DOCS / "samples" / "consumers" / f"consumer.{ending}"
    for language, ending in {"python": "py", "javascript": "mjs", "go": "go", "php": "php"}.items()
}


def pages() -> Iterator[tuple[Path, str]]:
    """Every generated page: where it stands, and its text."""
    all_providers = [providers.get(name) for name in providers.names()]
    yield DOCS / "settings.md", settings_page()
    yield DOCS / "metrics.md", metrics.page()
    yield DOCS / "consumers.md", consumers_page()
    yield DOCS / "providers.md", catalogue(all_providers)
    for provider in all_providers:
        yield DOCS / "providers" / f"{provider.name}.md", page(provider)


def consumers_page() -> str:
    """What a consumer must do, as the simulator's guarantees say."""
    lines = [
        "# What a consumer of webhooks must do",
        "",
        "A consumer of webhooks, from Hookline or from any other sender, must keep the following guarantees.",
        "[`hookline simulate`](simulating.md) tests each of them.",
        "",
        "The code below is from four small consumers in `docs/samples/consumers`: Python with Flask and SQLite, and",
        "JavaScript, Go and PHP with their standard libraries alone. The tests run all scenarios against each whose",
        "language is installed.",
    ]
    shown: dict[str, str] = {}
    for guarantee in GUARANTEES.values():
        played = ", ".join(f"`{scenario.name}`" for scenario in SCENARIOS if scenario.guarantee == guarantee.name)
        lines += ["", f"## {guarantee.name}", "", f"**{guarantee.requirement}**", "", guarantee.why, ""]
        tested = guarantee.tested[0].lower() + guarantee.tested[1:]
        lines += [f"Tested: {tested} Scenarios: {played or '`deadline`'}."]
        parts = {language: part_of_sample(file, guarantee.name) for language, file in CONSUMERS.items()}
        first = next(filter(None, parts.values()), "")
        if first in shown:
            lines += ["", f"The code for it is that of [{shown[first]}](#{shown[first]})."]
            continue
        shown[first] = guarantee.name
        for language, part in parts.items():
            lines += ["", f"```{language}", part, "```"] if part else []
    return "\n".join(lines) + "\n"


def part_of_sample(file: Path, guarantee: str) -> str:
    """The lines of a sample that keep this guarantee: those between `>>> NAME, NAME` and `<<<`."""
    found = re.findall(r"^(?:#|//) >>> ([a-z, -]+)$\n(.*?)^(?:#|//) <<<$", file.read_text(), re.MULTILINE | re.DOTALL)
    return "\n".join(part.strip("\n") for names, part in found if guarantee in names.split(", "))


def settings_page() -> str:
    lines = [
        "# Settings",
        "",
        "<!-- Written by `make docs` from the code; do not edit. -->",
        "",
        "All are keys of one dict, `HOOKLINE = {...}`, in Django's settings. The standalone server reads each from the",
        "environment instead: `HOOKLINE_` and its name, lists with commas. Durations are seconds, sizes are bytes.",
        "",
    ]
    for group in conf.GROUPS:
        lines += [f"## {group.title}", "", *([textwrap.fill(group.about, 120), ""] if group.about else [])]
        lines += ["| setting | default | why |", "|---|---|---|"]
        for item in fields(conf.Settings):
            if item.metadata["group"] is group:
                default = f'"{item.default}"' if isinstance(item.default, str) else repr(item.default)
                lines.append(f"| `{item.name}` | `{default}` | {item.metadata['why']} |")
        lines.append("")
    lines += [
        "## The standalone server",
        "",
        "`hookline serve` and the other commands of the standalone server read these besides the settings:",
        "",
        "| variable | what it is |",
        "|---|---|",
        *(f"| `{environment.PREFIX}{name}` | {text} |" for name, text in environment.OWN.items()),
        "",
        "Without `HOOKLINE_SECRET_KEY` and `HOOKLINE_ENCRYPTION_KEYS`, the first start makes both and writes them to",
        f"`{keys.FILE_NAME}`, mode 600, beside the SQLite file, or in the working directory where the database is",
        "PostgreSQL. Keep that file as you keep the database, but not in the same backup: without it the secrets in",
        "the database cannot be read. On several machines, or in a container without a disk, set the two variables.",
        "",
    ]
    lines += ["## System checks", "", "`python manage.py check --database default` and `hookline doctor` run them.", ""]
    lines += ["| id | what it says |", "|---|---|", *(f"| `{name}` | {text} |" for name, text in CHECKS.items()), ""]
    return "\n".join(lines)


def catalogue(all_providers: list[Provider]) -> str:
    rows = [
        f"| [`{p.name}`](providers/{p.name}.md){''.join(f', `{alias}`' for alias in p.aliases)} "
        f"| [{p.title}]({p.docs_url}) | {scheme(p)} | {duplicates(p)} | {source_of_values(p)} |"
        for p in all_providers
    ]
    return "\n".join(
        [
            "# Providers",
            "",
            "<!-- Written by `make docs` from the code; do not edit. -->",
            "",
            "A provider is one sender's way to sign and to name its events. Its name is what `--provider` and",
            f"`@handler` take. There are {len(all_providers)}. The last column says how sure we are of each: where the",
            "values come from that its tests expect. None of them was computed by Hookline.",
            "",
            "| name | sender | proof | duplicates are found by | expected values from |",
            "|---|---|---|---|---|",
            *rows,
            "",
        ]
    )


def page(provider: Provider) -> str:
    module = inspect.getmodule(type(provider))
    text = inspect.cleandoc(module.__doc__ or "") if module else ""
    lines = [f"# {provider.title}", "", "<!-- Written by `make docs` from the code; do not edit. -->", "", text, ""]
    lines += ["| | |", "|---|---|", *(f"| {name} | {value} |" for name, value in facts(provider)), ""]
    lines += ["## Set it up", "", "```", f"hookline source create --provider {provider.name} --secret ...", "```", ""]
    lines += [f"The secret is {provider.secret_help}. Give the URL that the command prints to {provider.title}.", ""]
    if options := [option for option in provider.known_options if not option.deprecated]:
        lines += ["| option | default | |", "|---|---|---|"]
        for option in options:
            meaning = option.help + (
                f" One of {', '.join(f'`{c}`' for c in option.choices)}." if option.choices else ""
            )
            lines.append(f"| `{option.name}` | {f'`{option.default}`' if option.default else ''} | {cell(meaning)} |")
        lines.append("")
    if provider.samples:
        example = next(iter(provider.samples))
        lines += ["## Try it", "", "```", f"hookline trigger {provider.name} {example} --source src_...", "```", ""]
        lines += [f"Samples: {', '.join(f'`{kind}`' for kind in provider.samples)}.", ""]
    return "\n".join(lines)


def facts(provider: Provider) -> Iterator[tuple[str, str]]:
    yield "proof", scheme(provider)
    if isinstance(provider, SignedProvider):
        if provider.tolerance is not None:
            yield (
                "timestamp",
                f"signed; at most {provider.tolerance} s old or ahead, or what the option `tolerance` says",
            )
        elif provider.timed:
            yield "timestamp", "signed; the sender documents no window, so only the option `tolerance` sets one"
    if hasattr(type(provider), "type_at"):
        yield "event type", where(provider.type_at)
    if provider.id_at is not None:
        yield "event id", where(provider.id_at) + ("" if provider.id_is_signed else ", **not signed**")
    yield "deduplication key", key(provider)
    yield "changes on a retry", cell(provider.retries)
    yield "look-alikes", cell(provider.repeats_bodies) or "distinct events differ in what the key is made of"
    yield from flow(provider)
    yield "methods", ", ".join(sorted(provider.methods))
    yield "media", " or ".join(sorted(provider.media))
    yield "expected values from", source_of_values(provider)


def flow(provider: Provider) -> Iterator[tuple[str, str]]:
    """What happens besides an ordinary event."""
    shakes = [
        kind
        for kind, method in (("unsigned", "unsigned_handshake"), ("signed", "signed_handshake"))
        if getattr(type(provider), method) is not getattr(Provider, method)
    ]
    if shakes:
        yield "handshake", f"answered ({' and '.join(shakes)})"
    if type(provider).events is not Provider.events:
        yield "batches", f"one request may carry up to {provider.max_events:,} events; each is an Event of its own"
    if provider.reply is not None:
        yield "reply", f"`{provider.reply.status}` with `{cell(provider.reply.body.decode()) or 'an empty body'}`"
    if provider.max_body_bytes:
        yield "longest body", f"{provider.max_body_bytes // 2**20} MiB, or `MAX_BODY_BYTES` if that is larger"


def scheme(provider: Provider) -> str:
    """What proves that the sender made a request, in a few words."""
    if provider.proof:
        return provider.proof
    if isinstance(provider, HmacProvider):
        return f"HMAC-{provider.digest.upper()} of {signed_parts(provider)}"
    if isinstance(provider, PublicKeyProvider):
        return f"{provider.algorithm} signature of {signed_parts(provider)}"
    if isinstance(provider, KeyedDigestProvider):
        return f"{provider.digest.upper()} of secret and {signed_parts(provider)}"
    if isinstance(provider, HttpSignatureProvider):
        return "HTTP Message Signature (RFC 9421)"
    if isinstance(provider, JwtProvider):
        covers_body = provider.body_claim or isinstance(provider.token_at, Json)  # the latter: the token is the body
        return f"JWT ({', '.join(provider.algorithms)})" + ("" if covers_body else "; the body is not signed")
    if isinstance(provider, BasicProvider):
        return "HTTP Basic; nothing is signed"
    if isinstance(provider, TokenProvider):
        return "shared token; nothing is signed"
    return "see its page"


def signed_parts(provider: SignedProvider) -> str:
    if type(provider).signed_text is not SignedProvider.signed_text:
        return "parts named on its page"
    names = [name(part) for part in provider.signed if isinstance(part, Part)]
    return " and ".join([", ".join(names[:-1]), names[-1]]) if len(names) > 1 else names[0]


def name(part: Part) -> str:
    return _MARKERS.get(part) or where(part)


def where(part: Part) -> str:
    """A part in words: `header x-id`, `JSON id`."""
    kind = {"Json": "JSON", "FormOrJson": "form or JSON"}.get(type(part).__name__, type(part).__name__.lower())
    place = getattr(part, "path", "") or getattr(part, "name", "")
    return f"{kind} `{place}`" if place else kind


def duplicates(provider: Provider) -> str:
    """Told by a vector, because a provider may decide from the request."""
    keys = {key.partition(":")[0] for entry in vectors(provider) for key in dedup_keys(provider, entry)}
    return " or ".join(sorted({"id": "event id", "sha256": "hash"}.get(key, key) for key in keys)) or "see its page"


def key(provider: Provider) -> str:
    """What the deduplication key is made of, and what an event with a known key is."""
    kinds = duplicates(provider)
    by_id = "the signed event id; the same id with other content is a new event with `conflict_of`"
    if kinds == "event id":
        return by_id
    text = "a hash of the signed content"
    text += f", with {where(provider.event_header)}" if provider.event_header else ""
    if provider.repeats_bodies:
        known = "of a look-alike"
        if provider.id_at is not None and not provider.id_is_signed:
            known = f"under another delivery id ({where(provider.id_at)})"
        text += f"; a known one {known} is a new event with `repeat_of`, or with `repeated_bodies=refuse` a duplicate"
    return f"{by_id}. Without an id: {text}" if "event id" in kinds else text


def dedup_keys(provider: Provider, entry: dict[str, object]) -> Iterator[str]:
    expected = entry.get("expected")
    if isinstance(expected, dict):
        for item in expected.get("events", [expected]):
            if isinstance(item, dict) and "dedup_key" in item:
                yield str(item["dedup_key"])


def vectors(provider: Provider) -> list[dict[str, object]]:
    found: list[dict[str, object]] = json.loads((VECTORS / f"{provider.name}.json").read_text())
    return found


def sureness(provider: Provider) -> str:
    """Where the surest expected value of a genuine event comes from; that of a handshake says nothing about events."""
    if isinstance(provider, TokenProvider | BasicProvider):
        return "nothing computed"
    kinds = {
        str(entry["source_kind"]) for entry in vectors(provider) if "type" in cast("dict[str, Any]", entry["expected"])
    }
    return next(kind for kind in SURENESS if kind in kinds)


def source_of_values(provider: Provider) -> str:
    """The same in words, and whether anything but the sender's page agrees."""
    text = SURENESS[sureness(provider)]
    return text if provider.confirmed else f"{text}; **no code or captured request confirms it yet**"


def cell(text: str) -> str:
    """Text for a cell of a Markdown table."""
    return " ".join(text.split()).replace("|", "\\|")


def openapi_document() -> tuple[Path, str]:
    """The API's own description. A test holds it against the API."""
    if not settings.configured:
        settings.configure(INSTALLED_APPS=["hookline"], USE_TZ=True)
        django.setup()
    from hookline.api.build import build
    from hookline.api.document import text

    return DOCS / "openapi.json", text(build())


def main() -> None:
    path, text = openapi_document()
    path.write_text(text)
    for path, text in pages():
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    wanted = {path for path, _ in pages()}
    for path in (DOCS / "providers").glob("*.md"):
        if path not in wanted:
            path.unlink()
    sys.stdout.write(f"{len(wanted)} pages\n")


if __name__ == "__main__":
    main()
