"""The transports for httpx: what a service is told of the time that is left, and when nothing is sent."""

import asyncio
import pickle
from typing import Any

import httpx
import pytest

from hother.cancelable import (
    Cancelable,
    CancelationReason,
    OperationStatus,
    TimeoutCancelation,
    _core,
)
from hother.cancelable.integrations.httpx import (
    CancelableTransport,
    NoTimeLeft,
    SyncCancelableTransport,
)
from support.processes import run_python
from support.serving import served, wait_for

OWN = "x-cancelable-timeout-ms"


class Service:
    """Answers, redirects from `/old`, dribbles at `/dribble`, and never answers at `/never`; notes what it was told."""

    def __init__(self) -> None:
        self.told: list[dict[str, str]] = []
        self.is_asked = asyncio.Event()
        self.is_left = asyncio.Event()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.told.append({name.decode(): value.decode() for name, value in scope["headers"]})
        self.is_asked.set()
        while (await receive()).get("more_body"):
            pass
        status, headers, path = 200, [], scope["path"]
        if path == "/old":
            status, headers = 307, [(b"location", b"/new")]
        if path == "/never":
            await receive()
            self.is_left.set()
            return
        await send({"type": "http.response.start", "status": status, "headers": headers})
        if path == "/dribble":
            gone = asyncio.ensure_future(receive())
            while not gone.done():
                await send({"type": "http.response.body", "body": b".", "more_body": True})
                await asyncio.wait({gone}, timeout=0.01)
            self.is_left.set()
            return
        await send({"type": "http.response.body", "body": b"ok"})

    def said(self, header: str = OWN) -> list[str | None]:
        """What it was told, and is forgotten now."""
        told, self.told = self.told, []
        return [it.get(header) for it in told]


def client(port: int, **kwargs: Any) -> httpx.AsyncClient:
    transport = CancelableTransport(httpx.AsyncHTTPTransport(), **kwargs)
    return httpx.AsyncClient(
        transport=transport, base_url=f"http://127.0.0.1:{port}", follow_redirects=True
    )


def in_ms(seconds: float | None) -> float:
    assert seconds is not None
    return seconds * 1000


async def test_law_x1_what_remains_is_told_rounded_down():
    service = Service()
    async with served(service) as port, client(port) as http:
        async with Cancelable.with_timeout(20.0) as operation:
            before = in_ms(operation.remaining())
            assert (await http.post("/", content=b"body")).text == "ok"
            (said,) = service.said()
            assert said is not None
            assert in_ms(operation.remaining()) - 1 < int(said) <= before
        # Of the innermost that has less, and inside a shield, of the section.
        async with Cancelable.with_timeout(20.0) as outer, Cancelable.with_timeout(100.0):
            before = in_ms(outer.remaining())
            await http.get("/")
            assert int(service.said()[0] or 0) <= before
            async with outer.shield():
                await http.get("/")
            assert service.said() == [None]


async def test_nothing_is_told_where_nothing_is_known():
    service = Service()
    async with served(service) as port, client(port) as http:
        await http.get("/", headers={OWN: "what the caller says"})
        async with Cancelable():
            await http.get("/")
    assert service.said() == ["what the caller says", None]


@pytest.mark.paused
@pytest.mark.parametrize(
    ("header", "there", "said"),
    [
        (OWN, None, "2500"),
        (OWN, "10", "10"),
        (OWN, "2500", "2500"),
        (OWN, "2501", "2500"),
        (OWN, "soon", "2500"),
        ("Grpc-Timeout", None, "2500900u"),
        ("grpc-timeout", "2S", "2S"),
        ("grpc-timeout", "3S", "2500900u"),
        ("grpc-timeout", "2500900999n", "2500900u"),
        ("connect-timeout-ms", None, "2500"),
        ("x-envoy-expected-rq-timeout-ms", None, "2500"),
    ],
)
async def test_law_x1_it_only_shrinks(header: str, there: str | None, said: str):
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200)

    transport = CancelableTransport(httpx.MockTransport(answer), header=header)
    async with httpx.AsyncClient(transport=transport) as http:
        request = http.build_request(
            "POST", "http://a.example/b", json=1, headers={header: there} if there else {}
        )
        as_it_was = httpx.Headers(request.headers)
        async with Cancelable.with_timeout(2.5009001):
            response = await http.send(request)
    assert seen[0].headers[header] == said
    assert (seen[0].method, seen[0].url, seen[0].read()) == ("POST", request.url, b"1")
    # It may be sent again, when another time remains.
    assert request.headers == as_it_was
    assert response.request is request


async def test_a_redirect_is_told_what_remains_then():
    service = Service()
    async with served(service) as port, client(port) as http:
        async with Cancelable.with_timeout(20.0) as operation:
            await http.get("/old")
            first, second = (int(it or 0) for it in service.said())
            assert in_ms(operation.remaining()) - 1 < second <= first


@pytest.mark.paused
@pytest.mark.parametrize(("header", "left"), [(OWN, 0.000_9), ("connect-timeout-ms", 0.000_5)])
async def test_law_x1_with_less_than_one_unit_left_nothing_is_sent(header: str, left: float):
    def answer(_: httpx.Request) -> httpx.Response:
        raise AssertionError

    transport = CancelableTransport(httpx.MockTransport(answer), header=header)
    async with httpx.AsyncClient(transport=transport) as http:
        operation = Cancelable.with_timeout(left)
        with pytest.raises(NoTimeLeft) as caught:
            async with operation:
                await http.get("http://user:secret@a.example/b?key=secret")
    error = caught.value
    for kind in (TimeoutCancelation, TimeoutError, httpx.TimeoutException, httpx.HTTPError):
        assert isinstance(error, kind)
    assert not isinstance(error, asyncio.CancelledError)
    assert error.reason is CancelationReason.TIMEOUT
    assert error.request.url.host == "a.example"
    assert f"{left * 1000:.3f} ms are left" in str(error)
    assert str(error).endswith("too little to ask for GET http://a.example/b")
    assert operation.context.status is OperationStatus.CANCELLED
    assert operation.context.cancel_reason is CancelationReason.TIMEOUT
    again = pickle.loads(pickle.dumps(error))
    assert (str(again), again.reason, type(again)) == (str(error), error.reason, NoTimeLeft)


async def test_nothing_is_sent_once_it_was_asked_to_stop():
    service = Service()
    async with served(service) as port, client(port) as http:
        operation = Cancelable()
        with pytest.raises(asyncio.CancelledError):
            async with operation:
                operation.token.cancel_sync("enough")
                with pytest.raises(asyncio.CancelledError, match="enough") as caught:
                    await http.get("/")
                assert caught.type is asyncio.CancelledError
                raise caught.value
    assert not service.told


async def test_a_cancel_closes_the_connection():
    service = Service()
    async with served(service) as port, client(port) as http:
        operation = Cancelable.with_timeout(30.0)
        request = asyncio.create_task(in_operation(operation, http.get("/never")))
        await wait_for(service.is_asked)
        await operation.cancel("enough")
        await wait_for(service.is_left)
        with pytest.raises(asyncio.CancelledError):
            await request


async def in_operation(operation: Cancelable, coroutine: Any) -> Any:
    async with operation:
        return await coroutine


async def test_each_service_has_less_time_than_the_one_that_calls_it():
    """Three of them, each with an operation of what it was told."""
    left: list[float] = []
    reader = _core.DeadlineHeaders(own=True)

    def service(next_port: int | None) -> Any:
        async def answer(scope: Any, _receive: Any, send: Any) -> None:
            limit = reader.read(scope["headers"])
            assert limit is not None
            left.append(limit)
            if next_port is not None:
                async with Cancelable.with_timeout(limit), client(next_port) as http:
                    await http.get("/")
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"ok"})

        return answer

    async with (
        served(service(None)) as last,
        served(service(last)) as middle,
        served(service(middle)) as first,
        client(first) as http,
        Cancelable.with_timeout(20.0),
    ):
        assert (await http.get("/")).text == "ok"
    assert left == sorted(left, reverse=True)
    assert left[0] <= 20.0
    assert reader.malformed == 0


def get(port: int, path: str, timeout: float | None = None) -> str:
    with httpx.Client(transport=SyncCancelableTransport(), timeout=timeout) as http:
        return http.get(f"http://127.0.0.1:{port}{path}").text


async def test_in_a_thread_the_same_is_told():
    service = Service()
    async with served(service) as port:
        async with Cancelable.with_timeout(20.0) as operation:
            before = in_ms(operation.remaining())
            assert await operation.run_in_thread(get, port, "/") == "ok"
            (said,) = service.said()
            assert said is not None
            assert in_ms(operation.remaining()) - 1 < int(said) <= before
        assert await asyncio.to_thread(get, port, "/") == "ok"
        async with Cancelable() as operation:
            assert await operation.run_in_thread(get, port, "/") == "ok"
    assert service.said() == [None, None]


@pytest.mark.parametrize("path", ["/never", "/dribble"])
async def test_a_thread_is_not_left_behind_when_the_time_is_up(path: str):
    service = Service()
    left: list[BaseException] = []

    def work(http: httpx.Client, port: int) -> None:
        try:
            http.get(f"http://127.0.0.1:{port}{path}")
        except BaseException as error:
            left.append(error)
            raise

    # Made before the time counts, since it takes a while to.
    http = httpx.Client(transport=SyncCancelableTransport(), timeout=None)
    async with served(service) as port:
        operation = Cancelable.with_timeout(0.3)
        with http, pytest.raises(TimeoutCancelation):
            async with operation:
                await operation.run_in_thread(work, http, port)
        await wait_for(service.is_left)
    assert operation.context.status is OperationStatus.CANCELLED
    assert isinstance(left[0], TimeoutCancelation)


async def test_a_timeout_of_httpx_that_comes_first_stays_what_it_is():
    service = Service()
    async with served(service) as port:
        with pytest.raises(httpx.ReadTimeout) as caught:
            async with Cancelable.with_timeout(60.0) as operation:
                await operation.run_in_thread(get, port, "/never", timeout=0.1)
    assert not isinstance(caught.value, TimeoutCancelation)
    assert operation.context.status is OperationStatus.FAILED


async def test_a_thread_sends_nothing_once_it_was_asked_to_stop():
    service = Service()

    def work(operation: Cancelable, port: int) -> None:
        operation.token.cancel_sync("enough")
        get(port, "/")

    async with served(service) as port:
        with pytest.raises(asyncio.CancelledError):
            async with Cancelable() as operation:
                await operation.run_in_thread(work, operation, port)
    assert not service.told


def test_bad_arguments_are_named():
    with pytest.raises(
        ValueError, match=r"header must be one of x-cancelable-timeout-ms, .*\"date\""
    ):
        CancelableTransport(header="date")
    with pytest.raises(
        TypeError, match=r"wrapped must be an httpx.AsyncBaseTransport, got HTTPTransp"
    ):
        CancelableTransport(httpx.HTTPTransport())  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"wrapped must be an httpx.BaseTransport, got str"):
        SyncCancelableTransport("http")  # type: ignore[arg-type]


def test_without_httpx_it_says_what_to_install():
    printed = run_python(
        "import sys; sys.modules['httpx'] = None\n"
        "import hother.cancelable\n"
        "try: import hother.cancelable.integrations.httpx\n"
        "except ModuleNotFoundError as error: print(error, error.name)"
    )
    assert "pip install 'hother-cancelable[httpx]' httpx" in printed
