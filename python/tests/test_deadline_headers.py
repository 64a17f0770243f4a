"""Deadline headers in bytes and seconds: what a server reads, and what a client writes."""

import math
import random
import sys
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from hother.cancelable._core import DeadlineHeaders, write_remaining

OWN = "x-cancelable-timeout-ms"
NAMES = [OWN, "grpc-timeout", "connect-timeout-ms", "x-envoy-expected-rq-timeout-ms"]


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ([(b"x-cancelable-timeout-ms", b"2500")], 2.5),
        ([(b"X-Cancelable-Timeout-Ms", b"2500")], 2.5),
        ([[b"x-cancelable-timeout-ms", b"2500"]], 2.5),
        (((b"grpc-timeout", b"3S"), (b"connect-timeout-ms", b"2000")), 2.0),
        ([(b"grpc-timeout", b"1S"), (b"grpc-timeout", b"250m")], 0.25),
        ([(b"x-envoy-expected-rq-timeout-ms", b"18446744073709551615")], 18446744073709551.615),
        ([(b"connect-timeout-ms", b"0")], 0.0),
        ([(b"connect-timeout-ms", b"-1"), (b"host", b"localhost")], None),
        ([], None),
    ],
)
def test_what_headers_say(headers: Any, expected: float | None) -> None:
    every = DeadlineHeaders(own=True, grpc=True, connect=True, envoy=True)
    assert every.read(headers) == expected
    assert every.read(iter(headers)) == expected


def test_law_w5_no_header_is_read_unless_it_is_named() -> None:
    sent = [(name.encode(), b"7m" if name == "grpc-timeout" else b"7") for name in NAMES]
    assert DeadlineHeaders().read(sent) is None
    for name, kind in zip(NAMES, ["own", "grpc", "connect", "envoy"], strict=True):
        reads = DeadlineHeaders(**{kind: True})
        assert reads.read(sent) == 0.007
        assert reads.read([field for field in sent if field[0] != name.encode()]) is None
        assert reads.malformed == 0


def test_law_w5_what_a_client_may_set_is_clamped_and_what_is_malformed_is_counted() -> None:
    reads = DeadlineHeaders(own=True, at_least=0.05, at_most=30)

    def read(value: bytes) -> float | None:
        return reads.read([(b"x-cancelable-timeout-ms", value)])

    assert [read(b"0"), read(b"1000"), read(b"9999999999")] == [0.05, 1.0, 30.0]
    assert [read(value) for value in (b"", b"-1", b"+1", b" 1", b"1s", b"\xff", b"9" * 65536)] == [
        None
    ] * 7
    assert reads.malformed == 7
    assert reads.read([]) is None


def test_bounds_that_make_no_sense_are_named() -> None:
    with pytest.raises(ValueError, match=r"at_least must not be more than at_most, got 2 and 1"):
        DeadlineHeaders(own=True, at_least=2, at_most=1)
    for wrong in (-1.0, math.nan, -math.inf):
        with pytest.raises(ValueError, match=r"at_least must be seconds and not negative, got "):
            DeadlineHeaders(at_least=wrong)
        with pytest.raises(ValueError, match=r"at_most must be seconds and not negative, got "):
            DeadlineHeaders(at_most=wrong)
    with pytest.raises(
        TypeError, match="at_most must be a number of seconds or a timedelta, got '30'"
    ):
        DeadlineHeaders(at_most="30")  # type: ignore[arg-type]
    by_deltas = DeadlineHeaders(
        own=True, at_least=timedelta(seconds=2), at_most=timedelta(minutes=1)
    )
    assert [by_deltas.read([(OWN.encode(), said)]) for said in (b"1", b"99999")] == [2.0, 60.0]
    endless = DeadlineHeaders(own=True, at_most=math.inf)
    assert endless.read([(OWN.encode(), b"9999999999")]) == 9999999.999


@pytest.mark.parametrize(
    "wrong",
    [
        [b"a"],
        ["ab"],
        [b"ab"],
        [(b"a",)],
        [(b"a", b"b", b"c")],
        [("a", "b")],
        [(b"a", "b")],
        [None],
        [{b"a": b"b"}],
    ],
)
def test_fields_that_are_no_pairs_are_named(wrong: Any) -> None:
    with pytest.raises(
        TypeError, match=r"fields must be pairs of name and value, both bytes, got "
    ):
        DeadlineHeaders(own=True).read(wrong)


def test_an_error_of_the_fields_themselves_goes_through() -> None:
    def fields() -> Iterator[tuple[bytes, bytes]]:
        yield b"a", b"b"
        raise LookupError("no more")

    with pytest.raises(LookupError, match="no more"):
        DeadlineHeaders(own=True).read(fields())
    with pytest.raises(TypeError):
        DeadlineHeaders(own=True).read(None)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("remaining", "header", "expected"),
    [
        (2.5009, OWN, b"2500"),
        (0.3, OWN, b"300"),
        (0.0019999999999999, OWN, b"1"),
        (0.001, OWN, b"1"),
        (0.000999, OWN, None),
        (0, OWN, None),
        (-3.0, OWN, None),
        (-math.inf, OWN, None),
        (math.inf, OWN, b"9999999999"),
        (1e300, "connect-timeout-ms", b"9999999999"),
        (2.5, "x-envoy-expected-rq-timeout-ms", b"2500"),
        (2.5, "Grpc-Timeout", b"2500000u"),
        (5e-324, "grpc-timeout", None),
        (sys.float_info.max, "grpc-timeout", b"99999999H"),
    ],
)
def test_law_x1_what_is_written_is_rounded_down(
    remaining: float, header: str, expected: bytes | None
) -> None:
    assert write_remaining(remaining, header) == expected


def test_law_x1_what_is_read_back_is_never_more() -> None:
    rolled = random.Random(5)
    every = DeadlineHeaders(own=True, grpc=True, connect=True, envoy=True)
    for _ in range(20_000):
        remaining = rolled.choice(
            [rolled.random(), rolled.random() * 100, 10 ** rolled.uniform(-12, 15)]
        )
        name = rolled.choice(NAMES)
        written = write_remaining(remaining, name)
        if written is None:
            assert remaining < (1e-9 if name == "grpc-timeout" else 0.001)
        else:
            read = every.read([(name.encode(), written)])
            assert read is not None, (remaining, name, written)
            assert 0 < read <= remaining, (remaining, name, written)


def test_bad_arguments_of_the_writer_are_named() -> None:
    with pytest.raises(ValueError, match="remaining must be seconds, got nan"):
        write_remaining(math.nan)
    with pytest.raises(ValueError, match=r'header must be one of .*grpc-timeout.*, got "timeout"'):
        write_remaining(1.0, "timeout")
