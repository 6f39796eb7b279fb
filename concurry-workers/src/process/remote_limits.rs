//! The far side of limits, in a child or another program: asks their owner, which has one queue for everybody.
//!
//! A wish to acquire is a frame, and so is the grant; in between a thread is parked or a task is pending, here, and nothing
//! of the owner's is. A wish that is dropped is taken back, also when the grant is on its way already.

use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use concurry_core::park;
use concurry_limits::remote::{RemoteAcquire, RemoteLimits, Steering, SteeringAnswer, Wait};
use concurry_limits::{Feedback, LimitError, LimitSetStats};

use super::child::{Outbox, body};
use super::frame::{AcquireRequest, Frame, GrantAnswer, Kind, StatsAnswer};
use concurry_core::sync::lock;

/// All limit traffic of one child, or of one connection to a limit server.
pub(crate) struct RemoteConnection {
    outbox: Outbox,
    next_id: AtomicU64,
    questions: Arc<Mutex<Questions>>,
    /// What ends with the last set that uses the connection.
    _ends_with_it: Box<dyn Send + Sync>,
}

/// What was asked and not answered.
#[derive(Default)]
struct Questions {
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

impl RemoteConnection {
    /// Sends by `outbox`; `ends_with_it` is dropped with the connection.
    pub(crate) fn new(outbox: Outbox, ends_with_it: impl Send + Sync + 'static) -> Self {
        Self {
            outbox,
            next_id: AtomicU64::new(0),
            questions: Arc::default(),
            _ends_with_it: Box::new(ends_with_it),
        }
    }

    /// The reader thread has an answer. One that nobody waits for was taken back.
    pub(crate) fn receive(&self, frame: &Frame) {
        let waker = match lock(&self.questions).standing.get_mut(&frame.id) {
            Some(question) => {
                question.answer = Some(frame.clone());
                question.waker.take()
            }
            None => None,
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// The owner is gone: whoever waits for an answer is told, and so is whoever asks later.
    pub(crate) fn end(&self, reason: &str) {
        let standing = {
            let mut questions = lock(&self.questions);
            questions.ended.get_or_insert_with(|| reason.to_owned());
            std::mem::take(&mut questions.standing)
        };
        for waker in standing.into_values().filter_map(|question| question.waker) {
            waker.wake();
        }
    }

    fn send(&self, frame: &Frame) -> Result<(), LimitError> {
        lock(&self.outbox).send(frame).map_err(|error| gone(error.to_string()))
    }

    /// Asks; the answer comes to the id that is returned.
    fn ask(&self, kind: Kind, tag: u32, body: Vec<u8>) -> Result<u64, LimitError> {
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        {
            let mut questions = lock(&self.questions);
            if let Some(reason) = &questions.ended {
                return Err(gone(reason.clone()));
            }
            questions.standing.insert(id, Question::default());
        }
        self.send(&Frame::new(kind, id, tag, body)).inspect_err(|_| {
            lock(&self.questions).standing.remove(&id);
        })?;
        Ok(id)
    }

    /// Asks, and waits for the answer on this thread.
    fn answer(&self, kind: Kind, tag: u32, body: Vec<u8>) -> Result<Frame, LimitError> {
        let id = self.ask(kind, tag, body)?;
        park::block_on(Asked { id: Some(id), questions: Arc::clone(&self.questions), cancel: None })
    }
}

impl fmt::Debug for RemoteConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RemoteConnection")
            .field("questions", &lock(&self.questions).standing.len())
            .finish_non_exhaustive()
    }
}

/// Waits for the answer to one question; dropped early, it takes the question back.
struct Asked {
    id: Option<u64>,
    questions: Arc<Mutex<Questions>>,
    cancel: Option<Outbox>,
}

impl Future for Asked {
    type Output = Result<Frame, LimitError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(id) = self.id else { return Poll::Pending };
        let answer = {
            let mut questions = lock(&self.questions);
            let Some(question) = questions.standing.get_mut(&id) else {
                let reason = questions.ended.clone().unwrap_or_default();
                drop(questions);
                self.id = None;
                return Poll::Ready(Err(gone(reason)));
            };
            let Some(answer) = question.answer.take() else {
                question.waker = Some(context.waker().clone());
                return Poll::Pending;
            };
            questions.standing.remove(&id);
            answer
        };
        self.id = None;
        Poll::Ready(Ok(answer))
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        if let Some(id) = self.id.take() {
            let stood = lock(&self.questions).standing.remove(&id).is_some();
            if let (Some(outbox), true) = (&self.cancel, stood) {
                // When this fails the parent is gone, and has given everything back itself.
                drop(lock(outbox).send(&Frame::new(Kind::CancelAcquire, id, 0, Vec::new())));
            }
        }
    }
}

fn gone(reason: String) -> LimitError {
    LimitError::Disconnected { reason }
}

fn unreadable(error: std::io::Error) -> LimitError {
    gone(error.to_string())
}

impl RemoteLimits for RemoteConnection {
    fn acquire(&self, sets: &[u32], amounts: Vec<(String, u64)>, wait: Wait) -> RemoteAcquire {
        let request = AcquireRequest { sets: sets.to_vec(), amounts, wait };
        let asked = self.ask(Kind::Acquire, 0, body(&request)).map(|id| Asked {
            id: Some(id),
            questions: Arc::clone(&self.questions),
            cancel: Some(Arc::clone(&self.outbox)),
        });
        Box::pin(async move { asked?.await?.open::<GrantAnswer>().map_err(unreadable)? })
    }

    fn settle(&self, grant: u64, usage: Vec<(u32, u64)>, warn: bool) {
        // When this fails the parent is gone, and has given everything back itself.
        drop(self.send(&Frame::new(Kind::Settle, grant, u32::from(warn), body(&usage))));
    }

    fn stats(&self, set: u32) -> Result<LimitSetStats, LimitError> {
        self.answer(Kind::StatsRequest, set, Vec::new())?.open::<StatsAnswer>().map_err(unreadable)?
    }

    fn feedback(&self, set: u32, feedback: Feedback) {
        // When this fails the owner is gone, and with it the set that was to be told.
        drop(self.send(&Frame::new(Kind::Feedback, 0, set, body(&feedback))));
    }

    fn steer(&self, set: u32, steering: Steering) -> SteeringAnswer {
        self.answer(Kind::Steer, set, body(&steering))?.open::<SteeringAnswer>().map_err(unreadable)?
    }
}
