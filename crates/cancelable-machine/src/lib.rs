//! How full the machine is: its memory, its processors and one of its file systems, in percent.
//!
//! This reads and judges nothing: what is too full for a piece of work is said where the work is.
//!
//! ```
//! use cancelable_machine::{Machine, Watched};
//! use std::path::Path;
//!
//! let watched = Watched { memory: true, disk: Some(Path::new("/")), ..Watched::default() };
//! let reading = Machine::new(watched)?.read()?;
//! assert!(reading.memory.is_some_and(|percent| (0.0..=100.0).contains(&percent)));
//! assert_eq!(reading.cpu, None);
//! # Ok::<(), cancelable_machine::Unreadable>(())
//! ```

use std::error::Error;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sysinfo::{MemoryRefreshKind, RefreshKind, System};

/// What a [`Machine`] is to read.
#[derive(Clone, Copy, Debug, Default)]
pub struct Watched<'a> {
    /// The share of the memory that no program could be given any more.
    pub memory: bool,
    /// The use of all processors together since the reading before.
    pub cpu: bool,
    /// The share of a file system that unprivileged users have used up: of that on which this file or folder is.
    pub disk: Option<&'a Path>,
}

/// One reading of the machine, in percent; `None` is what was not read.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Reading {
    /// See [`Watched::memory`].
    pub memory: Option<f64>,
    /// See [`Watched::cpu`]. The first reading only begins to measure.
    pub cpu: Option<f64>,
    /// See [`Watched::disk`].
    pub disk: Option<f64>,
}

/// The machine that this runs on.
#[derive(Debug)]
pub struct Machine {
    system: System,
    reads_memory: bool,
    cpu: Option<Cpu>,
    disk: Option<PathBuf>,
}

/// The use of processors is the difference between two readings.
#[derive(Debug, PartialEq, Eq)]
enum Cpu {
    Unread,
    Read,
}

/// Readings of the processors nearer to each other than this tell nothing.
pub const SHORTEST_CPU_INTERVAL: Duration = sysinfo::MINIMUM_CPU_UPDATE_INTERVAL;

impl Machine {
    /// Prepares to read what is watched.
    ///
    /// # Errors
    ///
    /// If the file or folder cannot be read, or the system tells nothing of itself.
    pub fn new(watched: Watched<'_>) -> Result<Self, Unreadable> {
        if let Some(path) = watched.disk {
            disk_used(path)?;
        }
        let system = System::new_with_specifics(RefreshKind::nothing());
        Ok(Self {
            system: system.map_err(|error| Unreadable::System(error.to_string()))?,
            reads_memory: watched.memory,
            cpu: watched.cpu.then_some(Cpu::Unread),
            disk: watched.disk.map(Path::to_owned),
        })
    }

    /// Reads it. This may block, as disks do.
    ///
    /// # Errors
    ///
    /// If something that is watched cannot be read now.
    pub fn read(&mut self) -> Result<Reading, Unreadable> {
        let mut reading = Reading::default();
        if let Some(cpu) = &mut self.cpu {
            self.system.refresh_cpu_usage();
            if *cpu == Cpu::Read {
                reading.cpu = Some(f64::from(self.system.global_cpu_usage()));
            }
            *cpu = Cpu::Read;
        }
        if self.reads_memory {
            reading.memory = Some(self.memory()?);
        }
        if let Some(path) = &self.disk {
            reading.disk = Some(disk_used(path)?);
        }
        Ok(reading)
    }

    fn memory(&mut self) -> Result<f64, Unreadable> {
        let kind = MemoryRefreshKind::nothing().with_ram();
        self.system.refresh_memory_specifics(kind);
        let total = self.system.total_memory();
        percent(total.saturating_sub(self.system.available_memory()), total)
            .ok_or_else(|| Unreadable::System("the system tells of no memory".to_owned()))
    }
}

/// How full the file system is on which `path` is. What only the administrator may use counts on neither side.
fn disk_used(path: &Path) -> Result<f64, Unreadable> {
    let stats = fs4::statvfs(path).map_err(|error| Unreadable::Disk(path.to_owned(), error))?;
    let used = stats.total_space().saturating_sub(stats.free_space());
    let usable = used.saturating_add(stats.available_space());
    // One without a size, such as that of processes, is never full.
    Ok(percent(used, usable).unwrap_or(0.0))
}

fn percent(part: u64, whole: u64) -> Option<f64> {
    #[expect(clippy::cast_precision_loss, reason = "percents need no more")]
    (whole > 0).then(|| part as f64 / whole as f64 * 100.0)
}

/// What could not be read.
#[derive(Debug)]
#[non_exhaustive]
pub enum Unreadable {
    /// The file system on which this file or folder is.
    Disk(PathBuf, io::Error),
    /// The system itself, which says this.
    System(String),
}

impl fmt::Display for Unreadable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Disk(path, error) => write!(f, "{}: {error}", path.display()),
            Self::System(error) => f.write_str(error),
        }
    }
}

impl Error for Unreadable {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Disk(_, error) => Some(error),
            Self::System(_) => None,
        }
    }
}
