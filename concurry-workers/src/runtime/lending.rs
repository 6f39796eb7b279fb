//! A worker of mode async on loan to its methods.
//!
//! Its own task alone lends it, one call after the other: to any number of `&self` methods at once, or to one `&mut self`
//! method. For as long as `&self` methods follow each other they share one read lock, so lending costs them a count; when a
//! `&mut self` method comes, its loan begins when the last of them has ended.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use concurry_core::call::CallError;
use concurry_core::panics::discard;
use tokio::sync::RwLock;

use super::{Shared, restart};
use crate::error::InitError;
use crate::worker::{ExclusiveGuard, Lent, Message, SharedGuard, Worker};

/// A worker under its lock, with the mark that a panic leaves.
pub(super) struct Slot<W> {
    worker: Arc<RwLock<W>>,
    crashed: Arc<AtomicBool>,
    /// What `&self` methods have their loans from, once one has come and until another kind comes.
    lent: Option<Arc<Lent<W>>>,
}

/// A worker on loan.
pub(super) enum Guard<W> {
    Shared(SharedGuard<W>),
    Exclusive(ExclusiveGuard<W>),
}

impl<W: Worker + Send + Sync> Slot<W> {
    pub(super) fn new(worker: W) -> Self {
        Self { worker: Arc::new(RwLock::new(worker)), crashed: Arc::default(), lent: None }
    }

    /// What is marked when a method panics.
    pub(super) fn crashed(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.crashed)
    }

    /// Lends the worker, if that needs no waiting.
    pub(super) fn lend_now(&mut self, exclusive: bool) -> Option<Guard<W>> {
        let guard = if exclusive {
            self.lent = None;
            let guard = Arc::clone(&self.worker).try_write_owned().ok()?;
            Guard::Exclusive(ExclusiveGuard::new(guard, &self.crashed))
        } else {
            Guard::Shared(SharedGuard::new(Arc::clone(self.lent.as_ref()?)))
        };
        Some(guard).filter(|_| !self.crashed.load(Ordering::SeqCst))
    }

    /// Lends the worker to a call. One that has to wait for it holds nothing meanwhile that those may be waiting for who have it.
    pub(super) async fn lend_to(
        &mut self,
        message: &mut W::Message,
        exclusive: bool,
        (index, shared): (usize, &Arc<Shared<W>>),
    ) -> Result<Guard<W>, InitError> {
        let mut lend = pin!(self.lend(index, exclusive, shared));
        let at_once = poll_fn(|context| Poll::Ready(lend.as_mut().poll(context))).await;
        if let Poll::Ready(guard) = at_once {
            return guard;
        }
        let is_to_ask = message.admission().is_some_and(|(_, admission)| admission.give_way());
        let guard = lend.await?;
        if is_to_ask {
            poll_fn(|context| ask_again(shared, message, context)).await;
        }
        Ok(guard)
    }

    /// Waits until the worker can be lent, and has it made anew first if it has crashed.
    async fn lend(
        &mut self,
        index: usize,
        exclusive: bool,
        shared: &Arc<Shared<W>>,
    ) -> Result<Guard<W>, InitError> {
        loop {
            let guard = if exclusive {
                self.lent = None;
                let guard = Arc::clone(&self.worker).write_owned().await;
                Guard::Exclusive(ExclusiveGuard::new(guard, &self.crashed))
            } else {
                Guard::Shared(SharedGuard::new(self.lent().await))
            };
            if !self.crashed.load(Ordering::SeqCst) {
                return Ok(guard);
            }
            drop(guard);
            self.replace(shared, index).await?;
        }
    }

    async fn lent(&mut self) -> Arc<Lent<W>> {
        if let Some(lent) = &self.lent {
            return Arc::clone(lent);
        }
        let guard = Arc::clone(&self.worker).read_owned().await;
        let lent = Arc::new(Lent::new(guard, &self.crashed));
        self.lent = Some(Arc::clone(&lent));
        lent
    }

    /// Makes a worker anew, when the calls that still run on the old one have ended.
    async fn replace(&mut self, shared: &Arc<Shared<W>>, index: usize) -> Result<(), InitError> {
        self.lent = None;
        let mut worker = Arc::clone(&self.worker).write_owned().await;
        let (shared, crashed) = (Arc::clone(shared), Arc::clone(&self.crashed));
        let made = tokio::task::spawn_blocking(move || {
            let _serving = shared.serve();
            let made = restart(&shared, index)?;
            discard(std::mem::replace(&mut *worker, made));
            crashed.store(false, Ordering::SeqCst);
            Ok(())
        });
        made.await.unwrap_or_else(|error| {
            Err(InitError::Start {
                what: "a constructor, while the runtime shuts down",
                source: error.into(),
            })
        })
    }

    /// Drops the worker, when all calls have ended.
    pub(super) async fn end(mut self) {
        self.lent = None;
        // All calls hold the lock while they run: when this has it, they have ended.
        drop(self.worker.write().await);
        discard(self.worker);
    }
}

/// Asks for what a call gave back that has its worker now. When the pool is stopped it is not run.
fn ask_again<W: Worker>(shared: &Shared<W>, message: &mut W::Message, context: &mut Context<'_>) -> Poll<()> {
    let Some((_, admission)) = message.admission() else { return Poll::Ready(()) };
    if admission.poll(shared.queue.limits(), context.waker()).is_ready() {
        return Poll::Ready(());
    }
    shared.queue.poll_stopped(context).map(|()| admission.refuse(CallError::Stopped))
}
