//! The runs of a sweep: one that is left alone, and one that is cut at an await.

use std::marker::PhantomData;

use cancelable::CancellationToken;

use super::Sweep;
use super::driver::{Driver, Fault};
use super::error::{Problem, SweepError};
use super::leftovers::Leftovers;
use super::subject::Subject;
use super::way::{Cut, Outcome, Spot, Way};

/// Runs of one future, each with a fresh state.
pub(super) struct Runs<'a, S, T, Setup, B, Check> {
    pub(super) sweep: &'a Sweep,
    pub(super) setup: Setup,
    pub(super) subject: B,
    pub(super) check: Check,
    pub(super) makes: PhantomData<fn() -> (S, T)>,
}

impl<S, T, Setup, B, Check> Runs<'_, S, T, Setup, B, Check>
where
    Setup: AsyncFn() -> S,
    B: Subject<S, T>,
    Check: AsyncFn(&S, &Cut<T>),
{
    /// How many awaits there are, in two runs that are left alone, with what `way` puts around them; and whether these are all.
    pub(super) async fn count(&self, way: Way) -> Result<(usize, bool), SweepError> {
        let first = self.leave_alone(way).await?;
        let again = self.leave_alone(way).await?;
        let spot = Spot {
            way: Way::LeftAlone,
            at: 0,
            of: first.0,
        };
        if first != again {
            return Err(problem(spot, Problem::Varies(first.0, again.0)));
        }
        if first.0 == 0 {
            return Err(problem(spot, Problem::NoAwait));
        }
        Ok(first)
    }

    async fn leave_alone(&self, way: Way) -> Result<(usize, bool), SweepError> {
        let spot = |of| Spot {
            way: Way::LeftAlone,
            at: 0,
            of,
        };
        let (state, leftovers) = self.begin().await;
        let mut driver = self.driver(&state, &CancellationToken::new(), way);
        let limit = self.sweep.at_most.unwrap_or(MANY);
        let ended = driver.run_to(limit).await;
        let awaits = driver.awaits();
        match ended.map_err(|fault| problem(spot(awaits), Problem::Fault(fault)))? {
            Some(outcome) => {
                drop(driver);
                self.end(&state, leftovers, spot(awaits), Some(outcome))
                    .await?;
                Ok((awaits, true))
            }
            None if self.sweep.at_most.is_none() => {
                Err(problem(spot(awaits), Problem::Endless(awaits)))
            }
            // What it leaves where it is dropped is looked at later.
            None => Ok((awaits, false)),
        }
    }

    /// One run that is cut at its await.
    pub(super) async fn cut(&self, spot: Spot) -> Result<(), SweepError> {
        if spot.way == Way::TokenCancelled && !B::HAS_TOKEN {
            return Err(problem(spot, Problem::NoToken));
        }
        let fault = |fault| problem(spot, Problem::Fault(fault));
        let (state, leftovers) = self.begin().await;
        let token = CancellationToken::new();
        let mut driver = self.driver(&state, &token, spot.way);
        if driver.run_to(spot.at).await.map_err(fault)?.is_some() {
            let ended = Problem::EndedBefore(driver.awaits());
            return Err(problem(spot, ended));
        }
        let outcome = match spot.way {
            Way::LeftAlone => driver.run_to(usize::MAX).await.map_err(fault)?,
            Way::Dropped => None,
            Way::DroppedWoken => {
                driver.be_woken().await.map_err(fault)?;
                None
            }
            Way::Cancelled
            | Way::CancelledInGrace(_)
            | Way::CancelledInShield
            | Way::TokenCancelled => {
                token.cancel_with(format!("cancelled at await {} by a sweep", spot.at));
                let limit = driver.awaits() + MANY;
                let ended = driver.run_to(limit).await.map_err(fault)?;
                if ended.is_none() {
                    return Err(problem(spot, Problem::Endless(driver.awaits())));
                }
                ended
            }
        };
        driver.let_go().map_err(fault)?;
        drop(driver);
        self.end(&state, leftovers, spot, outcome).await
    }

    /// What was found, with the place in the source where the future waits there: seen in a run of its own.
    pub(super) async fn locate(&self, found: SweepError, way: Way) -> SweepError {
        let at = found.await_to_find();
        if at == 0 {
            return found;
        }
        let (state, _) = self.begin().await;
        let mut driver = self.driver(&state, &CancellationToken::new(), way);
        let place = match driver.run_to(at - 1).await {
            Ok(None) => driver.poll_seen().await.places(),
            Ok(Some(_)) | Err(_) => None,
        };
        // What it does as it is dropped is known by now.
        let _ = driver.let_go();
        SweepError { place, ..found }
    }

    async fn begin(&self) -> (S, Leftovers) {
        // Each run begins with a whole budget of cooperative scheduling, not with what the last one left.
        tokio::task::yield_now().await;
        let state = (self.setup)().await;
        (state, Leftovers::look())
    }

    fn driver<'a>(
        &'a self,
        state: &'a S,
        token: &CancellationToken,
        way: Way,
    ) -> Driver<'a, Outcome<T>>
    where
        T: 'a,
    {
        let future = self.subject.begin(state, token.clone(), way);
        Driver::new(future, self.sweep.patience)
    }

    /// The future is gone: waits for what it has spawned, and checks.
    async fn end(
        &self,
        state: &S,
        leftovers: Leftovers,
        spot: Spot,
        outcome: Option<Outcome<T>>,
    ) -> Result<(), SweepError> {
        let patience = self.sweep.patience;
        if !self.sweep.leaves_tasks {
            let left = leftovers.leave(patience).await;
            left.map_err(|tasks| problem(spot, Problem::TasksLeft { tasks, patience }))?;
        }
        let cut = Cut { spot, outcome };
        let mut checking = Driver::new(Box::pin((self.check)(state, &cut)), patience);
        match checking.run_to(usize::MAX).await {
            Ok(_) => Ok(()),
            Err(Fault::Panicked(said) | Fault::PanickedAsDropped(said)) => {
                Err(problem(spot, Problem::Broken(said)))
            }
            Err(Fault::Stuck(patience)) => {
                let said = format!("it waited for {patience:?}, and nothing woke it");
                Err(problem(spot, Problem::Broken(said)))
            }
        }
    }
}

fn problem(spot: Spot, problem: Problem) -> SweepError {
    SweepError {
        spot,
        problem,
        place: None,
    }
}

/// How many awaits are too many.
const MANY: usize = 1000;
