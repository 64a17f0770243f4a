//! A storm of requests whose clients vanish at random moments, and what became of their operations.
//!
//! `cargo run --release -p cancelable-http --example vanishing -- [--requests N] [--seed N] [--busy]`; with `--busy` a thread for each core
//! does nothing but compute meanwhile. It panics where an operation did not end just once, or anything is left behind.

#[path = "../tests/it/server/storm/vanishing.rs"]
#[expect(
    clippy::unwrap_used,
    reason = "what is a test elsewhere panics where it fails"
)]
mod vanishing;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Instant;

use vanishing::Storm;

fn main() {
    let mut storm = Storm {
        requests: 10_000,
        seed: 1,
        is_alone: true,
    };
    let mut is_busy = false;
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut number = || {
            let number = words.next().and_then(|word| word.parse().ok());
            number.unwrap_or_else(|| panic!("{word} takes a number"))
        };
        match &*word {
            "--requests" => storm.requests = number(),
            "--seed" => storm.seed = number(),
            "--busy" => is_busy = true,
            _ => panic!("no such option: {word}; there are --requests N, --seed N and --busy"),
        }
    }
    let is_over = Arc::new(AtomicBool::new(false));
    let cores = thread::available_parallelism().map_or(2, usize::from);
    let load: Vec<_> = (0..cores)
        .filter(|_| is_busy)
        .map(|_| thread::spawn(compute_until(Arc::clone(&is_over))))
        .collect();
    let threads = count("/proc/self/task");
    let start = Instant::now();
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let figures = runtime.block_on(async {
        tokio::spawn(storm.run())
            .await
            .expect("all is as it is to be")
    });
    drop(runtime);
    assert_eq!(count("/proc/self/task"), threads, "no thread is left");
    let [completed, cancelled, failed] = figures.ended;
    print_line(&format!(
        "{} operations, each ended once: {completed} completed, {cancelled} cancelled, {failed} failed; {} whole responses; \
         nothing is left; {:.1} s",
        figures.begun,
        figures.answered,
        start.elapsed().as_secs_f64()
    ));
    is_over.store(true, Ordering::Relaxed);
    for thread in load {
        thread.join().expect("it computes");
    }
}

fn compute_until(is_over: Arc<AtomicBool>) -> impl FnOnce() {
    move || {
        while !is_over.load(Ordering::Relaxed) {
            std::hint::spin_loop();
        }
    }
}

fn count(directory: &str) -> usize {
    std::fs::read_dir(directory).map_or(0, Iterator::count)
}

#[expect(clippy::print_stdout, reason = "it is what this program is for")]
fn print_line(text: &str) {
    println!("{text}");
}
