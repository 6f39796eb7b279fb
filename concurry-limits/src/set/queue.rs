//! The waiters of a set: first come, first served among those that share a key.
//!
//! Waiters of one mask (the same limits) form a group, and only the first of a group can be next. So what a walk costs
//! depends on the number of different masks, not on the number of waiters; to join and to be granted is O(1), to leave
//! O(log n).

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;

use super::Wish;
use super::cell::Cell;
use super::demand::mask_of;
use super::line::Line;

/// One who waits.
#[derive(Debug)]
pub(super) struct Waiter {
    pub(super) cell: Arc<Cell>,
    /// Which of its cell's branches stands here.
    pub(super) branch: u32,
}

impl Waiter {
    /// What it wants here.
    pub(super) fn wishes(&self) -> &[Wish] {
        self.cell.wishes(self.branch)
    }
}

/// The waiters of one mask, by their place in the queue. Never empty outside of a walk.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) mask: u128,
    pub(super) line: Line,
}

/// The first of each group, the oldest on top, with the index of the group.
pub(super) type Heads = BinaryHeap<Reverse<(u64, usize)>>;

#[derive(Debug, Default)]
pub(super) struct Queue {
    next_seq: u64,
    pub(super) groups: Vec<Group>,
    /// What the last walk and the last group leave to the next: who wakes somebody does not allocate.
    spare: (Heads, Line),
}

impl Queue {
    pub(super) fn is_empty(&self) -> bool {
        self.groups.is_empty()
    }

    /// The group of whoever came first of those who share a key with `mask`.
    pub(super) fn ahead_of(&self, mask: u128) -> Option<&Group> {
        let groups = self.groups.iter().filter(|group| group.mask & mask != 0);
        groups.min_by_key(|group| group.line.first().map(|(seq, _)| seq))
    }

    /// Whether the first of some group that shares a key with `mask` was granted by another set.
    pub(super) fn has_gone(&self, mask: u128) -> bool {
        let groups = self.groups.iter().filter(|group| group.mask & mask != 0);
        groups.filter_map(|group| group.line.first()).any(|(_, first)| first.cell.is_elsewhere())
    }

    /// Puts a waiter at the end.
    pub(super) fn join(&mut self, waiter: Waiter) -> u64 {
        let seq = self.next_seq;
        self.next_seq += 1;
        let mask = mask_of(waiter.wishes());
        let index = self.groups.iter().position(|group| group.mask == mask).unwrap_or_else(|| {
            self.groups.push(Group { mask, line: std::mem::take(&mut self.spare.1) });
            self.groups.len() - 1
        });
        self.groups[index].line.join(seq, waiter);
        seq
    }

    /// Takes a waiter out; the flag says whether it was the first of its group, so that others may be next now.
    pub(super) fn leave(&mut self, mask: u128, seq: u64) -> Option<(Waiter, bool)> {
        let index = self.groups.iter().position(|group| group.mask == mask)?;
        let line = &mut self.groups[index].line;
        let first = line.first().is_some_and(|(first, _)| first == seq);
        let waiter = line.leave(seq)?;
        if line.is_empty() {
            self.spare.1 = self.groups.swap_remove(index).line;
        }
        Some((waiter, first))
    }

    /// Begins a walk.
    pub(super) fn heads(&mut self) -> Heads {
        let mut heads = std::mem::take(&mut self.spare.0);
        let groups = self.groups.iter().enumerate();
        heads.clear();
        heads.extend(groups.filter_map(|(index, group)| Some(Reverse((group.line.first()?.0, index)))));
        heads
    }

    /// Ends a walk, which may have emptied groups.
    pub(super) fn end_walk(&mut self, heads: Heads) {
        self.spare.0 = heads;
        self.drop_empty_groups();
    }

    fn drop_empty_groups(&mut self) {
        let Self { groups, spare, .. } = self;
        groups.retain_mut(|group| {
            let is_empty = group.line.is_empty();
            if is_empty {
                spare.1 = std::mem::take(&mut group.line);
            }
            !is_empty
        });
    }

    /// Takes out every waiter that `is_out` says.
    pub(super) fn take_out(&mut self, mut is_out: impl FnMut(&Waiter) -> bool) -> Vec<Waiter> {
        let out = self.groups.iter_mut().flat_map(|group| group.line.take_out(&mut is_out)).collect();
        self.drop_empty_groups();
        out
    }

    /// How many waiters want the limit at `index`.
    pub(super) fn waiting_for(&self, index: usize) -> usize {
        let groups = self.groups.iter().filter(|group| group.mask & (1 << index) != 0);
        groups.map(|group| group.line.len()).sum()
    }
}
