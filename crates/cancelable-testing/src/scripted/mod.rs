//! [`ScriptedSource`], a source that does what its test says, when it says so; and its [`Script`], to say so and to ask.

mod script;

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use cancelable::{Cancellation, Origin, Source};
use tokio::time::{Instant, Sleep, sleep_until};

pub use script::Script;
use script::Shared;

/// A source that fires, or panics, when its test says so: on command, at its n-th poll, at a moment of the runtime's clock, as
/// its operation starts, or never.
///
/// [`script`](Self::script) gives the other end: to have it fire, and to ask whether it was told of the start, how often it was
/// polled, and whether it is gone.
///
/// ```
/// # #[tokio::main(flavor = "current_thread", start_paused = true)] async fn main() {
/// use std::future::pending;
/// use std::time::Duration;
///
/// use cancelable::{Cancelable, Source};
/// use cancelable_testing::ScriptedSource;
///
/// // Whatever the test wants to know of: here, whether "any of" drops the loser.
/// let button = ScriptedSource::on_command().named("the button");
/// let script = button.script();
/// let slow = ScriptedSource::after(Duration::from_secs(60));
/// let loser = slow.script();
///
/// let run = Cancelable::new().source(button.or(slow)).run(async |_| pending::<()>().await);
/// let press = async {
///     tokio::time::sleep(Duration::from_secs(1)).await;
///     assert!(!loser.is_dropped());
///     assert!(script.fire());
/// };
/// let (outcome, ()) = tokio::join!(run, press);
/// assert_eq!(outcome.unwrap_err().message(), "condition 'the button' was met");
/// assert!(script.has_fired() && !loser.has_fired());
/// assert!(loser.polls() > 0 && loser.is_dropped());
///
/// // Nobody hears what comes too late, and the script says so.
/// assert!(!script.fire());
/// # }
/// ```
#[must_use = "a source does nothing unless an operation is given it"]
pub struct ScriptedSource {
    cue: Cue,
    name: String,
    /// What is said where nobody gave a reason.
    why: Option<Cancellation>,
    /// It panics with this in place of firing.
    panic: Option<String>,
    due: Option<Instant>,
    sleep: Option<Pin<Box<Sleep>>>,
    shared: Arc<Shared>,
}

/// When it does what it does; on command it does it as well.
#[derive(Clone, Copy, Debug)]
enum Cue {
    Command,
    Poll(usize),
    After(Duration),
    Start,
}

impl ScriptedSource {
    /// Fires when its [`Script`] says so, and not before.
    pub fn on_command() -> Self {
        Self::on(Cue::Command)
    }

    /// Fires when it is polled for the `n`-th time. It wakes nobody to bring that about: an operation polls its sources once
    /// for each time that its body is pending, so this is an await of the body.
    ///
    /// # Panics
    ///
    /// If `n` is zero.
    #[track_caller]
    pub fn on_poll(n: usize) -> Self {
        assert!(
            n > 0,
            "polls are counted from 1; `at_start` fires before the first"
        );
        Self::on(Cue::Poll(n))
    }

    /// Fires so long after the start of its operation, or its first poll where nobody told it of a start, by the runtime's
    /// clock. It knows its deadline.
    pub fn after(time: Duration) -> Self {
        Self::on(Cue::After(time))
    }

    /// Has fired as its operation starts: the body is never polled.
    pub fn at_start() -> Self {
        Self::on(Cue::Start)
    }

    /// Never fires, whatever its script says.
    pub fn never() -> Self {
        let source = Self::on(Cue::Command);
        source.shared.fall_silent();
        source
    }

    fn on(cue: Cue) -> Self {
        Self {
            cue,
            name: "scripted".to_owned(),
            why: None,
            panic: None,
            due: None,
            sleep: None,
            shared: Arc::default(),
        }
    }

    /// The same with a name, by which errors call it.
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// Fires with this, in place of a condition with its name: a message, a reason, or a whole cancellation.
    pub fn with(mut self, why: impl Into<Cancellation>) -> Self {
        self.why = Some(why.into());
        self
    }

    /// Panics with this message where it would fire.
    pub fn panics(mut self, message: impl Into<String>) -> Self {
        self.panic = Some(message.into());
        self
    }

    /// The other end, for the test.
    pub fn script(&self) -> Script {
        Script::new(&self.shared)
    }

    fn fire(&self, said: Option<Cancellation>) -> Cancellation {
        self.shared.note_fired();
        if let Some(message) = &self.panic {
            panic!("{message}");
        }
        let own = || Cancellation::from_origin(Origin::condition(self.name.clone()));
        said.or_else(|| self.why.clone()).unwrap_or_else(own)
    }

    /// Whether its moment has come, by itself.
    fn is_due(&mut self, polls: usize, cx: &mut Context<'_>) -> bool {
        match self.cue {
            Cue::Command => false,
            Cue::Poll(n) => polls >= n,
            Cue::Start => true,
            Cue::After(time) => {
                if self.due.is_none() {
                    self.due = Instant::now().checked_add(time);
                }
                // One too far away for the clock never comes.
                let Some(due) = self.due else {
                    return false;
                };
                let sleep = self.sleep.get_or_insert_with(|| Box::pin(sleep_until(due)));
                sleep.as_mut().poll(cx).is_ready()
            }
        }
    }
}

impl Future for ScriptedSource {
    type Output = Cancellation;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Cancellation> {
        let (polls, said) = self.shared.poll(cx);
        if said.is_none() && !self.is_due(polls, cx) {
            return Poll::Pending;
        }
        Poll::Ready(self.fire(said.flatten()))
    }
}

impl Source for ScriptedSource {
    fn begin(mut self: Pin<&mut Self>, start: Instant) -> Option<Cancellation> {
        self.shared.note_begun();
        match self.cue {
            Cue::Start => Some(self.fire(None)),
            Cue::After(time) => {
                self.due = start.checked_add(time);
                None
            }
            Cue::Command | Cue::Poll(_) => None,
        }
    }

    fn deadline(&self) -> Option<Instant> {
        self.due
    }

    fn name(&self) -> String {
        format!("scripted source '{}'", self.name)
    }
}

impl Drop for ScriptedSource {
    fn drop(&mut self) {
        self.shared.note_dropped();
    }
}

impl fmt::Debug for ScriptedSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScriptedSource")
            .field("name", &self.name)
            .field("cue", &self.cue)
            .field("panics", &self.panic.is_some())
            .field("script", &self.script())
            .finish_non_exhaustive()
    }
}
