"""What a body sees of a cancel, and what leaves its operation."""

import asyncio
import contextvars
import gc
import weakref
from contextlib import suppress

import anyio
import anyio.lowlevel
import pytest

from hother.cancelable import (
    Cancelable,
    CancelationError,
    CancelationReason,
    ManualCancelation,
    OperationStatus,
    ParentCancelation,
    TimeoutCancelation,
    checkpoint,
    current_operation,
)
from hother.cancelable.core.token import CancelationToken
from support import loops

SCOPES = pytest.mark.parametrize("scope", ["anyio", "native"])


class Stop(BaseException):
    """Nothing that an operation catches."""


@pytest.mark.trio
async def test_law_p1_in_the_body_a_cancel_is_plain_at_every_await():
    seen = []
    with pytest.raises(ManualCancelation):
        async with Cancelable() as cancel:
            await cancel.cancel(message="stop")
            for _ in range(3):
                try:
                    await anyio.lowlevel.checkpoint()
                except anyio.get_cancelled_exc_class() as error:
                    seen.append(isinstance(error, CancelationError))
            await anyio.lowlevel.checkpoint()
    assert seen == [False] * 3


async def test_law_p1_a_native_scope_tells_once_and_again_where_it_is_asked():
    async with Cancelable(scope="native") as cancel:
        await cancel.cancel(message="stop")
        with pytest.raises(asyncio.CancelledError, match="stop"):
            await asyncio.sleep(0)
        await asyncio.sleep(0)
        with pytest.raises(asyncio.CancelledError, match="stop"):
            await cancel.check_cancelation()
        with pytest.raises(asyncio.CancelledError, match="stop"):
            checkpoint()
    assert cancel.is_completed
    assert asyncio.current_task().cancelling() == 0


@SCOPES
@pytest.mark.paused
async def test_law_p1_what_leaves_is_typed_and_a_cancelled_error(scope):
    with pytest.raises(TimeoutError) as caught:
        async with Cancelable.with_timeout(2, scope=scope) as cancel:
            await asyncio.sleep(3600)
    error = caught.value
    assert isinstance(error, TimeoutCancelation)
    assert isinstance(error, anyio.get_cancelled_exc_class())
    assert type(error.__cause__) is asyncio.CancelledError
    assert error.__context__ is None
    assert (error.reason, error.timeout_seconds) == (CancelationReason.TIMEOUT, 2)
    assert error.context.id == cancel.operation_id
    assert error.context.status is OperationStatus.CANCELLED


@pytest.mark.trio
@pytest.mark.paused
async def test_law_p1_on_any_loop_the_public_class_is_caught():
    with pytest.raises(TimeoutCancelation, match="timed out"):
        async with Cancelable.with_timeout(2):
            await anyio.sleep(3600)
    token = CancelationToken()
    with pytest.raises(ManualCancelation, match="by token"):
        async with Cancelable.with_token(token):
            await token.cancel(message="by token")
            await anyio.sleep(3600)


@SCOPES
async def test_law_p1_of_an_explicit_parent_the_child_says_so(scope):
    parent = Cancelable()

    async def child():
        async with Cancelable(parent=parent, scope=scope):
            running.set()
            await asyncio.Event().wait()

    running = asyncio.Event()
    with pytest.raises(ManualCancelation):
        async with parent:
            task = asyncio.create_task(child())
            await running.wait()
            await parent.cancel()
            await asyncio.sleep(0)
    with pytest.raises(ParentCancelation) as caught:
        await task
    assert caught.value.parent_id == parent.operation_id
    assert caught.value.parent_reason is CancelationReason.MANUAL


@SCOPES
async def test_law_p1_operations_in_between_let_it_pass_as_it_is(scope):
    seen = []
    with pytest.raises(ManualCancelation):
        async with Cancelable(scope=scope) as outer:
            try:
                async with Cancelable(scope=scope) as between:
                    await outer.cancel()
                    await asyncio.sleep(0)
            except asyncio.CancelledError as error:
                seen.append(type(error))
                raise
    assert seen == [asyncio.CancelledError]
    assert between.context.cancel_reason is CancelationReason.PARENT


@SCOPES
@pytest.mark.parametrize("ask", ["inner check", "outer check", "checkpoint", "sleep"])
async def test_law_p1_what_an_inner_check_raises_leaves_the_outer_one_typed(scope, ask):
    seen = []
    with pytest.raises(ManualCancelation, match="outer"):
        async with Cancelable(scope=scope) as outer:
            try:
                async with Cancelable(scope=scope) as inner:
                    await outer.cancel(message="outer")
                    match ask:
                        case "inner check":
                            await inner.check_cancelation()
                        case "outer check":
                            await outer.check_cancelation()
                        case "checkpoint":
                            checkpoint()
                        case "sleep":
                            await asyncio.sleep(0)
            except asyncio.CancelledError as error:
                seen.append(type(error))
                raise
    assert seen == [asyncio.CancelledError]
    assert outer.is_cancelled
    assert inner.context.cancel_reason is CancelationReason.PARENT
    await asyncio.sleep(0)
    assert asyncio.current_task().cancelling() == 0


@SCOPES
async def test_law_p1_the_cancel_of_the_outer_one_outweighs_that_of_the_inner_one(scope):
    with pytest.raises(ManualCancelation, match="outer"):
        async with Cancelable(scope=scope, name="outer") as outer:
            with pytest.raises(CancelationError):
                async with Cancelable(scope=scope) as inner:
                    await inner.cancel(message="inner")
                    await asyncio.sleep(0)
            await outer.cancel(message="outer")
            await asyncio.sleep(0)
    with pytest.raises(ManualCancelation, match="outer"):
        async with Cancelable(scope=scope) as outer, Cancelable(scope=scope) as inner:
            await inner.cancel(message="inner")
            await outer.cancel(message="outer")
            await asyncio.sleep(0)
    assert inner.context.cancel_message == "inner"
    await asyncio.sleep(0)
    assert asyncio.current_task().cancelling() == 0


@SCOPES
async def test_law_p1_a_body_that_swallowed_the_cancel_leaves_nothing(scope):
    async with Cancelable(scope=scope) as cancel:
        await cancel.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.sleep(0)
    assert cancel.is_completed
    await asyncio.sleep(0)


@SCOPES
async def test_law_p1_a_body_with_no_more_await_leaves_nothing_for_later(scope):
    async with Cancelable(scope=scope) as cancel:
        await cancel.cancel()
    assert cancel.is_completed
    for _ in range(3):
        await asyncio.sleep(0)


async def test_law_p1_a_cancelation_that_the_body_raises_leaves_as_it_is():
    raised = TimeoutCancelation(3, "by the body")
    with pytest.raises(TimeoutCancelation) as caught:
        async with Cancelable() as cancel:
            raise raised
    assert caught.value is raised
    assert cancel.is_cancelled
    assert cancel.context.cancel_reason is CancelationReason.TIMEOUT
    assert cancel.context.cancel_message == "by the body"


@SCOPES
@pytest.mark.parametrize("raises", ["cancelled", "error", "suppress"])
async def test_law_p1_a_switch_says_what_leaves(scope, raises):
    left = None
    try:
        async with Cancelable(scope=scope, raises=raises) as cancel:
            await cancel.cancel()
            await asyncio.sleep(0)
    except CancelationError as error:
        left = error
    expected = {"cancelled": (True, True), "error": (True, False), "suppress": (False, False)}
    is_cancelled_error = isinstance(left, asyncio.CancelledError)
    assert (left is not None, is_cancelled_error) == expected[raises]
    assert cancel.is_cancelled
    assert asyncio.current_task().cancelling() == 0


async def test_law_p1_a_task_group_drops_what_is_cancelled_and_reports_an_error():
    async def work(raises):
        async with Cancelable(raises=raises) as cancel:
            await cancel.cancel()
            await asyncio.sleep(0)

    async with anyio.create_task_group() as group:
        group.start_soon(work, "cancelled")
    with pytest.raises(ExceptionGroup) as caught:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(work("cancelled"))
            tasks.create_task(work("error"))
    assert [type(it) for it in caught.value.exceptions] == [ManualCancelation]


@SCOPES
async def test_law_o1_what_is_no_exception_ends_failed_and_calls_nobody(scope):
    called = []
    cancel = Cancelable(scope=scope)
    cancel.on_error(lambda *told: called.append(told))
    cancel.on_cancel(called.append).on_complete(called.append)
    with pytest.raises(Stop):
        async with cancel:
            raise Stop
    assert cancel.context.status is OperationStatus.FAILED
    assert called == []


@SCOPES
@pytest.mark.parametrize("is_first", [True, False])
@pytest.mark.parametrize("ask", ["wait", "check_cancelation", "checkpoint"])
async def test_law_p2_of_own_and_foreign_in_one_tick_the_foreign_leaves(scope, is_first, ask):
    seen = []
    cancel = Cancelable(scope=scope)

    def strike():
        (task,) = tasks
        if is_first:
            task.cancel("foreign")
        cancel.token.cancel_sync()
        if not is_first:
            task.cancel("foreign")

    async def work():
        tasks.append(asyncio.current_task())
        try:
            async with cancel:
                running.set()
                if ask == "wait":
                    await asyncio.Event().wait()
                strike()
                if ask == "checkpoint":
                    checkpoint()
                await cancel.check_cancelation()
        except BaseException as error:
            seen.append(type(error))
            raise

    tasks = []
    running = asyncio.Event()
    task = asyncio.create_task(work())
    await running.wait()
    if ask == "wait":
        strike()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert seen == [asyncio.CancelledError]
    assert task.cancelling() == 1
    assert cancel.is_cancelled


@SCOPES
async def test_law_p2_a_foreign_cancel_goes_through_any_scope(scope):
    cancel = Cancelable(scope=scope)
    seen = []

    async def work():
        try:
            async with cancel:
                running.set()
                await asyncio.Event().wait()
        except asyncio.CancelledError as error:
            seen.append(error)
            raise

    running = asyncio.Event()
    task = asyncio.create_task(work())
    await running.wait()
    task.cancel("foreign")
    with pytest.raises(asyncio.CancelledError):
        await task
    assert [type(it) for it in seen] == [asyncio.CancelledError]
    assert seen[0].args == ("foreign",)
    assert cancel.is_cancelled
    assert cancel.token.is_cancelled


@SCOPES
async def test_a_timeout_of_asyncio_around_is_not_swallowed(scope):
    with pytest.raises(TimeoutError) as caught:
        async with asyncio.timeout(0), Cancelable(scope=scope) as cancel:
            await asyncio.Event().wait()
    assert not isinstance(caught.value, CancelationError)
    assert cancel.is_cancelled
    assert asyncio.current_task().cancelling() == 0


@SCOPES
async def test_law_p2_a_timeout_of_asyncio_inside_is_a_failure(scope):
    with pytest.raises(TimeoutError):
        async with Cancelable(scope=scope) as cancel, asyncio.timeout(0):
            await asyncio.Event().wait()
    assert cancel.context.status is OperationStatus.FAILED


@SCOPES
async def test_law_p2_cancels_that_came_before_are_not_ours(scope):
    async def work():
        with pytest.raises(asyncio.CancelledError):
            await asyncio.Event().wait()
        assert asyncio.current_task().cancelling() == 1
        with pytest.raises(ManualCancelation):
            async with Cancelable(scope=scope) as cancel:
                await cancel.cancel()
                await asyncio.sleep(0)
        assert asyncio.current_task().cancelling() == 1
        return "went on"

    task = asyncio.create_task(work())
    await asyncio.sleep(0)
    task.cancel()
    assert await task == "went on"


@SCOPES
async def test_law_p2_sweep_a_cancel_at_every_await(scope):
    async def work(cancel, log, left):
        try:
            await body(cancel, log)
        except asyncio.CancelledError as error:
            left.append(error)
            raise

    async def body(cancel, log):
        async with cancel:
            for step in range(4):
                await asyncio.sleep(0)
                log.append(step)
                async with cancel.shield():
                    await asyncio.sleep(0)
                    log.append(f"shielded {step}")
                async with Cancelable(scope=scope):
                    await asyncio.sleep(0)
                async with asyncio.timeout(60):
                    await asyncio.sleep(0)
                with anyio.CancelScope():
                    await anyio.lowlevel.checkpoint()

    for foreign in (False, True):
        turns = 0
        while True:
            log, left, cancel = [], [], Cancelable(scope=scope)
            cancel.finalizer(lambda log=log: log.append("finalizer"))
            task = asyncio.create_task(work(cancel, log, left))
            for _ in range(turns):
                await asyncio.sleep(0)
            is_over = task.done()
            if foreign:
                task.cancel()
            else:
                cancel.token.cancel_sync(message="sweep")
            await asyncio.wait([task])
            if not foreign:
                assert all(isinstance(it, ManualCancelation) for it in left)
                assert task.cancelling() == 0
            if cancel.context.status is not OperationStatus.PENDING:
                assert log[-1] == "finalizer"
                assert cancel.context.is_terminal
            if not foreign:
                shielded = [it for it in log if isinstance(it, str)]
                steps = [it for it in log if isinstance(it, int)]
                assert len(shielded) - 1 in (len(steps), len(steps) - 1)
            turns += 1
            if is_over:
                break
        assert turns > 10


@SCOPES
@pytest.mark.parametrize("raises", ["cancelled", "error"])
@pytest.mark.parametrize("is_asked", [True, False])
async def test_law_p2_what_left_keeps_no_frame_alive(scope, raises, is_asked):
    class Held:
        pass

    async def work():
        held = Held()
        async with Cancelable(scope=scope, raises=raises) as cancel:
            await cancel.cancel()
            if is_asked:
                await cancel.check_cancelation()
            await asyncio.sleep(0)
        return held

    async def outer():
        held = Held()
        refs.append(weakref.ref(held))
        with suppress(CancelationError):
            await work()

    refs = []
    gc.collect()
    gc.disable()
    try:
        await outer()
        # CPython 3.13 keeps the last cancel that a task was woken with until it is woken again.
        await asyncio.sleep(0)
        assert [ref() for ref in refs] == [None]
        assert not [it for it in gc.get_objects() if isinstance(it, Held)]
    finally:
        gc.enable()


@pytest.mark.trio
async def test_law_p6_inside_a_task_group_of_anyio_the_cancel_is_not_swallowed():
    with pytest.raises(ManualCancelation, match="stop"):
        async with Cancelable() as cancel, anyio.create_task_group() as group:
            group.start_soon(anyio.sleep_forever)
            await cancel.cancel(message="stop")
            await anyio.sleep_forever()
    assert cancel.is_cancelled


async def test_law_p6_inside_a_task_group_of_asyncio():
    with pytest.raises(ManualCancelation, match="stop"):
        async with Cancelable() as cancel, asyncio.TaskGroup() as group:
            task = group.create_task(asyncio.Event().wait())
            await cancel.cancel(message="stop")
            await asyncio.sleep(3600)
    assert task.cancelled()


async def test_law_p6_names_and_context_variables_are_the_tasks_own():
    variable = contextvars.ContextVar("variable")
    name = asyncio.current_task().get_name()
    async with Cancelable() as cancel:
        variable.set("set inside")
        task = cancel.spawn(asyncio.sleep(0), name="a name")
        assert "a name" in [it.get_name() for it in asyncio.all_tasks()]
        await task
    assert variable.get() == "set inside"
    assert asyncio.current_task().get_name() == name


async def test_entering_twice_at_once_is_an_error_and_harms_nothing():
    async with Cancelable(name="work") as cancel:
        with pytest.raises(RuntimeError, match=r'"work" \(.*\) is entered already'):
            await cancel.__aenter__()
        assert current_operation() is cancel
    assert cancel.is_completed
    async with cancel:
        assert cancel.is_running


async def test_leaving_without_entering_does_nothing():
    assert not await Cancelable().__aexit__(None, None, None)


@SCOPES
@pytest.mark.parametrize("error", [None, ValueError("the body's own")])
async def test_law_p2_leaving_in_another_task_is_an_error_and_nothing_is_lost(scope, error):
    log = []
    cancel = Cancelable(scope=scope).finalizer(lambda: log.append("finalizer"))

    async def enter():
        await cancel.__aenter__()
        cancel.spawn(asyncio.sleep(3600))

    async def leave():
        await cancel.__aexit__(type(error) if error else None, error, None)

    await asyncio.create_task(enter())
    with pytest.raises(RuntimeError, match="another task") as caught:
        await asyncio.create_task(leave())
    assert caught.value.__cause__ is error
    assert log == ["finalizer"]
    assert cancel.context.status is OperationStatus.FAILED


async def test_left_in_another_context_as_a_fixture_may_be():
    async def fixture():
        async with Cancelable() as cancel:
            yield cancel

    generator = fixture()
    context = contextvars.copy_context()
    try:
        context.run(generator.__anext__().send, None)
    except StopIteration as given:
        cancel = given.value
    assert cancel.is_running
    assert current_operation() is None
    with pytest.raises(StopAsyncIteration):
        await generator.__anext__()
    assert cancel.is_completed
    assert current_operation() is None


async def test_law_o9_one_that_is_dropped_elsewhere_leaves_what_is_current_there():
    async def dropped():
        async with Cancelable():
            await asyncio.Event().wait()

    async def drop(coro):
        async with Cancelable() as cancel:
            coro.close()
            assert current_operation() is cancel
        assert current_operation() is None

    coro = dropped()
    contextvars.copy_context().run(coro.send, None)
    await asyncio.create_task(drop(coro))


async def test_a_generator_that_is_closed_drops_the_operation_in_it():
    log = []

    async def generate():
        async with Cancelable().finalizer(lambda: log.append("finalizer")) as cancel:
            log.append(cancel)
            yield 1

    generator = generate()
    async for _ in generator:
        break
    await generator.aclose()
    cancel, finalizer = log
    assert finalizer == "finalizer"
    assert cancel.context.cancel_reason is CancelationReason.DROPPED


@SCOPES
async def test_law_p6_an_eager_task_that_cancels_whoever_started_it(scope):
    with pytest.raises(ManualCancelation):
        async with Cancelable(scope=scope) as cancel:

            async def strike():
                cancel.token.cancel_sync()

            await asyncio.create_task(strike())
            await loops.settle()
            await asyncio.sleep(0)
    assert asyncio.current_task().cancelling() == 0
    await asyncio.sleep(0)
