"""What somebody who knows the URL of a source can do to the documents of others: nothing."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from uuid import UUID

import pytest

from hookline import providers
from hookline.core.request import WebhookRequest
from hookline.exceptions import CannotVerify, NotVerified
from hookline.incoming.receive.documents import Documents
from hookline.incoming.receive.verification import receive_with
from hookline.providers.base import ParsedEvent, Provider, Received, SourceConfig
from hookline.providers.schemes.documents import Document, DocumentNeeded
from hookline.providers.schemes.x509 import certificate_document
from hookline.transport.transport import Response
from tests.waiting import wait_until

VICTIM, OTHER = UUID(int=1), UUID(int=2)
REAL = Document("https://certificates.example/real", ("certificates.example",), max_age=3600)


def made_up(number: int) -> Document:
    return Document(f"https://certificates.example/made-up-{number}", ("certificates.example",))


class Network:
    """Knows the real document, hangs for those called slow until `let_go`, and counts."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.loads: Counter[str] = Counter()
        self.slow: set[str] = set()
        self.hanging: list[str] = []
        self.released = threading.Event()
        self.documents = Documents(self.load, lambda: self.now)

    def load(self, document: Document) -> Response:
        self.loads[document.url] += 1
        if document.url in self.slow:
            self.hanging.append(document.url)
            assert self.released.wait(20)
        return Response(200, {}, b"certificate") if document.url == REAL.url else Response(404, {}, b"no")

    def verify(self, source: UUID, document: Document = REAL) -> Received:
        """What a request to this source that names the document comes to."""
        config = SourceConfig(("s",), source=source)
        request = WebhookRequest("POST", document.url, {}, b"")
        return receive_with(self.documents.fetch, Certified(), request, config, self.now)


class Certified(Provider):
    """Verifies what names the real document, and nothing else."""

    def receive(self, request: WebhookRequest, config: SourceConfig, now: float) -> Received:
        if config.document(Document(request.url, ("certificates.example",), max_age=3600)) != b"certificate":
            raise NotVerified("signature_mismatch")
        return Received((ParsedEvent("type", "key", "", b""),))


@pytest.fixture
def network() -> Iterator[Network]:
    made = Network()
    yield made
    made.released.set()


def ask(network: Network, source: UUID, count: int, start: int = 0) -> int:
    """Requests that name made-up documents. Returns how many were fetched."""
    before = network.loads.total()
    for number in range(start, start + count):
        with pytest.raises(CannotVerify):
            network.verify(source, made_up(number))
    return network.loads.total() - before


def test_made_up_documents_do_not_evict_what_verified_once(network: Network) -> None:
    network.verify(VICTIM)
    for minute in range(60):
        ask(network, VICTIM, 20, start=minute * 20)
        network.now += 30
        network.verify(VICTIM)
    assert network.loads[REAL.url] == 1


def test_nor_when_they_are_asked_for_in_the_names_of_ever_new_sources(network: Network) -> None:
    network.verify(VICTIM)
    for number in range(300):
        ask(network, UUID(int=100 + number), 8)
    network.verify(VICTIM)
    assert network.loads[REAL.url] == 1


def test_a_source_causes_requests_at_a_bounded_rate(network: Network) -> None:
    assert ask(network, OTHER, 1000) == 16
    network.now += 60
    assert ask(network, OTHER, 1000, start=1000) == 15


def test_a_flood_at_one_source_takes_nothing_from_another(network: Network) -> None:
    ask(network, OTHER, 1000)
    assert len(network.verify(VICTIM).events) == 1


def test_what_verified_before_is_fetched_afresh_during_a_flood_at_its_own_source(network: Network) -> None:
    network.verify(VICTIM)
    ask(network, VICTIM, 1000)
    network.now += 3601
    ask(network, VICTIM, 1000, start=1000)
    assert len(network.verify(VICTIM).events) == 1
    assert network.loads[REAL.url] == 2


def test_a_failure_to_get_what_verified_before_does_not_put_it_among_what_was_made_up(network: Network) -> None:
    network.verify(VICTIM)
    network.now += 3601
    network.documents._load = lambda _: Response(500, {}, b"")
    with pytest.raises(CannotVerify):
        network.verify(VICTIM)
    network.documents._load = network.load
    network.now += 31
    ask(network, VICTIM, 100)
    assert len(network.verify(VICTIM).events) == 1


def hang(network: Network, source: UUID, count: int, threads: ThreadPoolExecutor) -> list[Future[Received]]:
    network.slow |= {made_up(number).url for number in range(count)}
    return [threads.submit(network.verify, source, made_up(number)) for number in range(count)]


def test_eight_slow_documents_of_a_source_delay_neither_others_nor_what_it_verified_before(network: Network) -> None:
    network.verify(VICTIM)
    with ThreadPoolExecutor(20) as threads:
        waiting = hang(network, VICTIM, 8, threads)
        wait_until(lambda: len(network.hanging) == 2)
        network.now += 3601
        assert len(threads.submit(network.verify, VICTIM).result(10).events) == 1
        assert len(threads.submit(network.verify, OTHER).result(10).events) == 1
        network.released.set()
        for each in waiting:
            assert isinstance(each.exception(10), CannotVerify)


def test_slow_documents_of_many_sources_leave_places_for_what_verified_before(network: Network) -> None:
    network.verify(VICTIM)
    with ThreadPoolExecutor(40) as threads:
        network.slow |= {made_up(number).url for number in range(30)}
        waiting = [threads.submit(network.verify, UUID(int=100 + number), made_up(number)) for number in range(30)]
        wait_until(lambda: len(network.hanging) == 6)
        network.now += 3601
        assert len(threads.submit(network.verify, VICTIM).result(10).events) == 1
        network.released.set()
        for each in waiting:
            each.exception(10)


def test_who_came_last_is_served_first(network: Network) -> None:
    with ThreadPoolExecutor(20) as threads:
        waiting = hang(network, VICTIM, 8, threads)
        wait_until(lambda: len(network.hanging) == 2 and waiting_for_a_place(network) == 6)
        real = threads.submit(network.verify, VICTIM)
        wait_until(lambda: waiting_for_a_place(network) == 7)
        network.slow.clear()
        network.released.set()
        assert len(real.result(10).events) == 1
        assert [type(each.exception(10)) for each in waiting] == [CannotVerify] * 8
    assert list(network.loads).index(REAL.url) == 2


def test_who_waited_too_long_for_a_place_is_told_so(network: Network) -> None:
    with ThreadPoolExecutor(20) as threads:
        waiting = hang(network, VICTIM, 8, threads)
        wait_until(lambda: len(network.hanging) == 2 and waiting_for_a_place(network) == 6)
        network.now += 9
        network.released.set()
        told = sorted(str(each.exception(10)) for each in waiting)
    assert [text.endswith("too many documents are being fetched") for text in told] == [False] * 2 + [True] * 6
    assert len(network.hanging) == 2


def waiting_for_a_place(network: Network) -> int:
    return sum(len(lane.waiting) for lane in network.documents._queue._lanes.values())


def test_a_request_that_waits_on_an_event_loop_takes_no_thread(network: Network) -> None:
    network.slow.add(REAL.url)
    futures = [network.documents.obtain(REAL, VICTIM) for _ in range(500)]
    wait_until(lambda: network.hanging == [REAL.url])
    assert not futures[0].cancel()
    network.released.set()
    assert {future.result(10).content for future in futures} == {b"certificate"}
    assert network.documents.cached(REAL, VICTIM) == b"certificate"


def test_a_document_is_found_for_the_sources_that_waited_for_it_and_for_all_once_it_verified(network: Network) -> None:
    network.documents.obtain(REAL, VICTIM).result(10)
    with pytest.raises(DocumentNeeded):
        network.documents.cached(REAL, OTHER)
    network.verify(VICTIM)
    assert network.documents.cached(REAL, OTHER) == b"certificate"
    assert network.loads[REAL.url] == 1


# ---- one spelling ------------------------------------------------------------------------------------

SNS = "https://sns.us-west-2.amazonaws.com/SimpleNotificationService-f3ecfb7224c7233fe7bb5f59f96de52f.pem"
PAYPAL = "https://api.paypal.com/v1/notifications/certs/CERT-360caa42-fca2a594-a5cafa77"
OTHER_SPELLINGS: dict[str, Callable[[str], str]] = {
    "upper case host": lambda url: url.replace("amazonaws", "AMAZONAWS").replace("paypal.com", "PayPal.com"),
    "upper case path": lambda url: url.replace("f3ecf", "F3ECF").replace("360caa", "360CAA"),
    "upper case scheme": lambda url: url.replace("https", "HTTPS"),
    "percent-encoding": lambda url: url.replace("f3ecf", "%663ecf").replace("CERT", "%43ERT"),
    "a query": lambda url: f"{url}?x=1",
    "an empty query": lambda url: f"{url}?",
    "a fragment": lambda url: f"{url}#x",
    "a port": lambda url: url.replace(".com/", ".com:443/"),
    "another port": lambda url: url.replace(".com/", ".com:8443/"),
    "dot segments": lambda url: url.replace(".com/", ".com/x/../"),
    "a dot": lambda url: url.replace(".com/", ".com/./"),
    "two slashes": lambda url: url.replace(".com/", ".com//"),
    "a dot behind the host": lambda url: url.replace(".com/", ".com./"),
    "a slash behind": lambda url: f"{url}/",
    "a user": lambda url: url.replace("https://", "https://x@"),
    "parameters": lambda url: f"{url};x=1",
    "a line feed": lambda url: f"{url}\n",
    "digits of another script": lambda url: url.replace("3", "\u0663"),
    "another name": lambda url: url.replace("SimpleNotificationService-", "x-").replace("CERT-", "x-"),
    "a bucket": lambda url: url.replace("us-west-2", "s3"),
}


@pytest.mark.parametrize("spelling", OTHER_SPELLINGS)
@pytest.mark.parametrize("name", ["aws_sns", "paypal"])
def test_a_certificate_has_one_url_and_other_spellings_are_refused(name: str, spelling: str) -> None:
    module = __import__(providers.get(name).__module__, fromlist=["_CERTIFICATE"])
    url = SNS if name == "aws_sns" else PAYPAL
    hosts = ("sns.us-west-2.amazonaws.com",) if name == "aws_sns" else module._HOSTS
    assert certificate_document(url, hosts, module._CERTIFICATE).url == url
    other = OTHER_SPELLINGS[spelling](url)
    if other != url:
        with pytest.raises(NotVerified):
            certificate_document(other, hosts, module._CERTIFICATE)
