"""The svix client from PyPI, unchanged, against `hookline serve` over real sockets. Each answer is parsed strictly."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from svix.api import (
    ApplicationIn,
    ApplicationListOptions,
    ApplicationPatch,
    EndpointIn,
    EndpointListOptions,
    EndpointPatch,
    EndpointSecretRotateIn,
    EventTypeIn,
    EventTypePatch,
    RecoverIn,
    Svix,
    SvixOptions,
)
from svix.exceptions import HttpError, HTTPValidationError
from svix.models import EndpointHeadersIn, EndpointHeadersPatchIn, EndpointUpsertIn, EventExampleIn, EventTypeUpsertIn

from tests.e2e.test_serve import Installation, installation
from tests.outgoing.consumer import running_consumer
from tests.waiting import wait_until

__all__ = ["installation"]

KEY = "hk_live_made_up_for_the_client_of_svix"


@pytest.fixture
def svix(installation: Installation) -> Iterator[Svix]:
    installation.serve(HOOKLINE_API_KEY=KEY, HOOKLINE_ALLOWED_SUBNETS="127.0.0.0/8", HOOKLINE_POLL="0.05")
    client = Svix(KEY, SvixOptions(server_url=installation.url))
    yield client
    client._httpx_client.close()


def test_applications_endpoints_and_event_types_are_managed(svix: Svix, installation: Installation) -> None:
    refuse_a_stranger(Svix("junk", SvixOptions(server_url=installation.url)))
    app = svix.application.create(ApplicationIn(name="Acme", uid="acme", metadata={"plan": "free"}))
    assert svix.application.get("acme") == app
    assert svix.application.get_or_create(ApplicationIn(name="other", uid="acme")) == app
    with pytest.raises(HttpError) as taken:
        svix.application.create(ApplicationIn(name="other", uid="acme"))
    assert (taken.value.status_code, taken.value.code) == (409, "conflict")
    with pytest.raises(HTTPValidationError) as refused:
        svix.application.create(ApplicationIn(name=""))
    assert refused.value.detail[0].loc == ["body", "name"]
    assert svix.application.patch(app.id, ApplicationPatch(throttle_rate=5)).throttle_rate == 5
    for number in range(3):
        svix.application.create(ApplicationIn(name=str(number)))
    first = svix.application.list(ApplicationListOptions(limit=3))
    second = svix.application.list(ApplicationListOptions(limit=3, iterator=first.iterator))
    assert ([len(first.data), first.done], [len(second.data), second.done]) == ([3, False], [1, True])
    assert svix.application.list(ApplicationListOptions(limit=3, iterator=second.prev_iterator)).data == first.data

    manage_event_types(svix)
    manage_endpoints(svix, app.id)
    svix.application.delete(app.id)
    with pytest.raises(HttpError) as gone:
        svix.application.get(app.id)
    assert (gone.value.status_code, gone.value.code) == (404, "not_found")


def refuse_a_stranger(stranger: Svix) -> None:
    with pytest.raises(HttpError) as refused:
        stranger.application.list()
    stranger._httpx_client.close()
    assert (refused.value.status_code, refused.value.detail) == (401, "Invalid token")


def manage_event_types(svix: Svix) -> None:
    schema = {"1": {"type": "object", "examples": [{"id": 7}]}}
    made = svix.event_type.create(EventTypeIn(name="user.signup", description="d", schemas=schema))
    assert svix.event_type.get("user.signup") == made
    assert svix.event_type.patch("user.signup", EventTypePatch(deprecated=True)).deprecated
    assert svix.event_type.upsert("user.left", EventTypeUpsertIn(description="d")).name == "user.left"
    assert [one.name for one in svix.event_type.list().data] == ["user.left", "user.signup"]
    svix.event_type.delete("user.left")


def manage_endpoints(svix: Svix, app: str) -> None:
    with running_consumer() as consumer:
        endpoint = svix.endpoint.create(app, EndpointIn(url=consumer.url(), event_types=["user.signup"]))
        assert svix.endpoint.get(app, endpoint.id) == endpoint
        assert svix.endpoint.patch(app, endpoint.id, EndpointPatch(channels=["one"])).channels == ["one"]
        assert svix.endpoint.list(app, EndpointListOptions(limit=1)).done
        svix.endpoint.set_headers(app, endpoint.id, EndpointHeadersIn(headers={"X-One": "1"}))
        svix.endpoint.patch_headers(app, endpoint.id, EndpointHeadersPatchIn(headers={"Authorization": "Bearer x"}))
        headers = svix.endpoint.get_headers(app, endpoint.id)
        assert (headers.headers, headers.sensitive) == ({"X-One": "1"}, ["Authorization"])
        before = svix.endpoint.get_secret(app, endpoint.id).key
        svix.endpoint.rotate_secret(app, endpoint.id, EndpointSecretRotateIn())
        assert svix.endpoint.get_secret(app, endpoint.id).key != before

        svix.endpoint.upsert(app, "own-uid", EndpointUpsertIn(url=consumer.url(), disabled=True))
        assert svix.endpoint.get(app, "own-uid").disabled

        example = svix.endpoint.send_example(app, endpoint.id, EventExampleIn(event_type="user.signup"))
        assert example.payload == {"id": 7}
        arrival = wait_until(lambda: consumer.arrivals)[0]
        assert arrival.body == b'{"id":7}'
        names = {name.lower(): value for name, value in arrival.headers.items()}
        assert names["webhook-id"] in (example.id, (example.id,), [example.id])
        wait_until(lambda: svix.endpoint.get_stats(app, endpoint.id).success == 1)

    since = datetime.now(UTC) - timedelta(hours=1)
    task = svix.endpoint.recover(app, endpoint.id, RecoverIn(since=since))
    assert svix.background_task.get(task.id).task == task.task
    assert len(svix.background_task.list().data) == 1
    svix.endpoint.delete(app, endpoint.id)
