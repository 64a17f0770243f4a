//! Random trees with links, all-of tokens, waits and callbacks, step by step beside a naive model (T1, T3, T4, T5, T8).

use cancelable_core::{Cancellation, CancellationToken, Reason};
use proptest::prelude::*;

use super::model::Token;
use super::world::World;

/// What can be done; numbers choose among what is there.
#[derive(Clone, Debug)]
enum Op {
    Root,
    Child(usize),
    Clone(usize),
    Drop(usize),
    Link(usize, usize),
    Linked(Vec<usize>),
    AllOf(Vec<usize>),
    OnCancel(usize, bool),
    Deregister(usize),
    DropRegistration(usize),
    Wait(usize),
    DropWait(usize),
    Weak(usize),
    DropWeak(usize),
    Cancel(usize, u8),
}

fn op() -> impl Strategy<Value = Op> {
    let n = || 0..1000_usize;
    prop_oneof![
        1 => Just(Op::Root),
        8 => n().prop_map(Op::Child),
        1 => n().prop_map(Op::Clone),
        6 => n().prop_map(Op::Drop),
        3 => (n(), n()).prop_map(|(token, other)| Op::Link(token, other)),
        1 => prop::collection::vec(n(), 0..4).prop_map(Op::Linked),
        2 => prop::collection::vec(n(), 0..4).prop_map(Op::AllOf),
        3 => (n(), any::<bool>()).prop_map(|(token, is_detached)| Op::OnCancel(token, is_detached)),
        1 => n().prop_map(Op::Deregister),
        1 => n().prop_map(Op::DropRegistration),
        2 => n().prop_map(Op::Wait),
        1 => n().prop_map(Op::DropWait),
        1 => n().prop_map(Op::Weak),
        1 => n().prop_map(Op::DropWeak),
        1 => (n(), any::<u8>()).prop_map(|(token, why)| Op::Cancel(token, why)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 400,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn law_t1_t3_t4_t5_t8_trees_do_what_the_model_does(
        ops in prop::collection::vec(op(), 1..80),
    ) {
        let mut world = World::default();
        for op in ops {
            step(&mut world, op);
            world.compare();
        }
    }
}

fn step(world: &mut World, op: Op) {
    match op {
        Op::Root => world.adopt(CancellationToken::new(), Token::default()),
        Op::Child(at) => child(world, at),
        Op::Clone(at) => {
            if let Some((token, handle)) = world.handle(at) {
                world.hold(token, handle);
            }
        }
        Op::Drop(at) => world.drop_handle(at),
        Op::Link(at, other) => link(world, at, other),
        Op::Linked(ats) => linked(world, &ats),
        Op::AllOf(ats) => all_of(world, &ats),
        Op::OnCancel(at, is_detached) => world.on_cancel(at, is_detached),
        Op::Deregister(at) => world.deregister(at),
        Op::DropRegistration(at) => world.drop_registration(at),
        Op::Wait(at) => world.wait(at),
        Op::DropWait(at) => world.drop_wait(at),
        Op::Weak(at) => {
            if let Some((token, handle)) = world.handle(at) {
                world.weak.push((token, handle.downgrade()));
                world.let_go(handle);
            }
        }
        Op::DropWeak(at) => {
            if !world.weak.is_empty() {
                let at = at % world.weak.len();
                world.weak.swap_remove(at);
            }
        }
        Op::Cancel(at, why) => cancel(world, at, why),
    }
}

fn child(world: &mut World, at: usize) {
    let Some((parent, handle)) = world.handle(at) else {
        return;
    };
    let child = handle.child_token();
    let is_cancelled = world.model.tokens[parent].is_cancelled;
    assert_eq!(child.is_cancelled(), is_cancelled);
    if let Some(why) = child.cancellation() {
        assert_eq!(why.reason(), Reason::Parent);
        assert_eq!(why.cause(), handle.cancellation());
    }
    let token = Token {
        parent: (!is_cancelled).then_some(parent),
        hangs_at: is_cancelled.then(|| world.model.tokens[parent].hangs_at.unwrap_or(parent)),
        is_cancelled,
        ..Token::default()
    };
    world.let_go(handle);
    world.adopt(child, token);
}

fn link(world: &mut World, at: usize, other: usize) {
    let (Some((token, this)), Some((other, that))) = (world.handle(at), world.handle(other)) else {
        return;
    };
    if token == other || world.model.tokens[token].is_cancelled {
        this.link(&that);
    } else if let Some(why) = that.cancellation() {
        world.cancel(token, &why, || this.link(&that));
    } else {
        world.model.tokens[token].links.insert(other);
        this.link(&that);
    }
    world.let_go(this);
    world.let_go(that);
}

fn linked(world: &mut World, ats: &[usize]) {
    let given: Vec<_> = ats.iter().filter_map(|&at| world.handle(at)).collect();
    let linked = CancellationToken::linked(given.iter().map(|(_, handle)| handle));
    let first = given.iter().find_map(|(_, handle)| handle.cancellation());
    assert_eq!(linked.cancellation(), first);
    let token = Token {
        links: given.iter().map(|(token, _)| *token).collect(),
        is_cancelled: first.is_some(),
        ..Token::default()
    };
    world.adopt(linked, token);
    for (_, handle) in given {
        world.let_go(handle);
    }
}

fn all_of(world: &mut World, ats: &[usize]) {
    let given: Vec<_> = ats.iter().filter_map(|&at| world.handle(at)).collect();
    let all = CancellationToken::all_of(given.iter().map(|(_, handle)| handle));
    let whys: Vec<_> = given
        .iter()
        .filter_map(|(_, handle)| handle.cancellation())
        .collect();
    let is_cancelled = !given.is_empty() && whys.len() == given.len();
    assert_eq!(all.is_cancelled(), is_cancelled);
    if let Some(why) = all.cancellation() {
        let fired = |token: usize| world.model.tokens[token].fired;
        let last = given.iter().map(|(token, _)| fired(*token)).max();
        let mut the_last = given
            .iter()
            .filter(|(token, _)| Some(fired(*token)) == last);
        assert!(the_last.any(|(_, handle)| handle.cancellation() == Some(why.clone())));
    }
    let token = Token {
        members: given.iter().map(|(token, _)| *token).collect(),
        is_cancelled,
        ..Token::default()
    };
    world.adopt(all, token);
    for (_, handle) in given {
        world.let_go(handle);
    }
}

fn cancel(world: &mut World, at: usize, why: u8) {
    let Some((token, handle)) = world.handle(at) else {
        return;
    };
    let is_first = !world.model.tokens[token].is_cancelled;
    let why = match why % 3 {
        0 => Cancellation::new(Reason::Shutdown),
        1 => Cancellation::manual(format!("message {why}")),
        _ => Cancellation::new(Reason::Error).with_cause(Cancellation::manual("deeper")),
    };
    world.cancel(token, &why, || {
        assert_eq!(handle.cancel_with(why.clone()), is_first);
    });
    world.let_go(handle);
}
