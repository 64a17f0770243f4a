//! What is wrong with a plan of resources.

use std::error::Error;
use std::path::PathBuf;
use std::time::Duration;
use std::{fmt, io};

use super::judge::{Resource, Threshold};

/// Resources that cannot be watched; from [`resources`](super::resources). It names the argument, and says what to give.
#[derive(Debug)]
pub struct InvalidResources(pub(super) What);

#[derive(Debug)]
pub(super) enum What {
    NoThreshold,
    Percent(Threshold),
    Interval(Duration),
    DiskPath(PathBuf, io::Error),
    DiskPathAlone(PathBuf),
    System(String),
}

impl From<What> for InvalidResources {
    fn from(what: What) -> Self {
        Self(what)
    }
}

impl fmt::Display for InvalidResources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            What::NoThreshold => f.write_str(
                "no threshold is given: give at least one of memory_above, cpu_above and disk_above",
            ),
            What::Percent(Threshold { resource, percent }) => write!(
                f,
                "{resource}_above is {percent}: give a percentage above 0 and up to 100"
            ),
            What::Interval(Duration::ZERO) => f.write_str(
                "interval is zero: give the time from one look to the next, such as Duration::from_secs(5)",
            ),
            What::Interval(interval) => write!(
                f,
                "interval is {interval:?}, in which the use of processors cannot be measured: give at least 200ms, or leave \
                 out {}_above",
                Resource::Cpu
            ),
            What::DiskPath(path, error) => write!(
                f,
                "disk_path {} cannot be read: {error}; give a path that exists",
                path.display()
            ),
            What::DiskPathAlone(path) => write!(
                f,
                "disk_path {} is given without disk_above: give the percentage too",
                path.display()
            ),
            What::System(error) => write!(f, "this system cannot be read: {error}"),
        }
    }
}

impl Error for InvalidResources {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &self.0 {
            What::DiskPath(_, error) => Some(error),
            What::NoThreshold
            | What::Percent(_)
            | What::Interval(_)
            | What::DiskPathAlone(_)
            | What::System(_) => None,
        }
    }
}
