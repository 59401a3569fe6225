"""Routes: the operations of one subject, with what each needs and its place in the OpenAPI document."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import wraps
from typing import Any, ClassVar, TypeVar

from django.db import router, transaction
from ninja import Router

from hookline.api.auth import Needs
from hookline.tenants.models import Tenant

V = TypeVar("V", bound=Callable[..., Any])


class Routes:
    """`operation_id` is the one of Svix, or in the same style: `v1.<noun>.<verb>`.

    `needs` is None for what anybody may ask. What writes does so in one transaction: an operation that fails halfway
    leaves nothing. `atomic=False` is for those that wait for the network.
    """

    #: Routes of Django that see to Idempotency-Key themselves, or need no transaction around them.
    own_transactions: ClassVar[set[str]] = set()

    def __init__(self, tag: str) -> None:
        self.router = Router(tags=[tag])

    def get(self, path: str, operation_id: str, needs: Needs | None, response: Any, **more: Any) -> Callable[[V], V]:
        return self._add("GET", path, operation_id, needs, response, atomic=False, **more)

    def post(self, path: str, operation_id: str, needs: Needs | None, response: Any, **more: Any) -> Callable[[V], V]:
        return self._add("POST", path, operation_id, needs, response, **more)

    def put(self, path: str, operation_id: str, needs: Needs | None, response: Any, **more: Any) -> Callable[[V], V]:
        return self._add("PUT", path, operation_id, needs, response, **more)

    def patch(self, path: str, operation_id: str, needs: Needs | None, response: Any, **more: Any) -> Callable[[V], V]:
        return self._add("PATCH", path, operation_id, needs, response, **more)

    def delete(self, path: str, operation_id: str, needs: Needs | None, **more: Any) -> Callable[[V], V]:
        return self._add("DELETE", path, operation_id, needs, {204: None}, **more)

    def _add(
        self,
        method: str,
        path: str,
        operation_id: str,
        needs: Needs | None,
        response: Any,
        *,
        atomic: bool = True,
        **more: Any,
    ) -> Callable[[V], V]:
        add = self.router.api_operation(
            [method], path, auth=needs, response=response, operation_id=operation_id, by_alias=True, **more
        )

        if not atomic:
            self.own_transactions.add(f"{method} {path.lstrip('/').replace('{', '<').replace('}', '>')}")

        def decorate(view: V) -> V:
            add(_in_one_transaction(view) if atomic else view)
            return view

        return decorate


def _in_one_transaction(view: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(view)
    def within(*arguments: Any, **named: Any) -> Any:
        with transaction.atomic(using=router.db_for_write(Tenant)):
            return view(*arguments, **named)

    # Its annotations are texts, which mean something only in the module that it stands in.
    within.__signature__ = inspect.signature(view, eval_str=True)  # type: ignore[attr-defined]  # what Ninja reads
    return within
