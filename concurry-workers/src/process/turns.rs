//! Which calls a child has begun, in one word that both sides see.
//!
//! Promises: a call runs once or not at all, and it is always known which. The child takes the next turn before it runs a
//! call; the pool takes back, at one instant, all calls that were sent and not begun. Whoever changes the word first wins. The
//! word outlives the child, however that ends.
//!
//! The word is the epoch, which counts the takings back, and the number of the last call that was begun. A call has both in
//! its id: it is begun by a swap from (its epoch, the number before its own), which fails for calls that were taken back.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::memory::Memory;

/// Where the word is.
const WORD: usize = 0;

/// The pool's side.
pub(super) struct Turns {
    memory: Arc<Memory>,
    epoch: u32,
    /// The number of the last call that was sent.
    sent: u32,
}

impl Turns {
    pub(super) fn new(memory: Arc<Memory>) -> Self {
        Self { memory, epoch: 0, sent: 0 }
    }

    /// The id of a call that is about to be sent.
    pub(super) fn next(&mut self) -> u64 {
        self.sent = self.sent.wrapping_add(1);
        id(self.epoch, self.sent)
    }

    /// Takes back all calls that were not begun; the number of the last one that was. `None` when the word makes no sense:
    /// then nothing is known, and all must count as begun.
    pub(super) fn take_back(&mut self) -> Option<u32> {
        let word = self.memory.word(WORD);
        let mut seen = word.load(Ordering::SeqCst);
        loop {
            let (epoch, begun) = parts(seen);
            // It was begun, so it was sent.
            if epoch != self.epoch || self.sent.wrapping_sub(begun) > u32::MAX / 2 {
                return None;
            }
            let next = id(epoch.wrapping_add(1), begun);
            match word.compare_exchange(seen, next, Ordering::SeqCst, Ordering::SeqCst) {
                Ok(_) => {
                    self.epoch = epoch.wrapping_add(1);
                    self.sent = begun;
                    return Some(begun);
                }
                Err(changed) => seen = changed,
            }
        }
    }
}

/// Whether the call of this id is later than the last one that was begun.
pub(super) fn is_after(id: u64, begun: u32) -> bool {
    let distance = parts(id).1.wrapping_sub(begun);
    distance != 0 && distance <= u32::MAX / 2
}

/// The child begins the call of this id; false when it was taken back.
pub(super) fn begin(memory: &Memory, call: u64) -> bool {
    let (epoch, number) = parts(call);
    let before = id(epoch, number.wrapping_sub(1));
    memory.word(WORD).compare_exchange(before, call, Ordering::SeqCst, Ordering::SeqCst).is_ok()
}

fn id(epoch: u32, number: u32) -> u64 {
    u64::from(epoch) << 32 | u64::from(number)
}

fn parts(id: u64) -> (u32, u32) {
    let [e3, e2, e1, e0, n3, n2, n1, n0] = id.to_be_bytes();
    (u32::from_be_bytes([e3, e2, e1, e0]), u32::from_be_bytes([n3, n2, n1, n0]))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::sync::mpsc;

    use super::*;

    fn turns() -> (Arc<Memory>, Turns) {
        let memory = Arc::new(Memory::create(4096).unwrap());
        (Arc::clone(&memory), Turns::new(memory))
    }

    #[test]
    fn what_was_taken_back_is_not_begun_and_what_was_begun_is_not_taken_back() {
        let (memory, mut turns) = turns();
        let [first, second, third] = [turns.next(), turns.next(), turns.next()];
        assert!(begin(&memory, first));
        let begun = turns.take_back().unwrap();
        assert_eq!([first, second, third].map(|id| is_after(id, begun)), [false, true, true]);
        assert!(!begin(&memory, second) && !begin(&memory, third));
        let again = turns.next();
        assert!(begin(&memory, again) && !begin(&memory, again), "once");
        assert_eq!(turns.take_back(), Some(2));
    }

    #[test]
    fn a_word_that_makes_no_sense_is_not_believed() {
        let (memory, mut turns) = turns();
        turns.next();
        for word in [id(7, 0), id(0, 2), u64::MAX] {
            memory.word(WORD).store(word, Ordering::SeqCst);
            assert_eq!(turns.take_back(), None, "{word:x}");
        }
    }

    #[test]
    fn two_sides_that_race_agree_on_every_call() {
        let (memory, mut turns) = turns();
        let (send, receive) = mpsc::channel::<u64>();
        let child = std::thread::spawn(move || {
            receive.into_iter().filter(|call| begin(&memory, *call)).collect::<Vec<u64>>()
        });
        let (mut kept, mut taken_back) = (BTreeSet::new(), BTreeSet::new());
        let rounds = if cfg!(miri) { 50 } else { 10_000u32 };
        for round in 0..rounds {
            let calls: Vec<u64> = (0..round % 5).map(|_| turns.next()).collect();
            for call in &calls {
                send.send(*call).unwrap();
            }
            let begun = turns.take_back().unwrap();
            for call in calls {
                if is_after(call, begun) {
                    taken_back.insert(call)
                } else {
                    kept.insert(call)
                };
            }
        }
        drop(send);
        let run = child.join().unwrap();
        assert_eq!(run.len(), run.iter().collect::<BTreeSet<_>>().len(), "none twice");
        assert_eq!(run.into_iter().collect::<BTreeSet<_>>(), kept);
        assert!(kept.is_disjoint(&taken_back));
    }
}
