//! Links to and from the tokens of tokio-util.

use std::sync::mpsc;
use std::thread;

use cancelable::{Cancelable, CancellationToken, Reason, TokioUtilTokens};
use tokio_util::sync::CancellationToken as TheirToken;

fn both() -> (CancellationToken, TheirToken) {
    (CancellationToken::new(), TheirToken::new())
}

#[test]
fn law_t4_a_link_leads_one_way() {
    let (ours, theirs) = both();
    let _follow = ours.follow_tokio_util(&theirs);
    ours.cancel();
    assert!(!theirs.is_cancelled());

    let (ours, theirs) = both();
    let _follow = ours.follow_tokio_util(&theirs);
    let child = ours.child_token();
    theirs.cancel();
    let why = ours.cancellation().unwrap();
    assert_eq!(why.reason(), Reason::Manual);
    assert_eq!(why.message(), "a token of tokio-util was cancelled");
    assert_eq!(child.cancellation().unwrap().reason(), Reason::Parent);

    let (ours, theirs) = both();
    let _lead = ours.lead_tokio_util(&theirs);
    theirs.cancel();
    assert!(!ours.is_cancelled());

    let (ours, theirs) = both();
    let _lead = ours.lead_tokio_util(&theirs);
    let child = theirs.child_token();
    ours.cancel();
    assert!(theirs.is_cancelled() && child.is_cancelled());
}

#[test]
fn law_t4_a_circle_of_links_is_legal() {
    for ours_first in [true, false] {
        let (ours, theirs) = both();
        let _links = [
            ours.follow_tokio_util(&theirs),
            ours.lead_tokio_util(&theirs),
            ours.follow_tokio_util(&theirs),
            ours.lead_tokio_util(&theirs),
        ];
        if ours_first {
            ours.cancel_with("ours");
        } else {
            theirs.cancel();
        }
        assert!(theirs.is_cancelled());
        let why = ours.cancellation().unwrap();
        assert_eq!(why.message() == "ours", ours_first);
    }
}

#[test]
fn law_t5_what_is_cancelled_already_reaches_at_once() {
    let (ours, theirs) = both();
    theirs.cancel();
    let _follow = ours.follow_tokio_util(&theirs);
    assert!(ours.is_cancelled());

    let (ours, theirs) = both();
    ours.cancel();
    let _lead = ours.lead_tokio_util(&theirs);
    assert!(theirs.is_cancelled());
}

#[test]
fn law_t8_a_registration_that_is_dropped_undoes_the_link() {
    let (ours, theirs) = both();
    drop(ours.follow_tokio_util(&theirs));
    drop(ours.lead_tokio_util(&theirs));
    assert!(ours.lead_tokio_util(&theirs).deregister());
    theirs.cancel();
    assert!(!ours.is_cancelled());
    let (ours, theirs) = both();
    drop(ours.lead_tokio_util(&theirs));
    ours.cancel();
    assert!(!theirs.is_cancelled());

    let (ours, theirs) = both();
    ours.follow_tokio_util(&theirs).detach();
    theirs.cancel();
    assert!(ours.is_cancelled());
}

#[test]
fn law_t6_short_lived_links_leave_nothing_on_a_long_lived_token() {
    let (ours, theirs) = both();
    let short_lived = |times: u32| {
        for _ in 0..times {
            let (other_ours, other_theirs) = both();
            other_ours.follow_tokio_util(&theirs).detach();
            other_ours.lead_tokio_util(&theirs).detach();
            drop(ours.follow_tokio_util(&other_theirs));
            drop(ours.lead_tokio_util(&other_theirs));
        }
    };
    short_lived(8);
    let left = allocation_counter::measure(|| short_lived(10_000));
    assert_eq!((left.count_current, left.bytes_current), (0, 0));
    assert!(!theirs.is_cancelled());
}

#[test]
fn law_t8_a_callback_may_use_the_parent_whose_cancel_it_hears() {
    let parent = TheirToken::new();
    let ours = CancellationToken::new();
    let _follow = ours.follow_tokio_util(&parent.child_token());
    let (done, is_done) = mpsc::channel();
    let used = parent.clone();
    let callback = ours.on_cancel(move |_| {
        let child = used.child_token();
        used.cancel();
        drop(used);
        let here = thread::current().id();
        done.send((child.is_cancelled(), here)).expect("awaited");
    });
    callback.detach();
    // Whatever locks it holds as it wakes us, the callback runs beside.
    parent.cancel();
    assert!(ours.is_cancelled());
    let (is_cancelled, there) = is_done.recv().unwrap();
    assert!(is_cancelled);
    assert_ne!(there, thread::current().id());
}

#[tokio::test]
async fn law_s1_an_operation_hears_their_token_by_ours() {
    let (ours, theirs) = both();
    let _follow = ours.follow_tokio_util(&theirs);
    let canceller = theirs.clone();
    let outcome = Cancelable::new().token(&ours).run(async |op| {
        let led = TheirToken::new();
        let _lead = op.token().lead_tokio_util(&led);
        tokio::spawn(async move { canceller.cancel() });
        led.cancelled().await;
        std::future::pending::<()>().await;
    });
    let why = outcome.await.unwrap_err();
    assert_eq!(why.message(), "a token of tokio-util was cancelled");
}
