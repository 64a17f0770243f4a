//! Clients that vanish at random moments; the whole of it is a command, see `docs/reliability.md`.

mod vanishing;

use vanishing::Storm;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn law_w2_hammer_every_operation_of_clients_that_vanish_ends_once() {
    let storm = Storm {
        requests: 600,
        seed: 1,
        // Each test has a process of its own there.
        is_alone: std::env::var_os("NEXTEST").is_some(),
    };
    let figures = storm.run().await;
    // The moments are chance, and there are so many that each kind came about.
    let [completed, cancelled, failed] = figures.ended;
    assert!(
        completed > 0 && cancelled > 0 && figures.answered > 0,
        "{figures:?}"
    );
    assert!(
        figures.begun < 600,
        "some vanish before they have asked: {figures:?}"
    );
    assert_eq!(failed, 0, "{figures:?}");
}
