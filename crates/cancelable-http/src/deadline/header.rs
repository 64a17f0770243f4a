//! One header: how each protocol writes the time that remains, and how that is read.

use std::error::Error;
use std::fmt;
use std::time::Duration;

/// A header that carries a deadline, as the time that remains.
///
/// ```
/// use cancelable_http::DeadlineHeader;
/// use std::time::Duration;
///
/// let remaining = Duration::from_micros(2_500_900);
/// assert_eq!(DeadlineHeader::Own.write(remaining)?, "2500");
/// assert_eq!(DeadlineHeader::Grpc.write(remaining)?, "2500900u");
/// assert_eq!(DeadlineHeader::Grpc.parse(b"2M"), Some(Duration::from_secs(120)));
/// assert_eq!(DeadlineHeader::Grpc.parse(b"2 M"), None);
/// # Ok::<(), cancelable_http::NoTimeLeft>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DeadlineHeader {
    /// `x-cancelable-timeout-ms`, of this crate and of the Python package: milliseconds, at most 10 digits.
    Own,
    /// `grpc-timeout`: at most 8 digits and a unit, one of `H`, `M` (minutes), `S`, `m` (milliseconds), `u` and `n`.
    Grpc,
    /// `connect-timeout-ms`, of the Connect protocol: milliseconds, at most 10 digits.
    Connect,
    /// `x-envoy-expected-rq-timeout-ms`, which Envoy tells the services behind it: milliseconds.
    Envoy,
}

impl DeadlineHeader {
    /// Each of them.
    pub const ALL: [Self; 4] = [Self::Own, Self::Grpc, Self::Connect, Self::Envoy];

    /// The header's name, in lower case.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Own => "x-cancelable-timeout-ms",
            Self::Grpc => "grpc-timeout",
            Self::Connect => "connect-timeout-ms",
            Self::Envoy => "x-envoy-expected-rq-timeout-ms",
        }
    }

    /// The header of this name, in upper or lower case.
    pub fn from_name(name: &[u8]) -> Option<Self> {
        let is_named = |header: &Self| name.eq_ignore_ascii_case(header.name().as_bytes());
        Self::ALL.into_iter().find(is_named)
    }

    /// The time that `value` says, or `None` where it is malformed: anything but digits, and the unit that the protocol asks
    /// for, is; so are a sign, a space, nothing at all, and more digits than the protocol allows.
    ///
    /// Zero is a time: the deadline has passed already.
    pub fn parse(self, value: &[u8]) -> Option<Duration> {
        match self {
            Self::Grpc => {
                let (unit, digits) = value.split_last()?;
                let (_, unit) = UNITS.iter().find(|(letter, _)| letter == unit)?;
                let number = number(digits, self.most_digits())?;
                Some(unit.saturating_mul(u32::try_from(number).ok()?))
            }
            Self::Own | Self::Connect | Self::Envoy => {
                number(value, self.most_digits()).map(Duration::from_millis)
            }
        }
    }

    /// What the header says where `remaining` is left: rounded down, in the finest unit that the protocol has room for. More than
    /// it has room for is written as the most that it can say.
    ///
    /// # Errors
    ///
    /// Less than one unit is left. Whoever was to be called would be told that there is no time, so it need not be called.
    pub fn write(self, remaining: Duration) -> Result<String, NoTimeLeft> {
        let (number, letter) = match self {
            Self::Grpc => {
                let fits = UNITS.iter().find_map(|(letter, unit)| {
                    let number = remaining.as_nanos() / unit.as_nanos();
                    (number <= self.most()).then_some((number, *letter))
                });
                fits.unwrap_or((self.most(), b'H'))
            }
            Self::Own | Self::Connect | Self::Envoy => {
                return match remaining.as_millis().min(self.most()) {
                    0 => Err(NoTimeLeft { header: self }),
                    number => Ok(number.to_string()),
                };
            }
        };
        match number {
            0 => Err(NoTimeLeft { header: self }),
            number => Ok(format!("{number}{}", char::from(letter))),
        }
    }

    const fn most_digits(self) -> usize {
        match self {
            Self::Grpc => 8,
            Self::Own | Self::Connect => 10,
            // As many as a number of 64 bits has.
            Self::Envoy => 20,
        }
    }

    /// The greatest number that it can say.
    fn most(self) -> u128 {
        match self {
            Self::Grpc => 99_999_999,
            Self::Own | Self::Connect => 9_999_999_999,
            Self::Envoy => u64::MAX.into(),
        }
    }
}

/// Less than one unit of a [`DeadlineHeader`] is left, so there is nothing that it could say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoTimeLeft {
    header: DeadlineHeader,
}

impl NoTimeLeft {
    /// The header that was to be written.
    pub fn header(&self) -> DeadlineHeader {
        self.header
    }
}

impl fmt::Display for NoTimeLeft {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = match self.header {
            DeadlineHeader::Grpc => "nanosecond",
            DeadlineHeader::Own | DeadlineHeader::Connect | DeadlineHeader::Envoy => "millisecond",
        };
        let name = self.header.name();
        write!(f, "less than the {unit} is left that `{name}` counts in")
    }
}

impl Error for NoTimeLeft {}

/// A number of decimal digits and nothing else.
fn number(digits: &[u8], most: usize) -> Option<u64> {
    if digits.is_empty() || digits.len() > most {
        return None;
    }
    digits.iter().try_fold(0_u64, |number, digit| {
        let digit = digit.is_ascii_digit().then(|| digit - b'0')?;
        number.checked_mul(10)?.checked_add(digit.into())
    })
}

/// gRPC's units, the finest first.
const UNITS: [(u8, Duration); 6] = [
    (b'n', Duration::from_nanos(1)),
    (b'u', Duration::from_micros(1)),
    (b'm', Duration::from_millis(1)),
    (b'S', Duration::from_secs(1)),
    (b'M', Duration::from_secs(60)),
    (b'H', Duration::from_secs(3_600)),
];
