"""GitHub: a pull request from its opening to its merge.

https://docs.github.com/en/webhooks/webhook-events-and-payloads#pull_request
"""

from __future__ import annotations

from collections.abc import Sequence as Seq

from hookline.simulator.retrying import Retrying
from hookline.simulator.sequence import BusinessEvent, Ids, Sequence

_SENDER = {"login": "octocat", "id": 583231, "type": "User"}


def _pull_request(new: Ids) -> Seq[BusinessEvent]:
    number, sha, second = new.number(), new.new("6dcb09b5"), new.new("a3f1c2d4")
    repository = {"id": new.number(), "full_name": "octocat/hello-world", "private": False}
    around = {"number": number, "repository": repository, "sender": _SENDER}

    def of(state: str, merged: bool, head: str, updated: str) -> dict[str, object]:
        pull = {
            "number": number,
            "state": state,
            "title": "Add a changelog",
            "merged": merged,
            "head": {"ref": "changelog", "sha": head},
            "updated_at": updated,
        }
        return {**around, "pull_request": pull}

    return (
        BusinessEvent("pull_request.opened", of("open", False, sha, "2026-03-02T09:00:00Z")),
        BusinessEvent(
            "pull_request.synchronize",
            {**of("open", False, second, "2026-03-02T10:30:00Z"), "before": sha, "after": second},
        ),
        BusinessEvent("pull_request.closed", of("closed", True, second, "2026-03-03T08:15:00Z")),
    )


SEQUENCES = (
    Sequence(
        "pull-request",
        "a pull request that is opened, pushed to and merged",
        _pull_request,
        "https://docs.github.com/en/webhooks/webhook-events-and-payloads#pull_request",
    ),
)

RETRYING = Retrying(10.0, source="https://docs.github.com/en/webhooks/using-webhooks/best-practices-for-using-webhooks")
