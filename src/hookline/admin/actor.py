"""Who uses the admin."""

from __future__ import annotations

from django.http import HttpRequest

from hookline.audit.actor import Actor, user


def actor_of(request: HttpRequest) -> Actor:
    return user(request.user.get_username())
