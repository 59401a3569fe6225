"""Django signals for users. Receivers run after the change is committed; what they raise is logged, not passed on.

- `event_received(event_id, source)`: a new event was stored
- `event_dead(event)`: no tries are left; a person must look
- `delivery_dead(delivery)`: the endpoint never took it
- `endpoint_suspended(endpoint, reason)`: Hookline sends nothing more to this endpoint until it is enabled
"""

from __future__ import annotations

from django.dispatch import Signal

event_received = Signal()
event_dead = Signal()
delivery_dead = Signal()
endpoint_suspended = Signal()
