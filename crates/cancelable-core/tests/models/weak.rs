//! Weak handles: what comes back from one is the token itself, in its place, or nothing.

use cancelable_core::CancellationToken;

use super::{explore, generations, message, start};

#[test]
fn law_t3_a_weak_handle_brings_back_an_ancestor_while_its_last_handle_goes() {
    explore(|| {
        let root = CancellationToken::new();
        let middle = root.child_token();
        let leaf = middle.child_token();
        let weak = middle.downgrade();
        let other = start(move || drop(middle));
        let back = weak.upgrade().expect("its child holds it");
        other.join().unwrap();
        back.cancel_with("back");
        assert_eq!(message(leaf.cancellation()), "back");
        assert!(!root.is_cancelled());
    });
}

#[test]
fn law_t3_a_weak_handle_brings_back_an_ancestor_while_its_root_is_cancelled() {
    explore(|| {
        let root = CancellationToken::new();
        let middle = root.child_token();
        let leaf = middle.child_token();
        let weak = middle.downgrade();
        let second = start(move || drop(middle));
        let third = start(move || weak.upgrade());
        root.cancel();
        assert!(leaf.is_cancelled());
        second.join().unwrap();
        assert!(third.join().unwrap().unwrap().is_cancelled());
    });
}

#[test]
fn law_t3_a_weak_handle_and_the_last_handle() {
    explore(|| {
        let root = CancellationToken::new();
        let child = root.child_token();
        let weak = child.downgrade();
        let other = start(move || drop(child));
        let back = weak.upgrade();
        root.cancel();
        assert!(back.is_none_or(|back| back.is_cancelled()));
        other.join().unwrap();
        assert!(weak.upgrade().is_none());
    });
}

#[test]
fn law_t3_a_weak_handle_goes_after_it_brought_back_an_ancestor() {
    explore(|| {
        let root = CancellationToken::new();
        let middle = root.child_token();
        let leaf = middle.child_token();
        let weak = middle.downgrade();
        let other = start(move || drop(middle));
        let back = weak.upgrade().expect("its child holds it");
        drop(weak);
        other.join().unwrap();
        back.cancel_with("back");
        assert_eq!(message(leaf.cancellation()), "back");
    });
}

#[test]
fn law_t6_an_ancestor_goes_with_its_last_weak_handle() {
    explore(|| {
        let root = CancellationToken::new();
        let middle = root.child_token();
        let leaf = middle.child_token();
        let weak = middle.downgrade();
        let other = start({
            let weak = weak.clone();
            move || drop(weak)
        });
        drop(middle);
        drop(weak);
        other.join().unwrap();
        let below = leaf.child_token();
        root.cancel();
        assert_eq!(generations(&below), 2);
    });
}
