//! The far side of limits, in a child or another program: asks their owner, which has one queue for everybody.
//!
//! A wish to acquire is a frame, and so is the grant; in between a thread is parked or a task is pending, here, and nothing
//! of the owner's is. A wish that is dropped is taken back, also when the grant is on its way already.

use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use concurry_core::clock::{self, Timestamp, WakeGuard};
use concurry_core::panics::contain;
use concurry_core::park;
use concurry_limits::remote::{Notice, RemoteAcquire, RemoteLimits, Steering, SteeringAnswer, Wait};
use concurry_limits::{Feedback, LimitError, LimitSetStats};

use serde::de::DeserializeOwned;

use super::child::{Outbox, body};
use super::codec;
use super::frame::{AcquireRequest, Frame, GrantAnswer, Kind, StatsAnswer};
use concurry_core::sync::lock;

/// All limit traffic of one child, or of one connection to a limit server.
pub(crate) struct RemoteConnection {
    outbox: Outbox,
    next_id: AtomicU64,
    questions: Arc<Questions>,
    lookout: Arc<dyn Lookout>,
    /// How long after the end of a wait an answer is waited for; without it, for as long as there is an owner.
    grace: Option<Duration>,
    /// Whether something was lost that the owner was to be told.
    has_lost: AtomicBool,
    /// What ends with the last set that uses the connection.
    _ends_with_it: Box<dyn Send + Sync>,
}

/// Looks for answers on the thread that waits for one, where that is possible.
pub(crate) trait Lookout: Send + Sync {
    /// Looks for a while whether the answer to this question comes; whatever else comes meanwhile reaches whom it is for.
    fn look(&self, id: u64) -> Option<Frame>;
    /// After a look in vain it took so long until there was an answer.
    fn waited(&self, time: Duration);
}

/// Where another thread reads all that comes.
pub(crate) struct NoLookout;

impl Lookout for NoLookout {
    fn look(&self, _: u64) -> Option<Frame> {
        None
    }

    fn waited(&self, _: Duration) {}
}

/// What was asked and not answered.
#[derive(Default)]
pub(crate) struct Questions(Mutex<Asking>);

#[derive(Default)]
struct Asking {
    standing: HashMap<u64, Question>,
    /// Why there will be no answers any more.
    ended: Option<String>,
}

/// A question that stands.
#[derive(Default)]
struct Question {
    answer: Option<Frame>,
    waker: Option<Waker>,
}

impl Questions {
    /// An answer has come. One that nobody waits for was taken back.
    pub(crate) fn answered(&self, frame: Frame) {
        let waker = match lock(&self.0).standing.get_mut(&frame.id) {
            Some(question) => {
                question.answer = Some(frame);
                question.waker.take()
            }
            None => None,
        };
        if let Some(waker) = waker {
            wake(waker);
        }
    }

    /// The owner is gone: whoever waits for an answer is told, and so is whoever asks later.
    pub(crate) fn end(&self, reason: &str) {
        let standing = {
            let mut asking = lock(&self.0);
            asking.ended.get_or_insert_with(|| reason.to_owned());
            std::mem::take(&mut asking.standing)
        };
        standing.into_values().filter_map(|question| question.waker).for_each(wake);
    }

    /// The question of this id is about to be asked.
    fn stands(&self, id: u64) -> Result<(), LimitError> {
        let mut asking = lock(&self.0);
        if let Some(reason) = &asking.ended {
            return Err(gone(reason.clone()));
        }
        asking.standing.insert(id, Question::default());
        Ok(())
    }

    /// It is not asked any more; whether it stood.
    fn falls(&self, id: u64) -> bool {
        let question = lock(&self.0).standing.remove(&id);
        question.is_some()
    }

    /// The answer to a question, if there is one or none can come; `waker` is woken when there is one.
    fn poll(&self, id: u64, waker: Option<&Waker>) -> Option<Result<Frame, LimitError>> {
        // A waker may run anything when it is cloned or dropped, so it is neither under the lock: this is dropped after that.
        let mut waker = waker.cloned();
        let mut asking = lock(&self.0);
        let Some(question) = asking.standing.get_mut(&id) else {
            return Some(Err(gone(asking.ended.clone().unwrap_or_default())));
        };
        let Some(answer) = question.answer.take() else {
            if waker.is_some() {
                std::mem::swap(&mut question.waker, &mut waker);
            }
            return None;
        };
        let question = asking.standing.remove(&id);
        drop(asking);
        drop(question);
        Some(Ok(answer))
    }
}

/// Wakes whoever waits. What that panics with is nobody's here: others wait for this thread.
fn wake(waker: Waker) {
    contain("a waker", || waker.wake());
}

impl RemoteConnection {
    /// Sends by `outbox`; answers come to `questions`, or are found by `lookout`. `ends_with_it` is dropped with the
    /// connection.
    pub(crate) fn new(
        outbox: Outbox,
        questions: Arc<Questions>,
        lookout: Arc<dyn Lookout>,
        ends_with_it: impl Send + Sync + 'static,
    ) -> Self {
        Self {
            outbox,
            next_id: AtomicU64::new(0),
            questions,
            lookout,
            grace: None,
            has_lost: AtomicBool::new(false),
            _ends_with_it: Box::new(ends_with_it),
        }
    }

    /// Of an owner that may be silent: after this time beyond the end of a wait, no answer is waited for.
    pub(crate) fn with_grace(mut self, grace: Duration) -> Self {
        self.grace = Some(grace);
        self
    }

    /// Until when the answer to who waits for so long from now is waited for.
    fn bound(&self, wait: Wait) -> Option<Bound> {
        let time = match wait {
            Wait::Forever => return None,
            Wait::For(time) => time,
            Wait::Never => Duration::ZERO,
        };
        Some(Bound { at: clock::system().now() + time.saturating_add(self.grace?), alarm: None })
    }

    fn send(&self, frame: Frame) -> Result<(), LimitError> {
        lock(&self.outbox).send(&frame).map_err(|error| gone(error.to_string()))?;
        codec::put_aside(frame.body);
        Ok(())
    }

    /// Says once that what the owner was to be told did not reach it.
    fn lost(&self, sent: Result<(), LimitError>) {
        if let Err(error) = sent
            && !self.has_lost.swap(true, Ordering::Relaxed)
        {
            tracing::warn!(%error, "a limit set elsewhere is not told a usage, or what a server said; what was acquired counts as used");
        }
    }

    /// Asks; the answer is what is returned.
    fn ask(&self, kind: Kind, tag: u32, body: Vec<u8>) -> Result<Asked, LimitError> {
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        self.questions.stands(id)?;
        self.send(Frame::new(kind, id, tag, body)).inspect_err(|_| {
            self.questions.falls(id);
        })?;
        Ok(Asked {
            id: Some(id),
            questions: Arc::clone(&self.questions),
            lookout: Some(Arc::clone(&self.lookout)),
            vainly_since: None,
            cancel: None,
            bound: None,
        })
    }

    /// Asks, and waits for the answer on this thread.
    fn answer(&self, kind: Kind, tag: u32, body: Vec<u8>) -> Result<Frame, LimitError> {
        let mut asked = self.ask(kind, tag, body)?;
        asked.bound = self.bound(Wait::Never);
        park::block_on(asked)
    }
}

impl fmt::Debug for RemoteConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RemoteConnection")
            .field("questions", &lock(&self.questions.0).standing.len())
            .finish_non_exhaustive()
    }
}

/// Waits for the answer to one question; dropped early, it takes the question back.
struct Asked {
    id: Option<u64>,
    questions: Arc<Questions>,
    /// Until it has looked.
    lookout: Option<Arc<dyn Lookout>>,
    /// Who has looked in vain, and since when.
    vainly_since: Option<(Arc<dyn Lookout>, Timestamp)>,
    cancel: Option<Outbox>,
    bound: Option<Bound>,
}

/// The instant after which an answer is not waited for.
struct Bound {
    at: Timestamp,
    alarm: Option<WakeGuard>,
}

impl Bound {
    /// Whether it is over; if not, `waker` is woken when it is.
    fn is_over(&mut self, waker: &Waker) -> bool {
        let clock = clock::system();
        let is_over = clock.now() >= self.at;
        self.alarm = (!is_over).then(|| clock.wake_at(self.at, waker.clone()));
        is_over
    }
}

impl Asked {
    /// Looks for the answer, once.
    fn look(&mut self, id: u64) -> Option<Result<Frame, LimitError>> {
        let lookout = self.lookout.take()?;
        if let Some(answer) = self.questions.poll(id, None) {
            // It came before it was waited for.
            return Some(answer);
        }
        let Some(answer) = lookout.look(id) else {
            self.vainly_since = Some((lookout, clock::system().now()));
            return None;
        };
        self.questions.falls(id);
        Some(Ok(answer))
    }
}

impl Future for Asked {
    type Output = Result<Frame, LimitError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(id) = self.id else { return Poll::Pending };
        let answer = self.look(id).or_else(|| self.questions.poll(id, Some(context.waker())));
        let Some(answer) = answer else {
            let is_over = self.bound.as_mut().is_some_and(|bound| bound.is_over(context.waker()));
            // It is taken back by the drop.
            return if is_over { Poll::Ready(Err(gone(SILENT.to_owned()))) } else { Poll::Pending };
        };
        self.id = None;
        if let Some((lookout, start)) = self.vainly_since.take() {
            lookout.waited(clock::system().now() - start);
        }
        Poll::Ready(answer)
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        if let Some(id) = self.id.take() {
            let stood = self.questions.falls(id);
            if let (Some(outbox), true) = (&self.cancel, stood) {
                // When this fails the parent is gone, and has given everything back itself.
                drop(lock(outbox).send(&Frame::new(Kind::CancelAcquire, id, 0, Vec::new())));
            }
        }
    }
}

const SILENT: &str = "it has not answered in time";

fn gone(reason: String) -> LimitError {
    LimitError::Disconnected { reason }
}

/// What an answer says.
fn opened<T: DeserializeOwned>(answer: Frame) -> Result<T, LimitError> {
    let opened = answer.open().map_err(|error| gone(error.to_string()));
    codec::put_aside(answer.body);
    opened
}

impl RemoteLimits for RemoteConnection {
    fn acquire(&self, sets: &[u32], amounts: Vec<(String, u64)>, wait: Wait) -> RemoteAcquire {
        let request = AcquireRequest { sets: sets.to_vec(), amounts, wait };
        let asked = self.ask(Kind::Acquire, 0, body(&request));
        let asked = asked.map(|mut asked| {
            asked.cancel = Some(Arc::clone(&self.outbox));
            asked.bound = self.bound(wait);
            asked
        });
        Box::pin(async move { opened::<GrantAnswer>(asked?.await?)? })
    }

    fn settle(&self, grant: u64, usage: Vec<(u32, u64)>, warn: bool) {
        // When this fails the owner is gone, or the connection is, and everything was given back there.
        let sent = self.send(Frame::new(Kind::Settle, grant, u32::from(warn), body(&usage)));
        if !usage.is_empty() {
            self.lost(sent);
        }
    }

    fn undo(&self, grant: u64) {
        // When this fails the parent is gone, and has given everything back itself.
        drop(self.send(Frame::new(Kind::CancelAcquire, grant, 0, Vec::new())));
    }

    fn stats(&self, set: u32) -> Result<LimitSetStats, LimitError> {
        opened::<StatsAnswer>(self.answer(Kind::StatsRequest, set, Vec::new())?)?
    }

    fn feedback(&self, set: u32, feedback: Feedback) {
        self.lost(self.send(Frame::new(Kind::Feedback, 0, set, body(&feedback))));
    }

    fn notice(&self, set: u32, notice: Notice) {
        // When this fails the owner is gone, and its log with it.
        drop(self.send(Frame::new(Kind::Notice, 0, set, body(&notice))));
    }

    fn steer(&self, set: u32, steering: Steering) -> SteeringAnswer {
        opened::<SteeringAnswer>(self.answer(Kind::Steer, set, body(&steering))?)?
    }
}

#[cfg(test)]
#[path = "remote_limits_tests.rs"]
mod tests;
