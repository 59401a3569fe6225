"""What people read can be translated; what programs read stays as it is whatever language is active."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.contrib import admin
from django.contrib.admin import ModelAdmin
from django.contrib.auth.models import User
from django.test import Client, override_settings
from django.utils import translation
from django.utils.functional import Promise

from hookline import conf
from hookline.audit.actor import SYSTEM
from hookline.db.row import Row
from hookline.engine import settle
from hookline.engine.kind import kind_of, kinds
from hookline.engine.prune import Pruner, prune
from hookline.exceptions import Conflict, NotFound
from hookline.incoming.models import Event, Source
from hookline.operations import endpoints, gauges, sources, stats
from hookline.telemetry.emit import subscribe
from hookline.telemetry.records import JobsClaimed, JobsDied, LeasesExpired, RowsPruned
from hookline.tenants.models import resolve
from tests.admin_pages import act, list_url, page_url
from tests.engine.rows import make_endpoint, make_event, make_source

#: A catalogue as a project may have one.
GERMAN = {
    "": "Content-Type: text/plain; charset=UTF-8\n",
    "source": "Quelle",
    "sources": "Quellen",
    "event": "Ereignis",
    "events": "Ereignisse",
    "deliveries": "Zustellungen",
    "messages": "Nachrichten",
    "attempts": "Versuche",
    "tenant": "Mandant",
    "due at": "fällig am",
    "Dead": "Tot",
    "Last 24 hours": "Letzte 24 Stunden",
    "Answer 404 to every request.": "Jede Anfrage mit 404 beantworten.",
    "Retry those that are dead or cancelled": "Tote und abgebrochene wiederholen",
    "%(retried)s of the %(selected)s selected are due again.": "%(retried)s von %(selected)s sind wieder fällig.",
}


def compiled(catalogue: Mapping[str, str]) -> bytes:
    """A catalogue as GNU gettext's binary file, whose form its manual describes in section 11.3."""
    texts = [(key.encode(), catalogue[key].encode()) for key in sorted(catalogue)]
    tables, strings = [], b""
    start = 28 + 16 * len(texts)
    for column in (0, 1):
        for pair in texts:
            tables.append(struct.pack("<II", len(pair[column]), start + len(strings)))
            strings += pair[column] + b"\0"
    header = struct.pack("<7I", 0x950412DE, 0, len(texts), 28, 28 + 8 * len(texts), 0, 0)
    return header + b"".join(tables) + strings


@pytest.fixture
def german(tmp_path: Path) -> Iterator[None]:
    folder = tmp_path / "de" / "LC_MESSAGES"
    folder.mkdir(parents=True)
    (folder / "django.mo").write_bytes(compiled(GERMAN))
    with override_settings(LOCALE_PATHS=[tmp_path]), translation.override("de"):
        yield


def models() -> list[type[Row]]:
    found = apps.get_app_config("hookline").get_models()
    return [model for model in found if issubclass(model, Row)]


def untranslatable(texts: Mapping[str, Any]) -> list[str]:
    return [where for where, text in texts.items() if text and not isinstance(text, Promise)]


@pytest.mark.parametrize("model", models())
def test_each_name_and_help_text_of_a_model_can_be_translated(model: type[Row]) -> None:
    names = {"verbose_name": model._meta.verbose_name, "verbose_name_plural": model._meta.verbose_name_plural}
    for field in model._meta.fields:
        names |= {f"{field.name}: name": field.verbose_name, f"{field.name}: help_text": field.help_text}
    assert untranslatable(names) == []


def test_each_text_of_the_admin_can_be_translated() -> None:
    texts: dict[str, Any] = {}
    for model in models():
        if not admin.site.is_registered(model):
            continue
        page: ModelAdmin[Any] = admin.site.get_model_admin(model)
        texts[f"{model.__name__}: search"] = page.search_help_text
        own = {*page.list_display, *page.readonly_fields, *(page.fields or ()), *(page.actions or ())} - {"__str__"}
        columns = {name for name in own if isinstance(name, str)} - {field.name for field in model._meta.fields}
        texts |= {
            f"{model.__name__}.{name}": getattr(getattr(page, name), "short_description", name) for name in columns
        }
        texts |= {f"{model.__name__}.{name}: label": field.label for name, field in page.form.declared_fields.items()}
    assert len(texts) > 30
    assert untranslatable(texts) == []


@pytest.mark.django_db
def test_the_admin_speaks_the_language_that_is_active(client: Client, german: None) -> None:
    client.force_login(User.objects.create_superuser("ada"))
    source = make_source()
    event = make_event(source, state="dead")
    pages = {url: client.get(url).content.decode() for url in (list_url(Event), list_url(Source), page_url(source))}
    for text in ("Quelle", "Fällig am", "Tot", "Letzte 24 Stunden", "Tote und abgebrochene wiederholen"):
        assert text in pages[list_url(Event)]
    assert "Quellen" in pages[list_url(Source)]
    assert "Mandant" in pages[page_url(source)]
    assert "Jede Anfrage mit 404 beantworten." in pages[page_url(source)]
    assert act(client, "retry", event) == ["1 von 1 sind wieder fällig."]


@pytest.mark.django_db
def test_keys_of_metrics_json_and_records_are_the_same_in_each_language(german: None) -> None:
    seen: list[Any] = []
    unsubscribe = [subscribe(kind, seen.append) for kind in (JobsClaimed, JobsDied, LeasesExpired, RowsPruned)]
    try:
        settings = conf.load({"PUBLIC_URL": "https://hooks.example.com"})
        make_event(make_source())
        leases = kind_of(Event, settings).leases()
        assert len(leases.claim(1)) == 1
        Event.objects.update(lease_until="2020-01-01T00:00:00Z", begun_at="2020-01-01T00:00:00Z", crashes=1)
        assert settle.release_expired(Event, 1) == 1
        Event.objects.update(finished_at="2020-01-01T00:00:00Z")
        prune([Pruner(Event, 0)])
    finally:
        for end in unsubscribe:
            end()
    assert [record.kind for record in seen[:3]] == ["events"] * 3
    assert seen[3] == RowsPruned({"events": 1})
    assert [kind.name for kind in kinds(settings)] == ["events", "follow-ups", "deliveries", "replays"]
    assert {"events", "deliveries"} <= json.loads(json.dumps(stats.take().as_json(), default=str)).keys()
    labels = {labels[0] for _, labels, _ in gauges.read() if labels}
    assert {"events", "deliveries"} <= labels
    assert labels.isdisjoint(GERMAN.values())


@pytest.mark.django_db
def test_what_the_command_line_and_the_api_say_is_the_same_in_each_language(german: None) -> None:
    tenant = resolve(None)
    endpoint = make_endpoint()
    with pytest.raises(NotFound, match="source src_"):
        sources.find(Source.public(tenant.pk))
    with pytest.raises(NotFound, match="endpoint nobody not found"):
        endpoints.find("nobody")
    with pytest.raises(Conflict, match=r"endpoint ep_\w+ is enabled"):
        endpoints.delete(SYSTEM, endpoint)
