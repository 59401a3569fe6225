"""dataclass: the standard library's, made in a quarter of the time.

A start makes a hundred of them, and the standard library compiles six functions for each: that was an eighth of the
start. Here `__init__` alone is compiled. Otherwise both are the same, and `field`, `fields`, `replace` and `asdict` are
those of the standard library.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dataclasses import dataclass as dataclass  # noqa: PLC0414  # type checkers know it, and take it from here
else:
    import dataclasses
    from collections.abc import Callable, Sequence
    from dataclasses import MISSING, Field, FrozenInstanceError
    from operator import attrgetter
    from reprlib import recursive_repr

    def dataclass(
        cls: type | None = None,
        /,
        *,
        frozen: bool = False,
        slots: bool = False,
        eq: bool = True,
        kw_only: bool = False,
    ) -> Any:
        """As `dataclasses.dataclass`, with those of its parameters that are in use here."""

        def make(given: type) -> type:
            made = dataclasses.dataclass(init=False, repr=False, eq=False, slots=slots, kw_only=kw_only)(given)
            found = dataclasses.fields(made)
            functions: dict[str, Any] = {"__init__": _init(made, found, frozen), "__repr__": _repr(found)}
            if eq:
                functions["__eq__"] = _eq(found)
                functions["__hash__"] = _hash(found) if frozen else None
            if frozen:
                functions["__setattr__"], functions["__delattr__"] = _refusals(made, found)
            if frozen and slots:
                functions["__getstate__"], functions["__setstate__"] = _state(found)
            for name, function in functions.items():
                if name not in given.__dict__:  # else the class has its own
                    if function is not None:
                        function.__name__, function.__qualname__ = name, f"{made.__qualname__}.{name}"
                    setattr(made, name, function)
            return made

        return make if cls is None else make(cls)

    def _init(made: type, found: Sequence[Field[Any]], frozen: bool) -> Callable[..., None]:
        scope: dict[str, Any] = {"_set": object.__setattr__, "_missing": MISSING}
        positional, named, lines = ["self"], [], []
        for one in found:
            name, value, default = one.name, one.name, ""
            if one.default is not MISSING:
                scope[f"_{name}"], default = one.default, f"=_{name}"
                value = name if one.init else f"_{name}"
            elif one.default_factory is not MISSING:
                scope[f"_{name}"], default = one.default_factory, "=_missing"
                value = f"_{name}() if {name} is _missing else {name}" if one.init else f"_{name}()"
            if one.init:
                (named if one.kw_only else positional).append(name + default)
            elif not default:
                continue  # __post_init__ sets it
            lines.append(f" _set(self, {name!r}, {value})" if frozen else f" self.{name} = {value}")
        if hasattr(made, "__post_init__"):
            lines.append(" self.__post_init__()")
        parameters = [*positional, *(["*", *named] if named else ())]
        exec("\n".join([f"def __init__({', '.join(parameters)}):", *(lines or [" pass"])]), scope)  # noqa: S102  # as the standard library does
        return scope["__init__"]

    def _repr(found: Sequence[Field[Any]]) -> Callable[[Any], str]:
        shown = [one.name for one in found if one.repr]

        @recursive_repr()
        def shown_as(self: Any) -> str:
            return f"{type(self).__qualname__}({', '.join([f'{name}={getattr(self, name)!r}' for name in shown])})"

        return shown_as

    def _eq(found: Sequence[Field[Any]]) -> Callable[[Any, object], bool]:
        values = _values([one.name for one in found if one.compare])

        def equal(self: Any, other: object) -> bool:
            return values(self) == values(other) if other.__class__ is self.__class__ else NotImplemented

        return equal

    def _hash(found: Sequence[Field[Any]]) -> Callable[[Any], int]:
        values = _values([one.name for one in found if (one.compare if one.hash is None else one.hash)])

        def hashed(self: Any) -> int:
            return hash(values(self))

        return hashed

    def _values(names: Sequence[str]) -> Callable[[Any], tuple[Any, ...]]:
        if len(names) > 1:
            return attrgetter(*names)
        return lambda one: tuple([getattr(one, name) for name in names])

    def _refusals(made: type, found: Sequence[Field[Any]]) -> tuple[Callable[..., None], Callable[..., None]]:
        names = frozenset(one.name for one in found)

        def set_attribute(self: Any, name: str, value: Any) -> None:
            if type(self) is made or name in names:
                raise FrozenInstanceError(f"cannot assign to field {name!r}")
            super(made, self).__setattr__(name, value)

        def delete_attribute(self: Any, name: str) -> None:
            if type(self) is made or name in names:
                raise FrozenInstanceError(f"cannot delete field {name!r}")
            super(made, self).__delattr__(name)

        return set_attribute, delete_attribute

    def _state(found: Sequence[Field[Any]]) -> tuple[Callable[..., list[Any]], Callable[..., None]]:
        """For pickle and copy, which would set what cannot be set."""
        names = [one.name for one in found]

        def get_state(self: Any) -> list[Any]:
            return [getattr(self, name) for name in names]

        def set_state(self: Any, state: Sequence[Any]) -> None:
            for name, value in zip(names, state, strict=True):
                object.__setattr__(self, name, value)

        return get_state, set_state
