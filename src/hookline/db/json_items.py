"""Looking for a text in a JSON column that holds a list of texts: `channels__has_item="project-7"`.

Django's own `contains` does not exist on SQLite.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import JSONField
from django.db.models.lookups import Lookup
from django.db.models.sql.compiler import SQLCompiler

if TYPE_CHECKING:
    _Lookup = Lookup[Any]
else:
    _Lookup = Lookup  # which takes no parameter


@JSONField.register_lookup
class HasItem(_Lookup):
    lookup_name = "has_item"
    prepare_rhs = False

    def get_db_prep_lookup(self, value: Any, connection: BaseDatabaseWrapper) -> tuple[str, tuple[Any, ...]]:
        return "%s", (value,)

    def as_postgresql(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper) -> tuple[str, list[Any]]:
        return self._sql(compiler, connection, "{} ? {}")

    def as_sqlite(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper) -> tuple[str, list[Any]]:
        return self._sql(compiler, connection, "EXISTS (SELECT 1 FROM json_each({}) WHERE value = {})")

    def _sql(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper, form: str) -> tuple[str, list[Any]]:
        left, left_params = self.process_lhs(compiler, connection)
        right, right_params = self.process_rhs(compiler, connection)
        return form.format(left, right), [*left_params, *right_params]
