//! Random lives of operations against a model that is a plain list.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use cancelable_core::{
    Filter, OperationContext, OperationStatus, Outcome, Page, Registered, Registry,
};
use proptest::collection::vec;
use proptest::prelude::*;

use super::registry_support::{Fake, ids};

use OperationStatus::{Cancelled, Cancelling, Completed, Failed, Running};

#[derive(Clone, Debug)]
enum Step {
    Register {
        id: u8,
        name: Option<u8>,
        parent: Option<u8>,
        age: u8,
        tag: u8,
    },
    Ask {
        which: usize,
    },
    End {
        which: usize,
        status: OperationStatus,
    },
    Leave {
        which: usize,
    },
    Limit(usize),
    Look {
        filter: Choice,
        page: usize,
    },
}

/// What a filter is made of.
#[derive(Clone, Debug)]
struct Choice {
    status: Option<OperationStatus>,
    name: Option<u8>,
    parent: Option<u8>,
    tag: Option<u8>,
    ages: Option<(u8, u8)>,
    even: bool,
}

impl Choice {
    fn filter(&self) -> Filter {
        let mut filter = Filter::new();
        if let Some(status) = self.status {
            filter = filter.status(status);
        }
        if let Some(name) = self.name {
            filter = filter.name(&format!("name-{name}*")).unwrap();
        }
        if let Some(parent) = self.parent {
            filter = filter.parent(format!("op-{parent}"));
        }
        if let Some(tag) = self.tag {
            filter = filter.metadata("tag", tag);
        }
        if let Some((least, most)) = self.ages {
            filter = filter.min_age(seconds(least)).max_age(seconds(most));
        }
        if self.even {
            filter = filter.matching(|context| context.attempt % 2 == 0);
        }
        filter
    }

    /// The same, said another way.
    fn means(&self, context: &OperationContext) -> bool {
        let name = context.name.as_deref().unwrap_or_default();
        let wanted = |name| format!("name-{name}");
        self.status.is_none_or(|status| context.status == status)
            && self.name.is_none_or(|it| name.starts_with(&wanted(it)))
            && self
                .parent
                .is_none_or(|it| context.parent_id == Some(format!("op-{it}")))
            && self.tag.is_none_or(|it| context.metadata["tag"] == it)
            && self.ages.is_none_or(|(least, most)| {
                (seconds(least)..=seconds(most)).contains(&context.duration)
            })
            && !(self.even && context.attempt % 2 == 1)
    }
}

fn seconds(number: u8) -> Duration {
    Duration::from_secs(number.into())
}

/// What there is to know, in the order in which it came about.
#[derive(Default)]
struct Model {
    live: Vec<(Arc<Fake>, Arc<Registered>)>,
    ended: Vec<OperationContext>,
    limit: usize,
    started: u64,
    counts: BTreeMap<&'static str, u64>,
}

impl Model {
    fn live(&self, choice: &Choice) -> Vec<OperationContext> {
        let live = self.live.iter().map(|(work, _)| context(work));
        live.filter(|context| choice.means(context)).collect()
    }

    fn history(&self, choice: &Choice) -> Vec<OperationContext> {
        let newest = self.ended.iter().rev();
        newest
            .filter(|context| choice.means(context))
            .cloned()
            .collect()
    }

    fn end(&mut self, which: usize) -> Option<(Arc<Fake>, Arc<Registered>)> {
        (!self.live.is_empty()).then(|| self.live.remove(which % self.live.len()))
    }

    fn keep(&mut self) {
        let surplus = self.ended.len().saturating_sub(self.limit);
        self.ended.drain(..surplus);
    }
}

fn context(work: &Fake) -> OperationContext {
    cancelable_core::LiveOperation::context(work)
}

/// What tells contexts apart here.
fn facts(contexts: &[OperationContext]) -> Vec<(&str, u32, OperationStatus)> {
    let facts = contexts.iter().map(|it| (&*it.id, it.attempt, it.status));
    facts.collect()
}

fn all_pages(
    mut ask: impl FnMut(Option<cancelable_core::Cursor>) -> Page,
) -> Vec<OperationContext> {
    let mut all = Vec::new();
    let mut next = None;
    loop {
        let page = ask(next);
        all.extend(page.operations);
        next = page.next;
        if next.is_none() {
            return all;
        }
    }
}

fn play(steps: Vec<Step>) {
    let registry = Registry::with_history(5);
    let mut model = Model {
        limit: 5,
        ..Model::default()
    };
    for step in steps {
        match step {
            Step::Register {
                id,
                name,
                parent,
                age,
                tag,
            } => {
                let attempt = u32::try_from(model.started).unwrap() + 1;
                let id = format!("op-{id}");
                let is_taken = model.live.iter().any(|(work, _)| context(work).id == id);
                let work = Fake::with(&id, |context| {
                    context.attempt = attempt;
                    context.name = name.map(|name| format!("name-{name}-{attempt}"));
                    context.parent_id = parent.map(|parent| format!("op-{parent}"));
                    context.duration = seconds(age);
                    context.metadata.insert("tag".to_owned(), tag.into());
                });
                if is_taken {
                    assert_eq!(registry.register(&work).unwrap_err().id(), id);
                } else {
                    let entry = work.register(&registry);
                    model.live.push((work, entry));
                    model.started += 1;
                }
            }
            Step::Ask { which } if !model.live.is_empty() => {
                let (work, _) = &model.live[which % model.live.len()];
                let known = context(work);
                let outcome = registry.cancel(&known.id, "enough");
                match known.status {
                    Cancelling => assert_eq!(outcome, Outcome::AlreadyAsked),
                    _ => assert_eq!(outcome, Outcome::Asked),
                }
            }
            Step::End { which, status } => {
                if let Some((work, entry)) = model.end(which) {
                    let end = work.end(status);
                    model.ended.push(end.clone());
                    model.keep();
                    *model.counts.entry(status.as_str()).or_default() += 1;
                    assert!(entry.ended(end));
                }
            }
            Step::Leave { which } => {
                if model.end(which).is_some() {
                    *model.counts.entry("untold").or_default() += 1;
                }
            }
            Step::Limit(limit) => {
                registry.set_history_limit(limit);
                model.limit = limit;
                model.keep();
            }
            Step::Look { filter, page } => look(&registry, &model, &filter, page),
            Step::Ask { .. } => {}
        }
    }
    let all = Choice {
        status: None,
        name: None,
        parent: None,
        tag: None,
        ages: None,
        even: false,
    };
    look(&registry, &model, &all, 2);
}

fn look(registry: &Registry, model: &Model, choice: &Choice, page: usize) {
    let filter = choice.filter();
    let live = model.live(choice);
    assert_eq!(facts(&registry.list(&filter)), facts(&live));
    assert_eq!(registry.count(&filter), live.len() as u64);
    let pages = all_pages(|after| registry.page(&filter, after, page));
    assert_eq!(facts(&pages), facts(&live));

    let ended = model.history(choice);
    assert_eq!(facts(&registry.history(&filter)), facts(&ended));
    let pages = all_pages(|after| registry.history_page(&filter, after, page));
    assert_eq!(facts(&pages), facts(&ended));

    for number in 0..IDS {
        let id = format!("op-{number}");
        let live = model.live.iter().map(|(work, _)| context(work));
        let ended = model.ended.iter().rev().cloned();
        let known = live.chain(ended).find(|context| context.id == id);
        let found = registry.get(&id);
        assert_eq!(facts(found.as_slice()), facts(known.as_slice()), "{id}");

        let children = registry.children(&id);
        let by_parent = |context: &OperationContext| context.parent_id.as_ref() == Some(&id);
        let expected: Vec<_> = model.live.iter().map(|(work, _)| context(work)).collect();
        let expected: Vec<_> = expected.into_iter().filter(by_parent).collect();
        assert_eq!(ids(&children), ids(&expected));
    }
    let figures = registry.statistics();
    assert_eq!(figures.started, model.started);
    assert_eq!(figures.active.total(), model.live.len() as u64);
    assert_eq!(figures.history, model.ended.len() as u64);
    let count = |name| model.counts.get(name).copied().unwrap_or_default();
    let ended = figures.ended;
    assert_eq!(ended.completed, count("completed"));
    assert_eq!(ended.cancelled, count("cancelled"));
    assert_eq!(ended.failed, count("failed"));
    assert_eq!(ended.untold, count("untold"));
    assert_eq!(figures.durations.count, ended.total() - ended.untold);
}

const IDS: u8 = 12;

fn id() -> impl Strategy<Value = u8> {
    0..IDS
}

fn step() -> impl Strategy<Value = Step> {
    let named = proptest::option::of(0_u8..3);
    let inside = proptest::option::of(id());
    let status = prop_oneof![Just(Completed), Just(Cancelled), Just(Failed)];
    let any_status = prop_oneof![
        Just(Running),
        Just(Cancelling),
        Just(Completed),
        Just(Failed)
    ];
    let some = |strategy: BoxedStrategy<u8>| proptest::option::weighted(0.2, strategy);
    let choice = (
        proptest::option::weighted(0.2, any_status),
        some((0_u8..3).boxed()),
        some(id().boxed()),
        some((0_u8..2).boxed()),
        proptest::option::weighted(0.2, (0_u8..5, 0_u8..9)),
        proptest::bool::weighted(0.2),
    );
    let choice = choice.prop_map(|(status, name, parent, tag, ages, even)| Choice {
        status,
        name,
        parent,
        tag,
        ages,
        even,
    });
    prop_oneof![
        6 => (id(), named, inside, 0_u8..9, 0_u8..2).prop_map(|(id, name, parent, age, tag)| {
            Step::Register { id, name, parent, age, tag }
        }),
        2 => any::<usize>().prop_map(|which| Step::Ask { which }),
        4 => (any::<usize>(), status).prop_map(|(which, status)| Step::End { which, status }),
        1 => any::<usize>().prop_map(|which| Step::Leave { which }),
        1 => (0_usize..8).prop_map(Step::Limit),
        3 => (choice, 0_usize..5).prop_map(|(filter, page)| Step::Look { filter, page }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(200) })]

    #[test]
    fn law_r2_r3_r4_random_lives_are_what_the_model_says(steps in vec(step(), 1..60)) {
        play(steps);
    }
}
