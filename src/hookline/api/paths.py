"""ApplicationPaths: which requests are for an application, told without Django, for what answers ahead of it."""

from __future__ import annotations

from django.urls import NoReverseMatch, reverse

_TAIL = "api/v1/app/"


class ApplicationPaths:
    """Knows where the project has the API, which may be nowhere."""

    def __init__(self) -> None:
        try:
            self._prefix: str | None = reverse("hookline_api:v1", kwargs={"rest": "/app/"})
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
        mount = prefix.removesuffix(_TAIL)
        if not path.startswith(f"{mount}/"):
            return None
        found = path[len(mount) :].lstrip("/")
        return found[len(_TAIL) :].rstrip("/") if found.startswith(_TAIL) else None
