"""How much was sent, by application and by event type: Svix's `/stats/usage`, whose numbers a background task has."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from hookline import conf, dispatch
from hookline.engine.kind import kind_of
from hookline.models import Replay, Tenant
from tests.api.calls import Calls
from tests.engine.rows import make_endpoint
from tests.waiting import wait_until

pytestmark = pytest.mark.django_db(transaction=True)


def test_deliveries_are_counted_by_application(api: Calls) -> None:
    for uid in ("acme", "other"):
        api.post("/app", {"name": uid, "uid": uid})
        make_endpoint(tenant=Tenant.objects.get(key=uid))
        dispatch("invoice.paid", {}, tenant=uid)
    now = datetime.now(UTC)
    times = {"since": (now - timedelta(hours=1)).isoformat(), "until": (now + timedelta(hours=1)).isoformat()}
    task = api.post("/stats/usage/app", {**times, "appIds": ["acme", "nobody"]}, status=202)
    assert (task["task"], task["status"]) == ("application.stats", "running")
    assert task["unresolvedAppIds"] == ["nobody"]
    everything = api.post("/stats/usage/app", times, status=202)
    kind_of(Replay, conf.get()).share(lambda: None)
    shown = api.get(f"/background-task/{task['id']}")
    app = api.get("/app/acme")["id"]
    assert shown["status"] == "finished"
    assert shown["data"]["appStats"] == [{"appId": app, "appUid": "acme", "messageDestinations": 1}]
    assert len(api.get(f"/background-task/{everything['id']}")["data"]["appStats"]) == 2
    refused = api.post("/stats/usage/app", {**times, "appIds": ["nobody"]}, status=422)
    assert refused["detail"][0]["loc"] == ["body", "app_ids"]


def test_deliveries_are_counted_by_event_type(api: Calls) -> None:
    api.post("/app", {"name": "acme", "uid": "acme"})
    make_endpoint(tenant=Tenant.objects.get(key="acme"))
    for event_type in ("invoice.paid", "user.created", "invoice.paid"):
        dispatch(event_type, {}, tenant="acme")
    made = datetime.now(UTC)
    wait_until(lambda: datetime.now(UTC) - made > timedelta(milliseconds=2))  # ids tell the time to the millisecond
    task = api.put("/stats/usage/event-types", status=202)
    assert (task["task"], task["status"]) == ("event-type.aggregate", "running")
    none = api.put(
        f"/stats/usage/event-types?until={(made - timedelta(days=1)).strftime('%Y-%m-%dT%H:%M:%SZ')}", status=202
    )
    kind_of(Replay, conf.get()).share(lambda: None)
    shown = api.get(f"/background-task/{task['id']}")
    assert shown["status"] == "finished"
    assert shown["data"]["eventTypeStats"] == [
        {"name": "invoice.paid", "messageDestinations": 2},
        {"name": "user.created", "messageDestinations": 1},
    ]
    assert api.get(f"/background-task/{none['id']}")["data"]["eventTypeStats"] == []
