//! One lane of calls that need the same, and its gate.
//!
//! Calls of one method need the same limits, so when the oldest is not admitted the younger ones are not either: the gate is
//! shut until the limits say that it is worth asking again. A lane without limits is always open.

use std::collections::VecDeque;

use crate::admission::Standing;
use crate::worker::Message;

pub(super) struct Lane<M> {
    /// The call that stands in the queue of the limits. None goes before it, not even one of older age: it may hold already
    /// what the other would wait for.
    pub(super) first: Option<(u64, M)>,
    pub(super) calls: Calls<M>,
    pub(super) gate: Gate,
}

/// Whether the first call may be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Gate {
    Open,
    /// A worker asks the limits for the call of this age.
    Asking {
        age: u64,
        /// The number of that call.
        call: usize,
        /// They have said meanwhile that it is worth asking again.
        again: bool,
        /// Nobody needs its result any more.
        withdrawn: bool,
    },
    /// They did not admit it, and will say when it is worth asking again.
    Shut,
}

/// What becomes of a call whose limits were asked.
pub(super) enum Asked<M> {
    /// It is to be run.
    Admitted(M),
    /// It waits. What is given back is to be dropped outside of the lock.
    Waits(Option<Standing>),
    /// Nobody needs its result any more.
    Withdrawn(M),
}

impl<M> Lane<M> {
    pub(super) fn new() -> Self {
        Self { first: None, calls: Calls::new(), gate: Gate::Open }
    }

    pub(super) fn is_open(&self) -> bool {
        self.gate == Gate::Open
    }

    /// The age of the call that is next.
    pub(super) fn age(&self) -> Option<u64> {
        self.first.as_ref().map(|(age, _)| *age).or_else(|| self.calls.age())
    }

    pub(super) fn place(&mut self, age: u64, message: M) {
        self.calls.place(age, message);
    }

    /// The next call, to be run.
    pub(super) fn pop(&mut self) -> Option<(u64, M)> {
        self.calls.pop()
    }

    /// The limits of a call were asked; `decided` tells whether they have decided.
    pub(super) fn asked(&mut self, age: u64, message: M, decided: bool) -> Asked<M> {
        let gate = std::mem::replace(&mut self.gate, Gate::Open);
        if let Gate::Asking { withdrawn: true, .. } = gate {
            return Asked::Withdrawn(message);
        }
        if decided {
            return Asked::Admitted(message);
        }
        self.first = Some((age, message));
        if !matches!(gate, Gate::Asking { again: true, .. }) {
            self.gate = Gate::Shut;
        }
        Asked::Waits(None)
    }

    /// It is worth asking for the next call; says whether a worker may find it now.
    pub(super) fn open(&mut self) -> bool {
        match &mut self.gate {
            Gate::Asking { again, .. } => {
                *again = true;
                return false;
            }
            gate => *gate = Gate::Open,
        }
        self.age().is_some()
    }

    /// Takes the call of this age out.
    pub(super) fn withdraw(&mut self, age: u64) -> Option<M> {
        if self.first.as_ref().is_some_and(|(first, _)| *first == age) {
            // What stood behind it is to be asked for itself.
            self.gate = Gate::Open;
            return self.first.take().map(|(_, message)| message);
        }
        self.calls.remove(age)
    }

    /// Whether the call of this age is being asked for; it is not run then.
    pub(super) fn withdraw_asked(&mut self, age: u64) -> bool {
        match &mut self.gate {
            Gate::Asking { age: asked, withdrawn, .. } if *asked == age => {
                *withdrawn = true;
                true
            }
            _ => false,
        }
    }

    /// The call of this age.
    pub(super) fn get(&self, age: u64) -> Option<&M> {
        let first = self.first.as_ref().filter(|(first, _)| *first == age);
        first.map(|(_, message)| message).or_else(|| self.calls.get(age))
    }

    /// All that is here, the one that is being asked for excepted.
    pub(super) fn take(&mut self) -> impl Iterator<Item = (u64, M)> {
        if self.first.is_some() {
            // What comes later is to be asked for itself.
            self.gate = Gate::Open;
        }
        self.first.take().into_iter().chain(std::mem::take(&mut self.calls.0))
    }
}

impl<M: Message> Lane<M> {
    /// The next call, whose limits are to be asked.
    pub(super) fn ask(&mut self) -> Option<(u64, M)> {
        let (age, message) = self.first.take().or_else(|| self.calls.pop())?;
        self.gate = Gate::Asking { age, call: message.call(), again: false, withdrawn: false };
        Some((age, message))
    }

    /// The call that stands in the queue of the limits leaves it and is one like the others; its place there, to be dropped
    /// outside of the lock.
    pub(super) fn unask(&mut self) -> Option<Standing> {
        let (age, mut message) = self.first.take()?;
        let place = leave(&mut message);
        self.calls.place(age, message);
        self.gate = Gate::Open;
        place
    }
}

/// Has a call leave the queue of its limits.
pub(super) fn leave<M: Message>(message: &mut M) -> Option<Standing> {
    message.admission().and_then(|(_, admission)| admission.leave())
}

/// Calls by age.
pub(super) struct Calls<M>(pub(super) VecDeque<(u64, M)>);

impl<M> Calls<M> {
    pub(super) fn new() -> Self {
        Self(VecDeque::new())
    }

    pub(super) fn age(&self) -> Option<u64> {
        self.0.front().map(|(age, _)| *age)
    }

    /// A call of old age stands near the front, so little is moved.
    pub(super) fn place(&mut self, age: u64, message: M) {
        if self.0.back().is_none_or(|(last, _)| *last < age) {
            self.0.push_back((age, message));
        } else {
            let place = self.0.partition_point(|(other, _)| *other < age);
            self.0.insert(place, (age, message));
        }
    }

    pub(super) fn pop(&mut self) -> Option<(u64, M)> {
        self.0.pop_front()
    }

    pub(super) fn get(&self, age: u64) -> Option<&M> {
        self.place_of(age).map(|place| &self.0[place].1)
    }

    pub(super) fn remove(&mut self, age: u64) -> Option<M> {
        let place = self.place_of(age)?;
        self.0.remove(place).map(|(_, message)| message)
    }

    /// Takes out those whose result nobody needs.
    pub(super) fn take_unwanted(&mut self) -> Vec<(u64, M)>
    where
        M: Message,
    {
        let is_wanted = |(_, message): &(u64, M)| message.is_wanted();
        if self.0.iter().all(is_wanted) {
            return Vec::new();
        }
        let mut unwanted = Vec::new();
        for call in std::mem::take(&mut self.0) {
            if is_wanted(&call) {
                self.0.push_back(call);
            } else {
                unwanted.push(call);
            }
        }
        unwanted
    }

    fn place_of(&self, age: u64) -> Option<usize> {
        self.0.binary_search_by_key(&age, |(age, _)| *age).ok()
    }

    pub(super) fn take(&mut self) -> impl Iterator<Item = (u64, M)> {
        std::mem::take(&mut self.0).into_iter()
    }
}
