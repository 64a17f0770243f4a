//! Printing the table, row by row as it is measured.

use std::io::Write;

use crate::options::Options;

/// A measured row.
pub(crate) struct Measured {
    pub(crate) theirs: Option<f64>,
    pub(crate) ours: f64,
    pub(crate) unit: Unit,
    /// Ours over theirs, and what it is to be at most.
    pub(crate) ratio: Option<f64>,
    pub(crate) reach: String,
    pub(crate) verdict: Verdict,
}

/// What a figure counts.
#[derive(Clone, Copy)]
pub(crate) enum Unit {
    Nanoseconds,
    Bytes,
    /// How many times something else.
    Times,
}

/// Whether a row reaches what it is to reach.
#[derive(Clone, Copy)]
pub(crate) enum Verdict {
    Ok,
    Short,
    /// Says what the machine can do, and is to reach nothing.
    Given,
}

impl Measured {
    /// Ours against theirs, whose ratio is to be at most `reach`.
    pub(crate) fn against(theirs: f64, ours: f64, ratio: f64, reach: f64) -> Self {
        Self {
            theirs: Some(theirs),
            ours,
            unit: Unit::Nanoseconds,
            ratio: Some(ratio),
            reach: format!("≤ {reach}"),
            verdict: Verdict::of(ratio <= reach),
        }
    }

    /// What has no rival, and is to take at most so many nanoseconds.
    pub(crate) fn within(ours: f64, reach: f64) -> Self {
        Self {
            theirs: None,
            ours,
            unit: Unit::Nanoseconds,
            ratio: None,
            reach: format!("≤ {}", figure(reach, Unit::Nanoseconds)),
            verdict: Verdict::of(ours <= reach),
        }
    }
}

impl Verdict {
    pub(crate) fn of(is_reached: bool) -> Self {
        if is_reached { Self::Ok } else { Self::Short }
    }
}

/// The head of the table.
pub(crate) fn head(options: &Options) {
    if !options.effort.is_timed {
        return;
    }
    print(
        options,
        ["row", "theirs", "ours", "ratio", "reach", ""].map(String::from),
    );
    if options.markdown {
        line("|---|---:|---:|---:|---:|---|");
    }
}

/// One row.
pub(crate) fn row(options: &Options, name: &str, measured: &Measured) {
    if !options.effort.is_timed {
        return line(&format!("seen: {name}"));
    }
    let verdict = match measured.verdict {
        Verdict::Ok => "ok",
        Verdict::Short => "short",
        Verdict::Given => "",
    };
    print(
        options,
        [
            name.to_owned(),
            measured
                .theirs
                .map_or_else(String::new, |theirs| figure(theirs, measured.unit)),
            figure(measured.ours, measured.unit),
            measured
                .ratio
                .map_or_else(String::new, |ratio| format!("{ratio:.3}")),
            measured.reach.clone(),
            verdict.to_owned(),
        ],
    );
}

fn print(options: &Options, [name, theirs, ours, ratio, reach, verdict]: [String; 6]) {
    line(&if options.markdown {
        format!("| {name} | {theirs} | {ours} | {ratio} | {reach} | {verdict} |")
    } else {
        format!("{name:<62} {theirs:>10} {ours:>10} {ratio:>7} {reach:>10}  {verdict}")
    });
}

/// Prints a line.
pub(crate) fn line(text: &str) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{text}")
        .and_then(|()| out.flush())
        .expect("there is somewhere to print to");
}

/// A figure with its unit.
pub(crate) fn figure(value: f64, unit: Unit) -> String {
    match unit {
        Unit::Nanoseconds if value >= 1e6 => format!("{:.1} ms", value / 1e6),
        Unit::Nanoseconds if value >= 1e4 => format!("{:.1} µs", value / 1e3),
        Unit::Nanoseconds => format!("{value:.2} ns"),
        Unit::Bytes => format!("{value:.0} B"),
        Unit::Times => format!("{value:.2} ×"),
    }
}
