"""What Svix's own end-to-end tests demand of applications."""

from __future__ import annotations

import pytest

from tests.api.calls import Calls

pytestmark = pytest.mark.django_db(transaction=True)


def test_patch_sets_and_clears_one_field_at_a_time(api: Calls) -> None:
    made = api.post("/app/", {"name": "first"})
    path = f"/app/{made['id']}/"
    expected = made
    for field, value, shown in (
        ("name", "second", "second"),
        ("rateLimit", 1, 1),
        ("uid", "mine", "mine"),
        ("metadata", {"plan": "free"}, {"plan": "free"}),
        ("rateLimit", None, None),
        ("uid", None, None),
        ("metadata", None, {}),
    ):
        found = api.patch(path, {field: value})
        expected = {**expected, field: shown, "updatedAt": found["updatedAt"]}
        if field == "rateLimit":
            expected["throttleRate"] = shown
        assert found == expected
        assert api.get(path) == found
        assert found["updatedAt"] > made["updatedAt"]
    api.patch(path, {"name": None}, status=422)
    assert api.put("/app/unknown-id/", {"name": "made"}, status=201)["name"] == "made"


def test_crud_with_metadata(api: Calls) -> None:
    made = api.post("/app", {"name": "one", "metadata": {"a": "b"}})
    path = f"/app/{made['id']}"
    assert api.get(path) == made
    assert api.put(path, {"name": "two"})["metadata"] == {}
    assert api.patch(path, {"metadata": {"c": "d"}})["metadata"] == {"c": "d"}
    api.delete(path)
    api.get(path, status=404)
    api.delete(path, status=404)


def test_list_goes_on_and_back_in_both_orders(api: Calls) -> None:
    made = [api.post("/app", {"name": str(number)})["id"] for number in range(10)]
    assert [one["id"] for one in api.get("/app/")["data"]] == made
    assert api.get("/app?limit=10")["done"] is True
    seen, iterator = [], ""
    while True:
        page = api.get(f"/app/?limit=4{iterator}")
        seen.append([one["id"] for one in page["data"]])
        if page["done"]:
            break
        iterator = f"&iterator={page['iterator']}"
    assert seen == [made[:4], made[4:8], made[8:]]
    back = api.get(f"/app/?limit=4&iterator={page['prevIterator']}")
    assert ([one["id"] for one in back["data"]], back["done"]) == (made[4:8], False)
    back = api.get(f"/app/?limit=4&iterator={back['prevIterator']}")
    assert ([one["id"] for one in back["data"]], back["done"]) == (made[:4], True)
    down = api.get("/app/?limit=3&order=descending")
    assert [one["id"] for one in down["data"]] == made[:-4:-1]
    nothing = api.get(f"/app/?limit=3&iterator=-{made[0]}")
    assert nothing == {"data": [], "iterator": None, "prevIterator": None, "done": True}
    assert api.get("/app/?limit=0")["done"] is False
    for wrong in ("BAD-$$$ITERATOR", "-", "", "app_", "ep_0354yhkaraYCXopkjiglNS"):
        api.get(f"/app/?iterator={wrong}", status=422)
    api.get("/app/?limit=300", status=422)


def test_a_uid_is_unique_and_free_after_a_deletion(api: Calls) -> None:
    first = api.post("/app", {"name": "first", "uid": "mine"})
    assert api.post("/app", {"name": "second", "uid": "mine"}, status=409)["code"] == "conflict"
    second = api.post("/app", {"name": "second", "uid": "other"})
    api.put(f"/app/{second['id']}", {"name": "second", "uid": "mine"}, status=409)
    api.patch(f"/app/{second['id']}", {"uid": "mine"}, status=409)
    assert api.put(f"/app/{first['id']}", {"name": "first", "uid": "mine"})["uid"] == "mine"
    api.delete("/app/mine")
    assert api.put(f"/app/{second['id']}", {"name": "second", "uid": "mine"})["uid"] == "mine"
    assert api.get("/app/mine")["id"] == second["id"]
    assert api.put(f"/app/{second['id']}", {"name": "second"})["uid"] is None
    api.get("/app/mine", status=404)


def test_get_or_create(api: Calls) -> None:
    made = api.post("/app", {"name": "first", "uid": "mine"})
    api.post("/app", {"name": "second", "uid": "mine"}, status=409)
    assert api.post("/app?get_if_exists=true", {"name": "second", "uid": "mine"}, status=200) == made


def test_the_same_put_again_makes_no_second_application(api: Calls) -> None:
    made = api.put("/app/mine", {"name": "one"}, status=201)
    assert api.put("/app/mine", {"name": "one"}) == {**made, "updatedAt": api.get("/app/mine")["updatedAt"]}
    assert len(api.get("/app")["data"]) == 1
