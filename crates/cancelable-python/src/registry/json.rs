//! Python's values as those of JSON, for the core's filters and events. What JSON does not know is left out.
//!
//! No code of the program's runs for it: only the built-in types are looked into, and what is made of them.

use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyFloat, PyInt, PyList, PyString, PyTuple};
use serde_json::{Map, Number, Value};

/// The items of a dict that JSON knows; none of anything else.
pub(super) fn object(given: &Bound<'_, PyAny>) -> Map<String, Value> {
    let mut left = MOST;
    let dict = given.cast::<PyDict>().ok();
    dict.map(|dict| members(dict, DEEPEST, &mut left))
        .unwrap_or_default()
}

/// The value, if JSON knows it.
pub(super) fn value(given: &Bound<'_, PyAny>) -> Option<Value> {
    convert(given, DEEPEST, &mut { MOST })
}

fn convert(given: &Bound<'_, PyAny>, deeper: u32, left: &mut u32) -> Option<Value> {
    *left = left.checked_sub(1)?;
    let deeper = deeper.checked_sub(1)?;
    if given.is_none() {
        return Some(Value::Null);
    }
    if let Ok(text) = given.cast::<PyString>() {
        return Some(Value::String(text.to_str().ok()?.to_owned()));
    }
    if let Ok(truth) = given.cast::<PyBool>() {
        return Some(Value::Bool(truth.is_true()));
    }
    if let Ok(number) = given.cast::<PyInt>() {
        let signed = number.extract::<i64>().map(Number::from);
        let number = signed.or_else(|_| number.extract::<u64>().map(Number::from));
        return number.ok().map(Value::Number);
    }
    if let Ok(number) = given.cast::<PyFloat>() {
        return Number::from_f64(number.value()).map(Value::Number);
    }
    if let Ok(dict) = given.cast::<PyDict>() {
        return Some(Value::Object(members(dict, deeper, left)));
    }
    let items: Vec<_> = if let Ok(list) = given.cast_exact::<PyList>() {
        list.iter().collect()
    } else {
        given.cast_exact::<PyTuple>().ok()?.iter().collect()
    };
    let items = items.iter().map(|item| convert(item, deeper, left));
    items.collect::<Option<Vec<_>>>().map(Value::Array)
}

fn members(dict: &Bound<'_, PyDict>, deeper: u32, left: &mut u32) -> Map<String, Value> {
    // A copy, since the dict may be changed meanwhile by another thread.
    let items = dict.items();
    let known = items.iter().filter_map(|item| {
        let (name, value) = item
            .extract::<(Bound<'_, PyString>, Bound<'_, PyAny>)>()
            .ok()?;
        Some((
            name.to_str().ok()?.to_owned(),
            convert(&value, deeper, left)?,
        ))
    });
    known.collect()
}

/// How deep it is looked: a dict may have itself in it.
const DEEPEST: u32 = 16;
/// How many values are taken at most.
const MOST: u32 = 10_000;
