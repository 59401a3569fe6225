"""How much is kept of what was refused, whoever it is that is refused, and how often."""

from __future__ import annotations

import json
import logging
import tracemalloc
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import OperationalError, connection
from django.test.utils import CaptureQueriesContext, override_settings

from hookline.core.request import WebhookRequest
from hookline.db import counters
from hookline.exceptions import CannotVerify, NotVerified, TooLarge, UnknownSource, VerificationError
from hookline.incoming.models import Rejection, RejectionCount, Source
from hookline.incoming.receive.kept_request import cut, load
from hookline.incoming.receive.rejections import Recorder, Refused, only_counted
from tests.engine.rows import make_source

pytestmark = pytest.mark.django_db(transaction=True)

WRONG = NotVerified("signature_mismatch", "it was not made with the secret")


class Clock:
    """Starts within an hour, at 2026-11-27 06:40 UTC."""

    def __init__(self) -> None:
        self.now = 1_795_761_600.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def recorder(clock: Clock) -> Iterator[Recorder]:
    made = Recorder(clock, clock)
    yield made
    made.flush()


@pytest.fixture
def source() -> Source:
    return make_source("stripe")


def a_request(body: bytes = b"{}", url: str = "https://hooks.example.com/in/x", **headers: str) -> WebhookRequest:
    return WebhookRequest("POST", url, {name: (value,) for name, value in headers.items()}, body, "192.0.2.7")


def refused(source: Source | None, error: VerificationError = WRONG, body: bytes = b"{}", **more: Any) -> Refused:
    return Refused(a_request(body), source, source.token if source else "unknown", error, **more)


def limits(rows: int = 10_000, size: int = 64 * 1024 * 1024) -> Any:
    from django.conf import settings

    return override_settings(HOOKLINE={**settings.HOOKLINE, "MAX_REJECTIONS": rows, "MAX_REJECTION_BYTES": size})


# ---- one request -------------------------------------------------------------------------------------


BIG = {
    "headers": a_request(b"{}", **{f"x-{number}": "v" * 1000 for number in range(60)}),
    "one header": a_request(b"{}", x="v" * 60_000),
    "headers of one name": WebhookRequest("POST", "u", {"x": ("v" * 100,) * 600}, b"{}"),
    "characters that take six in JSON": a_request(b"\xff" * 60_000, x="\xe9" * 60_000, y='"\\' * 30_000),
    "a URL": a_request(b"{}", url="https://hooks.example.com/in/x?" + "q" * 60_000),
    "a body": a_request(b"b" * 60_000),
    "everything": a_request(b"b" * 60_000, url="u" * 60_000, x="v" * 60_000),
    "a method": WebhookRequest("M" * 60_000, "u", {}, b""),
}


@pytest.mark.parametrize("request_", BIG.values(), ids=BIG.keys())
def test_url_headers_and_body_of_a_refused_request_share_one_budget(
    request_: WebhookRequest, source: Source, recorder: Recorder
) -> None:
    recorder.record_all([Refused(request_, source, source.token, WRONG)])
    rejection = Rejection.objects.get()
    assert rejection.complete is False
    with connection.cursor() as cursor:
        cursor.execute("SELECT length(encrypted_request) FROM hookline_rejection")
        # 16 KiB, in base64 within JSON and in base64 again when it is encrypted.
        assert cursor.fetchone()[0] < 16 * 1024 * 16 / 9 + 1000


def test_what_is_kept_begins_with_the_url_and_has_all_headers_that_fit(source: Source) -> None:
    kept, whole = cut(a_request(b"b" * 60_000, large="v" * 60_000, stripe_signature="t=1"), 16 * 1024)
    assert whole is False
    assert kept.url == "https://hooks.example.com/in/x"
    assert kept.headers == {"stripe_signature": ("t=1",)}
    assert len(kept.body) > 16_000
    assert kept.body + b"b" * (60_000 - len(kept.body)) == b"b" * 60_000


def test_a_request_that_was_kept_whole_can_be_read_back_and_says_so(source: Source, recorder: Recorder) -> None:
    sent = a_request(b"\x00\xff", "https://hooks.example.com/in/x?a=\u00e9", x="caf\xe9")
    recorder.record_all([Refused(sent, source, source.token, WRONG)])
    rejection = Rejection.objects.get()
    assert (rejection.complete, load(rejection)) == (True, sent)


def test_what_was_refused_before_its_body_was_read_is_not_complete(source: Source, recorder: Recorder) -> None:
    unknown = UnknownSource("unknown_source", "no enabled source has this token")
    recorder.record_all(
        [
            refused(None, unknown, b"", body_read=False),
            refused(source, TooLarge("too_many_events", "the request has 60000 events"), b"[]"),
            refused(source, CannotVerify("no_secret", "no secret"), b"[]"),
        ]
    )
    found = {rejection.reason: rejection.complete for rejection in Rejection.objects.all()}
    assert found == {"unknown_source": False, "too_many_events": False, "no_secret": True}


def test_complete_does_not_change_with_the_setting(source: Source, recorder: Recorder) -> None:
    recorder.record_all([refused(source, body=b"b" * 20_000)])
    from django.conf import settings

    with override_settings(HOOKLINE={**settings.HOOKLINE, "REJECTION_BODY_BYTES": 100_000}):
        assert Rejection.objects.get().complete is False


def test_a_refused_request_that_waits_to_be_stored_holds_no_more_than_is_kept() -> None:
    tracemalloc.start()
    try:
        waiting = [refused(None, body=bytes(5_000_000)) for _ in range(20)]
        assert tracemalloc.get_traced_memory()[0] < 20 * 40_000
    finally:
        tracemalloc.stop()
    assert all(16_000 < item.size < 40_000 for item in waiting)
    assert {item.body_size for item in waiting} == {5_000_000}


# ---- many requests -----------------------------------------------------------------------------------


def test_beyond_the_limits_rejections_are_counted_and_not_stored(source: Source, recorder: Recorder) -> None:
    with limits(rows=160):
        for _ in range(10):
            recorder.record_all([refused(source) for _ in range(100)])
    recorder.flush()
    # An hour may bring an eighth, and one reason half of that.
    assert Rejection.objects.count() == 10
    assert only_counted(1_795_761_600.0) == [(source.public_id, "signature_mismatch", 990)]


def test_beyond_the_limit_of_bytes_too(source: Source, recorder: Recorder) -> None:
    with limits(size=16 * 1024 * 1024):
        for _ in range(20):
            recorder.record_all([refused(source, body=b"b" * 20_000) for _ in range(100)])
    recorder.flush()
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*), sum(length(encrypted_request)) FROM hookline_rejection")
        rows, size = cursor.fetchone()
    # An eighth of 16 MiB, and half of that for one reason.
    assert 30 < rows < 60
    assert size < 1024 * 1024
    assert only_counted(0) == [(source.public_id, "signature_mismatch", 2000 - rows)]


def test_a_flood_for_one_reason_leaves_room_for_the_others_of_its_source_and_for_other_sources(
    source: Source, recorder: Recorder
) -> None:
    other = make_source("stripe")
    with limits(rows=160):
        for _ in range(5):
            recorder.record_all([refused(source) for _ in range(100)])
            recorder.record_all([refused(source, NotVerified("timestamp_too_old", "")) for _ in range(100)])
        # Both halves of the hour are full; what is rare is kept all the same.
        recorder.record_all([refused(source, CannotVerify("no_secret", "")) for _ in range(20)])
        recorder.record_all([refused(other) for _ in range(8)])
    reasons = list(Rejection.objects.filter(source=source).values_list("reason", flat=True))
    assert {reason: reasons.count(reason) for reason in reasons} == {
        "signature_mismatch": 10, "timestamp_too_old": 10, "no_secret": 5,
    }  # fmt: skip
    assert Rejection.objects.filter(source=other).count() == 8


def test_unknown_urls_share_a_tenth_of_what_a_source_has(recorder: Recorder) -> None:
    unknown = UnknownSource("unknown_source", "no enabled source has this token")
    with limits(rows=1600):
        recorder.record_all([Refused(a_request(), None, f"token-{n}", unknown) for n in range(500)])
    recorder.flush()
    assert Rejection.objects.count() == 10
    assert only_counted(0) == [(None, "unknown_source", 490)]


def test_the_limits_hold_across_processes_and_restarts(source: Source, clock: Clock) -> None:
    with limits(rows=160):
        for _ in range(4):
            process = Recorder(clock, clock)
            process.record_all([refused(source) for _ in range(30)])
            process.flush()
    assert Rejection.objects.count() == 10
    counted = RejectionCount.objects.get()
    assert (counted.stored, counted.only_counted) == (10, 110)


def test_the_next_hour_has_room_again_until_the_whole_of_it_is_used(
    source: Source, recorder: Recorder, clock: Clock
) -> None:
    kept = []
    with limits(rows=80):
        for _ in range(20):
            recorder.record_all([refused(source) for _ in range(100)])
            kept.append(Rejection.objects.count())
            clock.now += 3600
    # Five of a reason in an hour whatever there was, since half of an eighth of 80 are five.
    assert kept[:3] == [5, 10, 15]
    assert RejectionCount.objects.count() == 20


def test_all_that_is_kept_of_a_source_is_bounded_but_for_the_first_few_of_each_hour(
    source: Source, recorder: Recorder, clock: Clock
) -> None:
    with limits(rows=320):
        for _ in range(40):
            recorder.record_all([refused(source) for _ in range(100)])
            clock.now += 3600
    # Twenty an hour for 16 hours, then five.
    assert Rejection.objects.count() == 320 + 24 * 5


def test_a_flood_asks_the_database_next_to_nothing(source: Source, recorder: Recorder) -> None:
    with limits(rows=80):
        recorder.record_all([refused(source) for _ in range(100)])
        with CaptureQueriesContext(connection) as captured:
            for _ in range(1000):
                assert recorder.only_counts(refused(source))
            recorder.record_all([refused(source) for _ in range(100)])
        assert len(captured) == 0
        with CaptureQueriesContext(connection) as captured:
            recorder.flush()
        assert len(captured) == 1
    assert only_counted(0) == [(source.public_id, "signature_mismatch", 1195)]


def test_after_a_moment_it_asks_again_whether_there_is_room(source: Source, recorder: Recorder, clock: Clock) -> None:
    with limits(rows=80):
        recorder.record_all([refused(source) for _ in range(100)])
        assert recorder.only_counts(refused(source))
        RejectionCount.objects.all().delete()
        clock.now += 3
        assert not recorder.only_counts(refused(source))
        recorder.record_all([refused(source)])
    assert Rejection.objects.count() == 6


def test_a_database_that_is_away_loses_no_count_and_is_asked_once_in_a_while(
    source: Source, recorder: Recorder, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*arguments: Any, **more: Any) -> None:
        raise OperationalError("the disk is full")

    with monkeypatch.context() as patched:
        patched.setattr(Rejection.objects, "bulk_create", fail)
        patched.setattr(counters, "add", fail)
        for _ in range(50):
            recorder.record_all([refused(source)])
        with pytest.raises(OperationalError):
            recorder.flush()
    assert caplog.text.count("Traceback") == 1
    recorder.flush()
    assert only_counted(0) == [(source.public_id, "signature_mismatch", 50)]


def test_one_source_that_was_deleted_meanwhile_takes_no_others_rejection_with_it(
    source: Source, recorder: Recorder
) -> None:
    gone = make_source("stripe")
    waiting = [refused(source), refused(gone), refused(None)]
    gone_id = gone.pk
    gone.delete()
    gone.pk = gone_id
    recorder.record_all(waiting)
    assert {rejection.source_id for rejection in Rejection.objects.all()} == {source.pk, None}


# ---- the log -----------------------------------------------------------------------------------------


def test_a_flood_writes_few_lines_to_the_log(
    source: Source, recorder: Recorder, caplog: pytest.LogCaptureFixture
) -> None:
    with limits(rows=80):
        for _ in range(100):
            recorder.record_all([refused(source) for _ in range(100)])
        recorder.flush()
    assert len(caplog.records) == 6
    assert "refused 9995 more webhooks" in caplog.records[-1].getMessage()
    assert caplog.records[-1].levelno == logging.WARNING


def test_what_a_stranger_sent_cannot_write_lines_of_its_own_to_the_log(
    source: Source, recorder: Recorder, caplog: pytest.LogCaptureFixture
) -> None:
    error = NotVerified("wrong_certificate_url", "no\n2026-11-27 ERROR made up\x1b[2J" + "x" * 10_000)
    request = WebhookRequest("POST", "u", {}, b"", "192.0.2.7\nmade up")
    recorder.record_all([Refused(request, source, source.token, error)])
    (line,) = (record.getMessage() for record in caplog.records)
    assert line.isprintable()
    assert len(line) < 800
    assert "no\\n2026-11-27 ERROR made up\\x1b[2J" in line


def test_the_count_is_stored_by_itself_a_moment_later(source: Source) -> None:
    from tests.waiting import wait_until

    recorder = Recorder()
    recorder.count(refused(source))
    wait_until(lambda: [number for _, _, number in only_counted(0)] == [1])


def test_the_request_that_is_kept_is_json_that_earlier_versions_can_read(source: Source, recorder: Recorder) -> None:
    recorder.record_all([refused(source, body=b'{"a":1}')])
    assert json.loads(Rejection.objects.get().encrypted_request) == {
        "method": "POST", "url": "https://hooks.example.com/in/x", "headers": {}, "body": "eyJhIjoxfQ==",
    }  # fmt: skip
