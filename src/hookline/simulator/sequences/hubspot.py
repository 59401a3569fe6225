"""HubSpot: a contact that is made and changed.

https://developers.hubspot.com/docs/api-reference/webhooks-webhooks-v3/guide
"""

from __future__ import annotations

from collections.abc import Sequence as Seq

from hookline.simulator.retrying import DAY, Retrying, doubling
from hookline.simulator.sequence import BusinessEvent, Ids, Sequence


def _contact(new: Ids) -> Seq[BusinessEvent]:
    contact = {"objectId": new.number(), "sourceId": "userId:9876"}
    changed = {**contact, "propertyName": "lifecyclestage"}
    return (
        BusinessEvent("contact.creation", {**contact, "changeFlag": "NEW"}),
        BusinessEvent("contact.propertyChange", {**changed, "propertyValue": "lead"}),
        BusinessEvent("contact.propertyChange", {**changed, "propertyValue": "customer"}),
    )


SEQUENCES = (
    Sequence(
        "contact",
        "a contact that becomes a lead and a customer",
        _contact,
        "https://developers.hubspot.com/docs/api-reference/webhooks-webhooks-v3/guide",
    ),
)

RETRYING = Retrying(
    5.0, doubling(10, DAY), source="https://developers.hubspot.com/docs/api-reference/webhooks-webhooks-v3/guide"
)
