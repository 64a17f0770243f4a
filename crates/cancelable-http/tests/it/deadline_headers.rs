//! What deadline headers say, what of it a server takes, and what is written.

use std::time::Duration;

use cancelable_http::{DeadlineHeader, DeadlineHeaders};
use http::{HeaderMap, HeaderValue};

use DeadlineHeader::{Connect, Envoy, Grpc, Own};

const MS: Duration = Duration::from_millis(1);
const HOUR: Duration = Duration::from_hours(1);

#[test]
fn what_each_header_says() {
    let check = |header: DeadlineHeader, value: &[u8], expected: Option<Duration>| {
        let shown = value.escape_ascii();
        assert_eq!(header.parse(value), expected, "{header:?}: {shown}");
    };
    check(Grpc, b"1H", Some(HOUR));
    check(Grpc, b"1M", Some(Duration::from_mins(1)));
    check(Grpc, b"1S", Some(Duration::from_secs(1)));
    check(Grpc, b"1m", Some(MS));
    check(Grpc, b"1u", Some(Duration::from_micros(1)));
    check(Grpc, b"1n", Some(Duration::from_nanos(1)));
    check(Grpc, b"0n", Some(Duration::ZERO));
    check(Grpc, b"00000007m", Some(7 * MS));
    check(Grpc, b"99999999H", Some(99_999_999 * HOUR));
    for header in [Own, Connect, Envoy] {
        check(header, b"0", Some(Duration::ZERO));
        check(header, b"1500", Some(1500 * MS));
        check(
            header,
            b"9999999999",
            Some(Duration::from_millis(9_999_999_999)),
        );
    }
    let most = Duration::from_millis(u64::MAX);
    check(Envoy, b"18446744073709551615", Some(most));
}

#[test]
fn law_w5_what_is_malformed_says_nothing() {
    let check = |header: DeadlineHeader, values: &[&[u8]]| {
        for value in values {
            let shown = value.escape_ascii();
            assert_eq!(header.parse(value), None, "{header:?}: {shown}");
        }
    };
    check(
        Grpc,
        &[b"", b"S", b"1", b"10", b"100000000n", b"000000001S"],
    );
    check(
        Grpc,
        &[b"+1S", b"-1S", b" 1S", b"1S ", b"1 S", b"1.5S", b"1e3S"],
    );
    check(
        Grpc,
        &[b"1s", b"1h", b"1U", b"1N", b"1ms", b"1SS", b"1\xb5"],
    );
    check(
        Grpc,
        &[b"1S, 2S", b"\xd9\xa1S", b"1\0S", b"0x1S", b"inf", b"nan"],
    );
    for header in [Own, Connect, Envoy] {
        check(
            header,
            &[b"", b"+1", b"-1", b"-0", b" 1", b"1 ", b"1.0", b"1e3"],
        );
        check(
            header,
            &[b"1ms", b"1m", b"0x1", b"1_000", b"1,2", b"\xef\xbc\x91"],
        );
    }
    check(Own, &[b"10000000000", b"00000000001"]);
    check(Connect, &[b"10000000000", b"00000000001"]);
    check(Envoy, &[b"18446744073709551616", b"99999999999999999999"]);
    check(Envoy, &[b"000000000000000000001", &[b'9'; 65_536]]);
}

#[test]
fn law_w5_no_header_is_read_unless_it_is_named() {
    let sent = headers(&[
        ("x-cancelable-timeout-ms", "4"),
        ("grpc-timeout", "3m"),
        ("connect-timeout-ms", "2"),
        ("x-envoy-expected-rq-timeout-ms", "1"),
    ]);
    let none = DeadlineHeaders::none();
    let check = |reads: DeadlineHeaders, expected: Option<u32>| {
        let expected = expected.map(|ms| ms * MS);
        assert_eq!(reads.read(&sent), expected, "{reads:?}");
        assert_eq!(reads.read_pairs(pairs(&sent)), expected, "{reads:?}");
    };
    check(none.clone(), None);
    check(DeadlineHeaders::default(), None);
    check(DeadlineHeaders::own(), Some(4));
    check(none.clone().grpc(), Some(3));
    check(none.clone().connect(), Some(2));
    check(none.clone().envoy(), Some(1));
    check(DeadlineHeaders::own().grpc(), Some(3));
    check(DeadlineHeaders::all(), Some(1));
    for header in DeadlineHeader::ALL {
        assert!(!none.reads(header) && none.clone().header(header).reads(header));
        assert!(DeadlineHeaders::all().reads(header), "{header:?}");
        assert_eq!(
            DeadlineHeader::from_name(header.name().as_bytes()),
            Some(header)
        );
    }
}

#[test]
fn law_w5_the_smallest_counts_and_what_is_malformed_is_counted() {
    let sent = headers(&[
        ("grpc-timeout", "9S"),
        ("grpc-timeout", "-1n"),
        ("grpc-timeout", "2S"),
        ("grpc-timeout", "4S"),
        ("x-cancelable-timeout-ms", "5000"),
        ("x-cancelable-timeout-ms", "no time"),
        ("connect-timeout-ms", "not read, so not counted"),
    ]);
    let reads = DeadlineHeaders::own().grpc();
    assert_eq!(reads.read(&sent), Some(Duration::from_secs(2)));
    assert_eq!(reads.malformed(), 2);
    let clone = reads.clone();
    assert_eq!(clone.read_pairs(pairs(&sent)), Some(Duration::from_secs(2)));
    assert_eq!((reads.malformed(), clone.malformed()), (4, 4));

    let garbage = HeaderValue::from_bytes(b"\xff\xfe1S").unwrap();
    let sent: HeaderMap = [("grpc-timeout".parse().unwrap(), garbage)]
        .into_iter()
        .collect();
    assert_eq!(reads.read(&sent), None);
    assert_eq!(reads.malformed(), 5);
    assert_eq!(reads.read(&HeaderMap::new()), None);
    assert_eq!(reads.malformed(), 5);
}

#[test]
fn law_w5_what_a_client_may_set_is_clamped() {
    let reads = DeadlineHeaders::own();
    let clamped = reads.at_least(10 * MS).at_most(1000 * MS);
    let check = |value: &str, expected: u32| {
        let sent = headers(&[("x-cancelable-timeout-ms", value)]);
        assert_eq!(clamped.read(&sent), Some(expected * MS), "{value}");
    };
    check("0", 10);
    check("9", 10);
    check("10", 10);
    check("11", 11);
    check("1000", 1000);
    check("1001", 1000);
    check("9999999999", 1000);
    assert_eq!(clamped.read(&HeaderMap::new()), None);
}

#[test]
fn names_are_read_in_upper_and_lower_case() {
    let check = |name: &[u8], expected: Option<Duration>| {
        let read = DeadlineHeaders::all().read_pairs([(name, &b"7"[..])]);
        assert_eq!(read, expected, "{}", name.escape_ascii());
    };
    check(b"X-Cancelable-Timeout-Ms", Some(7 * MS));
    check(b"CONNECT-TIMEOUT-MS", Some(7 * MS));
    check(b"connect_timeout_ms", None);
    check(b"connect-timeout-ms ", None);
    check(b"", None);
    check(b"\xff", None);
}

#[test]
#[should_panic(expected = "at_least(2s) must not be more than at_most(1s)")]
fn bounds_that_cross_are_a_mistake_of_the_program() {
    let least = Duration::from_secs(2);
    drop(DeadlineHeaders::own().at_most(least / 2).at_least(least));
}

#[test]
fn law_x1_what_is_written_is_rounded_down() {
    let check = |header: DeadlineHeader, remaining: Duration, expected: &str| {
        let written = header.write(remaining);
        assert_eq!(
            written.as_deref(),
            Ok(expected),
            "{header:?}, {remaining:?}"
        );
    };
    let ns = Duration::from_nanos;
    for header in [Own, Connect, Envoy] {
        check(header, ns(1_000_000), "1");
        check(header, ns(1_999_999), "1");
        check(header, Duration::from_secs(60), "60000");
    }
    check(Own, Duration::MAX, "9999999999");
    check(Connect, Duration::MAX, "9999999999");
    check(Envoy, Duration::MAX, "18446744073709551615");

    check(Grpc, ns(1), "1n");
    check(Grpc, ns(99_999_999), "99999999n");
    check(Grpc, ns(100_000_999), "100000u");
    check(Grpc, ns(99_999_999_999), "99999999u");
    check(Grpc, Duration::from_secs(100), "100000m");
    check(Grpc, Duration::from_secs(100_000), "100000S");
    check(Grpc, Duration::from_secs(100_000_059), "1666667M");
    check(Grpc, Duration::from_secs(5_999_999_999), "99999999M");
    check(Grpc, Duration::from_secs(6_000_003_599), "1666667H");
    check(Grpc, Duration::MAX, "99999999H");
}

#[test]
fn law_x1_with_less_than_a_unit_left_nothing_is_written() {
    let check = |header: DeadlineHeader, remaining: Duration, expected: &str| {
        let error = header.write(remaining).unwrap_err();
        assert_eq!(error.header(), header);
        assert_eq!(error.to_string(), expected);
    };
    for remaining in [Duration::ZERO, MS - Duration::from_nanos(1)] {
        let unit = "less than the millisecond is left that";
        check(
            Own,
            remaining,
            &format!("{unit} `x-cancelable-timeout-ms` counts in"),
        );
        check(
            Connect,
            remaining,
            &format!("{unit} `connect-timeout-ms` counts in"),
        );
        check(
            Envoy,
            remaining,
            &format!("{unit} `x-envoy-expected-rq-timeout-ms` counts in"),
        );
    }
    let unit = "less than the nanosecond is left that";
    check(
        Grpc,
        Duration::ZERO,
        &format!("{unit} `grpc-timeout` counts in"),
    );
}

fn headers(fields: &[(&'static str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in fields {
        headers.append(*name, value.parse().unwrap());
    }
    headers
}

fn pairs(headers: &HeaderMap) -> Vec<(&[u8], &[u8])> {
    let fields = headers.iter();
    fields
        .map(|(name, value)| (name.as_ref(), value.as_bytes()))
        .collect()
}
