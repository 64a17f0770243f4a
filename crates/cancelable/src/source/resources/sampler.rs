//! Reading the machine: [`Sampler`], and the [`Machine`] itself.

use std::path::{Path, PathBuf};
use std::time::Duration;

use sysinfo::{MemoryRefreshKind, RefreshKind, System};

use super::error::What;
use super::judge::{Resource, Sample, Threshold};

/// What reads the machine; it may block.
pub(super) trait Sampler: Send + 'static {
    /// One reading, or what went wrong.
    fn sample(&mut self) -> Result<Sample, String>;
}

/// The machine that this runs on.
pub(super) struct Machine {
    system: System,
    reads_memory: bool,
    cpu: Option<Cpu>,
    disk: Option<PathBuf>,
}

/// The use of processors is the difference between two readings.
#[derive(PartialEq, Eq)]
enum Cpu {
    Unread,
    Read,
}

impl Machine {
    pub(super) fn new(thresholds: &[Threshold], disk_path: Option<&Path>) -> Result<Self, What> {
        let has = |resource| {
            thresholds
                .iter()
                .any(|threshold| threshold.resource == resource)
        };
        let disk = has(Resource::Disk).then(|| disk_path.unwrap_or(Path::new("/")).to_owned());
        if let Some(path) = &disk
            && let Err(error) = disk_used(path)
        {
            return Err(What::DiskPath(path.clone(), error));
        }
        let system = System::new_with_specifics(RefreshKind::nothing());
        Ok(Self {
            system: system.map_err(|error| What::System(error.to_string()))?,
            reads_memory: has(Resource::Memory),
            cpu: has(Resource::Cpu).then_some(Cpu::Unread),
            disk,
        })
    }

    fn memory(&mut self) -> Result<f64, String> {
        let kind = MemoryRefreshKind::nothing().with_ram();
        self.system.refresh_memory_specifics(kind);
        let total = self.system.total_memory();
        match percent(total.saturating_sub(self.system.available_memory()), total) {
            Some(percent) => Ok(percent),
            None => Err("the system tells of no memory".to_owned()),
        }
    }
}

impl Sampler for Machine {
    fn sample(&mut self) -> Result<Sample, String> {
        let mut sample = Sample::default();
        if let Some(cpu) = &mut self.cpu {
            self.system.refresh_cpu_usage();
            if *cpu == Cpu::Read {
                sample.cpu = Some(f64::from(self.system.global_cpu_usage()));
            }
            *cpu = Cpu::Read;
        }
        if self.reads_memory {
            sample.memory = Some(self.memory()?);
        }
        if let Some(path) = &self.disk {
            let used = disk_used(path);
            sample.disk = Some(used.map_err(|error| format!("{}: {error}", path.display()))?);
        }
        Ok(sample)
    }
}

/// How full the file system is on which `path` is. What only the administrator may use counts on neither side.
fn disk_used(path: &Path) -> std::io::Result<f64> {
    let stats = fs4::statvfs(path)?;
    let used = stats.total_space().saturating_sub(stats.free_space());
    let usable = used.saturating_add(stats.available_space());
    // One without a size, such as that of processes, is never full.
    Ok(percent(used, usable).unwrap_or(0.0))
}

fn percent(part: u64, whole: u64) -> Option<f64> {
    #[expect(clippy::cast_precision_loss, reason = "percents need no more")]
    (whole > 0).then(|| part as f64 / whole as f64 * 100.0)
}

/// Two readings nearer to each other tell nothing.
pub(super) const SHORTEST_CPU_INTERVAL: Duration = sysinfo::MINIMUM_CPU_UPDATE_INTERVAL;
