"""Whether something is kept: seen by the collector, and seen from outside."""

import gc
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import psutil


@contextmanager
def no_more_objects(than: int) -> Iterator[None]:
    """Fails if what is done inside leaves more objects behind.

    Do it once before, so that what is made only once is there. Objects of the native module that the collector does not
    know are not seen: for these, see `no_more_memory`.
    """
    # Counting itself leaves something behind the first time.
    _census() - _census()
    before = _census()
    yield
    grown = _census() - before
    assert grown.total() <= than, f"{grown.total()} objects are kept: {grown.most_common(8)}"


@contextmanager
def no_more_memory(than: int) -> Iterator[None]:
    """Fails if what is done inside leaves the process more bytes larger.

    Allocators keep pages for later, so let it be a tenth of what a leak would take, and do the same once before.
    """
    before = _resident()
    yield
    grown = _resident() - before
    assert grown <= than, f"the process has grown by {grown} bytes"


def _census() -> Counter[str]:
    # What a finalizer lets go of is found the next time.
    while gc.collect():
        pass
    return Counter(f"{type(it).__module__}.{type(it).__qualname__}" for it in gc.get_objects())


def _resident() -> int:
    gc.collect()
    return psutil.Process().memory_info().rss
