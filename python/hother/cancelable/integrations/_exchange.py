"""`Exchange`: a request and its response, whose work is cancelled with one token, and by one rule.

# Invariants

1. **Whoever has taken the token decides.** While an operation runs on it, or once a program has asked for it, a cancel of the
   token is theirs to act on; else the operation that the application runs in, where there is one, is asked to stop.
2. **After the last byte nothing is cancelled**, since what servers then say is no client that went away.
"""

from __future__ import annotations

import asyncio
import math
from functools import partial
from typing import TYPE_CHECKING, Any
from weakref import ref

from hother.cancelable import _core
from hother.cancelable._core import DeadlineHeaders
from hother.cancelable.core.models import CancelationReason
from hother.cancelable.core.token import CancelationToken

from ._answers import CLIENT_GONE, Answer, answer, root
from ._connection import Connection
from ._policy import CANCEL, Policy
from ._serving import serving

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, MutableMapping

    from hother.cancelable._core import Why
    from hother.cancelable.core.cancelable import Cancelable
    from hother.cancelable.core.exceptions import CancelationError
    from hother.cancelable.core.models import OperationContext

    Message = MutableMapping[str, Any]
    Scope = MutableMapping[str, Any]
    Receive = Callable[[], Awaitable[Message]]
    Send = Callable[[Message], Awaitable[None]]

KEY = "hother.cancelable"
"""Where in a scope the exchange is."""

TOKEN_KEY = "cancelation_token"
"""Where in a scope its token is."""


class Exchange:
    """See the module's documentation. One for a request; on its loop alone, but for its token, which any thread may cancel."""

    __slots__ = (
        "__weakref__",
        "_ends_at",
        "_has_trailers",
        "_send",
        "_timer",
        "connection",
        "holders",
        "is_client_gone",
        "is_complete",
        "is_over",
        "is_started",
        "is_token_given",
        "operation",
        "policy",
        "serving",
        "token",
    )

    def __init__(self, scope: Scope, receive: Receive, send: Send | None, policy: Policy = CANCEL):
        weak = ref(self)

        def client_left() -> None:
            # Weakly, so that a request goes with its last holder, and is not left to the collector.
            if (exchange := weak()) is not None:
                exchange.client_left()

        self.connection = Connection(receive, client_left, awaits_continue=_awaits_continue(scope))
        self.policy = policy
        token = scope.get(TOKEN_KEY)
        self.token: CancelationToken = CancelationToken() if token is None else token
        self.holders: set[Cancelable] = set()
        """The operations that run on the token."""
        self.is_token_given = False
        self.serving = serving()
        self.operation: Cancelable | None = None
        """What the application runs in."""
        self.is_client_gone = False
        self.is_started = False
        """Whether the response is."""
        self.is_complete = False
        """Whether the last byte of the response has been handed over."""
        self.is_over = False
        """Whether nothing is to be watched any more: it is complete, or nobody tells when it will be."""
        self._send = send
        self._has_trailers = False
        self._timer: _core._Armed | None = None
        self._ends_at = math.inf
        scope[TOKEN_KEY] = self.token
        scope[KEY] = self

    async def send(self, message: Message) -> None:
        """What the application sends by: notes how far the response is, and lets what nobody waits for go nowhere."""
        kind = message["type"]
        if kind == "http.response.start":
            self.is_started = True
            self._has_trailers = bool(message.get("trailers", False))
        elif kind == "http.response.trailers":
            if not message.get("more_trailers", False):
                self._complete()
        elif kind == "http.response.pathsend" or (
            kind in _BODIES and not message.get("more_body", False) and not self._has_trailers
        ):
            self._complete()
        assert self._send is not None, "it is the response's own, which knows where to"
        if self.is_client_gone and self.policy.goes_on:
            return
        await self._send(message)
        if kind == "http.response.start":
            self.connection.response_began()

    def _complete(self) -> None:
        self.is_complete = self.is_over = True
        self._unlimit()
        self.connection.holds_back = False
        self.connection.tell()

    def limit(self, limit: float) -> None:
        """Has the token be cancelled so many seconds from now, or before that, unless the response is complete by then."""
        at = asyncio.get_running_loop().time() + limit
        if self.is_complete or at >= self._ends_at:
            return
        self._unlimit()
        if self.operation is not None:
            self.operation._foresee(at)
        self._ends_at = at
        self._timer = _core.call_at(at, partial(self._time_is_up, limit))

    def _time_is_up(self, limit: float) -> None:
        self.ask(_core.Why.timeout(limit))

    def _unlimit(self) -> None:
        if self._timer is not None:
            self._timer.close()
            self._timer = None
            self._ends_at = math.inf
            if self.operation is not None:
                self.operation._foresee(None)

    async def end(self) -> None:
        """The request is over: nothing of it is left on the loop."""
        self.end_soon()
        await self.connection.stopped()

    def end_soon(self) -> None:
        """The request is over; what is left of it on the loop ends."""
        self._unlimit()
        self.connection.leave()

    def watch(self) -> None:
        """Has the client's leaving be seen from now on, where it matters."""
        if self.policy.is_watched and not self.is_over:
            self.connection.holds_back = self.policy.goes_on and self.operation is not None
            self.connection.watch()

    def follow(self, policy: Policy) -> None:
        """Goes by another policy from now on, also where the client has left already."""
        self.policy = policy
        if self.operation is not None:
            self.connection.holds_back = policy.goes_on and not self.is_complete
        if self.is_client_gone:
            self.client_left()

    @property
    def is_at_work(self) -> bool:
        """Whether the application runs in an operation."""
        return self.operation is not None and self.operation.is_running

    def govern(self, policy: Policy | None, limit: float | None) -> None:
        """Has the word of a middleware inside of this one's hold from now on, the limit beside the one that there is."""
        if policy is not None:
            self.follow(policy)
            self.watch()
        if limit is not None:
            self.limit(limit)

    def hold(self, operation: Cancelable) -> None:
        """An operation runs on the token from now on."""
        self.holders.add(operation)
        self.serving.exchanges.add(self)
        self.watch()

    def let_go(self, operation: Cancelable) -> None:
        """It has ended."""
        self.holders.discard(operation)
        self.left_perhaps()

    def left_perhaps(self) -> None:
        """Is served no more, unless something still runs for it, as a task may that has outlived the response."""
        if not self.is_at_work and not self.holders:
            self.serving.left(self)

    def contexts(self) -> list[OperationContext]:
        """What there is to know of what runs for it: the innermost that is known."""
        return [operation.context for operation in self.holders or self._operations()]

    def respond_by(self, send: Send) -> None:
        """Goes on with a response that notes how far it is by sending through this, where no middleware does."""
        self._send = send
        self.is_over = False

    def endpoint_returned(self) -> None:
        """The endpoint is over, and nobody sees how far the response is: nothing is watched any more.

        Nor read: a response that reads the connection itself, as Starlette's that stream do, is to be told that the client is gone,
        and some servers tell only one.
        """
        if self._send is None:
            self.is_over = True
            self.connection.leave()

    def ask(self, why: Why) -> None:
        """Asks the work to stop."""
        is_first = self.token._cancel_with(why)
        if not is_first and self.operation is not None and not self.is_taken:
            # It was cancelled before, and whoever had it has gone on.
            self.operation._fire(why)

    def failed(self) -> None:
        """The application has raised something: where its client is gone, for that."""
        is_told = self.policy.kind in ("cancel", "grace")
        if self.operation is not None and self.is_client_gone and is_told:
            self.operation._fire(_gone())

    def give_up(self, why: Why) -> None:
        """Asks the work to stop, whoever has taken the token; where it has a grace, that holds."""
        self._give_grace(CancelationReason.DROPPED)
        self.ask(why)
        if self.operation is not None:
            self.operation._fire(why)

    def _give_grace(self, reason: CancelationReason) -> None:
        if self.policy.grace is not None:
            for operation in self._operations():
                operation._set_grace(self.policy.grace, reason)

    def _operations(self) -> list[Cancelable]:
        return [*self.holders, *([] if self.operation is None else [self.operation])]

    def is_detached(self) -> bool:
        """Whether the work goes on to its end, whoever waits for it."""
        return self.policy.kind == "detach"

    @property
    def is_taken(self) -> bool:
        """Whether somebody decides what a cancel of the token does."""
        return self.is_token_given or bool(self.holders)

    def token_fired(self, _: object) -> None:
        """The token was cancelled, on whatever thread."""
        if self.operation is not None and not self.is_taken:
            why = _core.Why.of(self.token)
            if why is not None:
                self.operation._fire(why)

    def answer(self, error: CancelationError) -> Answer:
        """What to say where a cancel has left the endpoint."""
        own = _core.Why.of(self.token)
        reason = error.root_reason
        message: str | None = error.message
        if own is not None and error.reason is CancelationReason.PARENT:
            message = root(own).message
        return answer(reason, message, is_of_request=own is not None)

    def client_left(self) -> None:
        """The client is gone."""
        if self.is_over:
            return
        self.is_client_gone = True
        if not self.policy.is_watched:
            return
        for operation in self._operations():
            operation.context.metadata["client_left"] = True
        if self.policy.kind != "detach":
            self._give_grace(CancelationReason.DISCONNECTED)
            self.ask(_gone())


def _gone() -> Why:
    return _core.Why(CancelationReason.DISCONNECTED, CLIENT_GONE)


def _awaits_continue(scope: Scope) -> bool:
    """Whether the client sends its body only once it is told to."""
    for name, value in scope.get("headers", ()):
        if name == b"expect" and b"100-continue" in value.lower():
            return True
    return False


def time_left(deadlines: DeadlineHeaders | None, scope: Scope) -> float | None:
    """How many seconds the client gives the request, by the headers that the server reads, if it says so."""
    return None if deadlines is None else deadlines.read(scope["headers"])


def checked_deadlines(deadlines: DeadlineHeaders | None) -> DeadlineHeaders | None:
    """What `deadlines=` was given."""
    if deadlines is not None and not isinstance(deadlines, DeadlineHeaders):
        raise TypeError(
            f"deadlines must be DeadlineHeaders, such as DeadlineHeaders(own=True, at_most=30.0), got {type(deadlines).__name__}"
        )
    return deadlines


def name_and_metadata(scope: Scope) -> tuple[str, dict[str, Any]]:
    """What the operation of a request, or of a socket, is called, and what is known of it."""
    # A socket has no method.
    method = scope.get("method") or scope["type"].upper()
    path, client = scope["path"], scope.get("client")
    metadata = {"method": method, "path": path, "client": client[0] if client else None}
    return f"{method} {path}", metadata


_BODIES = frozenset({"http.response.body", "http.response.zerocopysend"})
