//! What is run, in which order, and what is left out: decided before anything runs, so that a skip that is not
//! permitted fails at once.

use crate::invocation::Invocation;
use crate::python;
use crate::setup::Setup;
use crate::skips::Skip;

/// The steps of a run, the cheap ones first.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    pub(crate) steps: Vec<Step>,
    pub(crate) skips: Vec<Skip>,
}

/// One check, by the name that the output calls it.
#[derive(Debug)]
pub(crate) struct Step {
    pub(crate) name: &'static str,
    pub(crate) action: Action,
}

#[derive(Debug)]
pub(crate) enum Action {
    Command(Invocation),
    CheckDocs,
    Python(python::Task),
}

impl Plan {
    pub(crate) fn new(setup: &Setup) -> Self {
        let mut plan = Self::default();
        plan.note_machine(setup);
        plan.command("fmt", Invocation::cargo("fmt --all --check"));
        plan.steps.push(Step {
            name: "docs",
            action: Action::CheckDocs,
        });
        plan.command("clippy", Invocation::cargo(CLIPPY));
        plan.command("features", Invocation::cargo(CLIPPY_WITHOUT_FEATURES));
        plan.command("tests", tests(setup));
        plan.command("doctests", Invocation::cargo(DOCTESTS));
        plan.command("rustdoc", rustdoc());
        python::plan(&mut plan, setup);
        plan.command("models", models(setup));
        if setup.quick {
            plan.skip("quick", "the core's tests were not run optimised");
            plan.skip("quick", "models were checked with one preemption only");
        } else {
            plan.command("optimised", optimised_tests(setup));
        }
        plan
    }

    /// What of the whole plan has to do with the Python package.
    pub(crate) fn of_python(setup: &Setup) -> Self {
        let mut plan = Self::default();
        python::plan(&mut plan, setup);
        plan
    }

    fn note_machine(&mut self, setup: &Setup) {
        if !setup.nextest {
            self.skip(
                "nextest",
                "not installed: ran cargo test instead, one test at a time and with no time limits",
            );
        }
        if let Some(other) = &setup.other_toolchain {
            self.skip(
                "other-toolchain",
                &format!(
                    "rust-version is {}, this is rustc {}: nothing was tested with the version named",
                    other.named, other.installed
                ),
            );
        }
    }

    pub(crate) fn command(&mut self, name: &'static str, invocation: Invocation) {
        let action = Action::Command(invocation);
        self.steps.push(Step { name, action });
    }

    pub(crate) fn task(&mut self, name: &'static str, task: python::Task) {
        let action = Action::Python(task);
        self.steps.push(Step { name, action });
    }

    pub(crate) fn skip(&mut self, name: &'static str, detail: &str) {
        let detail = detail.to_owned();
        self.skips.push(Skip { name, detail });
    }
}

fn tests(setup: &Setup) -> Invocation {
    if setup.nextest {
        nextest(setup, "--workspace --all-features")
    } else {
        // Not `--all-targets`, which would run the benchmarks.
        cargo_test("--workspace --all-features --lib --bins --tests --examples")
    }
}

fn rustdoc() -> Invocation {
    Invocation::cargo("doc --no-deps --workspace --all-features")
        .env("RUSTDOCFLAGS", "--deny warnings")
}

/// The model-checked tests, with a target folder of their own: they change a flag of every crate. No other step compiles what
/// only they have, so this one sees to it that there is nothing to warn of.
fn models(setup: &Setup) -> Invocation {
    let target = "--package cancelable-core --test models --target-dir target/loom";
    let preemptions = if setup.quick { "1" } else { "2" };
    with_profile(setup, "checked", target)
        .env("RUSTFLAGS", "--cfg cancelable_loom --deny warnings")
        .env("LOOM_MAX_PREEMPTIONS", preemptions)
}

/// The core's tests once more, as users' optimised builds run them: other timings, other stack frames, and the sizes that the
/// laws name. Not those of the crates for the web: hyper, tonic and reqwest would be built once more for them, which takes minutes.
fn optimised_tests(setup: &Setup) -> Invocation {
    with_profile(
        setup,
        "optimised",
        "--package cancelable-core --all-features",
    )
}

fn with_profile(setup: &Setup, profile: &str, args: &str) -> Invocation {
    if setup.nextest {
        nextest(setup, &format!("{args} --cargo-profile {profile}"))
    } else if args.contains("--test ") {
        cargo_test(&format!("{args} --profile {profile}"))
    } else {
        cargo_test(&format!("{args} --profile {profile} --lib --tests"))
    }
}

fn nextest(setup: &Setup, args: &str) -> Invocation {
    let profile = if setup.ci { " --profile ci" } else { "" };
    Invocation::cargo(&format!("nextest run{profile} {args}"))
}

/// Without nextest all tests of a crate share a process, and with it signals: so one at a time.
fn cargo_test(args: &str) -> Invocation {
    Invocation::cargo(&format!("test {args} -- --test-threads=1"))
}

const CLIPPY: &str = "clippy --workspace --all-targets --all-features -- --deny warnings";
/// Features only add, so each library also stands without any.
const CLIPPY_WITHOUT_FEATURES: &str = "clippy --package cancelable --package cancelable-http --lib --no-default-features -- --deny warnings";
const DOCTESTS: &str = "test --doc --workspace --all-features";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::python::interpreter::{Interpreter, VERSIONS, Version};
    use crate::setup::OtherToolchain;

    fn full() -> Setup {
        Setup {
            quick: false,
            ci: false,
            nextest: true,
            other_toolchain: None,
            pythons: VERSIONS.map(interpreter).to_vec(),
        }
    }

    fn interpreter(version: Version) -> Interpreter {
        Interpreter {
            version,
            program: format!("python{}", version.number),
            full: format!("{}.0", version.number),
        }
    }

    fn commands(setup: &Setup) -> Vec<String> {
        let shown = |step: Step| match step.action {
            Action::Command(invocation) => Some(invocation.to_string()),
            Action::CheckDocs | Action::Python(_) => None,
        };
        Plan::new(setup)
            .steps
            .into_iter()
            .filter_map(shown)
            .collect()
    }

    fn skip_names(setup: &Setup) -> Vec<&'static str> {
        let skips = Plan::new(setup).skips;
        skips.iter().map(|skip| skip.name).collect()
    }

    #[test]
    fn a_full_run_skips_nothing() {
        assert_eq!(skip_names(&full()), Vec::<&str>::new());
    }

    #[test]
    fn what_a_quick_run_leaves_out_is_said() {
        let quick = Setup {
            quick: true,
            ..full()
        };
        assert!(commands(&quick).len() < commands(&full()).len());
        assert_eq!(skip_names(&quick), ["quick"; 5]);
    }

    #[test]
    fn each_interpreter_runs_the_tests_and_one_that_is_missing_is_a_skip() {
        let [oldest, newest] = VERSIONS;
        let pytests = |setup: &Setup| {
            let names = Plan::new(setup).steps.into_iter().map(|step| step.name);
            let pytests: Vec<&str> = names.filter(|name| name.starts_with("pytest")).collect();
            pytests
        };
        assert_eq!(pytests(&full()), ["pytest-3.11", "pytest-3.13"]);

        let only = |version| Setup {
            pythons: vec![interpreter(version)],
            ..full()
        };
        assert_eq!(pytests(&only(oldest)), ["pytest-3.11"]);
        assert_eq!(skip_names(&only(oldest)), ["python-3.13"]);
        assert_eq!(skip_names(&only(newest)), ["python-3.11"]);

        let none = Setup {
            pythons: Vec::new(),
            ..full()
        };
        assert_eq!(pytests(&none), Vec::<&str>::new());
        assert_eq!(skip_names(&none), ["python"]);
    }

    #[test]
    fn without_nextest_no_step_names_it_and_no_benchmark_runs() {
        let bare = Setup {
            nextest: false,
            ..full()
        };
        assert_eq!(skip_names(&bare), ["nextest"]);
        for command in commands(&bare) {
            let runs_tests = command.contains("cargo test");
            assert!(!command.contains("nextest"), "{command}");
            assert!(
                !runs_tests || !command.contains("--all-targets"),
                "{command}"
            );
        }
    }

    #[test]
    fn another_toolchain_is_a_skip() {
        let other = Setup {
            other_toolchain: Some(OtherToolchain {
                named: "1.95".to_owned(),
                installed: "1.96".to_owned(),
            }),
            ..full()
        };
        assert_eq!(skip_names(&other), ["other-toolchain"]);
    }

    #[test]
    fn ci_uses_the_profile_that_runs_every_test() {
        let ci = Setup { ci: true, ..full() };
        let of_nextest = |command: &String| command.contains("nextest");
        for command in commands(&ci).into_iter().filter(of_nextest) {
            assert!(command.contains("--profile ci"), "{command}");
        }
    }
}
