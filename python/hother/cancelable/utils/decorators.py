"""Decorators that run a function as an operation: each call has one of its own."""

from __future__ import annotations

import functools
import inspect
from typing import TYPE_CHECKING, Any, Literal, ParamSpec, TypeVar

from hother.cancelable.core.cancelable import Cancelable, Raises
from hother.cancelable.core.current import current_operation

from ._injecting import DEFAULT, Injection

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable
    from datetime import timedelta

    from hother.cancelable.core.lengths import Grace
    from hother.cancelable.core.token import CancelationToken
    from hother.cancelable.sources.base import (
        CancelationSource,
    )

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")

Decorator = Any
"""What a decorator gives: a function of the same parameters, whose call is to be awaited, or iterated."""


def cancelable(
    timeout: float | timedelta | None = None,
    operation_id: str | None = None,
    name: str | None = None,
    register_globally: bool = False,
    inject_param: str | None = DEFAULT,
    *,
    grace: Grace | None = None,
    scope: Literal["anyio", "native"] = "anyio",
    detached: bool = False,
    attempt: int | None = None,
    raises: Raises = "cancelled",
    sources: Iterable[CancelationSource] = (),
) -> Decorator:
    """Runs each call as an operation of its own, with a time limit, if `timeout` is neither `None` nor zero.

    May be used bare. Works on async functions and generators, on methods, and on plain functions, whose calls run in a thread
    and are awaited. The operation is named after the function unless `name` is given, and handed to the parameter
    `inject_param`, or `cancel`, or the one that is annotated as `Cancelable`, if there is one and the caller gave nothing for
    it; with `inject_param=None` to none.

    A call whose operation was cancelled before it began is not made.
    """
    if _is_function(timeout):
        return _decorated(timeout, _plain, inject_param)
    limit = timeout or None
    options = _options(register_globally, grace, scope, detached, attempt, raises, sources)

    def make(called: str) -> Cancelable:
        if limit is None:
            return Cancelable(operation_id, name or called, **options)
        return Cancelable.with_timeout(limit, operation_id, name or called, **options)

    return functools.partial(_decorated, make=make, inject_param=inject_param)


def cancelable_method(
    timeout: float | timedelta | None = None,
    name: str | None = None,
    register_globally: bool = False,
    **options: Any,
) -> Decorator:
    """`cancelable` for methods; the operation is named after the class of the object that is called, and the method."""
    return cancelable(timeout, None, name, register_globally, **options)


def cancelable_with_token(
    token: CancelationToken,
    operation_id: str | None = None,
    name: str | None = None,
    register_globally: bool = False,
    inject_param: str | None = DEFAULT,
    **options: Any,
) -> Decorator:
    """Runs each call as an operation that is cancelled with `token`."""

    def make(called: str) -> Cancelable:
        return Cancelable.with_token(
            token, operation_id, name or called, register_globally=register_globally, **options
        )

    return functools.partial(_decorated, make=make, inject_param=inject_param)


def cancelable_with_signal(
    *signals: int,
    operation_id: str | None = None,
    name: str | None = None,
    register_globally: bool = False,
    inject_param: str | None = DEFAULT,
    **options: Any,
) -> Decorator:
    """Runs each call as an operation that one of `signals` cancels."""

    def make(called: str) -> Cancelable:
        return Cancelable.with_signal(
            *signals,
            operation_id=operation_id,
            name=name or called,
            register_globally=register_globally,
            **options,
        )

    return functools.partial(_decorated, make=make, inject_param=inject_param)


def cancelable_with_condition(
    condition: Callable[[], bool | Awaitable[bool]],
    check_interval: float = 0.1,
    condition_name: str | None = None,
    operation_id: str | None = None,
    name: str | None = None,
    register_globally: bool = False,
    inject_param: str | None = DEFAULT,
    **options: Any,
) -> Decorator:
    """Runs each call as an operation that is cancelled when `condition` answers true."""

    def make(called: str) -> Cancelable:
        return Cancelable.with_condition(
            condition,
            check_interval,
            condition_name or getattr(condition, "__name__", None),
            operation_id,
            name or called,
            register_globally=register_globally,
            **options,
        )

    return functools.partial(_decorated, make=make, inject_param=inject_param)


def cancelable_combine(
    *cancelables: Cancelable,
    operation_id: str | None = None,
    name: str | None = None,
    register_globally: bool = False,
    inject_param: str | None = DEFAULT,
    **options: Any,
) -> Decorator:
    """Runs each call as an operation that ends on whatever would end one of `cancelables`.

    Raises:
        ValueError: None was given; it is raised by the call.
    """

    def make(called: str) -> Cancelable:
        if not cancelables:
            raise ValueError("At least one cancelable must be provided to cancelable_combine")
        # By the function alone, also where it is a method.
        called = called.rpartition(".")[2]
        operation = Cancelable(
            operation_id, name or called, register_globally=register_globally, **options
        )
        operation._take_over(cancelables)
        return operation

    return functools.partial(_decorated, make=make, inject_param=inject_param)


def with_cancelable(
    cancel: Cancelable,
    inject: bool = False,
    inject_param: str = DEFAULT,
) -> Decorator:
    """Has calls run in `cancel`: entered for the call where it does not run, and only handed over, if `inject`, where it does."""

    def decorator(function: Callable[P, Awaitable[R]]) -> Callable[P, Awaitable[R]]:
        injection = Injection(function, inject_param if inject else None)

        @functools.wraps(function)
        async def call(*args: P.args, **kwargs: P.kwargs) -> R:
            injection.into(args, kwargs, cancel)
            if cancel.is_running:
                return await function(*args, **kwargs)
            async with cancel:  # Where what it was cancelled for is suppressed, `None` is given.
                await cancel.check_cancelation()
                return await function(*args, **kwargs)

        return call

    return decorator


def with_current_operation() -> Callable[[Callable[P, Awaitable[R]]], Callable[P, Awaitable[R]]]:
    """Hands the current operation, or `None` where there is none, to the parameter `operation`."""

    def decorator(function: Callable[P, Awaitable[R]]) -> Callable[P, Awaitable[R]]:
        injection = Injection(function, "operation")

        @functools.wraps(function)
        async def call(*args: P.args, **kwargs: P.kwargs) -> R:
            injection.into(args, kwargs, current_operation())
            return await function(*args, **kwargs)

        return call

    return decorator


async def with_timeout(
    timeout: float | timedelta,
    coro: Awaitable[T],
    operation_id: str | None = None,
    name: str | None = None,
) -> T:
    """Awaits `coro`, which is cancelled after `timeout` seconds; raises `TimeoutCancelation` then."""
    try:
        operation = Cancelable.with_timeout(timeout, operation_id, name)
    except BaseException:
        # It is never awaited, and would complain about that.
        if inspect.iscoroutine(coro):
            coro.close()
        raise
    async with operation:
        return await coro
    raise AssertionError("an operation that was not told to suppress anything raises")


def _options(
    register_globally: bool,
    grace: Grace | None,
    scope: str,
    detached: bool,
    attempt: int | None,
    raises: str,
    sources: Iterable[CancelationSource],
) -> dict[str, Any]:
    """What was said beside the usual, for `Cancelable`."""
    return {
        "register_globally": register_globally,
        "grace": grace,
        "scope": scope,
        "detached": detached,
        "attempt": attempt,
        "raises": raises,
        "sources": tuple(sources),
    }


def _decorated(function: Any, make: Callable[[str], Cancelable], inject_param: str | None) -> Any:
    """`function` with each call in the operation that `make` makes for its name."""
    if isinstance(function, classmethod | staticmethod):
        return type(function)(_decorated(function.__func__, make, inject_param))
    if inspect.isgeneratorfunction(function):
        raise TypeError(
            f"function must not be a plain generator, whose body would run outside of the operation, got {function.__qualname__}: "
            "make it an async generator"
        )
    injection = Injection(function, inject_param)
    shown = _shown_name(function)

    if inspect.isasyncgenfunction(function):
        from hother.cancelable.core.stepwise import stepwise  # noqa: PLC0415, since it needs asyncio

        @functools.wraps(function)
        def generate(*args: Any, **kwargs: Any) -> AsyncGenerator[Any]:
            operation = make(shown(args))
            injection.into(args, kwargs, operation)

            def open_source() -> Any:
                return operation.stream(function(*args, **kwargs), buffer_partial=False)

            return stepwise(operation, open_source)

        return generate

    # What only passes a coroutine on, as other decorators may, or is an object that can be called, is called on the loop, too.
    says = (function, inspect.unwrap(function), type(function).__call__)
    is_async = any(map(inspect.iscoroutinefunction, says))

    @functools.wraps(function)
    async def call(*args: Any, **kwargs: Any) -> Any:
        operation = make(shown(args))
        injection.into(args, kwargs, operation)
        async with operation:
            await operation.check_cancelation()
            if is_async:
                given = function(*args, **kwargs)
            else:
                given = await operation.run_in_thread(function, *args, **kwargs)
            return await given if inspect.isawaitable(given) else given

    return call


def _is_function(given: Any) -> bool:
    """Whether the decorator was used bare, and so given what it decorates."""
    return callable(given) or isinstance(given, classmethod | staticmethod)


def _plain(called: str) -> Cancelable:
    return Cancelable(None, called)


def _shown_name(function: Callable[..., Any]) -> Callable[[tuple[Any, ...]], str]:
    """What calls of it are named after: methods after the class of the object that they are called on, too."""
    name = getattr(function, "__name__", type(function).__name__)
    qualified = getattr(function, "__qualname__", name).rpartition("<locals>.")[2]
    if "." not in qualified:
        return lambda _args: name
    first = next(iter(inspect.signature(function).parameters), None)
    if first == "self":
        return lambda args: f"{type(args[0]).__name__}.{name}" if args else qualified
    if first == "cls":
        return lambda args: f"{args[0].__name__}.{name}" if args else qualified
    return lambda _args: qualified
