"""Where sources are: the path before their tokens, as the project's URLs have it."""

from __future__ import annotations

from django.urls import NoReverseMatch, reverse

from hookline import conf


def path_prefix() -> str:
    """The path before the token, wherever the project includes `hookline.urls`; `/in/` where it does not."""
    try:
        return reverse("hookline:ingest", args=["token"]).removesuffix("token")
    except NoReverseMatch:  # the ASGI edge needs no URL of Django's
        return "/in/"


def path_of(token: str) -> str:
    """The path of the source with this token."""
    return f"{path_prefix()}{token}"


def url_of(token: str) -> str:
    """The URL to give to the sender; only its path where PUBLIC_URL is not set."""
    return f"{conf.get().PUBLIC_URL.rstrip('/')}{path_of(token)}"
