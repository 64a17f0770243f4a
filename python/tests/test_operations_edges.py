"""Operations at the edges: entered twice, left elsewhere, errors without a text, copies, contexts as values."""

import asyncio
import copy
import os
import pickle
import textwrap

import pytest

from hother.cancelable import (
    Cancelable,
    CancelationError,
    CancelationReason,
    CancelationToken,
    ManualCancelation,
    OperationContext,
    ParentCancelation,
    TimeoutCancelation,
)
from support.processes import run_python


async def forever() -> None:
    """Waits, and is only ended by a cancel."""
    await asyncio.Event().wait()


def kept(*operations: Cancelable) -> list[tuple[str, str | None, str | None]]:
    """Status, reason and message on record."""
    return [
        (
            it.context.status.value,
            it.context.cancel_reason and it.context.cancel_reason.value,
            it.context.cancel_message,
        )
        for it in operations
    ]


async def test_entering_twice_at_once_is_an_error_that_says_what_to_do() -> None:
    async with Cancelable(name="one") as operation:
        with pytest.raises(RuntimeError, match="make an operation for each use"):
            async with operation:
                pass
    assert operation.is_completed


async def test_leaving_in_another_task_is_an_error_and_loses_nothing() -> None:
    operation = Cancelable()
    async with operation:
        with pytest.raises(RuntimeError, match="leave it where it was entered"):
            await asyncio.create_task(operation.__aexit__(None, None, None))
        assert operation.is_running
    assert operation.is_completed


async def test_leaving_what_was_never_entered_does_nothing() -> None:
    assert await Cancelable().__aexit__(None, None, None) is False


class MuteError(Exception):
    def __str__(self) -> str:
        raise LookupError("no text")


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (ValueError("\udcff.txt"), "\ufffd\ufffd\ufffd.txt"),
        (MuteError(), "MuteError, whose text could not be made: LookupError"),
    ],
)
async def test_law_o1_an_error_whose_text_is_none_still_ends_it(
    error: Exception, text: str
) -> None:
    operation = Cancelable()
    with pytest.raises(type(error)) as caught:
        async with operation:
            operation.spawn(forever())
            raise error
    assert caught.value is error
    assert (operation.context.status.value, operation.context.error) == ("failed", text)


async def test_law_o1_a_message_that_is_no_text_still_cancels() -> None:
    operation = Cancelable(name="\udcff")
    with pytest.raises(ManualCancelation, match="\ufffd\ufffd"):
        async with operation:
            await operation.cancel("\udcff.txt")
            await forever()
    assert operation.context.name == "\ufffd" * 3


@pytest.mark.parametrize("attempt", [-1, 2**32, 2**80])
def test_a_bad_attempt_is_named(attempt: int) -> None:
    with pytest.raises(ValueError, match="attempt must be from 0"):
        Cancelable(attempt=attempt)


async def test_combined_operations_pass_on_what_cancelled_a_part() -> None:
    token, part = CancelationToken(), Cancelable()
    combined = Cancelable(name="a").combine(Cancelable.with_token(token), part)
    assert combined.context.name == "combined_a"
    with pytest.raises(CancelationError, match="out of paper"):
        async with combined:
            token.cancel_sync(CancelationReason.ERROR, "out of paper")
            await forever()
    assert kept(combined, part) == [("cancelled", "error", "out of paper"), ("pending", None, None)]


@pytest.mark.parametrize(
    "error",
    [
        TimeoutCancelation(1.5, context=OperationContext(id="x")),
        ParentCancelation("p", CancelationReason.TIMEOUT),
        CancelationError(CancelationReason.SHUTDOWN, "closing"),
    ],
)
def test_errors_are_copied_and_pickled(error: CancelationError) -> None:
    for again in (copy.copy(error), pickle.loads(pickle.dumps(error))):
        assert (type(again), str(again), again.reason) == (type(error), str(error), error.reason)


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (CancelationError(CancelationReason.ERROR), "Operation cancelled: error"),
        (TimeoutCancelation(60), "Operation timed out after 60s"),
        (ManualCancelation(), "Operation cancelled manually"),
        (ParentCancelation("id"), "Operation cancelled: parent id was cancelled"),
        (
            ParentCancelation("id", CancelationReason.SIGNAL),
            "Operation cancelled: parent id was cancelled (signal)",
        ),
    ],
)
def test_what_errors_say_where_nobody_said_anything(error: CancelationError, text: str) -> None:
    assert str(error) == error.message == text


def test_without_trio_scopes_are_made_the_short_way() -> None:
    printed = run_python(
        textwrap.dedent("""
        import asyncio, sys
        import anyio
        from hother.cancelable import Cancelable
        from hother.cancelable.core import scopes

        async def main():
            for _ in range(2):
                try:
                    async with Cancelable.with_timeout(0.01) as operation:
                        assert type(operation._scope) is type(anyio.CancelScope())
                        await asyncio.Event().wait()
                except TimeoutError as error:
                    print(error)

        for _ in range(2):
            asyncio.run(main())
        assert "trio" not in sys.modules
        assert scopes._of_asyncio is not None
    """)
    )
    assert printed.splitlines() == ["Operation timed out after 0.01s"] * 4


async def test_contexts_are_equal_by_their_fields_and_show_them() -> None:
    made = OperationContext(id="x", name="fetch")
    same = OperationContext(id="x", name="fetch", start_time=made.start_time)
    assert (made == same, hash(made) == hash(same), made is same) == (True, True, False)
    same.metadata["n"] = 1
    assert made != same
    assert made != "x"
    assert repr(same).startswith("OperationContext(id='x', name='fetch', status=<OperationStatus.")
    assert "metadata={'n': 1}" in repr(same)
    async with Cancelable(name="fetch") as operation:
        assert operation.context == operation.context
        before = operation.context._snapshot()
    assert before != operation.context


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there are no forks on this system")
def test_law_p7_ids_of_a_forked_child_are_its_own() -> None:
    printed = run_python(
        textwrap.dedent("""
        import os
        from hother.cancelable import Cancelable, CancelationToken

        def ids():
            made = [Cancelable().operation_id for _ in range(50)]
            return made + [CancelationToken().id for _ in range(50)]

        before = ids()
        read, write = os.pipe()
        child = os.fork()
        if child == 0:
            os.write(write, " ".join(ids()).encode())
            os._exit(0)
        os.waitpid(child, 0)
        theirs = os.read(read, 65536).decode().split()
        print(len({*before, *ids(), *theirs}))
    """)
    )
    assert printed.split() == ["300"]
