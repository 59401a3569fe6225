"""Google Drive push notifications: `X-Goog-Channel-Token`, the token that you chose. **Nothing is signed.**

https://developers.google.com/workspace/drive/api/guides/push

The secret of the source is the `token` of your `watch` request. Google makes it optional; a source requires it, so
always set one. Whoever has seen one notification can make any other, so read what changed from the API and do not
believe the headers. The token is not stored with the event.

What changed in a file is in `X-Goog-Changed` (`content,properties`). The body is empty, or
`{"kind":"drive#changes"}`. The type is `X-Goog-Resource-State` (`add`, `remove`, `update`, `trash`, `untrash`,
`change`). The first message of a channel has the type `sync` and the number 1; it wants no answer but a 2xx.
`event.json` is an object made of the X-Goog headers (`resource_state`, `resource_id`, ...) and the fields of the
body. The deduplication key is made of `X-Goog-Channel-ID` and `X-Goog-Message-Number`, which grows but skips numbers:
use a new UUID for each channel.

Channels expire (`X-Goog-Channel-Expiration`) and are not renewed by themselves. Google tries again after 500, 502, 503
and 504 only.
"""

from __future__ import annotations

from hookline.providers.schemes.google_channel import PREFIX, GoogleChannelProvider


class GoogleDrive(GoogleChannelProvider):
    title = "Google Drive"
    docs_url = "https://developers.google.com/workspace/drive/api/guides/push"
    secret_is_yours = True

    samples = {
        "change": {},
        "update": {f"{PREFIX}changed": "content,properties"},
        "trash": {},
        "sync": {},
    }
    sample_uri = "https://www.googleapis.com/drive/v3/changes?alt=json&pageToken=5"
    sample_body = b'{"kind":"drive#changes"}'
