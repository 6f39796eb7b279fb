//! The calls that a child has: the one that it runs, and those that it was sent ahead.

use std::collections::VecDeque;

use concurry_core::call::CallError;
use concurry_core::clock::{Timestamp, WakeGuard};

use super::patience::Patience;
use super::window::Window;
use crate::pool::Taken;
use crate::process::Link;

/// The state of a driver, under its lock.
pub(super) struct Flight<M> {
    /// What calls are sent by; none while there is no child.
    pub(super) link: Option<Link>,
    /// In the order in which they were sent.
    pub(super) sent: VecDeque<Sent<M>>,
    /// The bytes of their arguments.
    pub(super) bytes: usize,
    /// Those of calls that were answered, which the window does not know of yet.
    pub(super) carried: usize,
    pub(super) window: Window,
    /// How many calls have been answered so far.
    pub(super) answered: u64,
    /// How many of them are being answered by others than the owner.
    pub(super) answering: usize,
    /// The owner, whose child is gone, waits for those.
    pub(super) is_owner_waiting: bool,
    /// How often calls were taken back. What was taken from the queue before that stands behind those.
    pub(super) takings_back: u64,
    /// How many of those takings back are on their way into the queue: until then nothing is sent that stands behind them, and the
    /// queue is not to be believed when it says that there is nothing more.
    pub(super) returning: usize,
    /// For how long calls wait behind the one that runs.
    pub(super) patience: Patience,
    /// The owner sleeps without such an instant.
    pub(super) is_unwatched: bool,
    /// Calls that are not run, which the owner answers: what else is run with an answer is no business of a thread that
    /// submits.
    pub(super) refused: Vec<Refused<M>>,
    /// Nothing more will be sent.
    pub(super) is_closing: bool,
    pub(super) gate: Gate,
    /// The call for whose sake the child is being ended, and what ends it if it does not listen.
    pub(super) ending: Option<u64>,
    pub(super) grace: Option<WakeGuard>,
    /// What ends a child that does not make its worker anew in time.
    pub(super) overdue: Option<WakeGuard>,
}

/// Whether a child is sent calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Gate {
    /// It is.
    Open,
    /// Its call has panicked, and it makes its worker anew: not until it has.
    Rebuilding,
    /// Nothing more is sent to it.
    Barred,
}

/// A call that was sent.
pub(super) struct Sent<M> {
    pub(super) id: u64,
    pub(super) bytes: usize,
    /// It was sent with what was acquired for it, which is gone with its child.
    pub(super) is_lent: bool,
    pub(super) call: Taken<M>,
}

/// A call that is not run.
pub(super) enum Refused<M> {
    /// It was taken from the queue, and ends now; without an error when nobody needs its result.
    Taken(Taken<M>, Option<CallError>),
    /// The queue does not take it back.
    NotTakenBack(M, CallError),
}

impl<M> Flight<M> {
    pub(super) fn new(now: Timestamp) -> Self {
        Self {
            link: None,
            sent: VecDeque::new(),
            bytes: 0,
            carried: 0,
            window: Window::new(now),
            answered: 0,
            answering: 0,
            is_owner_waiting: false,
            takings_back: 0,
            returning: 0,
            patience: Patience::default(),
            is_unwatched: false,
            refused: Vec::new(),
            is_closing: false,
            gate: Gate::Open,
            ending: None,
            grace: None,
            overdue: None,
        }
    }

    /// The child's call has panicked.
    pub(super) fn has_panicked(&mut self) {
        if self.gate == Gate::Open {
            self.gate = Gate::Rebuilding;
        }
        self.window.shrinks();
    }

    /// The child has made its worker anew. What would have ended it comes back: not under the lock.
    pub(super) fn has_worker(&mut self) -> Option<WakeGuard> {
        if self.gate == Gate::Rebuilding {
            self.gate = Gate::Open;
        }
        self.overdue.take()
    }

    /// For how many more calls there is room.
    pub(super) fn room(&self) -> usize {
        let is_flowing = self.link.as_ref().is_some_and(Link::is_flowing);
        let is_lent = self.sent.front().is_some_and(|sent| sent.is_lent);
        if is_flowing && !is_lent { self.window.room(self.sent.len(), self.bytes) } else { 0 }
    }

    /// Another child takes the place of this one.
    pub(super) fn has_no_past(&mut self) {
        self.gate = Gate::Open;
        self.patience.forget();
    }

    /// The owner sleeps: until when, if calls wait behind one that runs.
    pub(super) fn sleeps_until(&mut self, now: impl Fn() -> Timestamp) -> Option<Timestamp> {
        self.is_unwatched = self.sent.len() < 2;
        self.patience.until(!self.is_unwatched, self.answered, now)
    }

    /// Whether calls have waited behind one that runs for long enough.
    pub(super) fn is_late(&mut self, is_more: bool, now: impl Fn() -> Timestamp) -> bool {
        self.patience.is_over(self.sent.len() >= 2, self.answered, is_more, now)
    }

    /// Calls were sent: an owner that sleeps, and does not know that one waits behind another, is told.
    pub(super) fn tell_owner(&mut self) {
        if self.is_unwatched && self.sent.len() >= 2 {
            self.is_unwatched = false;
            if let Some(link) = &self.link {
                link.nudge();
            }
        }
    }

    /// The first call was answered, if it has this id; the one behind it begins `now`.
    pub(super) fn answered(&mut self, id: u64, now: impl FnOnce() -> Timestamp) -> Option<Taken<M>> {
        self.sent.front().filter(|first| first.id == id)?;
        let first = self.sent.pop_front()?;
        self.bytes -= first.bytes;
        self.carried += first.bytes;
        self.answered += 1;
        if let Some(note) = self.sent.front_mut().and_then(|next| next.call.noted.as_mut()) {
            note.is_taken(now());
        }
        Some(first.call)
    }

    /// Takes the calls out that the child has not begun. If there are any, they are to be [returned](super::driver::Driver::returned).
    pub(super) fn take_back(&mut self) -> Vec<Sent<M>> {
        self.takings_back += 1;
        let Some(link) = &mut self.link else { return Vec::new() };
        let was_taken_back = link.take_back();
        // They are begun in the order in which they were sent.
        let begun = self.sent.iter().position(|sent| was_taken_back(sent.id)).unwrap_or(self.sent.len());
        let calls: Vec<_> = self.sent.drain(begun..).collect();
        self.bytes -= calls.iter().map(|sent| sent.bytes).sum::<usize>();
        self.returning += usize::from(!calls.is_empty());
        calls
    }
}
