//! Room for the results of a map, in which each result is written to its place by whoever has its number.
//!
//! The room is one allocation, and becomes the vector that the caller gets. A [`Place`] is a part of it that nobody has written,
//! and a [`Filled`] is one that somebody has; each belongs to one owner, and no two of them overlap, since they are made only
//! by splitting a place, filling one, and joining what is filled. So several threads write at once without a lock.
//!
//! This file holds all `unsafe` of maps.

#![allow(unsafe_code, reason = "see each block")]

use std::mem::ManuallyDrop;
use std::ptr::{self, NonNull};
use std::sync::Arc;

/// The allocation. It drops no results: those belong to what is filled.
struct Room<U> {
    base: NonNull<U>,
    capacity: usize,
}

// SAFETY: the room itself is only freed; results are reached through places and filled parts, each of which has one owner. A
// result is written by one thread, and read or dropped by another, which is what `Send` allows.
unsafe impl<U: Send> Send for Room<U> {}
// SAFETY: as above.
unsafe impl<U: Send> Sync for Room<U> {}

impl<U> Room<U> {
    /// Frees nothing any more; the same memory as a vector of its first `length` results.
    ///
    /// # Safety
    ///
    /// Those are written, and nobody else owns them.
    unsafe fn into_vec(self, length: usize) -> Vec<U> {
        let room = ManuallyDrop::new(self);
        // SAFETY: it was a vector of this capacity; the caller sees to the rest.
        unsafe { Vec::from_raw_parts(room.base.as_ptr(), length, room.capacity) }
    }
}

impl<U> Drop for Room<U> {
    fn drop(&mut self) {
        // SAFETY: it was a vector of this capacity, of which nothing is dropped here.
        drop(unsafe { Vec::from_raw_parts(self.base.as_ptr(), 0, self.capacity) });
    }
}

/// A part of a room that nobody has written.
pub(super) struct Place<U> {
    room: Arc<Room<U>>,
    start: usize,
    length: usize,
}

impl<U> Place<U> {
    /// A whole room for so many results; none when there is not so much memory, or nothing to make room for.
    pub(super) fn for_all(count: usize) -> Option<Self> {
        let mut results = Vec::new();
        results.try_reserve_exact(count).ok().filter(|()| count > 0)?;
        let mut results = ManuallyDrop::new(results);
        let room = Room { base: NonNull::new(results.as_mut_ptr())?, capacity: results.capacity() };
        Some(Self { room: Arc::new(room), start: 0, length: count })
    }

    /// Takes so many places off its beginning; none when there are fewer.
    pub(super) fn split(&mut self, count: usize) -> Option<Self> {
        let left = self.length.checked_sub(count)?;
        let front = Self { room: Arc::clone(&self.room), start: self.start, length: count };
        (self.start, self.length) = (self.start + count, left);
        Some(front)
    }

    pub(super) fn len(&self) -> usize {
        self.length
    }

    /// Keeps so many places at most.
    pub(super) fn shorten(&mut self, most: usize) {
        self.length = self.length.min(most);
    }

    /// Writes results here, as many as there are places at most.
    pub(super) fn fill(self, results: impl Iterator<Item = U>) -> Filled<U> {
        let Self { room, start, length } = self;
        // When `results` panics, what was written is dropped with this.
        let base = room.base;
        let mut filled = Filled { room, start, length: 0 };
        for result in results.take(length) {
            // SAFETY: the place lies within the room, since `length` limits how many there are; it belonged to `self`, so nobody has
            // written it and nobody else reaches it.
            unsafe { base.add(start + filled.length).write(result) };
            filled.length += 1;
        }
        filled
    }
}

/// A part of a room that is written.
pub(super) struct Filled<U> {
    room: Arc<Room<U>>,
    start: usize,
    length: usize,
}

impl<U> Filled<U> {
    pub(super) fn len(&self) -> usize {
        self.length
    }

    /// Makes one of the two, if `next` follows this one; gives it back otherwise.
    pub(super) fn join(&mut self, mut next: Self) -> Result<(), Self> {
        if !Arc::ptr_eq(&self.room, &next.room) || next.start != self.start + self.length {
            return Err(next);
        }
        // What it owned is owned by this one now.
        self.length += std::mem::take(&mut next.length);
        Ok(())
    }

    /// The results as a vector: the room itself, if they begin there and nobody else has a part of it.
    pub(super) fn into_vec(mut self) -> Vec<U> {
        // From here on nobody drops them but the vector.
        let (start, length) = (self.start, std::mem::take(&mut self.length));
        let room = Arc::clone(&self.room);
        drop(self);
        let room = match Arc::try_unwrap(room) {
            // SAFETY: they were this part's, which has let go of them; it began at the beginning.
            Ok(room) if start == 0 => return unsafe { room.into_vec(length) },
            Ok(room) => Arc::new(room),
            Err(room) => room,
        };
        let mut results = Vec::with_capacity(length);
        // SAFETY: they were this part's, so they are written, and are moved out once; the vector has just got room for them.
        unsafe {
            ptr::copy_nonoverlapping(room.base.add(start).as_ptr(), results.as_mut_ptr(), length);
            results.set_len(length);
        }
        results
    }
}

impl<U> Drop for Filled<U> {
    fn drop(&mut self) {
        let results =
            ptr::slice_from_raw_parts_mut(self.room.base.as_ptr().wrapping_add(self.start), self.length);
        // SAFETY: they are written, and belong to this part alone.
        unsafe { ptr::drop_in_place(results) };
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::thread;

    use super::*;

    /// Counts how many of it live.
    struct Counted<'a>(usize, &'a AtomicUsize);

    impl<'a> Counted<'a> {
        fn new(number: usize, alive: &'a AtomicUsize) -> Self {
            alive.fetch_add(1, Ordering::SeqCst);
            Self(number, alive)
        }
    }

    impl Drop for Counted<'_> {
        fn drop(&mut self) {
            self.1.fetch_sub(1, Ordering::SeqCst);
        }
    }

    #[test]
    fn threads_that_fill_their_parts_make_one_vector() {
        let alive = AtomicUsize::new(0);
        let mut rest = Place::for_all(90).unwrap();
        let parts: Vec<_> = (0..9).map(|_| rest.split(10).unwrap()).collect();
        assert!(rest.split(1).is_none());
        drop(rest);
        let alive = &alive;
        let mut filled: Vec<_> = thread::scope(|scope| {
            let fill = |(number, part): (usize, Place<_>)| {
                scope.spawn(move || part.fill((number * 10..).map(|n| Counted::new(n, alive))))
            };
            let threads: Vec<_> = parts.into_iter().enumerate().map(fill).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        let mut whole = filled.remove(0);
        let second = filled.remove(1);
        // One that does not follow comes back.
        let Err(second) = whole.join(second) else { panic!("there is a gap") };
        assert!(whole.join(filled.remove(0)).is_ok() && whole.join(second).is_ok());
        assert!(filled.into_iter().all(|next| whole.join(next).is_ok()));
        let results = whole.into_vec();
        assert!(results.iter().enumerate().all(|(n, result)| result.0 == n));
        assert_eq!((results.len(), alive.load(Ordering::SeqCst)), (90, 90));
        drop(results);
        assert_eq!(alive.load(Ordering::SeqCst), 0);
    }

    #[test]
    fn what_is_not_needed_any_more_is_dropped_once() {
        let alive = AtomicUsize::new(0);
        let results = |from: usize| (from..).map(|n| Counted::new(n, &alive));
        let mut rest = Place::for_all(10).unwrap();
        let (first, second) = (rest.split(3).unwrap(), rest.split(3).unwrap());
        let (first, second) = (first.fill(results(0)), second.fill(results(3).take(2)));
        assert_eq!((first.len(), second.len(), alive.load(Ordering::SeqCst)), (3, 2, 5));
        drop(second);
        assert_eq!(alive.load(Ordering::SeqCst), 3);
        // In the middle of a part.
        let failing = results(6).inspect(|result| assert!(result.0 < 8, "on purpose"));
        assert!(catch_unwind(AssertUnwindSafe(|| rest.fill(failing))).is_err());
        assert_eq!(alive.load(Ordering::SeqCst), 3);
        drop(first);
        assert_eq!(alive.load(Ordering::SeqCst), 0);
    }

    #[test]
    fn results_are_moved_out_where_they_do_not_have_the_room_for_themselves() {
        let alive = AtomicUsize::new(0);
        let results = |from: usize| (from..).map(|n| Counted::new(n, &alive));
        let mut rest = Place::for_all(8).unwrap();
        let (first, second) =
            (rest.split(4).unwrap().fill(results(0)), rest.split(2).unwrap().fill(results(4)));
        let first = first.into_vec();
        let second = second.into_vec();
        drop(rest);
        assert!(first.iter().chain(&second).map(|result| result.0).eq(0..6));
        assert_eq!(alive.load(Ordering::SeqCst), 6);
        drop((first, second));
        assert_eq!(alive.load(Ordering::SeqCst), 0);
    }

    #[test]
    fn there_is_room_for_what_takes_none_and_none_for_more_than_there_is_memory() {
        let whole = Place::for_all(1_000).unwrap().fill(std::iter::repeat(()));
        assert_eq!(whole.into_vec().len(), 1_000);
        assert!(Place::<u64>::for_all(usize::MAX).is_none() && Place::<u64>::for_all(0).is_none());
    }
}
