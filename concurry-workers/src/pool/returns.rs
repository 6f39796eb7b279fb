//! What is known of calls that may be tried again: where each stands, and how often calls were.

use std::collections::{BTreeMap, BTreeSet};

/// The calls with a retry that are not answered yet.
#[derive(Default)]
pub(super) struct Returns {
    /// By the number of the call that the caller holds: its age.
    tickets: BTreeMap<usize, u64>,
    /// All those ages.
    ages: BTreeSet<u64>,
    /// The ages of those that have come back and wait: to be taken, or for their time.
    back: BTreeSet<u64>,
    /// The ages of those that have come back and were taken, as long as that attempt may yet be put back.
    again: BTreeSet<u64>,
    /// How often calls came back, and were taken again.
    retried: u64,
    taken_again: u64,
    /// Attempts that returned what was not wanted.
    unwanted: u64,
}

impl Returns {
    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.tickets.is_empty()
    }

    pub(super) fn may_come(&mut self, call: usize, age: u64) {
        self.tickets.insert(call, age);
        self.ages.insert(age);
    }

    pub(super) fn is_answered(&mut self, call: usize, age: u64) {
        self.ages.remove(&age);
        self.again.remove(&age);
        // The number may be that of another call by now.
        if self.tickets.get(&call) == Some(&age) {
            self.tickets.remove(&call);
        }
    }

    /// The age of a call that may come back.
    pub(super) fn age_of(&self, call: usize) -> Option<u64> {
        self.tickets.get(&call).copied()
    }

    /// Whether the call of this age may come back.
    pub(super) fn may_come_again(&self, age: u64) -> bool {
        self.ages.contains(&age)
    }

    /// A call comes back; how often any did.
    pub(super) fn comes_back(&mut self, age: u64) -> u64 {
        self.back.insert(age);
        self.again.remove(&age);
        self.retried += 1;
        self.retried
    }

    /// A call is taken by a worker.
    #[inline]
    pub(super) fn runs_again(&mut self, age: u64) {
        if !self.back.is_empty() && self.back.remove(&age) {
            self.taken_again += 1;
            self.again.insert(age);
        }
    }

    /// A call waits: perhaps one that was taken, and is put back without having run.
    pub(super) fn waits(&mut self, age: u64) {
        if self.is_not_run(age) {
            self.back.insert(age);
        }
    }

    /// A call waits no more, and is not run again: the attempt before was its last.
    pub(super) fn leaves(&mut self, age: u64) {
        if !self.back.remove(&age) {
            self.is_not_run(age);
        }
    }

    /// A call was perhaps taken again, and has not run; whether that is so.
    fn is_not_run(&mut self, age: u64) -> bool {
        let was_taken = !self.again.is_empty() && self.again.remove(&age);
        self.taken_again -= u64::from(was_taken);
        was_taken
    }

    /// No call waits any more, but for those of these ages.
    pub(super) fn keep(&mut self, ages: &BTreeSet<u64>) {
        self.back.retain(|age| ages.contains(age));
    }

    /// An attempt returned what was not wanted: it has failed, although its method did not.
    pub(super) fn is_unwanted(&mut self) {
        self.unwanted += 1;
    }

    pub(super) fn unwanted(&self) -> u64 {
        self.unwanted
    }

    pub(super) fn retried(&self) -> u64 {
        self.retried
    }

    /// The attempts that were not the last of their call.
    pub(super) fn followed(&self) -> u64 {
        self.taken_again + u64::try_from(self.back.len()).unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_call_is_not_that_of_the_next_one_with_its_number() {
        let mut returns = Returns::default();
        returns.may_come(7, 1);
        returns.may_come(7, 2);
        returns.is_answered(7, 1);
        assert_eq!((returns.is_empty(), returns.age_of(7)), (false, Some(2)));
        returns.is_answered(7, 2);
        assert!(returns.is_empty());
    }
}
