"""A POST that is sent again with its Idempotency-Key."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from django.db import connections
from django.utils import timezone

from hookline.access.kept_answer import KeptAnswer
from hookline.api import idempotency
from tests.api.calls import Calls

pytestmark = pytest.mark.django_db(transaction=True)


def test_the_first_answer_is_repeated_whatever_the_body_says(api: Calls) -> None:
    first = api.post("/app", {"name": "one"}, idempotency_key="k")
    again = api.ask("POST", "/app/", {"name": "two"}, idempotency_key="k")
    assert (again.status_code, again.json(), again["idempotency-replayed"]) == (201, first, "true")
    other = api.post("/app?get_if_exists=true", {"name": "two"}, idempotency_key="k")
    assert other["id"] != first["id"]
    assert api.post("/app", {"name": "one"}, idempotency_key="other")["id"] != first["id"]


def test_an_error_is_not_kept(api: Calls) -> None:
    api.post("/app", {"name": ""}, status=422, idempotency_key="k")
    assert api.post("/app", {"name": "one"}, idempotency_key="k")["name"] == "one"


def test_an_empty_key_is_none(api: Calls) -> None:
    assert api.post("/app", {"name": "a"}, idempotency_key="")["name"] == "a"
    assert api.post("/app", {"name": "b"}, idempotency_key="")["name"] == "b"


def test_whoever_is_not_known_gets_no_kept_answer(api: Calls) -> None:
    api.post("/app", {"name": "a"}, idempotency_key="k")
    Calls("hk_live_of_somebody_else_who_is_not_known")("POST", "/app", {"name": "a"}, status=401, idempotency_key="k")


def test_an_answer_without_a_body_is_kept_too(api: Calls) -> None:
    app = api.post("/app", {"name": "a"})["id"]
    endpoint = api.post(f"/app/{app}/endpoint", {"url": "https://example.com"})["id"]
    path = f"/app/{app}/endpoint/{endpoint}/secret"
    api.post(f"{path}/rotate", {}, status=204, idempotency_key="k")
    rotated = api.get(path)
    again = api.ask("POST", f"{path}/rotate", {}, idempotency_key="k")
    assert (again.status_code, again.content, api.get(path)) == (204, b"", rotated)


def test_requests_at_the_same_moment_have_one_effect(api: Calls, operator_key: str) -> None:
    answers: list[Any] = []

    def ask() -> None:
        answers.append(Calls(operator_key).post("/app", {"name": "one"}, idempotency_key="k"))
        connections.close_all()

    threads = [threading.Thread(target=ask) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({answer["id"] for answer in answers}) == 1
    assert len(answers) == 6
    assert len(api.get("/app")["data"]) == 1


def test_an_answer_is_kept_encrypted_and_for_twelve_hours(api: Calls, monkeypatch: pytest.MonkeyPatch) -> None:
    first = api.post("/app", {"name": "one"}, idempotency_key="k")
    later = timezone.now() + idempotency.KEPT
    monkeypatch.setattr("hookline.api.idempotency.timezone.now", lambda: later)
    assert api.post("/app", {"name": "one"}, idempotency_key="k")["id"] != first["id"]
    assert KeptAnswer.objects.count() == 1
