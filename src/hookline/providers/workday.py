"""Workday: HTTP Basic authentication on calls that a tenant's integration makes. **Nothing is signed.**

Workday publishes no webhook of its own: a customer builds the outbound call, and gives it the user name and password
that the receiver has chosen. The secret of the source is that `USER:PASSWORD`. Where the integration sends an OAuth
bearer token instead, use the provider for a shared token or build the call with Basic.

The body is not signed, and the password is all there is: whoever has it can send anything. Fetch the record by its id
from the API before acting, and let no one else's network reach the URL where you can. The Authorization header is not
stored with the event.

The format is whatever the tenant's integration sends: every event has the type `notification` and a hash of the body
as its deduplication key, unless the options `type` and `id` of the source say where to find them. There is no
handshake.
"""

from __future__ import annotations

from hookline.providers.schemes.parts import Fixed
from hookline.providers.schemes.placed_basic import PlacedBasicProvider


class Workday(PlacedBasicProvider):
    title = "Workday"
    docs_url = "https://community.workday.com/"

    type_at = Fixed("notification")
    repeats_bodies = (
        "The body is what the author of the integration wrote: without an id or a time in it, the next event may have"
        " the same bytes."
    )

    samples = {"notification": {"event": "Worker_Hired", "worker": {"id": "21001"}}}
