//! [`Recorder`], what operations have told of themselves, in order; and assertions that show all of it where they fail.

mod line;

use std::fmt;
use std::sync::Arc;

use cancelable::{Cancelable, Event, Heard, Registry, Subscription, What};
use parking_lot::Mutex;

use line::Line;

/// Records what operations tell of themselves: that they started, how far they have come, that they were asked to stop and
/// why, how they ended. In the order in which it happened, of all of them.
///
/// It is given plans by [`record`](Self::record), and asked at any time, on any thread; cloning gives another handle to the
/// same recording. Assertions compare lines, each of which begins with the name of the operation, or its id where it has none; an
/// assertion that fails shows the whole recording, with ids.
///
/// | event | line |
/// |---|---|
/// | start | `import started` |
/// | progress | `import progress: parsing 30/120` |
/// | ask | `import asked: timeout: timed out after 1s` |
/// | end | `import ended: cancelled` |
///
/// ```
/// # #[tokio::main(flavor = "current_thread", start_paused = true)] async fn main() {
/// use std::time::Duration;
///
/// use cancelable::Cancelable;
/// use cancelable_testing::Recorder;
/// use tokio::time::sleep;
///
/// let recorder = Recorder::new();
/// let plan = Cancelable::new().name("import").timeout(Duration::from_secs(1));
/// let outcome = recorder
///     .record(plan)
///     .run(async |op| {
///         op.report_progress("half way");
///         sleep(Duration::from_secs(60)).await;
///     })
///     .await;
/// assert!(outcome.is_err());
/// recorder.assert_lines([
///     "import started",
///     "import progress: half way",
///     "import asked: timeout: timed out after 1s",
///     "import ended: cancelled",
/// ]);
/// recorder.assert_in_order(["import started", "import ended"]);
/// recorder.assert_all_ended();
/// # }
/// ```
///
/// What a failure looks like:
///
/// ```should_panic
/// # let recorder = cancelable_testing::Recorder::new();
/// recorder.assert_in_order(["import started", "import ended: completed"]);
/// // expected, in this order:
/// //     import started              <- not in the recording
/// //     import ended: completed
/// // the whole recording:
/// //     (nothing)
/// ```
#[derive(Clone)]
pub struct Recorder {
    registry: Registry,
    inside: Arc<Mutex<Inside>>,
}

struct Inside {
    subscription: Subscription,
    events: Vec<Arc<Event>>,
}

impl Default for Recorder {
    fn default() -> Self {
        Self::new()
    }
}

impl Recorder {
    /// One that has recorded nothing yet.
    pub fn new() -> Self {
        let registry = Registry::with_history(0);
        let inside = Inside {
            subscription: registry.subscribe(usize::MAX),
            events: Vec::new(),
        };
        Self {
            registry,
            inside: Arc::new(Mutex::new(inside)),
        }
    }

    /// The same plan, whose operation is recorded.
    ///
    /// It is registered with the recorder, so of two that are live at the same time and have the same id the second is refused.
    /// Operations inside it are recorded if their own plans are.
    pub fn record(&self, plan: Cancelable) -> Cancelable {
        plan.registered_in(&self.registry)
    }

    /// All that was recorded, in order.
    pub fn events(&self) -> Vec<Arc<Event>> {
        self.looked_at().clone()
    }

    /// What was recorded of the operation with this id.
    pub fn events_of(&self, id: &str) -> Vec<Arc<Event>> {
        let events = self.looked_at();
        events
            .iter()
            .filter(|event| event.id == id)
            .cloned()
            .collect()
    }

    /// The lines of all that was recorded, in order.
    pub fn lines(&self) -> Vec<String> {
        let events = self.looked_at();
        events.iter().map(|event| Line(event).to_string()).collect()
    }

    /// Forgets what was recorded so far.
    pub fn clear(&self) {
        self.looked_at().clear();
    }

    /// Asserts that these lines are all of the recording.
    ///
    /// # Panics
    ///
    /// If they are not: shows where they differ, and the whole recording.
    #[track_caller]
    pub fn assert_lines<L: AsRef<str>>(&self, expected: impl IntoIterator<Item = L>) {
        let lines = self.lines();
        let expected: Vec<_> = expected.into_iter().collect();
        let differs = (0..lines.len().max(expected.len()))
            .find(|&at| expected.get(at).map(AsRef::as_ref) != lines.get(at).map(String::as_str));
        if let Some(at) = differs {
            let note = match lines.get(at) {
                Some(line) => format!("<- here the recording has: {line}"),
                None => "<- here the recording ends".to_owned(),
            };
            self.fail("exactly", &expected, at, &note);
        }
    }

    /// Asserts that there are lines which begin with these, in this order, whatever else is between.
    ///
    /// # Panics
    ///
    /// If there are not: shows the first that is missing, and the whole recording.
    #[track_caller]
    pub fn assert_in_order<L: AsRef<str>>(&self, expected: impl IntoIterator<Item = L>) {
        let lines = self.lines();
        let expected: Vec<_> = expected.into_iter().collect();
        let mut left = lines.iter();
        let missing = expected
            .iter()
            .position(|begin| !left.any(|line| line.starts_with(begin.as_ref())));
        if let Some(at) = missing {
            let is_anywhere = lines
                .iter()
                .any(|line| line.starts_with(expected[at].as_ref()));
            let note = if is_anywhere {
                "<- not after the line before it"
            } else {
                "<- not in the recording"
            };
            self.fail("in this order", &expected, at, note);
        }
    }

    /// Asserts that every operation that started has ended, and told how.
    ///
    /// # Panics
    ///
    /// If one has not: names those, and shows the whole recording.
    #[track_caller]
    pub fn assert_all_ended(&self) {
        let events = self.events();
        let mut live: Vec<&Event> = Vec::new();
        for event in &events {
            match event.what {
                What::Started { .. } => live.push(event),
                What::Ended { .. } => {
                    live.retain(|started| {
                        (&started.id, started.attempt) != (&event.id, event.attempt)
                    });
                }
                _ => {}
            }
        }
        let live: Vec<_> = live.iter().map(|event| line::label(event)).collect();
        assert!(
            live.is_empty(),
            "expected that all operations have ended; these have not: {}\n{self:?}",
            live.join(", ")
        );
    }

    #[track_caller]
    fn fail<L: AsRef<str>>(&self, how: &str, expected: &[L], at: usize, note: &str) -> ! {
        let mut text = format!("the recording is not as expected\nexpected, {how}:\n");
        for (index, line) in expected.iter().enumerate() {
            let note = if index == at { note } else { "" };
            let line = format!("    {:<40} {note}", line.as_ref());
            text += line.trim_end();
            text += "\n";
        }
        if at >= expected.len() {
            text += &format!("    (nothing more) {note}\n");
        }
        panic!("{text}{self:?}");
    }

    /// The events, with all that came since they were last looked at.
    fn looked_at(&self) -> impl std::ops::DerefMut<Target = Vec<Arc<Event>>> + '_ {
        let mut inside = self.inside.lock();
        // It never lags: its line has no bound.
        while let Some(Heard::Event(event)) = inside.subscription.try_next() {
            inside.events.push(event);
        }
        parking_lot::MutexGuard::map(inside, |inside| &mut inside.events)
    }
}

/// The whole recording.
impl fmt::Debug for Recorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the whole recording:")?;
        let events = self.events();
        if events.is_empty() {
            f.write_str("\n    (nothing)")?;
        }
        for event in &events {
            write!(f, "\n    {}", line::with_id(event))?;
        }
        Ok(())
    }
}
