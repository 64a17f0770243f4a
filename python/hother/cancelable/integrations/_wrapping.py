"""`with_cancelation`: an endpoint whose calls are operations."""

from __future__ import annotations

import functools
import inspect
from typing import TYPE_CHECKING, Any, NamedTuple

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.websockets import WebSocket

from hother.cancelable.core.exceptions import CancelationError
from hother.cancelable.core.lengths import seconds
from hother.cancelable.utils._injecting import DEFAULT, Injection, hints

from ._exchange import checked_deadlines
from ._outlasting import outlasting
from ._policy import said_policy
from ._requests import FUNCTION_STACK, answer_to, exchange_of, operation_for

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import timedelta

    from hother.cancelable._core import DeadlineHeaders
    from hother.cancelable.core.cancelable import Cancelable

    from ._policy import Disconnect, Policy


def with_cancelation(
    timeout: float | timedelta | Callable[..., Any] | None = None,
    raise_on_cancel: bool = True,
    *,
    disconnect: Disconnect | None = None,
    grace: float | timedelta | None = None,
    deadlines: DeadlineHeaders | None = None,
) -> Callable[..., Any]:
    """Runs each call of an endpoint as an operation, which is cancelled when the client goes away, or after `timeout` seconds.

    May be used bare. The endpoint keeps its signature; one that does not ask for the request need not. A parameter `cancelable` or
    `cancel`, or one that is annotated as `Cancelable`, gets the operation. A plain function runs in a thread, which hears of the
    cancel by `checkpoint()`.

    The endpoint runs on a task of its own, so that a server that gives the request up cuts neither its shields nor its grace: the
    operation is asked to stop, with reason `DROPPED`, and awaited.

    Args:
        timeout: how many seconds a call may take.
        raise_on_cancel: whether a cancel leaves as an `HTTPException`: 504 where the time was up, 499 where the client went away, 503
            otherwise. Without, the `CancelationError` leaves, and is answered likewise where nobody catches it.
        disconnect: what becomes of the work when the client goes away, as with `RequestCancelationMiddleware`, whose word counts where
            this says nothing.
        grace: how many seconds `disconnect="grace"` gives.
        deadlines: the deadline headers that are read, as with `RequestCancelationMiddleware`; the least of all limits counts.
    """
    if callable(timeout):
        return _wrapped(timeout, _Choice())
    chosen = said_policy(disconnect, grace)
    limit = None if timeout is None else seconds("Timeout", timeout)
    choice = _Choice(limit, raise_on_cancel, chosen, checked_deadlines(deadlines))
    return functools.partial(_wrapped, choice=choice)


class _Choice(NamedTuple):
    timeout: float | None = None
    raise_on_cancel: bool = True
    policy: Policy | None = None
    deadlines: DeadlineHeaders | None = None


def _wrapped(endpoint: Callable[..., Any], choice: _Choice) -> Callable[..., Any]:
    if inspect.isgeneratorfunction(endpoint) or inspect.isasyncgenfunction(endpoint):
        raise TypeError(
            f"endpoint must return its response, got the generator {endpoint.__qualname__}: return"
            " cancelable_streaming_response(generator, cancelable)"
        )
    injection = Injection(endpoint, DEFAULT)
    find_request, signature = _see_to_request(endpoint, injection)
    is_async = inspect.iscoroutinefunction(inspect.unwrap(endpoint))

    async def called(operation: Cancelable, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        async with operation:
            await operation.check_cancelation()
            if is_async:
                given = endpoint(*args, **kwargs)
            else:
                given = await operation.run_in_thread(endpoint, *args, **kwargs)
            return await given if inspect.isawaitable(given) else given

    @functools.wraps(endpoint)
    async def call(*args: Any, **kwargs: Any) -> Any:
        request = find_request(args, kwargs)
        operation = operation_for(request, choice.timeout, choice.policy, choice.deadlines)
        injection.into(args, kwargs, operation)
        exchange = exchange_of(request)
        work = called(operation, args, kwargs)
        try:
            if exchange is None or exchange.operation is not None:
                # Nobody cuts what a middleware of ours runs.
                return await work

            name = operation._name() or ""
            return await outlasting(work, name, exchange.give_up, exchange.is_detached)
        except CancelationError as error:
            if not choice.raise_on_cancel:
                raise
            said = answer_to(request, error)
            raise HTTPException(said.status, said.detail, said.headers) from error
        finally:
            if exchange is not None and FUNCTION_STACK not in request.scope:
                exchange.endpoint_returned()

    call.__signature__ = signature  # type: ignore[attr-defined]
    return call


def _see_to_request(
    endpoint: Callable[..., Any], injection: Injection
) -> tuple[Callable[[tuple[Any, ...], dict[str, Any]], Request], inspect.Signature]:
    """How the request of a call is found, and the signature that frameworks are to see: with a request, without the operation."""
    signature = inspect.signature(endpoint)
    operations = {name for name, _ in injection.candidates[:1]}
    shown = [it for name, it in signature.parameters.items() if name not in operations]
    known = hints(endpoint)
    if any(_is_a(it, WebSocket) for it in known.values()):
        raise TypeError(
            f"endpoint must be one of requests, got {endpoint.__qualname__} for a WebSocket: use"
            " CancelableWebSocket(websocket, cancelable), whose client ends the operation"
        )
    named = [name for name in signature.parameters if _is_a(known.get(name), Request)]
    if not named and "request" in signature.parameters:
        named = ["request"]
    if named:
        name = named[0]
        position = list(signature.parameters).index(name)

        def find(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Request:
            found: Request = kwargs[name] if name in kwargs else args[position]
            return found

        return find, signature.replace(parameters=shown)

    added = inspect.Parameter("request", inspect.Parameter.KEYWORD_ONLY, annotation=Request)
    at = next((i for i, it in enumerate(shown) if it.kind is it.VAR_KEYWORD), len(shown))
    shown.insert(at, added)

    def take(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Request:
        if "request" not in kwargs:
            raise TypeError(
                f"{endpoint.__qualname__} is an endpoint: it is called with the request, as request="
            )
        found: Request = kwargs.pop("request")
        return found

    return take, signature.replace(parameters=shown)


def _is_a(hint: Any, kind: type) -> bool:
    if isinstance(hint, str):
        return hint.rpartition(".")[2] == kind.__name__
    return isinstance(hint, type) and issubclass(hint, kind)
