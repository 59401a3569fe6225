"""Keys as requests show them: who is let in, for how long, and what that costs the database."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext, override_settings
from django.utils import timezone

from hookline import conf
from hookline.access.authenticate import authenticate, known
from hookline.access.authenticate import keys as cache
from hookline.access.key_cache import AT_MOST, FRESH, KeyCache
from hookline.access.models import ApiKey
from hookline.access.principal import Principal
from hookline.audit.actor import key as key_actor
from hookline.core import api_keys
from hookline.exceptions import ConfigurationError, NotAuthenticated
from hookline.operations import app_tokens, keys, removal, tenants
from hookline.tenants.models import Tenant
from tests.engine.rows import make_endpoint

ACTOR = key_actor("key_of_the_test")


class Watch:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Process:
    """What another process knows of keys."""

    def __init__(self) -> None:
        self.watch = Watch()
        self.cache = KeyCache(self.watch)

    def asked(self, text: str) -> Principal:
        read = api_keys.read(text)
        assert read is not None
        return self.cache.find(read)

    def lets_in(self, text: str) -> bool:
        try:
            self.asked(text)
        except NotAuthenticated:
            return False
        return True


@pytest.fixture(autouse=True)
def nothing_is_known() -> Iterator[None]:
    cache.forget()
    yield
    cache.forget()


@pytest.mark.django_db
class TestKeys:
    def test_a_key_says_who_acts_for_which_tenant_and_what_it_may_do(self) -> None:
        tenant = Tenant.objects.create(key="acme")
        made = keys.create(ACTOR, ["messages:write"], tenant=tenant, rate_limit=5)
        principal = authenticate(f"bearer   {made.text} ")
        assert str(principal.actor) == f"key {made.key.public_id}"
        assert (principal.tenant_id, principal.is_operator, principal.sees(tenant)) == (tenant.pk, False, True)
        assert not principal.sees(Tenant.objects.create(key="other"))
        assert principal.may("messages:write")
        assert not principal.may("messages:read")

    def test_a_key_without_a_tenant_is_an_operators(self) -> None:
        made = keys.create(ACTOR, ["all"])
        assert authenticate(f"Bearer {made.text}").is_operator

    def test_the_database_holds_nothing_of_a_key_that_could_be_sent(self) -> None:
        made = keys.create(ACTOR, ["all"])
        stored = repr(list(ApiKey.objects.values()))
        assert made.text not in stored
        assert made.text[30:73] not in stored
        assert made.text not in repr(made)

    @pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer  ", "Basic {0}", "{0}", "Bearer x.y.z", "Bearer é"])
    def test_what_is_no_key_is_refused_without_a_query(self, header: str | None) -> None:
        made = keys.create(ACTOR, ["all"])
        with CaptureQueriesContext(connection) as queries, pytest.raises(NotAuthenticated):
            authenticate(header and header.format(made.text))
        assert len(queries) == 0

    def test_a_key_that_nobody_made_is_refused_however_well_formed(self) -> None:
        row = keys.create(ACTOR, ["all"]).key
        guessed = api_keys.make(api_keys.KeyKind.LIVE, row.pk, bytes(32))
        unknown = api_keys.make(api_keys.KeyKind.LIVE, Tenant().pk, bytes(32))
        other_kind = api_keys.make(api_keys.KeyKind.APP, row.pk, bytes(32))
        for text in (guessed, unknown, other_kind):
            with pytest.raises(NotAuthenticated):
                authenticate(f"Bearer {text}")
        row.refresh_from_db()
        assert row.last_used_at is None  # what was guessed is no use

    def test_a_revoked_key_is_refused_by_every_process_within_a_second(self) -> None:
        made = keys.create(ACTOR, ["all"])
        processes = [Process(), Process()]
        assert all(process.lets_in(made.text) for process in processes)
        keys.revoke(ACTOR, made.key)
        for process in processes:
            process.watch.now += 0.99
            assert not process.lets_in(made.text)
        assert AT_MOST < 1  # while another thread reads it again

    def test_the_keys_of_a_deleted_tenant_are_refused_as_soon(self) -> None:
        tenant = Tenant.objects.create(key="acme")
        made = keys.create(ACTOR, ["all"], tenant=tenant)
        process = Process()
        assert process.lets_in(made.text)
        token = app_tokens.issue(ACTOR, tenant)
        make_endpoint("https://example.com/", tenant=tenant)  # so that it does not go at once
        tenants.delete(ACTOR, tenant)
        process.watch.now += FRESH
        assert not process.lets_in(made.text)
        assert not process.lets_in(token.text)
        for portion in removal.carry_out(tenant):
            assert portion is not None
        assert not ApiKey.objects.exists()

    def test_a_change_of_scopes_counts_as_soon(self) -> None:
        made = keys.create(ACTOR, ["messages:read"])
        process = Process()
        assert process.asked(made.text).may("messages:read")
        keys.update(ACTOR, made.key, given=["events:read"])
        process.watch.now += FRESH
        assert not process.asked(made.text).may("messages:read")

    def test_an_expired_key_is_refused_at_once(self) -> None:
        made = keys.create(ACTOR, ["all"], expires_at=timezone.now() + timedelta(hours=1))
        now = Watch()
        late = KeyCache(clock=now)
        now.now = timezone.now().timestamp()
        read = api_keys.read(made.text)
        assert read is not None
        assert late.find(read).is_operator
        now.now += 3601
        with pytest.raises(NotAuthenticated):
            late.get(read)

    def test_during_the_overlap_of_a_rotation_both_texts_count_and_afterwards_the_new_one(self) -> None:
        made = keys.create(ACTOR, ["all"])
        rotated = keys.rotate(ACTOR, made.key, overlap=3600)
        now = Watch()
        now.now = timezone.now().timestamp()
        process = Process()
        process.cache = KeyCache(process.watch, now)
        assert process.lets_in(made.text)
        assert process.lets_in(rotated.secret)
        now.now += 3600
        assert not process.lets_in(made.text)
        assert process.lets_in(rotated.secret)
        assert process.asked(rotated.secret).actor == key_actor(made.key.public_id)

    def test_without_an_overlap_the_previous_text_stops_at_once(self) -> None:
        made = keys.create(ACTOR, ["all"])
        keys.rotate(ACTOR, made.key, overlap=0)
        assert not Process().lets_in(made.text)

    def test_a_thousand_requests_with_fifty_keys_cost_one_query_for_each_key_and_half_second(self) -> None:
        texts = [keys.create(ACTOR, ["all"]).text for _ in range(50)]
        process = Process()
        with CaptureQueriesContext(connection) as queries:
            for text in texts:
                assert process.lets_in(text)
        assert len([query for query in queries if query["sql"].startswith("SELECT")]) <= 100  # first: read, write
        with CaptureQueriesContext(connection) as queries:
            for _ in range(20):
                for text in texts:
                    assert process.lets_in(text)
        assert len(queries) == 0
        process.watch.now += FRESH
        with CaptureQueriesContext(connection) as queries:
            for text in texts:
                assert process.lets_in(text)
        assert len(queries) == 1  # all of them together

    def test_the_last_use_is_written_once_a_minute(self) -> None:
        made = keys.create(ACTOR, ["all"])
        process, now = Process(), Watch()
        now.now = timezone.now().timestamp()
        process.cache = KeyCache(process.watch, now)

        def writes() -> int:
            with CaptureQueriesContext(connection) as queries:
                for _ in range(10):
                    assert process.lets_in(made.text)
            return sum(query["sql"].startswith("UPDATE") for query in queries)

        assert writes() == 1
        made.key.refresh_from_db()
        assert made.key.last_used_at is not None
        process.watch.now += 30
        now.now += 30
        assert writes() == 0
        process.watch.now += 31
        now.now += 31
        assert writes() == 1

    def test_an_event_loop_is_told_when_the_database_must_be_asked(self) -> None:
        header = f"Bearer {keys.create(ACTOR, ['all']).text}"
        with CaptureQueriesContext(connection) as queries:
            assert known(header) is None
        assert len(queries) == 0
        assert known(header) is None
        found = authenticate(header)
        assert known(header) == found


@pytest.mark.django_db(transaction=True)
def test_many_threads_that_need_the_same_key_ask_the_database_once() -> None:
    made = keys.create(ACTOR, ["all"])
    process = Process()
    read = api_keys.read(made.text)
    assert read is not None
    selects: list[str] = []
    found: list[Principal] = []
    together = threading.Barrier(8)

    def ask() -> None:
        def note(execute: Any, sql: str, *rest: Any) -> Any:
            if sql.startswith("SELECT") and '"digests"' in sql:
                selects.append(sql)
            return execute(sql, *rest)

        try:
            with connection.execute_wrapper(note):
                together.wait()
                found.append(process.cache.find(read))
        finally:
            connection.close()

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert len(selects) == 1


@pytest.mark.django_db
class TestTokensOfASubscribersPage:
    def test_a_token_may_do_what_a_subscriber_may_and_for_its_tenant_alone(self) -> None:
        tenant = Tenant.objects.create(key="acme")
        token = app_tokens.issue(ACTOR, tenant, feature_flags=["beta"])
        principal = authenticate(f"Bearer {token.text}")
        assert principal.tenant_id == tenant.pk
        assert principal.feature_flags == frozenset({"beta"})
        assert principal.may("endpoints:write")
        assert not principal.may("messages:write")
        assert not principal.may("tenants:write")
        assert token.key.expires_at is not None
        assert 27 < (token.key.expires_at - timezone.now()).total_seconds() / 86_400 <= 28

    def test_all_tokens_of_a_tenant_end_at_once_and_those_of_others_stay(self) -> None:
        acme, other = (Tenant.objects.create(key=name) for name in ("acme", "other"))
        tokens = [app_tokens.issue(ACTOR, acme).text for _ in range(2)]
        others = [app_tokens.issue(ACTOR, other).text, keys.create(ACTOR, ["all"], tenant=acme).text]
        assert app_tokens.expire(ACTOR, acme) == 2
        assert [Process().lets_in(text) for text in tokens + others] == [False, False, True, True]

    def test_tokens_that_ended_long_ago_are_deleted_when_the_next_one_is_issued(self) -> None:
        tenant = Tenant.objects.create(key="acme")
        old = app_tokens.issue(ACTOR, tenant)
        ApiKey.objects.update(expires_at=timezone.now() - timedelta(days=2))
        app_tokens.issue(ACTOR, tenant)
        assert not ApiKey.objects.filter(pk=old.key.pk).exists()
        assert ApiKey.objects.count() == 1

    @pytest.mark.parametrize("lifetime", [0, -1, 28 * 86_400 + 1, float("nan"), float("inf")])
    def test_a_lifetime_that_makes_no_sense_is_refused(self, lifetime: float) -> None:
        with pytest.raises(ConfigurationError):
            app_tokens.issue(ACTOR, Tenant.objects.create(key="acme"), lifetime=lifetime)


@pytest.mark.django_db
def test_the_key_of_the_settings_is_an_operators_whatever_its_form() -> None:
    own = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJvcmdfMSJ9.made-up"
    with override_settings(HOOKLINE={**conf_values(), "API_KEY": own}):
        assert authenticate(f"Bearer {own}").is_operator
        with pytest.raises(NotAuthenticated):
            authenticate(f"Bearer {own}x")
    with pytest.raises(NotAuthenticated):
        authenticate(f"Bearer {own}")


@pytest.mark.parametrize("own", ["short", "x" * 15, "x" * 4097, "with a blank " + "x" * 32, "é" * 40])
def test_a_key_in_the_settings_that_could_be_guessed_or_not_be_sent_is_refused(own: str) -> None:
    with pytest.raises(ConfigurationError, match="API_KEY"):
        conf.load({"API_KEY": own})


def conf_values() -> dict[str, Any]:
    from django.conf import settings

    return dict(settings.HOOKLINE)
