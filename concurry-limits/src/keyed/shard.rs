//! The keys of one lock.
//!
//! A key is awake, with an engine, or at rest, with the states of its limits alone, or forgotten, when a new set would be
//! the same. An engine is put to rest when nobody refers to it (it is held by each acquisition, each waiter and each handle
//! of a set), nobody has used it since the last walk, and its definition and states tell everything about it.
//!
//! An engine that differs from others in its numbers alone is not ended then, but kept for the next key that wakes: to make one
//! takes longer than all else.
//!
//! The walk over those awake happens when twice as many are awake as were left by the last one; the walk over those at rest
//! after as many lookups as there are keys. So each costs O(1) a lookup, amortised, and no thread is needed.
//!
//! Keys, limits and states may be foreign, and their `Drop` may ask these very limits: what a shard lets go of is handed out,
//! to be dropped when its lock is free ([`Gone`]). Under the lock keys are hashed and compared, and states are packed and
//! unpacked; when a limit or a state panics there, what is known of the key stays known. A key whose `Hash` or `Eq` panics now and then
//! may be forgotten.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::Hash;
use std::mem::needs_drop;
use std::sync::Arc;

use concurry_core::clock::{Clock, Timestamp};

use super::stats::{KeyedLimitsStats, Sums};
use crate::set::{Definition, Ended, Engine, Fresh, Panic, Rest};

pub(super) struct Shard<K> {
    awake: HashMap<K, Awake>,
    at_rest: HashMap<K, Rest>,
    /// How many may be awake before those are put to rest that are not used; twice what the last walk left.
    awake_due: usize,
    /// Lookups since the last walk over those at rest was due.
    lookups: usize,
    /// The latest time that was acted at.
    now: Timestamp,
    forgotten: u64,
    /// Engines that are new again, of keys that were put to rest, for those that wake: to make one takes longest.
    spare: Vec<Arc<Engine>>,
    /// What was counted by engines that are at rest or gone.
    counted: Sums,
}

struct Awake {
    engine: Arc<Engine>,
    /// Since the last walk.
    used: bool,
}

/// What a shard has let go of; dropped when its lock is free.
pub(super) struct Gone<K> {
    keys: Vec<K>,
    /// A key of which there is another.
    spare: Option<K>,
    rests: Vec<Rest>,
    ended: Ended,
}

impl<K> Gone<K> {
    pub(super) fn new() -> Self {
        Self { keys: Vec::new(), spare: None, rests: Vec::new(), ended: Ended::default() }
    }

    /// A key that is forgotten. What is plain is dropped here: nothing happens then.
    fn take(&mut self, key: K, rest: Rest) {
        if needs_drop::<K>() {
            self.keys.push(key);
        }
        if !rest.is_plain() {
            self.rests.push(rest);
        }
    }
}

impl<K> Shard<K> {
    pub(super) fn len(&self) -> usize {
        self.awake.len() + self.at_rest.len()
    }
}

impl<K: Hash + Eq> Shard<K> {
    pub(super) fn new() -> Self {
        Self {
            awake: HashMap::new(),
            at_rest: HashMap::new(),
            awake_due: 0,
            lookups: 0,
            now: Timestamp::default(),
            forgotten: 0,
            spare: Vec::new(),
            counted: Sums::default(),
        }
    }

    /// The engine of `key` if it is awake, and whether it is time for a walk over those at rest somewhere; `least` is how
    /// many lookups that takes at least.
    pub(super) fn find<Q>(&mut self, key: &Q, least: usize) -> (Option<Arc<Engine>>, bool)
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.lookups += 1;
        let is_due = self.lookups >= (self.awake.len() + self.at_rest.len()).max(least);
        if is_due {
            self.lookups = 0;
        }
        let found = self.awake.get_mut(key).map(|awake| {
            awake.used = true;
            Arc::clone(&awake.engine)
        });
        (found, is_due)
    }

    /// Puts to rest what is not used, when it is time for that.
    pub(super) fn make_room(&mut self, clock: &dyn Clock, least: usize, gone: &mut Gone<K>) {
        if self.awake.len() >= self.awake_due.max(least) {
            self.put_to_rest(clock, least, gone);
        }
    }

    /// The engine of `key`, which may have been at rest, or unknown, if there is one without making it.
    ///
    /// # Errors
    ///
    /// The key, where there is none.
    pub(super) fn wake_spare(
        &mut self,
        mut key: K,
        definition: &Arc<Definition>,
        now: Timestamp,
        gone: &mut Gone<K>,
    ) -> Result<Arc<Engine>, K> {
        if let Some(awake) = self.awake.get(&key) {
            gone.spare = Some(key);
            return Ok(Arc::clone(&awake.engine)); // somebody was faster
        }
        let is_like_it = |spare: &mut Arc<Engine>| Arc::ptr_eq(&spare.definition, definition);
        let Some(engine) = self.spare.pop_if(is_like_it) else { return Err(key) };
        self.now = self.now.max(now);
        match self.at_rest.remove_entry(&key) {
            None => {}
            Some((kept, Rest::One(packed))) => {
                gone.spare = Some(std::mem::replace(&mut key, kept));
                engine.go_on(packed, self.now);
            }
            Some((kept, several)) => {
                self.at_rest.insert(kept, several);
                self.spare.push(engine);
                return Err(key);
            }
        }
        self.awake.insert(key, Awake { engine: Arc::clone(&engine), used: true });
        Ok(engine)
    }

    /// The engine of `key`, which may have been at rest, or unknown: then it is `new`.
    ///
    /// # Errors
    ///
    /// What a user's own limit panicked with; the key stays at rest.
    pub(super) fn wake(
        &mut self,
        mut key: K,
        new: &mut Fresh,
        (clock, now): (&Arc<dyn Clock>, Timestamp),
        gone: &mut Gone<K>,
    ) -> Result<Arc<Engine>, Panic> {
        if let Some(awake) = self.awake.get(&key) {
            gone.spare = Some(key);
            return Ok(Arc::clone(&awake.engine)); // somebody was faster
        }
        self.now = self.now.max(now);
        if let Some((kept, rest)) = self.at_rest.remove_entry(&key) {
            gone.spare = Some(std::mem::replace(&mut key, kept));
            if let Err((panic, rest)) = new.go_on(rest, self.now) {
                self.at_rest.insert(key, rest);
                return Err(panic);
            }
        }
        let engine = new.begin(clock, self.now);
        self.awake.insert(key, Awake { engine: Arc::clone(&engine), used: true });
        Ok(engine)
    }

    /// Puts to rest whatever can be and was not used since the last walk.
    fn put_to_rest(&mut self, clock: &dyn Clock, least: usize, gone: &mut Gone<K>) {
        let now = self.tick(clock);
        let Self { awake, at_rest, counted, spare, forgotten, now: latest, .. } = self;
        let mut busy = Vec::new();
        let unused = |awake: &Awake| {
            let engine = &awake.engine;
            Arc::strong_count(engine) == 1 && (engine.is_like_others() || engine.can_rest())
        };
        let idle = awake.extract_if(|_, awake| !std::mem::take(&mut awake.used) && unused(awake));
        for (key, Awake { engine, .. }) in idle {
            let count = &mut |index, limit: &str, counts| counted.add(index, limit, counts);
            let has_room = spare.len() < least && engine.is_like_others();
            let aside = if has_room { engine.put_aside(count) } else { None };
            let (mut rest, now) = match aside {
                // A timer may be just asking it: it finds nobody who waits.
                Some(aside) => {
                    spare.push(engine);
                    aside
                }
                None if !engine.can_rest() => {
                    busy.push((key, Awake { engine, used: false }));
                    continue;
                }
                None => match Arc::try_unwrap(engine) {
                    Ok(engine) => engine.rest(now, count, &mut gone.ended),
                    // A timer is just asking it.
                    Err(engine) => {
                        busy.push((key, Awake { engine, used: false }));
                        continue;
                    }
                },
            };
            *latest = now.max(*latest);
            if rest.is_pristine(now) {
                *forgotten += 1;
                gone.take(key, rest);
            } else {
                at_rest.insert(key, rest);
            }
        }
        awake.extend(busy);
        self.awake_due = (2 * self.awake.len()).max(least);
        shrink(&mut self.awake, self.awake_due);
    }

    /// A walk over everything: forgets what is full again.
    pub(super) fn forget_full(&mut self, clock: &dyn Clock, least: usize, gone: &mut Gone<K>) {
        self.put_to_rest(clock, least, gone);
        let now = self.now;
        for (key, rest) in self.at_rest.extract_if(|_, rest| rest.is_pristine(now)) {
            self.forgotten += 1;
            gone.take(key, rest);
        }
        shrink(&mut self.at_rest, 0);
    }

    /// Puts to rest what is not used, if more is awake than needs to be.
    pub(super) fn settle_down(&mut self, clock: &dyn Clock, least: usize, gone: &mut Gone<K>) {
        if self.awake.len() > least {
            self.put_to_rest(clock, least, gone);
        }
    }

    fn tick(&mut self, clock: &dyn Clock) -> Timestamp {
        self.now = self.now.max(clock.now());
        self.now
    }

    /// Adds what is here to `stats`, and what its limits have counted to `sums`.
    pub(super) fn add_to(&self, stats: &mut KeyedLimitsStats, sums: &mut Sums) {
        stats.keys += self.len();
        stats.awake += self.awake.len();
        stats.forgotten += self.forgotten;
        for awake in self.awake.values() {
            awake.engine.counts(&mut |index, limit, counts| sums.add(index, limit, counts));
        }
        sums.add_all(&self.counted);
    }
}

/// Gives memory back when less than a quarter of it is used.
fn shrink<K: Hash + Eq, V>(map: &mut HashMap<K, V>, keep: usize) {
    let wanted = (2 * map.len()).max(keep);
    if map.capacity() > 2 * wanted {
        map.shrink_to(wanted);
    }
}
