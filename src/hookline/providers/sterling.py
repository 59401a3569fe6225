"""Sterling (now First Advantage): HTTP Basic authentication on the callback of each screening. **Nothing is signed.**

The secret of the source is `USER:PASSWORD`, as you send it in `callback.credentials.basic-auth` when you order a
screening. That field is known from Sterling's own Node client of 2018 (https://www.npmjs.com/package/on-demand-client);
the current documentation is for customers only, so check with your representative that it still holds.

The body is not signed, and the password is all there is: whoever has it can send anything. Fetch the screening by its
id from the API before acting, and let no one else's network reach the URL where you can. The Authorization header is
not stored with the event.

Its format is known only to Sterling's customers: every event has the type `screening.updated` and a hash of the body
as its deduplication key, unless the options `type` and `id` of the source say where to find them. There is no
handshake.
"""

from __future__ import annotations

from hookline.providers.schemes.parts import Fixed
from hookline.providers.schemes.placed_basic import PlacedBasicProvider


class Sterling(PlacedBasicProvider):
    title = "Sterling"
    docs_url = "https://www.npmjs.com/package/on-demand-client"
    aliases = ("sterling_check",)

    type_at = Fixed("screening.updated")
    repeats_bodies = (
        "Nothing is known of the body but a status: a screening that goes back to an earlier one may have the same "
        "body again."
    )

    samples = {"screening.updated": {"id": "000000000000001", "status": "complete", "result": "clear"}}
