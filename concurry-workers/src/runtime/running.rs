//! A call that a worker of mode async has taken: from there to its end, or back to where it was.

use std::sync::Arc;
use std::task::{Context, Poll};

use super::Shared;
use crate::attempt::{Ran, poll_job, refuse};
use crate::pool::{Note, Noted, Place, Taken};
use crate::worker::{Job, Worker};

/// A call that was taken and has not begun.
pub(super) struct Call<W: Worker> {
    pub(super) message: W::Message,
    noted: Noted,
    /// Where it was. None of a call that followed another one at once: it needs nothing but its worker.
    place: Option<Place>,
}

impl<W: Worker> Call<W> {
    pub(super) fn of(taken: Taken<W::Message>) -> Self {
        let (place, message, noted) = taken.into_parts();
        Self { message, noted, place: Some(place) }
    }

    /// Worker `index` begins with it.
    pub(super) fn begin(self, shared: &Arc<Shared<W>>, index: usize) -> (W::Message, Running<W>) {
        let Self { message, noted, place } = self;
        let shared = Arc::clone(shared);
        (message, Running { shared, index, ended: Ran::Returned, noted, place, is_told: false })
    }
}

/// A call that was taken and has not ended; it ends with this guard, also when the runtime drops its task.
pub(super) struct Running<W: Worker> {
    pub(super) shared: Arc<Shared<W>>,
    pub(super) index: usize,
    pub(super) ended: Ran,
    pub(super) noted: Noted,
    place: Option<Place>,
    /// It has been told how it ended.
    is_told: bool,
}

impl<W: Worker> Running<W> {
    /// Takes a step of an async method.
    pub(super) fn poll(&mut self, job: &mut Job, context: &mut Context<'_>) -> Poll<Ran> {
        Note::within(&mut self.noted, || poll_job(job, context))
    }

    /// How it has ended.
    pub(super) fn ended(mut self, ran: Ran) -> Self {
        self.ended = ran;
        self
    }

    /// It is begun with once more.
    pub(super) fn leave(mut self, message: W::Message) -> Call<W> {
        self.is_told = true;
        Call { message, noted: self.noted.take(), place: self.place.take() }
    }

    /// It has ended, and its worker takes the next call, if that is there.
    pub(super) fn next(mut self) -> Option<Call<W>> {
        self.is_told = true;
        let noted = self.noted.take();
        self.shared.count(self.ended, &noted);
        let (message, noted) = self.shared.queue.next(self.index, noted)?;
        Some(Call { message, noted, place: None })
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
        if !self.is_told {
            self.shared.call_ended(self.index, self.ended, self.noted.take());
        }
    }
}
