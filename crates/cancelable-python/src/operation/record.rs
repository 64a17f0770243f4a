//! What is kept of one run of an operation: shared by the operation, its contexts, and whoever lists it.
//!
//! # Invariants
//!
//! 1. **"Cancelling" is not stored**: it is "running", and asked to stop.
//! 2. **The end is written in one step**, under the lock: no context shows an end without its time.
//! 3. **No Python object is dropped under the lock**: what is replaced is handed out.

use std::sync::OnceLock;
use std::time::{Duration, Instant, SystemTime};

use cancelable_core::{Cancellation, CancellationToken, Reason};
use parking_lot::{Mutex, MutexGuard};
use pyo3::prelude::*;
use pyo3::types::PyDict;
use pyo3::{PyTraverseError, PyVisit};

use super::name::Name;
use super::status::Status;
use super::told;
use crate::{clock, ids};

/// See the module's documentation.
#[derive(Default)]
pub(crate) struct Record {
    /// Made on first need: most operations are never asked for it.
    id: OnceLock<String>,
    /// Cancelled when the operation is to stop; made as it starts, or on an earlier need.
    stop: OnceLock<CancellationToken>,
    /// An ask that the stop token knows nothing of, since the children are to be left alone.
    lone_ask: OnceLock<Cancellation>,
    fields: Mutex<Fields>,
}

/// What the lock guards.
#[derive(Default)]
pub(crate) struct Fields {
    pub(crate) status: Status,
    pub(crate) name: Name,
    pub(crate) start: Option<Moment>,
    pub(crate) end: Option<Moment>,
    /// When it started, by the monotonic clock.
    pub(crate) began: Option<Instant>,
    pub(crate) took: Option<Duration>,
    /// How long after the ask it ended.
    pub(crate) since_asked: Option<Duration>,
    pub(crate) reason: Option<Reason>,
    pub(crate) message: Option<String>,
    more: Option<Box<More>>,
}

/// What few operations have.
#[derive(Default)]
pub(crate) struct More {
    /// One that was set later, on a context that was made by hand.
    pub(crate) id: Option<String>,
    pub(crate) attempt: Option<u32>,
    pub(crate) parent_id: Option<String>,
    pub(crate) error: Option<String>,
    pub(crate) partial_result: Option<Py<PyAny>>,
    pub(crate) metadata: Option<Py<PyDict>>,
}

impl More {
    /// Has it share no dict with whatever it was copied from: what is set there later is not to be seen here. Values are shared.
    fn detach(&mut self, py: Python<'_>) {
        if let Some(metadata) = &mut self.metadata
            && let Ok(own) = metadata.bind(py).copy()
        {
            *metadata = own.unbind();
        }
        if let Some(result) = &mut self.partial_result
            && let Ok(dict) = result.bind(py).cast_exact::<PyDict>()
            && let Ok(own) = dict.copy()
        {
            *result = own.into_any().unbind();
        }
    }
}

/// A moment by the wall clock.
pub(crate) enum Moment {
    Read(SystemTime),
    /// A `datetime`, which the program gave.
    Given(Py<PyAny>),
}

impl Moment {
    pub(crate) fn clone_ref(&self, py: Python<'_>) -> Self {
        match self {
            Self::Read(at) => Self::Read(*at),
            Self::Given(given) => Self::Given(given.clone_ref(py)),
        }
    }
}

/// How a run ended, and why, where it was cancelled.
pub(crate) struct Ending {
    pub(crate) status: Status,
    /// When it was asked to stop, if it was.
    pub(crate) asked_at: Option<Instant>,
    pub(crate) reason: Option<Reason>,
    pub(crate) message: Option<String>,
    pub(crate) error: Option<String>,
}

impl Record {
    /// A record of what was made just now, which is when it starts, as programs see it, until it does.
    pub(crate) fn made(id: Option<String>) -> Self {
        let mut made = id.map_or_else(Self::default, Self::with_id);
        made.fields.get_mut().start();
        made
    }

    /// A record with an id that the program gave.
    pub(crate) fn with_id(id: String) -> Self {
        Self {
            id: OnceLock::from(id),
            ..Self::default()
        }
    }

    /// A record that shows what this one shows now.
    pub(crate) fn frozen(&self, py: Python<'_>) -> Self {
        let mut frozen = Self::with_id(self.id().to_owned());
        let (status, asked) = (self.status(), self.asked_meanwhile());
        let mut fields = self.fields.lock();
        fields.start();
        let shown = Fields {
            status,
            name: fields.name.clone(),
            start: fields.start.as_ref().map(|start| start.clone_ref(py)),
            end: fields.end.as_ref().map(|end| end.clone_ref(py)),
            began: fields.began,
            took: fields.taken().or_else(|| fields.since_start()),
            since_asked: fields
                .since_asked
                .or_else(|| Some(asked.as_ref()?.instant().elapsed())),
            reason: fields.reason.or_else(|| Some(asked.as_ref()?.reason())),
            message: fields
                .message
                .clone()
                .or_else(|| told::message(asked.as_ref()?)),
            more: fields.more.as_ref().map(|more| {
                Box::new(More {
                    id: more.id.clone(),
                    attempt: more.attempt,
                    parent_id: more.parent_id.clone(),
                    error: more.error.clone(),
                    partial_result: more.partial_result.as_ref().map(|it| it.clone_ref(py)),
                    metadata: more.metadata.as_ref().map(|dict| dict.clone_ref(py)),
                })
            }),
        };
        drop(fields);
        let fields = frozen.fields.get_mut();
        *fields = shown;
        if let Some(more) = &mut fields.more {
            more.detach(py);
        }
        frozen
    }

    /// A fresh record of the same operation, for when it is entered again.
    pub(crate) fn anew(&self, py: Python<'_>) -> Self {
        let mut fresh = Self::with_id(self.id().to_owned());
        let fields = self.fields.lock();
        let kept = fresh.fields.get_mut();
        kept.name = fields.name.clone();
        kept.more = fields.more.as_ref().map(|more| {
            Box::new(More {
                attempt: more.attempt,
                parent_id: more.parent_id.clone(),
                metadata: more.metadata.as_ref().map(|dict| dict.clone_ref(py)),
                ..More::default()
            })
        });
        drop(fields);
        fresh
    }

    pub(crate) fn id(&self) -> &str {
        self.id.get_or_init(|| ids::fresh().to_string())
    }

    /// The token that is cancelled when it is to stop.
    pub(crate) fn stop(&self) -> &CancellationToken {
        self.stop.get_or_init(CancellationToken::new)
    }

    /// Has it stop with `parent`. What is returned has to be kept for as long as it runs.
    #[must_use]
    pub(crate) fn hang_below(&self, parent: &CancellationToken) -> Option<CancellationToken> {
        let mut is_new = false;
        let stop = self.stop.get_or_init(|| {
            is_new = true;
            parent.child_token()
        });
        if is_new {
            return None;
        }
        // A token cannot be moved below another: one below it stands in, and passes on what it sees.
        let between = parent.child_token();
        stop.link(&between);
        Some(between)
    }

    /// Asks this operation alone to stop, and not its children; `false` if it was asked before.
    pub(crate) fn ask_alone(&self, why: Cancellation) -> bool {
        !self.is_asked() && self.lone_ask.set(why).is_ok()
    }

    /// Whether it was asked to stop.
    pub(crate) fn is_asked(&self) -> bool {
        let by_token = self.stop.get().is_some_and(CancellationToken::is_cancelled);
        by_token || self.lone_ask.get().is_some()
    }

    /// Why it was asked to stop, if it was.
    pub(crate) fn asked(&self) -> Option<Cancellation> {
        let alone = self.lone_ask.get().cloned();
        alone.or_else(|| self.stop.get()?.cancellation())
    }

    /// Why it was asked to stop, while it has not ended: after that the record says what counted.
    pub(crate) fn asked_meanwhile(&self) -> Option<Cancellation> {
        let status = self.fields.lock().status;
        let is_running = matches!(status, Status::Running | Status::Shielded);
        self.asked().filter(|_| is_running)
    }

    pub(crate) fn status(&self) -> Status {
        let status = self.fields.lock().status;
        if status == Status::Running && self.is_asked() {
            Status::Cancelling
        } else {
            status
        }
    }

    pub(crate) fn fields(&self) -> MutexGuard<'_, Fields> {
        self.fields.lock()
    }

    /// Notes that it started, as a shielded section or otherwise.
    pub(crate) fn begin(&self, is_section: bool) {
        let began = Instant::now();
        let start = clock::wall(began);
        let mut fields = self.fields.lock();
        fields.status = if is_section {
            Status::Shielded
        } else {
            Status::Running
        };
        fields.began = Some(began);
        let before = fields.start.replace(Moment::Read(start));
        drop(fields);
        drop(before);
    }

    /// Notes how it ended.
    pub(crate) fn end(&self, ending: Ending) {
        let now = Instant::now();
        let end = clock::wall(now);
        let mut fields = self.fields.lock();
        fields.status = ending.status;
        fields.took = fields.began.map(|began| now.duration_since(began));
        fields.since_asked = ending
            .asked_at
            .map(|asked| now.saturating_duration_since(asked));
        fields.reason = ending.reason;
        fields.message = ending.message;
        if ending.error.is_some() {
            fields.more().error = ending.error;
        }
        let before = fields.end.replace(Moment::Read(end));
        drop(fields);
        drop(before);
    }

    /// What its stream has delivered.
    pub(crate) fn set_partial_result(&self, result: Py<PyAny>) {
        let before = self.fields.lock().more().partial_result.replace(result);
        drop(before);
    }

    pub(crate) fn has_metadata(&self) -> bool {
        let fields = self.fields.lock();
        fields
            .more_if_any()
            .is_some_and(|more| more.metadata.is_some())
    }

    /// The id of the operation that it was given as parent.
    pub(crate) fn parent_id(&self) -> Option<String> {
        let fields = self.fields.lock();
        fields.more_if_any().and_then(|more| more.parent_id.clone())
    }

    /// The program's own facts about it: the dict itself, made on first need.
    pub(crate) fn metadata(&self, py: Python<'_>) -> Py<PyDict> {
        let known = {
            let fields = self.fields.lock();
            let more = fields.more.as_ref();
            more.and_then(|more| Some(more.metadata.as_ref()?.clone_ref(py)))
        };
        known.unwrap_or_else(|| {
            // Made with no lock held: making an object may run the garbage collector, and that anything.
            let fresh = PyDict::new(py).unbind();
            let mut fields = self.fields.lock();
            let kept = fields
                .more()
                .metadata
                .get_or_insert_with(|| fresh.clone_ref(py));
            kept.clone_ref(py)
        })
    }
}

impl Record {
    pub(crate) fn traverse(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        let Some(fields) = self.fields.try_lock() else {
            return Ok(());
        };
        for moment in [&fields.start, &fields.end] {
            if let Some(Moment::Given(given)) = moment {
                visit.call(given)?;
            }
        }
        match &fields.more {
            Some(more) => {
                visit.call(&more.partial_result)?;
                visit.call(&more.metadata)
            }
            None => Ok(()),
        }
    }
}

impl Fields {
    /// Where the run began, for a context that is asked for it; now, where it never did.
    pub(crate) fn start(&mut self) -> &Moment {
        self.start
            .get_or_insert_with(|| Moment::Read(clock::wall(Instant::now())))
    }

    /// When it ended, where nobody set that by hand.
    pub(crate) fn ended_at(&self) -> Option<SystemTime> {
        match self.end {
            Some(Moment::Read(at)) => Some(at),
            Some(Moment::Given(_)) | None => None,
        }
    }

    /// How long the run took, or has taken so far.
    pub(crate) fn taken(&self) -> Option<Duration> {
        self.took.or_else(|| Some(self.began?.elapsed()))
    }

    /// How long ago it was made, of one that never began.
    fn since_start(&self) -> Option<Duration> {
        match (&self.start, &self.end) {
            (Some(Moment::Read(at)), None) => Some(at.elapsed().unwrap_or_default()),
            (Some(_) | None, _) => None,
        }
    }

    pub(crate) fn more(&mut self) -> &mut More {
        self.more.get_or_insert_default()
    }

    pub(crate) fn more_if_any(&self) -> Option<&More> {
        self.more.as_deref()
    }
}
