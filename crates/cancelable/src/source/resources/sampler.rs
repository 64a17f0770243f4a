//! Reading the machine: [`Sampler`], which is the machine itself, or what a test scripted.

use std::path::Path;

use cancelable_machine::{Machine, Reading, Unreadable, Watched};

use super::error::What;
use super::judge::{Resource, Threshold};

/// What reads the machine; it may block.
pub(super) trait Sampler: Send + 'static {
    /// One reading, or what went wrong.
    fn sample(&mut self) -> Result<Reading, String>;
}

impl Sampler for Machine {
    fn sample(&mut self) -> Result<Reading, String> {
        self.read().map_err(|error| error.to_string())
    }
}

/// The machine, of which that is read for which there is a threshold.
pub(super) fn machine(thresholds: &[Threshold], disk_path: Option<&Path>) -> Result<Machine, What> {
    let has = |resource| {
        thresholds
            .iter()
            .any(|threshold| threshold.resource == resource)
    };
    let watched = Watched {
        memory: has(Resource::Memory),
        cpu: has(Resource::Cpu),
        disk: has(Resource::Disk).then(|| disk_path.unwrap_or(Path::new("/"))),
    };
    Machine::new(watched).map_err(|error| match error {
        Unreadable::Disk(path, error) => What::DiskPath(path, error),
        error => What::System(error.to_string()),
    })
}
