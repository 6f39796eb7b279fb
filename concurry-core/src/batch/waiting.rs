//! One wait for a latch, with or without a deadline, blocking or awaited.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use super::latch::Latch;
use crate::clock::{self, Clock, Timestamp};
use crate::park;

/// How a wait ended.
pub(super) enum End {
    /// What was waited for has come.
    Done,
    /// The call of this index failed, and that ended the wait.
    Failed(usize),
    TimedOut,
}

pub(super) struct Waiting {
    latch: Arc<Latch>,
    clock: Arc<dyn Clock>,
    deadline: Option<Timestamp>,
}

impl Waiting {
    /// The time counts from here.
    pub(super) fn new(latch: Arc<Latch>, timeout: Option<Duration>) -> Self {
        let clock = clock::system();
        let deadline = timeout.map(|timeout| clock.now() + timeout);
        Self { latch, clock, deadline }
    }

    pub(super) fn block(&self) -> End {
        match self.deadline {
            None => park::block_on(self.latched()),
            Some(deadline) => {
                park::block_on_until(self.latched(), &*self.clock, deadline).unwrap_or(End::TimedOut)
            }
        }
    }

    pub(super) async fn wait(&self) -> End {
        let mut latched = pin!(self.latched());
        let mut alarm = None;
        poll_fn(|context| {
            if let Poll::Ready(end) = latched.as_mut().poll(context) {
                return Poll::Ready(end);
            }
            let Some(deadline) = self.deadline else { return Poll::Pending };
            if self.clock.now() >= deadline {
                return Poll::Ready(End::TimedOut);
            }
            alarm = Some(self.clock.wake_at(deadline, context.waker().clone()));
            Poll::Pending
        })
        .await
    }

    async fn latched(&self) -> End {
        match poll_fn(|context| self.latch.poll(context)).await {
            Some(index) => End::Failed(index),
            None => End::Done,
        }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.latch.finish();
    }
}
