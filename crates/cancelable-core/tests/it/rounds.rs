//! Threads that do their parts of a round at one moment.

use std::sync::{Arc, Barrier, Mutex, mpsc};
use std::thread;

use super::support::by_profile;

/// Many, and small; together some seconds.
pub(crate) const ROUNDS: usize = by_profile(20_000, 3_000);

/// For each round: makes what is shared, then has every one of `parts` do its part on a thread of its own, all at once.
/// What the parts return is given to `judge`.
pub(crate) fn rounds<S: Send + Sync + 'static, R: Send + 'static>(
    rounds: usize,
    mut make: impl FnMut(usize) -> S,
    parts: &[fn(&S, usize) -> R],
    mut judge: impl FnMut(S, Vec<R>),
) {
    let stage: Arc<Mutex<Option<Arc<S>>>> = Arc::default();
    let barrier = Arc::new(Barrier::new(parts.len() + 1));
    let (tell, told) = mpsc::channel();
    let actors: Vec<_> = parts
        .iter()
        .enumerate()
        .map(|(number, &part)| {
            let (stage, barrier, tell) = (Arc::clone(&stage), Arc::clone(&barrier), tell.clone());
            thread::spawn(move || {
                loop {
                    barrier.wait();
                    let Some(shared) = stage.lock().unwrap().clone() else {
                        return;
                    };
                    barrier.wait();
                    let result = part(&shared, number);
                    drop(shared);
                    tell.send((number, result)).unwrap();
                }
            })
        })
        .collect();
    for round in 0..rounds {
        *stage.lock().unwrap() = Some(Arc::new(make(round)));
        barrier.wait();
        barrier.wait();
        let mut results: Vec<_> = parts.iter().map(|_| told.recv().unwrap()).collect();
        results.sort_by_key(|&(number, _)| number);
        let shared = stage.lock().unwrap().take().expect("put there above");
        let shared = Arc::into_inner(shared).expect("the parts are done");
        judge(
            shared,
            results.into_iter().map(|(_, result)| result).collect(),
        );
    }
    barrier.wait();
    for actor in actors {
        actor.join().unwrap();
    }
}
