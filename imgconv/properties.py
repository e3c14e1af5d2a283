"""Properties that are computed once and may be used while another thread forks."""

import sys

if sys.version_info >= (3, 12):
    from functools import cached_property
else:
    from collections.abc import Callable
    from typing import Any, Generic, TypeVar, overload

    Value = TypeVar("Value")

    class cached_property(Generic[Value]):  # noqa: N801  the name of the standard library
        """`functools.cached_property` as it is from Python 3.12 on. That of 3.11 holds a lock, which a forked child may inherit locked."""

        def __init__(self, compute: Callable[[Any], Value]):
            self._compute = compute
            self.__doc__ = compute.__doc__

        def __set_name__(self, owner: type, name: str) -> None:
            self._name = name

        @overload
        def __get__(self, instance: None, owner: type) -> "cached_property[Value]": ...
        @overload
        def __get__(self, instance: object, owner: type) -> Value: ...

        def __get__(self, instance: object | None, owner: type) -> "cached_property[Value] | Value":
            if instance is None:
                return self
            value = self._compute(instance)
            vars(instance)[self._name] = value
            return value


__all__ = ["cached_property"]
