"""HireRight Connect: HTTP Basic authentication on the status updates of an order. **Nothing is signed.**

The secret of the source is `USER:PASSWORD`, as you agreed it with HireRight; updates go to the HTTPS URL in
`statusUpdatesUrls` of the order. https://developer.hireright.com/ (status updates). HireRight also offers OAuth 2.0,
with a bearer token that your own server hands out; that is not supported here, so ask for Basic.

The body is not signed, and the password is all there is: whoever has it can send anything. Fetch the order by its id
from the API before acting, and let no one else's network reach the URL where you can. The Authorization header is not
stored with the event.

Neither event id nor type is documented publicly: every event has the type `order.status_updated` and a hash of the
body as its deduplication key, unless the options `type` and `id` of the source say where to find them. There is no
handshake.
"""

from __future__ import annotations

from hookline.providers.schemes.parts import Fixed
from hookline.providers.schemes.placed_basic import PlacedBasicProvider


class HireRight(PlacedBasicProvider):
    title = "HireRight"
    docs_url = "https://developer.hireright.com/"
    aliases = ("hire_right",)

    type_at = Fixed("order.status_updated")
    repeats_bodies = (
        "Nothing is known of the body but a status: an order that goes back to an earlier one may have the same body "
        "again."
    )

    samples = {"order.status_updated": {"id": "OO-123456-ABCD", "status": {"value": "Completed"}}}
