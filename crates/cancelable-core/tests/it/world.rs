//! Real tokens beside the model's, and the comparison of the two.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use cancelable_core::{
    Cancellation, CancellationToken, CancelledOwned, Registration, WeakCancellationToken,
};

use super::model::{Model, Token};
use super::support::{poll_with, waker_fn};

#[derive(Default)]
pub(crate) struct World {
    pub(crate) model: Model,
    /// Handles, each with its token's number in the model.
    handles: Arc<Mutex<Vec<(usize, CancellationToken)>>>,
    pub(crate) weak: Vec<(usize, WeakCancellationToken)>,
    registrations: Vec<(usize, Registration)>,
    waits: Vec<Wait>,
    callbacks: Vec<Callback>,
    watch: Arc<Watch>,
}

/// What is looked at from inside wakers and callbacks.
#[derive(Default)]
struct Watch {
    /// Whom the model says that the cancel under way reaches.
    expected: Mutex<BTreeSet<usize>>,
    /// Tokens found not cancelled in there, against T3.
    unmarked: Mutex<Vec<usize>>,
    /// What the callbacks were called with.
    calls: Mutex<Vec<(usize, Cancellation)>>,
}

struct Wait {
    token: usize,
    future: CancelledOwned,
    wakes: Arc<AtomicUsize>,
}

struct Callback {
    token: usize,
    /// Shared with what the callback captured.
    captured: Arc<()>,
    is_pending: bool,
    /// Whether its registration holds the token: one that was late does not.
    holds: bool,
}

impl World {
    /// A handle by number, to be given back to [`let_go`](Self::let_go).
    pub(crate) fn handle(&self, at: usize) -> Option<(usize, CancellationToken)> {
        let handles = self.handles.lock().unwrap();
        let (token, handle) = handles.get(at % handles.len().max(1))?;
        Some((*token, handle.clone()))
    }

    #[expect(clippy::unused_self, reason = "says that a handle of this world goes")]
    pub(crate) fn let_go(&self, handle: CancellationToken) {
        drop(handle);
    }

    pub(crate) fn adopt(&mut self, handle: CancellationToken, token: Token) {
        let token = self.model.add(token);
        self.handles.lock().unwrap().push((token, handle));
    }

    pub(crate) fn hold(&mut self, token: usize, handle: CancellationToken) {
        self.model.tokens[token].holders += 1;
        self.handles.lock().unwrap().push((token, handle));
    }

    pub(crate) fn drop_handle(&mut self, at: usize) {
        let gone = take(&mut self.handles.lock().unwrap(), at);
        if let Some((token, handle)) = gone {
            self.model.tokens[token].holders -= 1;
            drop(handle);
        }
    }

    pub(crate) fn on_cancel(&mut self, at: usize, is_detached: bool) {
        let Some((token, handle)) = self.handle(at) else {
            return;
        };
        let number = self.callbacks.len();
        let captured = Arc::new(());
        let registration = handle.on_cancel({
            let (captured, look, watch) =
                (Arc::clone(&captured), self.look(), Arc::clone(&self.watch));
            move |why| {
                look();
                watch.calls.lock().unwrap().push((number, why.clone()));
                drop(captured);
            }
        });
        let is_pending = !self.model.tokens[token].is_cancelled;
        if !is_pending {
            let call = self.watch.calls.lock().unwrap().pop();
            assert_eq!(call, handle.cancellation().map(|why| (number, why)));
        }
        let holds = is_pending && !is_detached;
        self.model.tokens[token].holders += usize::from(holds);
        self.callbacks.push(Callback {
            token,
            captured,
            is_pending,
            holds,
        });
        if is_detached {
            registration.detach();
        } else {
            self.registrations.push((number, registration));
        }
    }

    pub(crate) fn deregister(&mut self, at: usize) {
        if let Some((callback, registration)) = take(&mut self.registrations, at) {
            let is_in_time = registration.deregister();
            assert_eq!(is_in_time, self.taken_back(callback));
        }
    }

    pub(crate) fn drop_registration(&mut self, at: usize) {
        if let Some((callback, registration)) = take(&mut self.registrations, at) {
            drop(registration);
            self.taken_back(callback);
        }
    }

    fn taken_back(&mut self, callback: usize) -> bool {
        let callback = &mut self.callbacks[callback];
        self.model.tokens[callback.token].holders -= usize::from(callback.holds);
        std::mem::take(&mut callback.is_pending)
    }

    pub(crate) fn wait(&mut self, at: usize) {
        let Some((token, handle)) = self.handle(at) else {
            return;
        };
        self.model.tokens[token].holders += 1;
        let wakes = Arc::new(AtomicUsize::new(0));
        let waker = waker_fn({
            let (look, wakes) = (self.look(), Arc::clone(&wakes));
            move || {
                look();
                wakes.fetch_add(1, Ordering::SeqCst);
            }
        });
        let mut future = handle.cancelled_owned();
        let is_ready = poll_with(&mut future, &waker).is_ready();
        assert_eq!(is_ready, self.model.tokens[token].is_cancelled);
        // One that need not be woken counts as woken.
        wakes.fetch_add(usize::from(is_ready), Ordering::SeqCst);
        self.waits.push(Wait {
            token,
            future,
            wakes,
        });
    }

    pub(crate) fn drop_wait(&mut self, at: usize) {
        if let Some(wait) = take(&mut self.waits, at) {
            drop(wait.future);
            self.model.tokens[wait.token].holders -= 1;
        }
    }

    /// Cancels in both worlds: `token`, for `why` unless it is cancelled already, and here by calling `real`.
    pub(crate) fn cancel(&mut self, token: usize, why: &Cancellation, real: impl FnOnce()) {
        let reached = self.model.cancel(token);
        self.watch.expected.lock().unwrap().clone_from(&reached);
        real();
        self.watch.expected.lock().unwrap().clear();
        self.check_reasons(token, &reached, why);
        let mut called: Vec<_> = std::mem::take(&mut *self.watch.calls.lock().unwrap());
        for (number, callback) in self.callbacks.iter_mut().enumerate() {
            if !callback.is_pending || !reached.contains(&callback.token) {
                continue;
            }
            callback.is_pending = false;
            let at = called.iter().position(|(called, _)| *called == number);
            let (_, why) = called.remove(at.expect("called"));
            if let Some(handle) = find(&self.handles.lock().unwrap(), callback.token) {
                assert_eq!(Some(why), handle.cancellation());
            }
        }
        assert!(
            called.is_empty(),
            "called once, and nobody else: {called:?}"
        );
    }

    fn check_reasons(&self, asked: usize, reached: &BTreeSet<usize>, why: &Cancellation) {
        let handles = self.handles.lock().unwrap();
        let known = |token| Some(depth(&find(&handles, token)?.cancellation()?, why));
        let possible = self.model.depths(asked, reached, known);
        for &token in reached {
            if let Some(depth) = known(token) {
                assert!(
                    possible[token].contains(&depth),
                    "{token} is {depth} below {asked}: {possible:?}"
                );
            }
        }
    }

    /// Everything that can be seen is as the model has it.
    pub(crate) fn compare(&self) {
        let unmarked = self.watch.unmarked.lock().unwrap();
        assert!(unmarked.is_empty(), "not marked: {unmarked:?}");
        for (token, handle) in &*self.handles.lock().unwrap() {
            let is_cancelled = self.model.tokens[*token].is_cancelled;
            assert_eq!(handle.is_cancelled(), is_cancelled, "token {token}");
            assert_eq!(handle.check().is_err(), is_cancelled, "token {token}");
        }
        for (token, weak) in &self.weak {
            assert_eq!(weak.upgrade().is_some(), self.model.is_alive(*token));
        }
        for wait in &self.waits {
            let wakes = usize::from(self.model.tokens[wait.token].is_cancelled);
            assert_eq!(wait.wakes.load(Ordering::SeqCst), wakes);
        }
        for callback in &self.callbacks {
            let is_kept = callback.is_pending && self.model.is_alive(callback.token);
            assert_eq!(
                Arc::strong_count(&callback.captured),
                1 + usize::from(is_kept)
            );
        }
    }

    /// What wakers and callbacks do first: look whether all that the cancel reaches is cancelled (T3).
    fn look(&self) -> impl Fn() + Send + Sync + 'static {
        let (handles, watch) = (Arc::downgrade(&self.handles), Arc::clone(&self.watch));
        move || {
            let Some(handles) = handles.upgrade() else {
                return;
            };
            for &token in &*watch.expected.lock().unwrap() {
                let handles = handles.lock().unwrap();
                if find(&handles, token).is_some_and(|handle| !handle.is_cancelled()) {
                    watch.unmarked.lock().unwrap().push(token);
                }
            }
        }
    }
}

/// How many generations `shown` is below `why`, each but the last of which must be a parent.
fn depth(shown: &Cancellation, why: &Cancellation) -> usize {
    let mut shown = shown.clone();
    let mut depth = 0;
    while shown != *why {
        assert_eq!(shown.reason(), cancelable_core::Reason::Parent);
        shown = shown.cause().expect("the chain leads to what was asked");
        depth += 1;
    }
    assert_eq!(
        (shown.reason(), shown.message()),
        (why.reason(), why.message())
    );
    depth
}

fn find(handles: &[(usize, CancellationToken)], token: usize) -> Option<&CancellationToken> {
    handles
        .iter()
        .find_map(|(number, handle)| (*number == token).then_some(handle))
}

fn take<T>(items: &mut Vec<T>, at: usize) -> Option<T> {
    (!items.is_empty()).then(|| items.swap_remove(at % items.len()))
}
