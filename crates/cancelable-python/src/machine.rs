//! `Machine`, how full the machine is: for sources that watch its resources.

use std::path::PathBuf;
use std::time::Instant;

use cancelable_machine::{Reading, SHORTEST_CPU_INTERVAL, Unreadable, Watched};
use parking_lot::Mutex;
use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::prelude::*;

use crate::exit::Flight;

/// See the module's documentation.
#[pyclass(frozen, module = "hother.cancelable._core")]
pub(crate) struct Machine {
    state: Mutex<State>,
}

struct State {
    machine: cancelable_machine::Machine,
    cpu: Option<Cpu>,
}

/// The use of processors, which is measured apart, since it may be asked for more often than there is something new to tell.
struct Cpu {
    machine: cancelable_machine::Machine,
    last: Option<f64>,
    read_at: Option<Instant>,
}

#[pymethods]
impl Machine {
    #[new]
    fn new(memory: bool, cpu: bool, disk: Option<PathBuf>) -> PyResult<Self> {
        let watched = Watched {
            memory,
            disk: disk.as_deref(),
            ..Watched::default()
        };
        let machine = cancelable_machine::Machine::new(watched).map_err(refused)?;
        let cpu = cpu.then(Cpu::new).transpose().map_err(refused)?;
        Ok(Self {
            state: Mutex::new(State { machine, cpu }),
        })
    }

    /// One reading, in percent, of memory, processors and disk; `None` for what is not read, or not yet. It may block.
    fn read(&self, py: Python<'_>) -> PyResult<(Option<f64>, Option<f64>, Option<f64>)> {
        let Some(_flight) = Flight::begin() else {
            return Ok((None, None, None));
        };
        let reading = py.detach(|| self.state.lock().read());
        let reading = reading.map_err(|error| PyRuntimeError::new_err(error.to_string()))?;
        Ok((reading.memory, reading.cpu, reading.disk))
    }
}

impl State {
    fn read(&mut self) -> Result<Reading, Unreadable> {
        let mut reading = self.machine.read()?;
        if let Some(cpu) = &mut self.cpu {
            reading.cpu = cpu.read()?;
        }
        Ok(reading)
    }
}

impl Cpu {
    fn new() -> Result<Self, Unreadable> {
        let watched = Watched {
            cpu: true,
            ..Watched::default()
        };
        Ok(Self {
            machine: cancelable_machine::Machine::new(watched)?,
            last: None,
            read_at: None,
        })
    }

    fn read(&mut self) -> Result<Option<f64>, Unreadable> {
        let is_due = self
            .read_at
            .is_none_or(|at| at.elapsed() >= SHORTEST_CPU_INTERVAL);
        if is_due {
            self.last = self.machine.read()?.cpu;
            self.read_at = Some(Instant::now());
        }
        Ok(self.last)
    }
}

fn refused(error: Unreadable) -> PyErr {
    match error {
        Unreadable::Disk(path, error) => PyValueError::new_err(format!(
            "disk_path {} cannot be read: {error}; give a path that exists",
            path.display()
        )),
        error => PyRuntimeError::new_err(format!("this system cannot be read: {error}")),
    }
}
