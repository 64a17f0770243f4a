//! Who runs, and who is to stop: a registry lists operations, and cancels them by id and by filter.
//!
//! ```text
//! $ cargo run --example 06_registry
//! live
//!     1 import-users for blue, running
//!     2 import-orders for green, running
//!     3 export-users for green, running
//!     4 import-users for green, running
//! to be cancelled
//!     2 import-orders for green, running
//!     4 import-users for green, running
//! cancelled by filter
//!     2: Asked
//!     4: Asked
//! cancelled by id
//!     1: Asked
//!     4: AlreadyOver(Cancelled)
//!     5: Unknown
//! live
//!     3 export-users for green, running
//! history
//!     1 import-users for blue, cancelled: no longer wanted
//!     4 import-users for green, cancelled: green has moved out
//!     2 import-orders for green, cancelled: green has moved out
//! 4 started, 1 is live, 3 were cancelled
//! ```
//!
//! Look for the answers to each cancel. To ask an operation to stop does not mean that it has stopped: that is told by an
//! event. And what is over, or was never there, is an answer and no error.
#![expect(clippy::print_stdout, reason = "an example is there to be watched")]

use std::error::Error;
use std::future::pending;

use cancelable::{Cancelable, Filter, Heard, OperationContext, Registry, Subscription, What};
use tokio::spawn;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let registry = Registry::global();
    let mut events = registry.subscribe(64);
    start("1", "import-users", "blue");
    start("2", "import-orders", "green");
    start("3", "export-users", "green");
    start("4", "import-users", "green");
    hear(&mut events, 4, |what| matches!(what, What::Started { .. })).await;
    show("live", &registry.list(&Filter::new()));

    let imports_of_green = Filter::new().name("import-*")?.metadata("tenant", "green");
    show("to be cancelled", &registry.preview(&imports_of_green));

    println!("cancelled by filter");
    for reply in registry.cancel_all(&imports_of_green, "green has moved out") {
        println!("    {}: {:?}", reply.id, reply.outcome);
    }
    hear(&mut events, 2, |what| matches!(what, What::Ended { .. })).await;

    println!("cancelled by id");
    for id in ["1", "4", "5"] {
        println!("    {id}: {:?}", registry.cancel(id, "no longer wanted"));
    }
    hear(&mut events, 1, |what| matches!(what, What::Ended { .. })).await;

    show("live", &registry.list(&Filter::new()));
    show("history", &registry.history(&Filter::new()));
    let all = registry.statistics();
    let (started, live, cancelled) = (all.started, all.active.total(), all.ended.cancelled);
    println!("{started} started, {live} is live, {cancelled} were cancelled");
    Ok(())
}

/// Has an operation run, in a task of its own, for as long as nobody cancels it.
fn start(id: &str, name: &str, tenant: &str) {
    let plan = Cancelable::new()
        .id(id)
        .name(name)
        .metadata("tenant", tenant)
        .registered();
    spawn(plan.run(|_| pending::<()>()));
}

/// Waits for so many of these events.
async fn hear(events: &mut Subscription, mut times: usize, is_one: impl Fn(&What) -> bool) {
    while times > 0
        && let Some(heard) = events.next().await
    {
        if let Heard::Event(event) = heard
            && is_one(&event.what)
        {
            times -= 1;
        }
    }
}

fn show(title: &str, operations: &[OperationContext]) {
    println!("{title}");
    for operation in operations {
        let (id, status) = (&operation.id, operation.status);
        let name = operation.name.as_deref().unwrap_or_default();
        let tenant = operation.metadata["tenant"].as_str().unwrap_or_default();
        print!("    {id} {name} for {tenant}, {status}");
        match &operation.cancellation {
            Some(why) => println!(": {why}"),
            None => println!(),
        }
    }
}
