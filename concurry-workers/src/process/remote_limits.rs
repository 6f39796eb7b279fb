//! The child's side of limits: asks their owner, which has one queue for everybody.
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
use concurry_limits::remote::{RemoteAcquire, RemoteLimits, Wait};
use concurry_limits::{LimitError, LimitSetStats};

use super::child::{Outbox, body};
use super::frame::{AcquireRequest, Frame, GrantAnswer, Kind, StatsAnswer};
use concurry_core::sync::lock;

/// All limit traffic of one child.
pub(super) struct RemoteConnection {
    outbox: Outbox,
    next_id: AtomicU64,
    questions: Arc<Mutex<HashMap<u64, Question>>>,
}

/// A question that stands.
#[derive(Default)]
struct Question {
    answer: Option<Frame>,
    waker: Option<Waker>,
}

impl RemoteConnection {
    pub(super) fn new(outbox: Outbox) -> Self {
        Self { outbox, next_id: AtomicU64::new(0), questions: Arc::default() }
    }

    /// The reader thread has an answer. One that nobody waits for was taken back.
    pub(super) fn receive(&self, frame: &Frame) {
        let waker = match lock(&self.questions).get_mut(&frame.id) {
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

    fn send(&self, frame: &Frame) -> Result<(), LimitError> {
        lock(&self.outbox).send(frame).map_err(|error| LimitError::Disconnected { reason: error.to_string() })
    }

    /// Asks; the answer comes to the id that is returned.
    fn ask(&self, kind: Kind, tag: u32, body: Vec<u8>) -> Result<u64, LimitError> {
        let id = self.next_id.fetch_add(1, Ordering::Relaxed);
        lock(&self.questions).insert(id, Question::default());
        self.send(&Frame::new(kind, id, tag, body)).inspect_err(|_| {
            lock(&self.questions).remove(&id);
        })?;
        Ok(id)
    }
}

impl fmt::Debug for RemoteConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RemoteConnection")
            .field("questions", &lock(&self.questions).len())
            .finish_non_exhaustive()
    }
}

/// Waits for the answer to one question; dropped early, it takes the question back.
struct Asked {
    id: Option<u64>,
    questions: Arc<Mutex<HashMap<u64, Question>>>,
    cancel: Option<Outbox>,
}

impl Future for Asked {
    type Output = Frame;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Frame> {
        let Some(id) = self.id else { return Poll::Pending };
        let answer = {
            let mut questions = lock(&self.questions);
            let Some(question) = questions.get_mut(&id) else { return Poll::Pending };
            let Some(answer) = question.answer.take() else {
                question.waker = Some(context.waker().clone());
                return Poll::Pending;
            };
            questions.remove(&id);
            answer
        };
        self.id = None;
        Poll::Ready(answer)
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        if let Some(id) = self.id.take() {
            drop(lock(&self.questions).remove(&id));
            if let Some(outbox) = &self.cancel {
                // When this fails the parent is gone, and has given everything back itself.
                drop(lock(outbox).send(&Frame::new(Kind::CancelAcquire, id, 0, Vec::new())));
            }
        }
    }
}

fn unreadable(error: std::io::Error) -> LimitError {
    LimitError::Disconnected { reason: error.to_string() }
}

impl RemoteLimits for RemoteConnection {
    fn acquire(&self, sets: &[u32], amounts: Vec<(String, u64)>, wait: Wait) -> RemoteAcquire {
        let request = AcquireRequest { sets: sets.to_vec(), amounts, wait };
        let asked = self.ask(Kind::Acquire, 0, body(&request)).map(|id| Asked {
            id: Some(id),
            questions: Arc::clone(&self.questions),
            cancel: Some(Arc::clone(&self.outbox)),
        });
        Box::pin(async move { asked?.await.open::<GrantAnswer>().map_err(unreadable)? })
    }

    fn settle(&self, grant: u64, usage: Vec<(u32, u64)>, warn: bool) {
        // When this fails the parent is gone, and has given everything back itself.
        drop(self.send(&Frame::new(Kind::Settle, grant, u32::from(warn), body(&usage))));
    }

    fn stats(&self, set: u32) -> Result<LimitSetStats, LimitError> {
        let id = self.ask(Kind::StatsRequest, set, Vec::new())?;
        let asked = Asked { id: Some(id), questions: Arc::clone(&self.questions), cancel: None };
        park::block_on(asked).open::<StatsAnswer>().map_err(unreadable)?
    }
}
