//! Calls on their way to a child, several at once: encoded without a lock, and sent under one.

use concurry_core::call::CallError;
use concurry_core::panics::contain;
use concurry_core::sync::lock;
use concurry_limits::LimitSetAcquisition;

use super::driver::Driver;
use super::flight::{Flight, Gate, Sent};
use crate::admission::Admission;
use crate::pool::{Note, Taken};
use crate::process::{Encoded, Frame, Link};
use crate::worker::{Message, Worker};

/// A call that is to be sent.
struct Ready<M> {
    call: Taken<M>,
    frame: Frame,
    /// Boxed, since most have none.
    acquired: Option<Box<LimitSetAcquisition>>,
}

/// What was not sent.
struct Others<M> {
    /// There is no child.
    unsent: Vec<Taken<M>>,
    /// Nobody needs their results.
    unwanted: Vec<Taken<M>>,
    /// What was acquired for some.
    unlent: Vec<LimitSetAcquisition>,
}

impl<M> Default for Others<M> {
    fn default() -> Self {
        Self { unsent: Vec::new(), unwanted: Vec::new(), unlent: Vec::new() }
    }
}

impl<W: Worker> Driver<W> {
    /// Sends calls, each with what was acquired for it; or puts them back, and says so, when there is no child for them, or calls
    /// before them were taken back since they were taken.
    pub(super) fn send(&self, calls: impl IntoIterator<Item = Taken<W::Message>>, takings_back: u64) -> bool {
        let encoded: Vec<_> = calls.into_iter().filter_map(|call| self.encode(call)).collect();
        if encoded.is_empty() {
            return true;
        }
        let (mut frames, mut others) = (Vec::with_capacity(encoded.len()), Others::default());
        let mut flight = lock(&self.flight);
        let is_their_turn = flight.takings_back == takings_back && flight.gate == Gate::Open;
        for ready in encoded {
            self.sends(&mut flight, is_their_turn, ready, &mut frames, &mut others);
        }
        if let Some(link) = flight.link.as_ref().filter(|_| !frames.is_empty()) {
            link.send(frames);
        }
        flight.tell_owner();
        drop(flight);
        // Giving back what was acquired wakes others, so not under the lock.
        others.unlent.into_iter().for_each(LimitSetAcquisition::undo);
        for call in others.unwanted {
            self.refuse(call, None);
        }
        let are_sent = others.unsent.is_empty();
        if !are_sent {
            self.replace(others.unsent);
        }
        are_sent
    }

    /// A call as bytes, with what was acquired for it; refused when it is not to be sent.
    fn encode(&self, mut call: Taken<W::Message>) -> Option<Ready<W::Message>> {
        // Taken back if the call turns out not to be wanted.
        let mut acquired = None;
        if let Some((_, admission)) = call.message.admission() {
            acquired = admission.lend().map(Admission::granted);
            if acquired.is_none()
                && let Err(error) = admission.take()
            {
                self.refuse(call, Some(error));
                return None;
            }
        }
        let mut noted = call.noted.take();
        let encode = || contain("the encoding of a call", || W::encode(&call.message));
        let encoded = Note::within(&mut noted, encode);
        call.noted = noted;
        let error = match encoded {
            Some(Some(Encoded { method, args: Ok(args) })) => match Link::frame(method, args) {
                Ok(frame) => {
                    let acquired = acquired.and_then(|mut granted| granted.take().ok()).map(Box::new);
                    return Some(Ready { call, frame, acquired });
                }
                Err(error) => Some(CallError::NotSent(error)),
            },
            Some(Some(Encoded { args: Err(error), .. })) => Some(CallError::NotSent(error)),
            // Nobody needs its result.
            Some(None) | None => None,
        };
        drop(acquired);
        self.refuse(call, error);
        None
    }

    /// Notes a call as sent, whose frames are to be sent under the same lock; or puts it to those that are not.
    fn sends(
        &self,
        flight: &mut Flight<W::Message>,
        is_their_turn: bool,
        Ready { call, mut frame, acquired }: Ready<W::Message>,
        frames: &mut Vec<Frame>,
        others: &mut Others<W::Message>,
    ) {
        let Some(link) = flight.link.as_mut().filter(|_| is_their_turn) else {
            // The child died meanwhile, or is about to: what was acquired is asked for again.
            others.unlent.extend(acquired.map(|acquired| *acquired));
            return others.unsent.push(call);
        };
        // Under the lock: a cancellation that comes from now on finds the call where it is taken back from.
        if !call.message.is_wanted() {
            others.unlent.extend(acquired.map(|acquired| *acquired));
            return others.unwanted.push(call);
        }
        let (id, bytes, is_lent) = (link.next_id(), frame.body.len(), acquired.is_some());
        frame.id = id;
        match acquired.map(|acquired| link.lend(id, *acquired)) {
            Some(Ok(lent)) => frames.push(lent),
            Some(Err(acquired)) => others.unlent.push(acquired),
            None => {}
        }
        frames.push(frame);
        if flight.sent.is_empty() {
            flight.window.begins(self.clock.now());
        }
        flight.bytes += bytes;
        flight.sent.push_back(Sent { id, bytes, is_lent, call });
    }
}
