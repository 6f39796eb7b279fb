//! [`Acquire`]: the future of every way to acquire.

use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use concurry_core::clock::{self, Clock, Timestamp, WakeGuard};
use concurry_core::park::block_on;

use super::plan::{Plan, Simple, first_error};
use super::waiting::Waiting;
use crate::remote::{RemoteAcquire, RemoteSet, Wait};
use crate::{LimitError, LimitSetAcquisition, Request};

type Outcome = Result<LimitSetAcquisition, LimitError>;

const NANO: Duration = Duration::from_nanos(1);

/// The future of an acquisition; made by [`LimitSet::acquire_async`](crate::LimitSet::acquire_async) and its relatives.
///
/// It runs on any executor. Its place in the queue is that of its first poll.
///
/// # Cancel safety
///
/// Dropping it leaves nothing taken: it leaves the queue, a grant that it has not returned is undone, and the next in
/// line is woken.
///
/// # Panics
///
/// When it is polled again after it was done.
///
/// # Examples
///
/// ```
/// use concurry_limits::{LimitSet, ResourceLimit};
///
/// let set = LimitSet::builder().limit(ResourceLimit::new("connections", 1)).build()?;
/// let acquired = concurry_core::park::block_on(set.acquire_async(()))?;
/// assert_eq!(acquired.requested("connections"), Some(1));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use = "a future does nothing unless it is awaited"]
pub struct Acquire {
    state: State,
    /// Where a pool counts the grants of its sets.
    counts: Option<Arc<[AtomicU64]>>,
}

enum State {
    Ready(Outcome),
    Simple(Simple),
    Planned(Plan),
    Waiting(Timed),
    Remote(RemoteWaiting),
    /// Whichever comes first; the errors of those that ended in vain.
    Race(Vec<Acquire>, Vec<LimitError>),
    Done,
}

/// A place in the queues, and the deadline of it.
struct Timed {
    waiting: Waiting,
    until: Option<(Arc<dyn Clock>, Timestamp)>,
    alarm: Option<WakeGuard>,
}

/// A request to sets of one other process.
pub(super) struct RemoteWaiting {
    sets: Vec<(usize, Arc<RemoteSet>)>,
    state: Asking,
}

enum Asking {
    /// Nobody was asked: a future that is never polled takes nothing.
    Planned {
        amounts: Vec<(String, u64)>,
        wait: Wait,
        since: Timestamp,
    },
    Asked(RemoteAcquire),
}

impl Acquire {
    pub(super) fn ready(outcome: Outcome) -> Self {
        Self::of(State::Ready(outcome))
    }

    pub(crate) fn failed(error: LimitError) -> Self {
        Self::ready(Err(error))
    }

    pub(super) fn simple(simple: Simple) -> Self {
        Self::of(State::Simple(simple))
    }

    pub(super) fn planned(plan: Plan) -> Self {
        Self::of(State::Planned(plan))
    }

    pub(super) fn remote(waiting: RemoteWaiting) -> Self {
        Self::of(State::Remote(waiting))
    }

    pub(super) fn race(parts: Vec<Self>) -> Self {
        Self::of(State::Race(parts, Vec::new()))
    }

    fn of(state: State) -> Self {
        Self { state, counts: None }
    }

    /// Counts the grant at the position of the set that granted.
    pub(crate) fn counted(mut self, counts: Option<Arc<[AtomicU64]>>) -> Self {
        self.counts = counts;
        self
    }

    /// The outcome of a request that has not begun, if that needs no wait. What would have to wait is counted as refused by no set
    /// of this process. Another process is waited for as long as its answer takes.
    #[doc(hidden)]
    pub async fn now(self) -> Option<Outcome> {
        let Self { state, counts } = self;
        let outcome = match state {
            State::Race(parts, _) => first_of(parts).await,
            state => answer(state).await,
        };
        outcome.map(|outcome| count(counts.as_deref(), outcome))
    }

    /// Runs it on this thread.
    pub(crate) fn block(self) -> Outcome {
        match self.state {
            State::Planned(plan) => count(self.counts.as_deref(), plan.block()),
            State::Remote(mut remote) => {
                // No time has passed since it was planned.
                remote.ask(Duration::ZERO);
                block_on(Self { state: State::Remote(remote), counts: self.counts })
            }
            state => block_on(Self { state, counts: self.counts }),
        }
    }
}

/// The outcome of one part of a request that has not begun, if that needs no wait.
async fn answer(state: State) -> Option<Outcome> {
    match state {
        State::Ready(outcome) => Some(outcome),
        State::Simple(simple) => {
            simple.begin().map_or_else(Plan::ask_now, |acquisition| Some(Ok(acquisition)))
        }
        State::Planned(plan) => plan.ask_now(),
        State::Remote(mut remote) => {
            remote.wait_for_nothing();
            match poll_fn(|context| remote.poll(context)).await {
                Err(LimitError::Unavailable { .. } | LimitError::Timeout { .. }) => None,
                outcome => Some(outcome),
            }
        }
        State::Waiting(_) | State::Race(..) | State::Done => None,
    }
}

/// One part after the other, so that one alone is taken from: those of this process come first, and answer at once.
async fn first_of(parts: Vec<Acquire>) -> Option<Outcome> {
    let (mut errors, mut is_final) = (Vec::new(), true);
    for part in parts {
        match answer(part.state).await {
            Some(Err(error)) => errors.push(error),
            Some(granted) => return Some(granted),
            None => is_final = false,
        }
    }
    is_final.then(|| Err(first_error(errors)))
}

fn count(counts: Option<&[AtomicU64]>, outcome: Outcome) -> Outcome {
    if let (Some(counts), Ok(acquisition)) = (counts, &outcome) {
        counts[acquisition.set_index()].fetch_add(1, Ordering::Relaxed);
    }
    outcome
}

impl Future for Acquire {
    type Output = Outcome;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Outcome> {
        if matches!(self.state, State::Simple(_) | State::Planned(_)) {
            match begin(std::mem::replace(&mut self.state, State::Done), context.waker()) {
                Ok(outcome) => return Poll::Ready(count(self.counts.as_deref(), outcome)),
                Err(state) => self.state = state,
            }
        }
        let outcome = match &mut self.state {
            State::Waiting(timed) => timed.poll(context.waker()),
            State::Remote(remote) => remote.poll(context),
            State::Race(parts, errors) => poll_race(parts, errors, context),
            state => match std::mem::replace(state, State::Done) {
                State::Ready(outcome) => Poll::Ready(outcome),
                _ => panic!("`Acquire` was polled after it was done"),
            },
        };
        if outcome.is_ready() {
            self.state = State::Done;
        }
        outcome.map(|outcome| count(self.counts.as_deref(), outcome))
    }
}

/// The outcome of a request that had not begun; otherwise it waits.
fn begin(state: State, waker: &Waker) -> Result<Outcome, State> {
    let plan = match state {
        State::Simple(simple) => match simple.begin() {
            Ok(acquisition) => return Ok(Ok(acquisition)),
            Err(plan) => plan,
        },
        State::Planned(plan) => plan,
        state => return Err(state),
    };
    let deadline = plan.patience.deadline();
    let until = deadline.and_then(|deadline| Some((Arc::clone(plan.clock()?), deadline)));
    plan.begin(waker).map_err(|waiting| State::Waiting(Timed { waiting, until, alarm: None }))
}

/// The first grant wins; the rest is cancelled by its drop. Errors end it only when nothing is left, or nothing but what
/// would be too late.
fn poll_race(
    parts: &mut Vec<Acquire>,
    errors: &mut Vec<LimitError>,
    context: &mut Context<'_>,
) -> Poll<Outcome> {
    let mut index = 0;
    // Not each time: who waits in several sets is not refused for what one of them says meanwhile.
    let mut is_news = parts.iter().any(|part| matches!(part.state, State::Planned(_)));
    while let Some(part) = parts.get_mut(index) {
        match Pin::new(part).poll(context) {
            Poll::Pending => index += 1,
            Poll::Ready(Ok(acquisition)) => return Poll::Ready(Ok(acquisition)),
            Poll::Ready(Err(error)) => {
                errors.push(error);
                drop(parts.remove(index));
                is_news = true;
            }
        }
    }
    if is_news && let Some(late) = all_late(parts) {
        for timed in late {
            match timed.waiting.give_up() {
                Ok(acquisition) => return Poll::Ready(Ok(acquisition)),
                Err(error) => errors.push(error),
            }
        }
        parts.clear();
    }
    if parts.is_empty() { Poll::Ready(Err(first_error(std::mem::take(errors)))) } else { Poll::Pending }
}

/// The parts, if each of them would be too late.
fn all_late(parts: &mut [Acquire]) -> Option<Vec<&mut Timed>> {
    let late = parts.iter_mut().map(|part| match &mut part.state {
        State::Waiting(timed) if timed.is_late() => Some(timed),
        _ => None,
    });
    late.collect()
}

impl Timed {
    fn is_late(&self) -> bool {
        self.until.as_ref().is_some_and(|(_, deadline)| self.waiting.is_late(*deadline))
    }

    fn poll(&mut self, waker: &Waker) -> Poll<Outcome> {
        if let Some(outcome) = self.waiting.poll(waker) {
            return Poll::Ready(outcome);
        }
        let Some((clock, deadline)) = &self.until else { return Poll::Pending };
        if clock.now() >= *deadline {
            return Poll::Ready(self.waiting.give_up());
        }
        // Anew each time: a request that has woken this task stands no more, though by this thread's clock it is early.
        self.alarm = Some(clock.wake_at(*deadline, waker.clone()));
        Poll::Pending
    }
}

impl RemoteWaiting {
    /// A request to `sets`, which live in one process.
    pub(super) fn new(sets: &[(usize, &Arc<RemoteSet>)], request: &impl Request, wait: Wait) -> Self {
        let sets: Vec<_> = sets.iter().map(|(position, set)| (*position, Arc::clone(set))).collect();
        let mut amounts = Vec::new();
        request.for_each_amount(&mut |key, amount| amounts.push((key.to_owned(), amount)));
        Self { sets, state: Asking::Planned { amounts, wait, since: clock::system().now() } }
    }

    /// Where it would have to wait, it is refused.
    fn wait_for_nothing(&mut self) {
        if let Asking::Planned { wait, .. } = &mut self.state {
            *wait = Wait::Never;
        }
    }

    /// Asks, so long after it was planned.
    fn ask(&mut self, passed: Duration) {
        if let Asking::Planned { amounts, wait, .. } = &mut self.state {
            let left = match *wait {
                // Not less than the least: a time of zero would be no wait at all, whose error is another.
                Wait::For(time) => Wait::For(time.saturating_sub(passed).max(time.min(NANO))),
                other => other,
            };
            let ids: Vec<u32> = self.sets.iter().map(|(_, set)| set.id).collect();
            let future = self.sets[0].1.connection.acquire(&ids, std::mem::take(amounts), left);
            self.state = Asking::Asked(future);
        }
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Outcome> {
        if let Asking::Planned { since, .. } = &self.state {
            let passed = clock::system().now() - *since;
            self.ask(passed);
        }
        match &mut self.state {
            Asking::Asked(future) => future.as_mut().poll(context).map(|grant| self.acquisition(grant?)),
            Asking::Planned { .. } => Poll::Pending,
        }
    }

    fn acquisition(&self, grant: crate::remote::RemoteGrant) -> Outcome {
        let Some((position, set)) = self.sets.iter().find(|(_, set)| set.id == grant.set) else {
            self.sets[0].1.connection.undo(grant.id);
            let reason = format!("it granted a limit set (number {}) that was not asked for", grant.set);
            return Err(LimitError::Disconnected { reason });
        };
        Ok(LimitSetAcquisition::remote(Arc::clone(set), &grant, *position))
    }
}

impl fmt::Debug for Acquire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match &self.state {
            State::Ready(_) => "ready",
            State::Simple(_)
            | State::Planned(_)
            | State::Remote(RemoteWaiting { state: Asking::Planned { .. }, .. }) => "not begun",
            State::Waiting(_) | State::Remote(_) | State::Race(..) => "waiting",
            State::Done => "done",
        };
        f.debug_tuple("Acquire").field(&state).finish()
    }
}
