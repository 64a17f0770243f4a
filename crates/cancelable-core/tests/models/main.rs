//! Placeholder for the models of the core's concurrency.
#![cfg(cancelable_loom)]

#[test]
fn a_store_is_seen_after_a_join() {
    loom::model(|| {
        let flag = loom::sync::Arc::new(loom::sync::atomic::AtomicBool::new(false));
        let setter = loom::sync::Arc::clone(&flag);
        let thread = loom::thread::spawn(move || {
            setter.store(true, loom::sync::atomic::Ordering::Release);
        });
        thread.join().expect("the thread does not panic");
        assert!(flag.load(loom::sync::atomic::Ordering::Acquire));
    });
}
