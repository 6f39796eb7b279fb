//! [`KeyedLimits`].

use std::borrow::Borrow;
use std::fmt;
use std::hash::Hash;
use std::sync::Arc;
use std::time::Duration;

use concurry_core::clock::Clock;

use super::shared::Shared;
use super::template::Template;
use super::{KeyedLimitsBuilder, KeyedLimitsStats};
use crate::{Acquire, LimitError, LimitSet, LimitSetAcquisition, LimitSetBuilder, Request};

/// A limit a tenant: a [`LimitSet`] for each key, made from a template when the key is first used.
///
/// Clones share the state. Keys are independent of each other: they share no limit and no queue.
///
/// # Memory
///
/// A key that nobody uses is kept as the states of its limits: two words for a set of one limit that counts by
/// [`TokenBucket`](crate::RateLimitAlgorithm::TokenBucket), [`LeakyBucket`](crate::RateLimitAlgorithm::LeakyBucket),
/// [`Gcra`](crate::RateLimitAlgorithm::Gcra), or a [`SlidingWindow`](crate::RateLimitAlgorithm::SlidingWindow) that was
/// used at one instant. With a `u64` as key that makes 29 to 57 bytes a key, the map included. About a thousand keys that
/// were used lately are kept ready, with a set each, and as many sets at most for those that come next.
///
/// Once there are more than [`max_keys`](KeyedLimitsBuilder::max_keys), keys are forgotten that are **full again**: nothing
/// is held, nobody waits, no usage counts any more, no debt, no pause and no changed capacity stands, and nobody has a handle
/// of the set. A key that comes back is therefore the same as one that was never forgotten. When nothing can be forgotten,
/// the map grows rather than lies; it shrinks again, while it is used, as keys become full. There is no background thread:
/// each lookup pays O(1), amortised.
///
/// [`FixedWindow`](crate::RateLimitAlgorithm::FixedWindow) remembers when its windows begin, so a key that has used it is
/// never forgotten; for many keys, use another algorithm.
///
/// The counters of a key's set ([`LimitSet::stats`]) begin anew when it was at rest; [`stats`](Self::stats) has the sums.
///
/// # Examples
///
/// ```
/// use concurry_limits::{KeyedLimits, LimitSet, RateLimit, RateLimitAlgorithm, Window};
///
/// let tokens = RateLimit::new("tokens", 10_000, Window::MINUTE).algorithm(RateLimitAlgorithm::Gcra);
/// let tenants: KeyedLimits<String> = KeyedLimits::builder(LimitSet::builder().limit(tokens)).build()?;
///
/// let mut acquired = tenants.acquire("blue", [("tokens", 9_000)])?;
/// acquired.update([("tokens", 8_500)])?;
/// acquired.release()?;
/// assert!(tenants.try_acquire("blue", [("tokens", 9_000)]).is_err());
/// tenants.try_acquire("green", [("tokens", 9_000)])?; // another tenant
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct KeyedLimits<K> {
    shared: Arc<Shared<K>>,
}

impl<K: Hash + Eq + Send> KeyedLimits<K> {
    /// Every key gets a set like this one; they share its definition.
    pub fn builder(template: LimitSetBuilder) -> KeyedLimitsBuilder<K> {
        KeyedLimitsBuilder::same(template)
    }

    /// The set of a key is what `template` makes of it. It is asked whenever a key comes up that is unknown or at rest, and
    /// must answer the same for a key each time: to change a capacity later, use [`LimitSet::set_capacity`] on
    /// [`get`](Self::get), which a key remembers for as long as it differs.
    ///
    /// [`stats`](Self::stats) has a sum for each limit, by its key in the set, that there ever was, and those are never forgotten:
    /// name limits by what they limit, and not by the tenant. An unknown key of a limit is warned of once for all tenants.
    ///
    /// # Examples
    ///
    /// ```
    /// use concurry_limits::{CallLimit, KeyedLimits, LimitSet, Window};
    ///
    /// #[derive(Hash, PartialEq, Eq, Clone)]
    /// struct Tenant { id: u64, pays: bool }
    ///
    /// let tenants = KeyedLimits::builder_with(|tenant: &Tenant| {
    ///     let calls = if tenant.pays { 1_000 } else { 10 };
    ///     LimitSet::builder().limit(CallLimit::new(calls, Window::MINUTE))
    /// })
    /// .build()?;
    /// let set = tenants.get(&Tenant { id: 7, pays: true })?;
    /// assert_eq!(set.limit("call_count").unwrap().capacity(), 1_000);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn builder_with(
        template: impl Fn(&K) -> LimitSetBuilder + Send + Sync + 'static,
    ) -> KeyedLimitsBuilder<K> {
        KeyedLimitsBuilder::each(template)
    }

    pub(super) fn new(template: Template<K>, clock: Arc<dyn Clock>, max_keys: usize) -> Self {
        Self { shared: Arc::new(Shared::new(template, clock, max_keys)) }
    }

    /// Acquires of the set of `key`, on this thread.
    ///
    /// # Errors
    ///
    /// [`LimitError::Template`], and those of [`LimitSet::acquire`].
    pub fn acquire<Q>(&self, key: &Q, request: impl Request) -> Result<LimitSetAcquisition, LimitError>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        self.get(key)?.acquire(request)
    }

    /// Like [`acquire`](Self::acquire), for at most `timeout`.
    ///
    /// # Errors
    ///
    /// [`LimitError::Template`], and those of [`LimitSet::acquire_timeout`].
    pub fn acquire_timeout<Q>(
        &self,
        key: &Q,
        request: impl Request,
        timeout: Duration,
    ) -> Result<LimitSetAcquisition, LimitError>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        self.get(key)?.acquire_timeout(request, timeout)
    }

    /// Acquires of the set of `key` if that is possible now.
    ///
    /// # Errors
    ///
    /// [`LimitError::Template`], and those of [`LimitSet::try_acquire`].
    pub fn try_acquire<Q>(&self, key: &Q, request: impl Request) -> Result<LimitSetAcquisition, LimitError>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        self.get(key)?.try_acquire(request)
    }

    /// Acquires of the set of `key`, in async code. The errors are those of [`acquire`](Self::acquire).
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves nothing taken and wakes the next in line.
    pub fn acquire_async<Q>(&self, key: &Q, request: impl Request) -> Acquire
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        match self.get(key) {
            Ok(set) => set.acquire_async(request),
            Err(error) => Acquire::failed(error),
        }
    }

    /// The set of `key`. For as long as a clone of it lives, the key is not put to rest.
    ///
    /// # Errors
    ///
    /// [`LimitError::Template`].
    pub fn get<Q>(&self, key: &Q) -> Result<LimitSet, LimitError>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        self.shared.get(key)
    }

    /// How many keys are remembered.
    pub fn len(&self) -> usize {
        self.shared.keys()
    }

    /// Whether no key is remembered.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What was counted over all keys. One shard after the other is read, so the sums are of no one instant while others
    /// acquire.
    pub fn stats(&self) -> KeyedLimitsStats {
        self.shared.stats()
    }
}

impl<K> Clone for KeyedLimits<K> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared) }
    }
}

impl<K> fmt::Debug for KeyedLimits<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyedLimits")
            .field("template", self.shared.template())
            .field("keys", &self.shared.keys())
            .finish_non_exhaustive()
    }
}
