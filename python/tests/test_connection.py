"""The reader of a connection: it passes on all that it reads, sees the client go away, and reads ahead no more than so much."""

import asyncio

import pytest
from starlette.requests import Request

from hother.cancelable.integrations import _connection
from hother.cancelable.integrations._connection import READ_AHEAD, Connection
from hother.cancelable.integrations._requests import operation_for
from support.loops import settle
from support.serving import wait_for


@pytest.fixture(autouse=True)
def look_at_once(monkeypatch):
    monkeypatch.setattr(_connection, "LOOK_AFTER", 0)


class Wire:
    """What a server would have received; counts who reads at a time."""

    def __init__(self, *messages):
        self.messages = asyncio.Queue()
        for message in messages:
            self.messages.put_nowait(message)
        self.reads = 0
        self.at_a_time = 0

    async def receive(self):
        self.at_a_time += 1
        assert self.at_a_time == 1, "somebody else reads"
        try:
            message = await self.messages.get()
        finally:
            self.at_a_time -= 1
        self.reads += 1
        return message


def part(body, *, more=True):
    return {"type": "http.request", "body": body, "more_body": more}


GONE = {"type": "http.disconnect"}


def nothing():
    pass


async def test_law_w1_what_is_received_is_what_was_sent_in_order():
    sent = [part(bytes([n % 256])) for n in range(300)] + [part(b"", more=False)]
    wire = Wire(*sent)
    connection = Connection(wire.receive, nothing)
    received = []
    for n in range(len(sent)):
        if n % 7 == 0:
            connection.watch()
            await settle(n % 3)
        if n % 50 == 49:
            await connection.close()
        received.append(await connection.receive())
    assert received == sent
    await connection.end()


async def test_law_w1_each_message_goes_to_one_of_many_who_receive():
    sent = [part(b"%d" % n) for n in range(100)]
    wire = Wire()
    connection = Connection(wire.receive, nothing)
    connection.watch()
    received = []

    async def take():
        while len(received) < len(sent):
            received.append(await connection.receive())

    takers = [asyncio.create_task(take()) for _ in range(5)]
    for message in sent:
        wire.messages.put_nowait(message)
        await settle(1)
    while len(received) < len(sent):
        await settle(1)
    for taker in takers:
        taker.cancel()
    await asyncio.gather(*takers, return_exceptions=True)
    assert sorted(received, key=lambda it: int(it["body"])) == sent
    await connection.end()


@pytest.mark.parametrize("size", [1, 1000, 16384])
async def test_law_w1_no_more_is_read_ahead_than_so_much(size):
    wire = Wire(*(part(b"x" * size) for _ in range(2000)))
    connection = Connection(wire.receive, nothing)
    connection.watch()
    await settle(3000)
    read = wire.reads
    assert read * size <= READ_AHEAD + size
    assert read <= READ_AHEAD // 256
    await connection.receive()
    await settle()
    assert wire.reads == read + 1
    await connection.end()


@pytest.mark.parametrize("is_watched", [False, True])
@pytest.mark.parametrize("turns", range(6))
async def test_law_w1_a_cancel_of_who_receives_takes_nothing(is_watched, turns):
    wire = Wire()
    connection = Connection(wire.receive, nothing)
    if is_watched:
        connection.watch()
        await settle()
    taking = asyncio.create_task(connection.receive())
    await settle()
    wire.messages.put_nowait(part(b"it"))
    await settle(turns)
    taking.cancel()
    await asyncio.wait({taking})
    async with asyncio.timeout(5):
        received = await connection.receive() if taking.cancelled() else taking.result()
    assert received["body"] == b"it"
    await connection.end()


async def test_law_w1_before_the_bodys_end_no_read_is_broken_off():
    wire = Wire()
    is_broken_off = False

    async def receive():
        nonlocal is_broken_off
        try:
            return await wire.receive()
        except asyncio.CancelledError:
            is_broken_off = True
            raise

    connection = Connection(receive, nothing)
    connection.watch()
    await settle()
    await connection.close()
    wire.messages.put_nowait(part(b"it"))
    await settle()
    assert not is_broken_off
    assert (await connection.receive())["body"] == b"it"
    await connection.end()


async def test_law_w1_nothing_is_read_before_it_is_asked_for_where_the_client_waits_for_that():
    wire = Wire(part(b"it", more=False))
    connection = Connection(wire.receive, nothing, awaits_continue=True)
    connection.watch()
    await settle()
    assert wire.reads == 0
    assert (await connection.receive())["body"] == b"it"
    await settle()
    assert wire.at_a_time == 1
    await connection.end()


async def test_law_w2_that_the_client_is_gone_is_told_once_and_received_again_and_again():
    told = asyncio.Event()
    wire = Wire(part(b"some"), part(b"more"), GONE)
    connection = Connection(wire.receive, told.set)
    connection.watch()
    await wait_for(told)
    received = [await connection.receive() for _ in range(4)]
    assert [it.get("body") for it in received] == [b"some", b"more", None, None]
    assert received[-1] == GONE
    assert wire.reads == 3
    await connection.end()


@pytest.mark.parametrize("is_watched", [False, True])
async def test_law_w2_who_only_looks_is_told_as_well(is_watched):
    """`Request.is_disconnected` receives in a scope that is cancelled already."""
    wire = Wire(part(b"", more=False))
    connection = Connection(wire.receive, nothing)
    if is_watched:
        connection.watch()
    request = Request({"type": "http"}, connection.receive)
    for _ in range(5):
        assert not await request.is_disconnected()
        await settle(1)
    wire.messages.put_nowait(GONE)
    await settle()
    for _ in range(3):
        if await request.is_disconnected():
            break
    else:
        pytest.fail("whoever looks is not told")
    assert await connection.receive() == GONE
    await connection.end()


async def test_what_is_held_back_is_told_once_it_is_not():
    wire = Wire(part(b"", more=False), GONE)
    connection = Connection(wire.receive, nothing)
    connection.holds_back = True
    connection.watch()
    await connection.receive()
    waiting = asyncio.create_task(connection.receive())
    await settle()
    assert connection.is_gone
    assert not waiting.done()
    connection.holds_back = False
    connection.tell()
    assert await waiting == GONE
    await connection.end()


async def test_before_the_bodys_end_nothing_is_held_back():
    wire = Wire(part(b"some"), GONE)
    connection = Connection(wire.receive, nothing)
    connection.holds_back = True
    connection.watch()
    await connection.receive()
    assert await connection.receive() == GONE
    await connection.end()


async def test_what_a_read_raises_is_raised_where_somebody_receives(caplog):
    errors = [AssertionError("it was asked again"), RuntimeError("the server is broken")]

    async def receive():
        raise errors.pop()

    connection = Connection(receive, nothing)
    connection.watch()
    await settle()
    assert "reading from it failed" in caplog.text
    with pytest.raises(RuntimeError, match="the server is broken"):
        await connection.receive()
    await connection.end()


async def test_whoever_never_waits_pays_no_task():
    wire = Wire(part(b"", more=False))
    connection = Connection(wire.receive, nothing)
    connection.watch()
    await connection.receive()
    assert connection.is_at_work
    await connection.end()
    await settle()
    assert not connection.is_at_work
    assert wire.reads == 1


@pytest.mark.parametrize("turns", range(4))
async def test_one_that_was_left_watches_again_when_it_is_asked_to(turns):
    """Also where it is left before its task has taken a step, and asked before that has ended."""
    wire, gone = Wire(part(b"", more=False)), asyncio.Event()
    connection = Connection(wire.receive, gone.set)
    for pause in (turns, 5, 0):
        connection.watch()
        await settle(turns)
        connection.leave()
        await settle(pause)
    connection.watch()
    await settle()
    wire.messages.put_nowait(GONE)
    await wait_for(gone)
    await connection.end()
    assert not connection.is_at_work


async def test_one_that_was_left_lets_others_read():
    wire = Wire()
    connection = Connection(wire.receive, nothing)
    connection.watch()
    await settle()
    connection.leave()
    await settle()
    wire.messages.put_nowait(GONE)
    assert await wire.receive() is GONE


async def test_law_o3_an_operation_that_has_ended_leaves_no_reader_of_its_request():
    wire = Wire(part(b"all of it", more=False))
    request = Request(
        {"type": "http", "method": "POST", "path": "/it", "headers": []}, wire.receive
    )

    def readers():
        return [it for it in asyncio.all_tasks() if "watches a connection" in it.get_name()]

    async with operation_for(request):
        while wire.at_a_time == 0 or wire.reads == 0:
            await settle(1)
        assert len(readers()) == 1
    assert readers() == []
    assert await request.body() == b"all of it"
