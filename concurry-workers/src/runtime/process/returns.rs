//! What becomes of the calls that a child has: answered, put back, or dead with it. All of it on the owner's thread, but for answers
//! that are waited for alone.

use std::time::Duration;

use concurry_core::call::{CallError, WorkerDied, is_soon_answered};
use concurry_core::clock::Timestamp;
use concurry_core::panics::{contain, discard};
use concurry_core::sync::lock;

use super::driver::{Driver, FEW};
use super::flight::{Refused, Sent};
use crate::attempt::{Ran, refuse};
use crate::pool::{Note, Noted, Taken};
use crate::process::{Frame, answered, has_panicked, is_not_sent, put_aside};
use crate::worker::{Message, Worker};

/// Calls that have ended, and are yet to be told to the queue.
#[derive(Default)]
pub(super) struct Ended {
    /// Their ages.
    calls: Vec<u64>,
    free: usize,
    /// Those of them that the child has answered.
    answered: u32,
    /// The bytes of their answers.
    bytes: usize,
    /// What was noted of some.
    noted: Vec<Noted>,
    /// How many the child has left.
    left: usize,
}

impl Ended {
    pub(super) fn calls(&self) -> usize {
        self.calls.len()
    }

    /// Whether the child has enough to do for a while.
    pub(super) fn leaves_enough(&self) -> bool {
        self.left >= FEW
    }

    fn add<M>(&mut self, call: &Taken<M>) {
        self.calls.push(call.age());
        self.free += usize::from(call.is_free());
    }
}

impl<W: Worker> Driver<W> {
    /// The child has answered calls, which are answered here; with each answer, how long its call has waited for limits there.
    ///
    /// # Errors
    ///
    /// When one is not the one that it runs; those before it are answered.
    pub(super) fn answered(
        &self,
        answers: &mut Vec<(Frame, Duration)>,
        ended: &mut Ended,
    ) -> Result<(), &'static str> {
        let count = answers.len();
        if count == 0 {
            return Ok(());
        }
        let mut calls = Vec::with_capacity(count);
        {
            let mut flight = lock(&self.flight);
            // The owner is awake, and asks anew how long it may sleep.
            flight.is_unwatched = false;
            let now = || self.shared.queue.clock().now();
            let answered = answers.iter().map_while(|(frame, _)| flight.answered(frame.id, now));
            calls.extend(answered.inspect(|call| is_soon_answered(call.message.call())));
            ended.left = flight.sent.len();
            // The child says nothing more before it has its worker, so it is the last one.
            if answers.last().is_some_and(|(frame, _)| has_panicked(frame)) {
                flight.has_panicked();
            }
        }
        let known = calls.len();
        for (call, (frame, waited)) in calls.into_iter().zip(answers.drain(..)) {
            self.has_answer(call, frame, waited, ended);
        }
        if known < count { Err("it has answered a call that it does not run") } else { Ok(()) }
    }

    /// Answers a call that was taken out; it has `waited` for limits in the child for so long.
    pub(super) fn has_answer(
        &self,
        mut call: Taken<W::Message>,
        frame: Frame,
        waited: Duration,
        ended: &mut Ended,
    ) {
        Note::has_waited(&mut call.noted, waited);
        ended.add(&call);
        ended.answered += 1;
        ended.bytes += frame.body.len();
        let panicked = has_panicked(&frame);
        if panicked {
            // Before the caller knows: when it was one too many, its next call is told so.
            self.shared.rebuilt_elsewhere();
            self.put_back();
            self.expects_worker();
        }
        let Taken { message, mut noted, .. } = call;
        // Nobody needs what a child has not sent because it was cancelled.
        let is_cancelled = is_not_sent(&frame) && !message.is_wanted();
        let ran = Note::within(&mut noted, || {
            contain("the answer to a call", || W::complete(message, &answered(&frame)))
        });
        let ran = match ran {
            _ if panicked => Ran::Panicked,
            _ if is_cancelled => Ran::Returned,
            ran => ran.unwrap_or(Ran::Failed),
        };
        put_aside(frame.body);
        self.shared.count(ran, &noted);
        if noted.is_some() {
            ended.noted.push(noted);
        }
    }

    /// Tells the queue which calls have ended, and answers those that are not run.
    pub(super) fn settle(&self, ended: &mut Ended) {
        if self.settle_ended(ended) {
            self.answer_refused();
        }
    }

    /// Tells the queue which calls have ended; whether there are some that are not run, and that the owner is to answer.
    pub(super) fn settle_ended(&self, ended: &mut Ended) -> bool {
        let Ended { calls, free, answered, bytes, noted, .. } = std::mem::take(ended);
        let has_refused = {
            let mut flight = lock(&self.flight);
            if answered > 0 {
                let carried = std::mem::take(&mut flight.carried) + bytes;
                flight.window.answered(answered, carried, self.clock.now());
            }
            if let Some(link) = &flight.link {
                link.flow();
            }
            !flight.refused.is_empty()
        };
        self.shared.queue.settled(self.number, &calls, free, noted);
        has_refused
    }

    /// Answers the calls that are not run.
    pub(super) fn answer_refused(&self) {
        let refused = std::mem::take(&mut lock(&self.flight).refused);
        for one in refused {
            match one {
                Refused::Taken(call, error) => {
                    let (age, is_free) = (call.age(), call.is_free());
                    let ran = if error.is_some() { Ran::Failed } else { Ran::Returned };
                    match error {
                        Some(error) => refuse::<W>(call.message, error),
                        None => discard(call.message),
                    }
                    self.shared.count(ran, &call.noted);
                    self.shared.queue.settled(self.number, &[age], usize::from(is_free), vec![call.noted]);
                }
                Refused::NotTakenBack(message, error) => refuse::<W>(message, error),
            }
        }
    }

    /// The child has died: the call that it ran is answered with that, and what it had not begun goes back. Whether it was
    /// ended for the sake of a call. What the child waited for limits, it waited in the call that it ran.
    pub(super) fn died(&self, died: WorkerDied, waited: Duration) -> bool {
        let (mut begun, others, ending, ended) = {
            let mut flight = lock(&self.flight);
            // What was acquired for one of them is gone with the child, and is asked for again.
            let others = flight.take_back();
            let begun: Vec<_> = flight.sent.drain(..).collect();
            (flight.bytes, flight.carried) = (0, 0);
            flight.window.shrinks();
            flight.has_no_past();
            let ended = (flight.link.take(), flight.grace.take(), flight.overdue.take());
            (begun, others, flight.ending.take(), ended)
        };
        drop(ended);
        self.declines();
        if !others.is_empty() {
            self.returned(others);
        }
        if let Some(running) = begun.last_mut() {
            Note::has_waited(&mut running.call.noted, waited);
        }
        for Sent { call, id, .. } in begun {
            let (age, is_free) = (call.age(), call.is_free());
            refuse::<W>(call.message, CallError::WorkerDied(died.clone()));
            let ran = if ending == Some(id) { Ran::Returned } else { Ran::Panicked };
            self.shared.count(ran, &call.noted);
            self.shared.queue.settled(self.number, &[age], usize::from(is_free), vec![call.noted]);
        }
        self.answer_refused();
        ending.is_some()
    }

    /// The owner sleeps: until when, so that what waits behind a call which takes long can be run elsewhere.
    pub(super) fn patience(&self) -> Option<Timestamp> {
        lock(&self.flight).sleeps_until(|| self.clock.now())
    }

    /// Looks whether the first call has taken that long: what waits behind it goes back then.
    pub(super) fn look_at_time(&self, is_more: bool) {
        let is_late = {
            let mut flight = lock(&self.flight);
            let is_late = flight.is_late(is_more, || self.clock.now());
            if is_late {
                flight.window.shrinks();
            }
            is_late
        };
        if is_late {
            self.put_back();
        }
    }
}
