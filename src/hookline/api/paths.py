"""Paths: which requests are for one kind of thing, told without Django, for what answers ahead of it."""

from __future__ import annotations

from django.urls import NoReverseMatch, reverse


class Paths:
    """Knows where the project has the API, which may be nowhere."""

    def __init__(self, first: str) -> None:
        """`first` is the part of the path behind the version: `app`, or `source`."""
        self._tail = f"api/v1/{first}/"
        try:
            self._prefix: str | None = reverse("hookline_api:v1", kwargs={"rest": f"/{first}/"})
        except NoReverseMatch:
            self._prefix = None

    def behind(self, path: str) -> str | None:
        """What stands behind `/api/v1/app/`, without slashes at its end; None for any other path.

        As in `urls.py`, slashes before `api` mean nothing: clients make them of a base URL that ends in one.
        """
        prefix = self._prefix
        if prefix is None:
            return None
        if path.startswith(prefix):
            return path[len(prefix) :].rstrip("/")
        mount = prefix.removesuffix(self._tail)
        if not path.startswith(f"{mount}/"):
            return None
        found = path[len(mount) :].lstrip("/")
        return found[len(self._tail) :].rstrip("/") if found.startswith(self._tail) else None
