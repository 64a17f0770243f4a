//! Deadlines as HTTP headers, in bytes and seconds as Python has them: the reader for servers, and what writes one for clients.

use std::time::Duration;

use cancelable_http::DeadlineHeader;
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDelta, PyList, PyTuple};

/// Which deadline headers a server reads, and how far it lets a client go with them; none unless it is named.
///
/// Args:
///     own: whether `x-cancelable-timeout-ms` is read.
///     grpc: whether `grpc-timeout` is.
///     connect: whether `connect-timeout-ms` is.
///     envoy: whether `x-envoy-expected-rq-timeout-ms` is.
///     at_least: as how many seconds a header counts that says less; a number or a `timedelta`.
///     at_most: as how many one counts that says more; `None`: any number.
#[pyclass(frozen, module = "hother.cancelable._core")]
pub(crate) struct DeadlineHeaders {
    headers: cancelable_http::DeadlineHeaders,
}

#[pymethods]
impl DeadlineHeaders {
    #[new]
    #[pyo3(
        signature = (*, own=false, grpc=false, connect=false, envoy=false, at_least=None, at_most=None),
        text_signature = "(*, own=False, grpc=False, connect=False, envoy=False, at_least=0.0, at_most=None)"
    )]
    fn new(
        own: bool,
        grpc: bool,
        connect: bool,
        envoy: bool,
        at_least: Option<&Bound<'_, PyAny>>,
        at_most: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Self> {
        let wanted = [
            (own, DeadlineHeader::Own),
            (grpc, DeadlineHeader::Grpc),
            (connect, DeadlineHeader::Connect),
            (envoy, DeadlineHeader::Envoy),
        ];
        let wanted = wanted.into_iter().filter(|(is_wanted, _)| *is_wanted);
        let mut headers = wanted.fold(
            cancelable_http::DeadlineHeaders::none(),
            |headers, (_, header)| headers.header(header),
        );
        let least = at_least.map(|least| bound("at_least", least)).transpose()?;
        let least = least.unwrap_or_default();
        headers = headers.at_least(least);
        if let Some(most) = at_most {
            let most = bound("at_most", most)?;
            if most < least {
                return Err(PyValueError::new_err(format!(
                    "at_least must not be more than at_most, got {} and {}",
                    least.as_secs_f64(),
                    most.as_secs_f64()
                )));
            }
            headers = headers.at_most(most);
        }
        Ok(Self { headers })
    }

    /// The seconds that a request's headers leave, if one that is read says so; `fields` are pairs of name and value.
    fn read(&self, fields: &Bound<'_, PyAny>) -> PyResult<Option<f64>> {
        let mut known = Vec::new();
        for field in fields.try_iter()? {
            let (name, value) = pair(&field?)?;
            if DeadlineHeader::from_name(name.as_bytes()).is_some() {
                known.push((name, value));
            }
        }
        let pairs = known.iter();
        let pairs = pairs.map(|(name, value)| (name.as_bytes(), value.as_bytes()));
        Ok(self
            .headers
            .read_pairs(pairs)
            .map(|left| left.as_secs_f64()))
    }

    /// How many malformed values have been read.
    #[getter]
    fn malformed(&self) -> u64 {
        self.headers.malformed()
    }
}

/// What a deadline header says where so many seconds remain, rounded down; `None` where less than one of its units is left.
#[pyfunction]
#[pyo3(signature = (remaining, header="x-cancelable-timeout-ms"))]
pub(crate) fn write_remaining<'py>(
    py: Python<'py>,
    remaining: f64,
    header: &str,
) -> PyResult<Option<Bound<'py, PyBytes>>> {
    if remaining.is_nan() {
        return Err(PyValueError::new_err("remaining must be seconds, got nan"));
    }
    let header = DeadlineHeader::from_name(header.as_bytes()).ok_or_else(|| {
        let names = DeadlineHeader::ALL.map(DeadlineHeader::name).join(", ");
        PyValueError::new_err(format!("header must be one of {names}, got {header:?}"))
    })?;
    let written = header.write(rounded_down(remaining)).ok();
    Ok(written.map(|value| PyBytes::new(py, value.as_bytes())))
}

/// The longest time that is not longer than these seconds: zero for what is below, the longest there is for what is above.
fn rounded_down(seconds: f64) -> Duration {
    match Duration::try_from_secs_f64(seconds.max(0.0)) {
        // It rounds to the nearest nanosecond.
        Ok(time) if time.as_secs_f64() > seconds => time.saturating_sub(Duration::from_nanos(1)),
        Ok(time) => time,
        Err(_) => Duration::MAX,
    }
}

/// A length of time, as programs give one.
fn bound(name: &str, given: &Bound<'_, PyAny>) -> PyResult<Duration> {
    let seconds: PyResult<f64> = match given.cast::<PyDelta>() {
        Ok(delta) => delta.call_method0("total_seconds")?.extract(),
        Err(_) => given.extract(),
    };
    match seconds {
        Ok(seconds) if seconds >= 0.0 => {
            Ok(Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX))
        }
        Ok(seconds) => Err(PyValueError::new_err(format!(
            "{name} must be seconds and not negative, got {seconds}"
        ))),
        Err(_) => Err(PyTypeError::new_err(format!(
            "{name} must be a number of seconds or a timedelta, got {given:?}"
        ))),
    }
}

/// A header's name and value: a tuple as servers and httpx have it, or any other pair, as ASGI allows.
fn pair<'py>(field: &Bound<'py, PyAny>) -> PyResult<(Bound<'py, PyBytes>, Bound<'py, PyBytes>)> {
    let parts = match field.cast::<PyTuple>() {
        Ok(parts) => parts.clone(),
        Err(_) => field
            .cast::<PyList>()
            .map_err(|_| no_pair(field))?
            .to_tuple(),
    };
    let bytes = |at: usize| parts.get_item(at).ok()?.cast_into().ok();
    match (parts.len(), bytes(0), bytes(1)) {
        (2, Some(name), Some(value)) => Ok((name, value)),
        _ => Err(no_pair(field)),
    }
}

fn no_pair(field: &Bound<'_, PyAny>) -> PyErr {
    PyTypeError::new_err(format!(
        "fields must be pairs of name and value, both bytes, got {field:?}"
    ))
}
