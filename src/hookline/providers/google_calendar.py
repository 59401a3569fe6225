"""Google Calendar push notifications: `X-Goog-Channel-Token`, the token that you chose. **Nothing is signed.**

https://developers.google.com/workspace/calendar/api/guides/push

The secret of the source is the `token` of your `watch` request. Google makes it optional; a source requires it, so
always set one. Whoever has seen one notification can make any other, so read what changed from the API and do not
believe the headers. The token is not stored with the event.

The body is empty and says nothing; everything is in the headers. The type is `X-Goog-Resource-State` (`exists`,
`not_exists`). The first message of a channel has the type `sync` and the number 1; it wants no answer but a 2xx.
`event.json` is an object made of the X-Goog headers (`resource_state`, `resource_id`, ...). The deduplication key is
made of `X-Goog-Channel-ID` and `X-Goog-Message-Number`, which grows but skips numbers: use a new UUID for each
channel.

Channels expire (`X-Goog-Channel-Expiration`) and are not renewed by themselves. Google tries again after 500, 502, 503
and 504 only.
"""

from __future__ import annotations

from hookline.providers.schemes.google_channel import GoogleChannelProvider


class GoogleCalendar(GoogleChannelProvider):
    title = "Google Calendar"
    docs_url = "https://developers.google.com/workspace/calendar/api/guides/push"
    secret_is_yours = True

    samples = {
        "exists": {},
        "not_exists": {},
        "sync": {},
    }
    sample_uri = "https://www.googleapis.com/calendar/v3/calendars/primary/events?alt=json"
