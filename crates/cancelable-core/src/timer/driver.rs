//! The thread that fires deadlines when they are due, and sleeps for good while there are none.
//!
//! # Invariants
//!
//! 1. **Never early.** A deadline's tick is rounded up, the present's down (`ticks.rs`), and an entry leaves the wheel
//!    only once the present has reached its tick.
//! 2. **The thread is never asleep past an entry.** It decides how long to sleep, writes that into [`Sleep`] and falls
//!    asleep under one lock; [`Timer::arm`] reads it under the same lock and wakes the thread if the new entry comes
//!    first.
//! 3. **Nothing foreign runs under the timer's lock**: neither `fire` nor the drop of a payload. So the lock is the
//!    innermost: whoever arms or disarms may hold locks of his own, a token's among them, which `fire` takes in turn.
//! 4. **Nothing that `fire` does ends the thread.** Each call is caught by itself.
//! 5. **The earlier fires first**, also of two that fall due in one tick, and of two at the same instant the one that was
//!    armed first. For that, all that is due is taken out of the wheel before any of it fires.
//!
//! # Waking
//!
//! Disarming wakes nobody. The thread may so wake for an entry that has gone: once for all the entries that have gone by
//! then, after which it sleeps for what is left, or for good. For a far entry it also wakes when the wheel has to move
//! entries down, at most ten times on the way to one, and only twice for an entry an hour away.

#[cfg(test)]
mod tests;

use std::time::Instant;

use parking_lot::{Condvar, Mutex, MutexGuard};

use super::host::{Host, SystemHost};
use super::quietly::call_quietly;
use super::ticks::Ticks;
use super::wheel::{Key, Wheel};

/// Payloads, each of which is handed to `fire` when its time has come.
///
/// It is made to be a `static`: the thread that it starts on first use never ends.
pub(crate) struct Timer<T: Send + 'static, H: Host = SystemHost> {
    state: Mutex<State<T>>,
    /// Notified when the thread sleeps past a new entry; only the thread waits for it.
    changed: Condvar,
    fire: fn(T),
    host: H,
}

struct State<T> {
    wheel: Wheel<Armed<T>>,
    /// What the thread counts by; `None` until there is a thread.
    ticks: Option<Ticks>,
    sleep: Sleep,
}

/// A payload with its time, which a tick is too coarse to keep.
struct Armed<T> {
    at: Instant,
    payload: T,
}

/// What the thread is up to, as seen under the lock.
///
/// | state     | the thread                                        | an `arm`                     |
/// |-----------|---------------------------------------------------|------------------------------|
/// | `Awake`   | looks at the wheel before it sleeps the next time | leaves it alone              |
/// | `Until`   | sleeps until a tick                               | wakes it if earlier: `Awake` |
/// | `ForGood` | sleeps until it is notified                       | wakes it: `Awake`            |
///
/// Only the thread itself goes to sleep, and it says so under the lock that falling asleep gives up. It is `Awake` again
/// as soon as it, or whoever notifies it, has the lock; and from the start, before it has first had the lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sleep {
    Awake,
    Until(u64),
    ForGood,
}

impl<T: Send + 'static> Timer<T> {
    /// A timer that calls `fire`, on its own thread and one after the other, with what is due.
    ///
    /// `fire` may arm and disarm. While it runs no other payload fires: what may be slow belongs into
    /// [`run_aside`](super::run_aside). A panic in it ends there.
    pub(crate) const fn new(fire: fn(T)) -> Self {
        Self::on(SystemHost, fire)
    }
}

impl<T: Send + 'static, H: Host> Timer<T, H> {
    const fn on(host: H, fire: fn(T)) -> Self {
        let state = State {
            wheel: Wheel::new(),
            ticks: None,
            sleep: Sleep::Awake,
        };
        Self {
            state: Mutex::new(state),
            changed: Condvar::new(),
            fire,
            host,
        }
    }

    /// Has `payload` fired at `at`: never before, and at once if `at` has passed.
    ///
    /// The caller may hold locks, apart from any that `fire` needs in order to return.
    ///
    /// # Panics
    ///
    /// If the timer's thread is not there yet and the system cannot start one. Nothing is armed then, and the next call
    /// tries again.
    pub(crate) fn arm(&'static self, at: Instant, payload: T) -> Key {
        let mut state = self.state.lock();
        let ticks = match state.ticks {
            Some(ticks) => ticks,
            None => {
                let ticks = Ticks::since(self.host.now());
                if let Err(error) = self.host.spawn(NAME, move || self.run(ticks)) {
                    drop(state);
                    panic!("the thread that fires deadlines cannot be started: {error}");
                }
                *state.ticks.insert(ticks)
            }
        };
        let tick = ticks.not_before(at);
        let key = state.wheel.insert(tick, Armed { at, payload });
        let sleeps_past_it = match state.sleep {
            Sleep::Awake => false,
            Sleep::Until(until) => tick < until,
            Sleep::ForGood => true,
        };
        if sleeps_past_it {
            // Written here and not by the thread, so that until it has the lock nobody wakes it again.
            state.sleep = Sleep::Awake;
            drop(state);
            self.changed.notify_one();
        }
        key
    }

    /// Takes back what has been armed; `None` if it has fired or is about to, or has been taken back before.
    pub(crate) fn disarm(&self, key: Key) -> Option<T> {
        let armed = self.state.lock().wheel.remove(key);
        armed.map(|armed| armed.payload)
    }

    /// The thread's life.
    fn run(&self, ticks: Ticks) {
        let mut due = Vec::new();
        let mut state = self.state.lock();
        loop {
            let now = ticks.reached(self.host.now());
            let done = state.wheel.advance(now, &mut due, STEPS);
            if !done {
                MutexGuard::bump(&mut state);
            } else if due.is_empty() {
                self.sleep(&mut state, ticks);
            } else {
                MutexGuard::unlocked(&mut state, || self.fire_all(&mut due));
            }
        }
    }

    /// Fires what is due, which the wheel has in the order of the ticks alone.
    fn fire_all(&self, due: &mut Vec<Armed<T>>) {
        due.sort_by_key(|armed| armed.at);
        for Armed { payload, .. } in due.drain(..) {
            call_quietly(|| (self.fire)(payload));
        }
        // The next burst may be long in coming.
        due.shrink_to(STEPS);
    }

    /// Sleeps until the wheel has to be looked at, or until something earlier is armed.
    fn sleep(&self, state: &mut MutexGuard<'_, State<T>>, ticks: Ticks) {
        let next = state.wheel.next_expiry();
        state.sleep = next.map_or(Sleep::ForGood, Sleep::Until);
        // A tick that lies beyond every instant is never reached.
        let until = next.and_then(|tick| ticks.instant(tick));
        self.host.sleep(&self.changed, state, until);
        state.sleep = Sleep::Awake;
    }
}

/// The thread's name.
const NAME: &str = "cancelable-timer";
/// How much of the wheel is moved under one lock: some tens of microseconds.
const STEPS: usize = 1024;
