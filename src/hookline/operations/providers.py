"""Providers: the senders that Hookline knows."""

from __future__ import annotations

from typing import Any

from hookline import providers
from hookline.providers.base import Option, Provider


def find(name: str) -> Provider:
    """By name or alias. Raises ConfigurationError, naming the nearest ones."""
    return providers.get(name)


def known() -> list[Provider]:
    """All of them, sorted by name."""
    return [providers.get(name) for name in providers.names()]


def as_json(provider: Provider) -> dict[str, Any]:
    return {
        "name": provider.name,
        "title": provider.title,
        "aliases": list(provider.aliases),
        "docs_url": provider.docs_url,
    }


def details_as_json(provider: Provider) -> dict[str, Any]:
    """What `as_json` leaves out: what a source of it needs."""
    return {
        "secret": provider.secret_help,
        "methods": sorted(provider.methods),
        "media": sorted(provider.media),
        "confirmed": provider.confirmed,
        "options": [option_as_json(option) for option in provider.known_options if not option.deprecated],
        "samples": list(provider.samples),
    }


def option_as_json(option: Option) -> dict[str, Any]:
    return {
        "name": option.name,
        "default": option.default,
        "choices": list(option.choices),
        "help": option.help,
    }
