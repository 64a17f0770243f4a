"""Over the wire all is the same with the middleware as without, whatever stands around it and whenever the body is read."""

import asyncio
import functools

import pytest
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.gzip import GZipMiddleware

from hother.cancelable.integrations.asgi import RequestCancelationMiddleware
from support import web
from support.serving import served

MIB = 2**20


async def pass_on(request, call_next):
    return await call_next(request)


def with_base(app):
    return BaseHTTPMiddleware(app, dispatch=pass_on)


def with_gzip(app):
    return GZipMiddleware(app, minimum_size=10)


def with_cors(app):
    return CORSMiddleware(app, allow_origins=["*"])


AROUND = {"nothing": lambda app: app, "base": with_base, "gzip": with_gzip, "cors": with_cors}


@web.http_alone
async def never_read(scope, receive, send):
    await web.answer(send, b"no need")


@web.http_alone
async def refuse_late(scope, receive, send):
    await asyncio.sleep(0.02)
    await web.answer(send, b"no need")


@web.http_alone
async def read_late(scope, receive, send):
    await asyncio.sleep(0.05)
    await web.digest(scope, receive, send)


def sized(size, step=65536):
    yield web.head("POST", "/", f"Content-Length: {size}", "Origin: http://there")
    body = bytes(range(251)) * (size // 251 + 1)
    for at in range(0, size, step):
        yield body[at : min(at + step, size)]


def chunked(*chunks):
    yield web.head("POST", "/", "Transfer-Encoding: chunked", "Accept-Encoding: gzip")
    for chunk in chunks:
        yield b"%x\r\n%b\r\n" % (len(chunk), chunk)
    yield b"0\r\n\r\n"


CHUNKS = tuple(bytes([n]) * (1 + n * 37 % 4000) for n in range(200))


@web.on_servers("asyncio")
@pytest.mark.parametrize("around", AROUND)
@pytest.mark.parametrize(
    ("app", "parts"),
    [
        pytest.param(web.digest, functools.partial(sized, 300_000), id="sized"),
        pytest.param(web.digest, functools.partial(chunked, *CHUNKS), id="chunked"),
        pytest.param(web.digest, functools.partial(sized, 0), id="empty"),
        pytest.param(web.echo, functools.partial(chunked, *CHUNKS[:20]), id="streamed"),
        pytest.param(read_late, functools.partial(sized, 300_000), id="read late"),
        pytest.param(never_read, functools.partial(sized, 3000), id="never read"),
    ],
)
async def test_law_w1_over_the_wire_all_is_the_same(server, options, around, app, parts):
    around = AROUND[around]
    without = await web.over_the_wire(around(app), server, options, parts)
    assert b" 200 " in without
    for watched in (
        RequestCancelationMiddleware(around(app)),
        around(RequestCancelationMiddleware(app)),
    ):
        assert await web.over_the_wire(watched, server, options, parts) == without


@web.on_servers("asyncio", "uvloop")
async def test_law_w1_twenty_megabytes_in_dribbles(server, options):
    parts = functools.partial(sized, 20 * MIB, 23_456)
    without = await web.over_the_wire(web.digest, server, options, parts)
    assert b"\n20971520 " in without
    app = with_base(RequestCancelationMiddleware(with_base(web.digest)))
    assert await web.over_the_wire(app, server, options, parts) == without


@web.on_servers()
@pytest.mark.parametrize("app", [never_read, refuse_late, read_late])
async def test_law_w1_a_client_that_waits_for_100_continue(server, options, app):
    """It hears of that when, and only if, the application reads."""

    async def heard(app):
        async with served(app, server, **options) as port, web.connected(port) as (reader, writer):
            head = web.head("POST", "/", "Content-Length: 5", "Expect: 100-continue")
            writer.write(head)
            first = await reader.readuntil(b"\r\n\r\n")
            if b" 100 " in first:
                writer.write(b"hello")
            return web.without_date(first), web.without_date(await reader.read())

    without = await heard(app)
    assert await heard(RequestCancelationMiddleware(app)) == without
    assert server == "hypercorn" or (b" 100 " in without[0]) == (app is read_late)
