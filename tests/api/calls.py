"""Calling the API without a socket."""

from __future__ import annotations

import json
from typing import Any

from django.test import Client

#: Made up.
KEY = "hk_live_made_up_for_the_tests_of_the_api"
UNSET: Any = object()


class Calls:
    def __init__(self, key: str | None, prefix: str = "/api/v1") -> None:
        headers = {} if key is None else {"authorization": f"Bearer {key}"}
        self._client = Client(headers=headers, raise_request_exception=True)
        self._prefix = prefix

    def ask(self, method: str, path: str, body: Any = UNSET, *, raw: bytes = b"", **headers: Any) -> Any:
        """The answer of Django's test client."""
        sent = raw if body is UNSET else json.dumps(body).encode()
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        return self._client.generic(method, self._prefix + path, sent, "application/json", headers=names)

    def __call__(self, method: str, path: str, body: Any = UNSET, *, status: int = 200, **headers: Any) -> Any:
        """The JSON of an answer with this status."""
        answer = self.ask(method, path, body, **headers)
        assert answer.status_code == status, f"{method} {path}: {answer.status_code} {answer.content!r}"
        return json.loads(answer.content) if answer.content else None

    def get(self, path: str, *, status: int = 200) -> Any:
        return self("GET", path, status=status)

    def post(self, path: str, body: Any = UNSET, *, status: int = 201, **headers: Any) -> Any:
        return self("POST", path, body, status=status, **headers)

    def put(self, path: str, body: Any = UNSET, *, status: int = 200) -> Any:
        return self("PUT", path, body, status=status)

    def patch(self, path: str, body: Any = UNSET, *, status: int = 200) -> Any:
        return self("PATCH", path, body, status=status)

    def delete(self, path: str, *, status: int = 204) -> Any:
        return self("DELETE", path, status=status)
