"""From where a source accepts requests: the same answers at both edges."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import override_settings

from hookline.incoming.models import Event, Rejection
from tests.edges.senders import SECRET, generic
from tests.edges.servers import SERVERS, Edge
from tests.engine.rows import make_source
from tests.settings import HOOKLINE

BODY = b'{"type":"order.paid","id":"evt_1"}'
FORGED = {"x-forwarded-for": "192.0.2.7", "x-real-ip": "192.0.2.7", "forwarded": "for=192.0.2.7"}


def behind(proxies: int) -> Any:
    return override_settings(HOOKLINE={**HOOKLINE, "TRUSTED_PROXIES": proxies})


def test_a_request_from_one_of_the_networks_is_accepted_and_another_refused_whatever_its_headers_say(
    edge: Edge,
) -> None:
    allowed = make_source("generic", SECRET, networks=["127.0.0.0/8"])
    closed = make_source("generic", SECRET, networks=["192.0.2.0/24"])
    assert edge.post(allowed.path, generic(BODY)).status == 200
    refused = edge.post(closed.path, generic(BODY), headers=FORGED)
    assert (refused.status, refused.json) == (403, {"error": {"code": "forbidden"}})
    rejection = Rejection.objects.get()
    assert (rejection.reason, rejection.remote_addr, rejection.complete) == ("address_not_allowed", "127.0.0.1", True)
    assert Event.objects.count() == 1


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("name", sorted(SERVERS))
def test_behind_two_proxies_the_client_is_the_second_hop_from_the_right(name: str) -> None:
    with behind(2), SERVERS[name]() as edge:
        source = make_source("generic", SECRET, networks=["192.0.2.0/24"])
        hops = {
            "192.0.2.7, 10.0.0.1": 200,
            "203.0.113.9, 192.0.2.7, 10.0.0.1": 200,
            "192.0.2.7, 203.0.113.9, 10.0.0.1": 403,  # what stands left of the hop may be made up
            "192.0.2.7": 403,  # it came past a proxy
            "192.0.2.7, unknown, 10.0.0.1": 403,
        }
        answers = {value: edge.post(source.path, generic(BODY), headers={"x-forwarded-for": value}) for value in hops}
        assert {value: answer.status for value, answer in answers.items()} == hops
        addresses = Rejection.objects.order_by("id").values_list("remote_addr", flat=True)
        assert list(addresses) == ["203.0.113.9", "127.0.0.1", ""]


def test_networks_that_somebody_spoilt_refuse_everything_until_they_are_repaired(edge: Edge) -> None:
    source = make_source("generic", SECRET, networks=["everywhere"])
    answer = edge.post(source.path, generic(BODY))
    assert (answer.status, answer.json) == (503, {"error": {"code": "cannot_verify"}})
    assert Rejection.objects.get().reason == "bad_networks"
