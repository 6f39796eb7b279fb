//! A call that a worker of mode async has taken: from there to its end, or back to where it was.

use std::sync::Arc;
use std::task::{Context, Poll};

use concurry_core::park::Sleepers;

use super::Shared;
use crate::attempt::{Ran, poll_job, refuse};
use crate::pool::serving::{Runner, Served, enter_as};
use crate::pool::{Note, Noted, Place, Sleeper, Taken};
use crate::worker::{Job, Worker};

/// A call that was taken and has not begun.
pub(super) struct Call<W: Worker> {
    pub(super) message: W::Message,
    noted: Noted,
    /// Where it was.
    place: Place,
}

impl<W: Worker> Call<W> {
    pub(super) fn of(taken: Taken<W::Message>) -> Self {
        let (place, message, noted) = taken.into_parts();
        Self { message, noted, place }
    }

    /// Worker `index` begins with it.
    pub(super) fn begin(self, shared: &Arc<Shared<W>>, index: usize) -> (W::Message, Running<W>) {
        let Self { message, noted, place } = self;
        let shared = Arc::clone(shared);
        let runner = Runner::alone(index);
        let (place, beside) = (Some(place), Beside { runner, has_submitted: false, is_asleep: false });
        (message, Running { shared, index, ended: Ran::Returned, noted, place, beside, is_told: false })
    }
}

/// A call that was taken and has not ended; it ends with this guard, also when the runtime drops its task.
pub(super) struct Running<W: Worker> {
    pub(super) shared: Arc<Shared<W>>,
    pub(super) index: usize,
    pub(super) ended: Ran,
    pub(super) noted: Noted,
    /// None once it has gone on with its call.
    place: Option<Place>,
    beside: Beside,
    /// It has been told how it ended.
    is_told: bool,
}

/// What is known of a method that runs beside others, for those who look whether it waits for its own pool.
struct Beside {
    runner: Runner,
    has_submitted: bool,
    is_asleep: bool,
}

impl<W: Worker> Running<W> {
    /// It runs beside others, as this one of them.
    pub(super) fn beside(&mut self, run: u64) {
        self.beside.runner.run = run;
    }

    /// Takes a step of an async method.
    pub(super) fn poll(&mut self, job: &mut Job, context: &mut Context<'_>) -> Poll<Ran> {
        self.step(|| poll_job(job, context))
    }

    /// Runs a part of its method.
    pub(super) fn step<R>(&mut self, step: impl FnOnce() -> R) -> R {
        if self.beside.runner.run == 0 {
            return Note::within(&mut self.noted, step);
        }
        let served = Served::new(self.shared.queue.number(), Some(self.beside.runner));
        let serving = enter_as(served.of_age(self.age()));
        let result = Note::within(&mut self.noted, step);
        self.beside.has_submitted |= serving.leave();
        result
    }

    /// As [`poll`](Self::poll), of a method that is polled by nobody else: while it is pending it sleeps.
    pub(super) fn poll_beside(&mut self, job: &mut Job, context: &mut Context<'_>) -> Poll<Ran> {
        self.wakes_up();
        let polled = self.poll(job, context);
        if polled.is_pending() && self.beside.has_submitted {
            self.beside.is_asleep = true;
            self.sleeper().falls_asleep(context.waker());
        }
        polled
    }

    /// Runs a method that blocks its thread, beside others.
    pub(super) fn block(&mut self, method: impl FnOnce() -> Ran) -> Ran {
        let (shared, runner) = (Arc::clone(&self.shared), self.beside.runner);
        let (ran, has_submitted) =
            shared.work_as(runner, Some(self.age()), || Note::within(&mut self.noted, method));
        self.beside.has_submitted |= has_submitted;
        ran
    }

    fn wakes_up(&mut self) {
        if std::mem::take(&mut self.beside.is_asleep) {
            self.sleeper().wakes_up();
        }
    }

    fn sleeper(&self) -> Sleeper<W> {
        Sleeper::new(&self.shared.queue, self.beside.runner, Some(self.age()))
    }

    /// Which call of its pool it is.
    pub(super) fn age(&self) -> u64 {
        self.place.as_ref().map_or(0, Place::age)
    }

    /// How it has ended.
    pub(super) fn ended(mut self, ran: Ran) -> Self {
        self.ended = ran;
        self
    }

    /// It is begun with once more.
    pub(super) fn leave(mut self, message: W::Message) -> Option<Call<W>> {
        let place = self.place.take()?;
        self.is_told = true;
        Some(Call { message, noted: self.noted.take(), place })
    }

    /// It has ended, and its worker takes the next call, if that is there.
    pub(super) fn next(mut self) -> Option<Call<W>> {
        self.is_told = true;
        let noted = self.noted.take();
        self.shared.count(self.ended, &noted);
        self.shared.queue.next(self.index, noted).map(Call::of)
    }

    /// It goes back to where it was, to be taken once more.
    pub(super) fn put_back(mut self, message: W::Message) {
        let Some(place) = self.place.take() else {
            return refuse::<W>(message, self.shared.refusal());
        };
        self.is_told = true;
        let taken = Taken::from_parts(place, message, self.noted.take());
        for message in self.shared.queue.put_back(self.index, vec![taken]) {
            refuse::<W>(message, self.shared.refusal());
        }
    }
}

impl<W: Worker> Drop for Running<W> {
    fn drop(&mut self) {
        self.wakes_up();
        if self.beside.has_submitted {
            self.shared.queue.beside_ends(self.beside.runner);
        }
        if !self.is_told {
            self.shared.call_ended(self.beside.runner, self.ended, self.noted.take());
        }
    }
}
