"""Django signals for users, sent after the change is committed, on a thread that does nothing else.

- `event_received(event, event_id, source)`: a new event was stored
- `event_rejected(source, reason, status, detail)`: a request was refused; `source` is None for an unknown URL
- `event_processed(event)`: its handlers and "processed" are committed
- `event_dead(event)`: no tries are left; a person must look
- `delivery_succeeded(delivery)`: the endpoint took it
- `delivery_dead(delivery)`: the endpoint never took it
- `breaker_opened(endpoint)`: it failed so often that Hookline waits before it tries again
- `endpoint_failing(endpoint, reason)`: it keeps failing, and will be suspended if it goes on
- `endpoint_suspended(endpoint, reason)`: Hookline sends nothing more to this endpoint until it is enabled
- `endpoint_recovered(endpoint)`: one that kept failing takes deliveries again

What a receiver raises is logged, not passed on. A process that is killed loses what waits: what must happen for each
event belongs into a handler.
"""

from __future__ import annotations

from django.dispatch import Signal

event_received = Signal()
event_rejected = Signal()
event_processed = Signal()
event_dead = Signal()
delivery_succeeded = Signal()
delivery_dead = Signal()
breaker_opened = Signal()
endpoint_failing = Signal()
endpoint_suspended = Signal()
endpoint_recovered = Signal()
