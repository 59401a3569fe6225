"""GitLab: a pipeline from its start to its success. https://docs.gitlab.com/user/project/integrations/webhook_events/"""

from __future__ import annotations

from collections.abc import Sequence as Seq

from hookline.simulator.retrying import Retrying
from hookline.simulator.sequence import BusinessEvent, Ids, Sequence


def _pipeline(new: Ids) -> Seq[BusinessEvent]:
    pipeline = {"id": new.number(), "ref": "main", "sha": new.new("bcbb5ec3"), "source": "push"}

    def of(status: str, duration: int | None) -> BusinessEvent:
        attributes = {**pipeline, "status": status, "detailed_status": status, "duration": duration}
        return BusinessEvent("pipeline", {"object_attributes": attributes, "builds": []})

    return of("pending", None), of("running", None), of("success", 63)


SEQUENCES = (
    Sequence(
        "pipeline",
        "a pipeline that waits, runs and succeeds",
        _pipeline,
        "https://docs.gitlab.com/user/project/integrations/webhook_events/#pipeline-events",
    ),
)

RETRYING = Retrying(10.0, source="https://docs.gitlab.com/user/project/integrations/webhooks/")
