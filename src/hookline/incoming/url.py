"""Where sources are: the path before their tokens, as the project's URLs have it."""

from __future__ import annotations

from django.conf import settings
from django.urls import NoReverseMatch, reverse

from hookline import conf

#: Where `hookline.urls` has the sources.
PREFIX = "/in/"


def path_prefix() -> str:
    """The path before the token, wherever the project includes `hookline.urls`; `/in/` where it does not."""
    # The standalone server's URLs are known; to look them up, Django would load all of the API.
    if settings.ROOT_URLCONF == "hookline.server.urls":
        return PREFIX
    try:
        return reverse("hookline:ingest", args=["token"]).removesuffix("token")
    except NoReverseMatch:  # the ASGI edge needs no URL of Django's
        return PREFIX


def path_of(token: str) -> str:
    """The path of the source with this token."""
    return f"{path_prefix()}{token}"


def url_of(token: str) -> str:
    """The URL to give to the sender; only its path where PUBLIC_URL is not set."""
    return f"{conf.get().PUBLIC_URL.rstrip('/')}{path_of(token)}"
