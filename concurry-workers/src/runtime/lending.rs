//! A worker of mode async on loan to its methods.
//!
//! Its own task alone lends it, one call after the other: to any number of `&self` methods at once, or to one `&mut self`
//! method. For as long as `&self` methods follow each other they share one read lock, so lending costs them a count; when a
//! `&mut self` method comes, its loan begins when the last of them has ended.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use concurry_core::panics::discard;
use tokio::sync::RwLock;
use tokio::task::JoinHandle;

use super::{Shared, restart};
use crate::error::InitError;
use crate::pool::tell_all;
use crate::worker::{ExclusiveGuard, Lent, Message, SharedGuard, Worker};

/// A worker under its lock, with the mark that a panic leaves.
pub(super) struct Slot<W> {
    worker: Arc<RwLock<W>>,
    crashed: Arc<AtomicBool>,
    /// What `&self` methods have their loans from, once one has come and until another kind comes.
    lent: Option<Arc<Lent<W>>>,
    /// Those before it that crashed, each until its last call has ended.
    old: Vec<JoinHandle<()>>,
    /// How many methods have run beside each other, and how many of those had when this worker was made.
    runs: u64,
    runs_before: u64,
}

/// A worker on loan.
pub(super) enum Guard<W> {
    Shared(SharedGuard<W>),
    Exclusive(ExclusiveGuard<W>),
}

/// What came of lending the worker to a call.
pub(super) enum Loan<W: Worker> {
    Lent(Guard<W>, W::Message),
    /// Its limits would have to be waited for.
    NotNow(W::Message),
    /// Those who have the worker wait for this very call: it was answered.
    InVain,
}

impl<W: Worker + Send + Sync> Slot<W> {
    pub(super) fn new(worker: W) -> Self {
        // A number of a worker may be given again while methods of the one before still run.
        static SLOTS: AtomicU64 = AtomicU64::new(1);
        let runs = SLOTS.fetch_add(1, Ordering::Relaxed) << 32;
        let (worker, crashed) = (Arc::new(RwLock::new(worker)), Arc::default());
        Self { worker, crashed, lent: None, old: Vec::new(), runs, runs_before: runs }
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
            if self.lent.is_none() {
                let guard = Arc::clone(&self.worker).try_read_owned().ok()?;
                self.lent = Some(Arc::new(Lent::new(guard, &self.crashed)));
            }
            Guard::Shared(SharedGuard::new(Arc::clone(self.lent.as_ref()?)))
        };
        Some(guard).filter(|_| !self.crashed.load(Ordering::SeqCst))
    }

    /// The number of the next method that runs beside others.
    pub(super) fn next_run(&mut self) -> u64 {
        self.runs += 1;
        self.runs
    }

    /// Lends the worker to a call, and has it made anew first if it has crashed; the message comes back if that fails.
    ///
    /// A call that has to wait for it holds nothing meanwhile that those may be waiting for who have it; if that is not to be had
    /// any more then, the worker is not lent.
    pub(super) async fn lend_to(
        &mut self,
        (age, mut message): (u64, W::Message),
        exclusive: bool,
        (index, shared): (usize, &Arc<Shared<W>>),
    ) -> Result<Loan<W>, (W::Message, InitError)> {
        if let Some(guard) = self.lend_now(exclusive) {
            return Ok(Loan::Lent(guard, message));
        }
        let is_to_ask = message.admission().is_some_and(|(_, admission)| admission.give_way());
        let guard = loop {
            if self.crashed.load(Ordering::SeqCst)
                && let Err(error) = self.replace(shared, index).await
            {
                return Err((message, error));
            }
            let guard = if exclusive {
                self.lent = None;
                let (loan, place) = (Arc::clone(&self.worker).write_owned(), (index, self.runs_before + 1));
                let look = || tell_all::<W>(shared.queue.waited_for_in_vain());
                let Some((guard, back)) = shared.queue.wait_on_loan(place, (age, message), loan, look).await
                else {
                    return Ok(Loan::InVain);
                };
                message = back;
                Guard::Exclusive(ExclusiveGuard::new(guard, &self.crashed))
            } else {
                Guard::Shared(SharedGuard::new(self.lent().await))
            };
            // It may have crashed while it was waited for.
            if !self.crashed.load(Ordering::SeqCst) {
                break guard;
            }
        };
        let is_decided = match message.admission() {
            Some((_, admission)) if is_to_ask => admission.is_decided(shared.queue.limits()).await,
            _ => true,
        };
        Ok(if is_decided { Loan::Lent(guard, message) } else { Loan::NotNow(message) })
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

    /// Makes a worker anew. The calls that still run on the old one end there, which may take what comes after them.
    async fn replace(&mut self, shared: &Arc<Shared<W>>, index: usize) -> Result<(), InitError> {
        self.lent = None;
        let maker = Arc::clone(shared);
        let made = tokio::task::spawn_blocking(move || {
            let _serving = maker.serve();
            restart(&maker, index)
        });
        let made = made.await.unwrap_or_else(|error| {
            Err(InitError::Start {
                what: "a constructor, while the runtime shuts down",
                source: error.into(),
            })
        })?;
        let old = std::mem::replace(&mut self.worker, Arc::new(RwLock::new(made)));
        self.crashed = Arc::default();
        self.runs_before = self.runs;
        self.old.retain(|old| !old.is_finished());
        self.old.push(tokio::spawn(leave(old, Arc::clone(shared))));
        Ok(())
    }

    /// Drops the worker, and those before it, when all calls have ended.
    pub(super) async fn end(mut self, shared: &Arc<Shared<W>>) {
        self.lent = None;
        for old in self.old {
            // What ends it early is a runtime that shuts down.
            old.await.unwrap_or_default();
        }
        leave(self.worker, Arc::clone(shared)).await;
    }
}

/// Drops a worker when its last call has ended: its drop is the user's code, and may block.
async fn leave<W: Worker + Send + Sync>(worker: Arc<RwLock<W>>, shared: Arc<Shared<W>>) {
    // All calls hold the lock while they run: when this has it, they have ended.
    drop(worker.write().await);
    let drops = move || {
        let _serving = shared.serve();
        discard(worker);
    };
    tokio::task::spawn_blocking(drops).await.unwrap_or_default();
}
