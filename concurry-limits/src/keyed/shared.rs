//! What the clones of a [`KeyedLimits`](super::KeyedLimits) share: the shards, and whose turn it is.

use std::borrow::Borrow;
use std::hash::{BuildHasher, Hash, RandomState};
use std::ops::{Deref, DerefMut};
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use concurry_core::clock::Clock;

use super::KeyedLimitsStats;
use super::shard::{Gone, Shard};
use super::stats::Sums;
use super::template::Template;
use crate::set::{Fresh, Repr};
use crate::{LimitError, LimitSet};
use concurry_core::sync::lock;

const SHARDS: usize = 16;
/// How many keys of a shard stay ready for use though nobody uses them just now.
const MOST_READY: usize = 64;

pub(super) struct Shared<K> {
    template: Template<K>,
    clock: Arc<dyn Clock>,
    max_keys: usize,
    /// How many keys of a shard stay ready at least, and how many lookups lie between two walks at least.
    least: usize,
    hasher: RandomState,
    shards: [Mutex<Shard<K>>; SHARDS],
    /// How many keys there are.
    keys: AtomicUsize,
    /// The shard whose turn it is to be walked over.
    turn: AtomicUsize,
}

impl<K> Shared<K> {
    pub(super) fn keys(&self) -> usize {
        self.keys.load(Ordering::Relaxed)
    }

    pub(super) fn template(&self) -> &Template<K> {
        &self.template
    }
}

impl<K: Hash + Eq> Shared<K> {
    pub(super) fn new(template: Template<K>, clock: Arc<dyn Clock>, max_keys: usize) -> Self {
        Self {
            template,
            clock,
            max_keys,
            least: (max_keys / SHARDS).clamp(1, MOST_READY),
            hasher: RandomState::new(),
            shards: std::array::from_fn(|_| Mutex::new(Shard::new())),
            keys: AtomicUsize::new(0),
            turn: AtomicUsize::new(0),
        }
    }

    /// The set of `key`, made if need be; and now and then a walk over one shard.
    pub(super) fn get<Q>(&self, key: &Q) -> Result<LimitSet, LimitError>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        let place = self.shard(key);
        let (found, is_due) = lock(place).find(key, self.least);
        let set = match found {
            Some(engine) => LimitSet { repr: Repr::Local(engine) },
            None => self.wake(place, key.to_owned())?,
        };
        if is_due {
            self.tidy();
        }
        Ok(set)
    }

    /// One shard after the other.
    pub(super) fn stats(&self) -> KeyedLimitsStats {
        let (mut stats, mut sums) = (KeyedLimitsStats::default(), Sums::default());
        for shard in &self.shards {
            lock(shard).add_to(&mut stats, &mut sums);
        }
        KeyedLimitsStats { max_keys: self.max_keys, limits: sums.into_limits(), ..stats }
    }

    fn shard<Q: Hash + ?Sized>(&self, key: &Q) -> &Mutex<Shard<K>> {
        let hash = self.hasher.hash_one(key);
        &self.shards[usize::try_from(hash % SHARDS as u64).unwrap_or(0)]
    }

    /// The set of a key that is at rest, or unknown.
    fn wake(&self, place: &Mutex<Shard<K>>, key: K) -> Result<LimitSet, LimitError> {
        // Foreign code: not under the lock. What it makes is thrown away if another thread is faster.
        let definition = self.template.definition(&key)?;
        if definition.limits.is_empty() {
            return Ok(LimitSet::local(definition, Arc::clone(&self.clock)));
        }
        let now = self.clock.now();
        let mut gone = Gone::new();
        let mut shard = self.counted(place);
        shard.make_room(&*self.clock, self.least, &mut gone);
        let key = match shard.wake_spare(key, &definition, now, &mut gone) {
            Ok(engine) => {
                drop(shard);
                return Ok(LimitSet { repr: Repr::Local(engine) });
            }
            Err(key) => key,
        };
        drop(shard);
        let mut new = Fresh::new(definition, now);
        let mut shard = self.counted(place);
        let woken = shard.wake(key, &mut new, (&self.clock, now), &mut gone);
        drop(shard);
        let engine = woken.unwrap_or_else(|panic| resume_unwind(panic));
        Ok(LimitSet { repr: Repr::Local(engine) })
    }

    fn counted<'a>(&'a self, place: &'a Mutex<Shard<K>>) -> Counted<'a, K> {
        let shard = lock(place);
        Counted { before: shard.len(), shard, keys: &self.keys }
    }

    /// Walks over the shard whose turn it is.
    fn tidy(&self) {
        let turn = self.turn.fetch_add(1, Ordering::Relaxed) % SHARDS;
        let mut gone = Gone::new();
        let mut shard = self.counted(&self.shards[turn]);
        if self.keys() > self.max_keys {
            shard.forget_full(&*self.clock, self.least, &mut gone);
        } else {
            shard.settle_down(&*self.clock, self.least, &mut gone);
        }
        drop(shard);
    }
}

/// A locked shard. When it is let go of, however that comes, the keys are counted that it has more or less.
struct Counted<'a, K> {
    shard: MutexGuard<'a, Shard<K>>,
    before: usize,
    keys: &'a AtomicUsize,
}

impl<K> Deref for Counted<'_, K> {
    type Target = Shard<K>;

    fn deref(&self) -> &Shard<K> {
        &self.shard
    }
}

impl<K> DerefMut for Counted<'_, K> {
    fn deref_mut(&mut self) -> &mut Shard<K> {
        &mut self.shard
    }
}

impl<K> Drop for Counted<'_, K> {
    fn drop(&mut self) {
        self.keys.fetch_add(self.shard.len().wrapping_sub(self.before), Ordering::Relaxed);
    }
}
