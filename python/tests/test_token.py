"""Tokens as programs know them: what they say, and how they are used."""

import asyncio
import inspect
import logging
import threading
from datetime import UTC, datetime, timedelta

import anyio
import anyio.lowlevel
import pytest

from hother.cancelable.core.exceptions import ManualCancelation
from hother.cancelable.core.models import CancelationReason
from hother.cancelable.core.token import CancelationToken, LinkedCancelationToken
from support.loops import settle


def test_what_a_token_says_of_itself():
    token = CancelationToken(id="0123456789")
    assert str(token) == "CancelationToken(id=01234567, active)"
    token.cancel_sync(CancelationReason.TIMEOUT, "too slow")
    assert str(token) == "CancelationToken(id=01234567, cancelled=timeout)"
    for part in ("'0123456789'", "is_cancelled=True", "CancelationReason.TIMEOUT", "'too slow'"):
        assert part in repr(token)


def test_a_new_token_has_an_id_and_nothing_else():
    token = CancelationToken()
    assert len(token.id) == 36
    assert token.id == token.id
    assert token.id != CancelationToken().id
    assert not token.is_cancelled
    assert (token.reason, token.message, token.cancelled_at) == (None, None, None)


def test_a_cancel_says_why_and_when():
    token = CancelationToken()
    assert token.cancel_sync(CancelationReason.SIGNAL, "enough")
    assert token.is_cancelled
    assert token.is_cancelation_requested()
    assert token.reason is CancelationReason.SIGNAL
    assert token.message == "enough"
    assert token.cancelled_at is not None
    assert token.cancelled_at.tzinfo is UTC
    assert abs(datetime.now(UTC) - token.cancelled_at) < timedelta(minutes=1)
    assert not token.cancel_sync(CancelationReason.ERROR, "late")
    assert token.message == "enough"


@pytest.mark.parametrize("reason", list(CancelationReason))
def test_every_reason_goes_through_rust_and_back(reason):
    token = CancelationToken()
    token.cancel_sync(reason)
    assert token.reason is reason
    assert token.message is None


@pytest.mark.parametrize(
    ("args", "reason", "message"),
    [
        ((), "manual", None),
        (("enough",), "manual", "enough"),
        (("timeout",), "manual", "timeout"),
        ((CancelationReason.ERROR,), "error", None),
        ((CancelationReason.ERROR, "disk"), "error", "disk"),
        (("error", "disk"), "error", "disk"),
        (("",), "manual", ""),
    ],
)
async def test_an_enum_member_is_a_reason_and_any_other_string_a_message(args, reason, message):
    token, same = CancelationToken(), CancelationToken()
    assert await token.cancel(*args)
    same.cancel_sync(*args)
    for it in (token, same):
        assert (it.reason, it.message) == (CancelationReason(reason), message)


def test_what_cancel_cannot_take_is_named():
    token = CancelationToken()
    with pytest.raises(TypeError, match="reason must be a CancelationReason, or a message"):
        token.cancel_sync(5)
    with pytest.raises(TypeError, match=r"reason must be a CancelationReason.*'soon'"):
        token.cancel_sync("soon", "the message")
    with pytest.raises(TypeError, match="message"):
        token.cancel_sync(message=5)
    assert not token.is_cancelled


def test_check_raises_with_the_message():
    token = CancelationToken()
    token.check()
    token.cancel_sync("enough")
    with pytest.raises(ManualCancelation, match=r"^enough$"):
        token.check()
    token = CancelationToken()
    token.cancel_sync(CancelationReason.TIMEOUT)
    with pytest.raises(ManualCancelation, match=r"^Operation cancelled via token$"):
        token.check()


async def test_check_async_raises_what_the_loop_cancels_with():
    token = CancelationToken()
    await token.check_async()
    token.cancel_sync("enough")
    with pytest.raises(asyncio.CancelledError, match=r"^enough$") as caught:
        await token.check_async()
    assert type(caught.value) is anyio.get_cancelled_exc_class()


async def test_setting_is_cancelled_cancels():
    token = CancelationToken()
    async with anyio.create_task_group() as group:
        group.start_soon(token.wait_for_cancel)
        await settle()
        token.reason = CancelationReason.ERROR
        token.message = "by hand"
        token.is_cancelled = True
    assert (token.reason, token.message) == (CancelationReason.ERROR, "by hand")
    token.is_cancelled = True
    with pytest.raises(ValueError, match="is_cancelled cannot be taken back"):
        token.is_cancelled = False


def test_fields_can_be_set():
    token = CancelationToken()
    when = datetime(2020, 1, 1, tzinfo=UTC)
    token.id, token.message, token.reason, token.cancelled_at = "mine", "m", "signal", when
    assert (token.id, token.message, token.cancelled_at) == ("mine", "m", when)
    assert token.reason is CancelationReason.SIGNAL
    token.cancel_sync("what was set before gives way")
    assert (token.reason, token.message) == (
        CancelationReason.MANUAL,
        "what was set before gives way",
    )
    assert token.cancelled_at != when
    token.message = None
    assert token.message is None
    assert token.is_cancelled
    with pytest.raises(AttributeError):
        token.unknown = 1


def test_equality_and_hash_go_by_id():
    token, same, other = CancelationToken(id="a"), CancelationToken(id="a"), CancelationToken()
    assert token == same
    assert hash(token) == hash(same)
    assert token != other
    assert token != "a"
    assert {token, same, other} == {same, other}
    assert other in [token, other]


async def test_callbacks_get_the_token_sync_or_async_awaited_or_not():
    token, heard = CancelationToken(), []

    async def later(it):
        await settle(3)
        heard.append(("async", it))

    await token.register_callback(later)
    token.register_callback(lambda it: heard.append(("sync", it)))
    await token.cancel()
    assert heard == [("sync", token), ("async", token)]
    token.register_callback(lambda it: heard.append(("late", it)))
    assert heard[2:] == [("late", token)]
    with pytest.raises(TypeError, match="callback must be callable, got int"):
        token.register_callback(5)


async def test_an_async_callback_runs_on_the_loop_that_registered_it():
    token, ran, done = CancelationToken(), [], anyio.Event()
    here = threading.get_ident()

    async def callback(it):
        await settle(2)
        ran.append((threading.get_ident(), it))
        done.set()

    token.register_callback(callback)
    await anyio.to_thread.run_sync(token.cancel_sync)
    await done.wait()
    assert ran == [(here, token)]


async def test_a_callback_that_fails_is_logged_and_stops_no_other(caplog):
    token, heard = CancelationToken(), []

    def bad(_):
        raise RuntimeError("the callback is broken")

    async def bad_later(_):
        raise RuntimeError("the async callback is broken")

    for callback in (bad, bad_later, heard.append):
        token.register_callback(callback)
    with caplog.at_level(logging.ERROR, "hother.cancelable"):
        assert await token.cancel()
    assert heard == [token]
    assert "the callback is broken" in caplog.text
    assert "the async callback is broken" in caplog.text


def test_an_async_callback_that_no_loop_knows_is_told_of(caplog):
    token = CancelationToken()

    async def callback(_):
        raise AssertionError("there is no loop to run it")

    token.register_callback(callback)
    assert token.cancel_sync()
    assert "no loop to await it on" in caplog.text


def test_a_callback_can_be_taken_back():
    token, heard = CancelationToken(), []
    first, second = token.on_cancel(heard.append), token.on_cancel(heard.append)
    assert first.deregister()
    assert not first.deregister()
    token.cancel_sync()
    assert heard == [token]
    assert not second.deregister()
    assert not token.on_cancel(heard.append).deregister()


def test_an_exception_that_is_to_end_the_program_is_raised_by_the_cancel():
    token, heard = CancelationToken(), []

    def bad(_):
        raise KeyboardInterrupt

    token.register_callback(bad)
    token.register_callback(heard.append)
    with pytest.raises(KeyboardInterrupt):
        token.cancel_sync()
    assert token.is_cancelled
    assert heard == [token]


async def test_the_awaitable_of_a_registration_is_a_coroutine_as_often_as_it_is_awaited():
    token = CancelationToken()
    registered = token.register_callback(lambda _: None)
    await registered
    await registered
    await asyncio.create_task(registered)
    await asyncio.wait_for(LinkedCancelationToken().link(token), 1)
    assert inspect.isawaitable(registered)


async def test_cancelling_the_canceller_stops_no_async_callback():
    token, heard = CancelationToken(), []
    started = anyio.Event()

    async def slow(_):
        started.set()
        await settle(5)
        heard.append("done")

    token.register_callback(slow)
    task = asyncio.create_task(token.cancel())
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await settle()
    assert heard == ["done"]


@pytest.mark.trio
async def test_tokens_on_every_loop():
    token, heard = CancelationToken(), []

    async def callback(it):
        await anyio.lowlevel.checkpoint()
        heard.append(it)

    token.register_callback(callback)
    async with anyio.create_task_group() as group:
        group.start_soon(token.wait_for_cancel)
        group.start_soon(token.wait_for_cancel)
        await settle()
        await anyio.to_thread.run_sync(token.cancel_sync)
        await token.wait_for_cancel()
    await settle()
    assert heard == [token]
    with pytest.raises((ManualCancelation, asyncio.CancelledError)):
        await token.check_async()


async def test_a_linked_token_is_cancelled_as_by_its_parent():
    source, linked = CancelationToken(id="0123456789"), LinkedCancelationToken()
    await linked.link(source)
    assert not linked.is_cancelled
    await source.cancel(CancelationReason.TIMEOUT, "too slow")
    assert linked.is_cancelled
    assert linked.reason is CancelationReason.PARENT
    assert linked.message == "Linked token 01234567 was cancelled"
    assert linked.cancelled_at == source.cancelled_at


async def test_a_link_may_keep_the_reason():
    source, linked = CancelationToken(), LinkedCancelationToken()
    linked.link(source, preserve_reason=True)
    await source.cancel(CancelationReason.TIMEOUT, "too slow")
    assert (linked.reason, linked.message) == (CancelationReason.TIMEOUT, "too slow")


async def test_a_reason_that_is_kept_keeps_the_message_of_a_link_before():
    source, between, last = (
        CancelationToken(id="0123456789"),
        LinkedCancelationToken(),
        LinkedCancelationToken(),
    )
    between.link(source)
    last.link(between, preserve_reason=True)
    await source.cancel()
    assert (last.reason, last.message) == (between.reason, between.message)
    assert last.message == "Linked token 01234567 was cancelled"


async def test_linking_to_a_cancelled_token_cancels_at_once_with_callbacks():
    source, linked, heard = CancelationToken(id="0123456789"), LinkedCancelationToken(), []
    await source.cancel()
    linked.register_callback(lambda it: heard.append(it.message))
    linked.link(source)
    assert linked.is_cancelled
    assert heard == ["Linked token 01234567 was cancelled"]


async def test_cancelling_a_linked_token_leaves_its_source_alone():
    source, linked = CancelationToken(), LinkedCancelationToken()
    linked.link(source)
    await linked.cancel("by itself")
    assert not source.is_cancelled
    await source.cancel()
    assert linked.message == "by itself"


@pytest.mark.parametrize("preserve_reason", [False, True])
async def test_links_in_a_circle(preserve_reason):
    tokens = [LinkedCancelationToken() for _ in range(3)]
    for token, other in zip(tokens, [*tokens[1:], tokens[0]], strict=True):
        token.link(other, preserve_reason)
        token.link(token, preserve_reason)
    assert await tokens[1].cancel("round")
    assert all(it.is_cancelled for it in tokens)
    assert tokens[1].message == "round"
    if preserve_reason:
        assert [it.message for it in tokens] == ["round"] * 3


async def test_a_linked_token_between_that_nobody_holds_passes_the_cancel_on():
    source, last = CancelationToken(), LinkedCancelationToken()
    between = LinkedCancelationToken()
    between.link(source)
    last.link(between)
    del between
    await source.cancel()
    assert last.is_cancelled


def test_what_is_no_token_cannot_be_linked():
    with pytest.raises(TypeError, match="token must be a CancelationToken, got str"):
        LinkedCancelationToken().link("token")
