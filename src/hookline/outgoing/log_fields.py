"""What a line of the log about something that goes out carries as fields."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hookline.core import ids
from hookline.outgoing.models import Endpoint

if TYPE_CHECKING:
    from hookline.outgoing.deliver.outbound import Outbound


def of_outbound(outbound: Outbound) -> dict[str, str]:
    return {
        "delivery": outbound.public_id,
        "endpoint": ids.to_text("ep", outbound.endpoint_id),
        "message_id": outbound.message_id,
        "tenant": ids.to_text("ten", outbound.tenant_id),
    }


def of_endpoint(endpoint: Endpoint) -> dict[str, str]:
    return {"endpoint": endpoint.public_id, "tenant": ids.to_text("ten", endpoint.tenant_id)}
