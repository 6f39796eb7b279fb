//! [`LimitSet`]: the handle.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use concurry_core::clock::{self, Clock};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use serde_json::Value;

use super::demand::Demand;
use super::plan::Patience;
use super::plan::{Plan, acquire_of};
use super::{Acquire, Definition, Engine, LimitSetBuilder};
use crate::remote::{RemoteGrant, RemoteLimits, RemoteSet, RemoteSetInfo, Wait};
use crate::{Limit, LimitError, LimitSetAcquisition, Request};

/// Limits that are acquired together: every amount at one instant, or none.
///
/// Clones share the state, across threads, tasks and worker processes. Who comes first is served first among requests that
/// share a key; requests with no key in common never wait for each other. Waiting is never polling.
///
/// **What a request takes:** the limits that it names, and every unnamed limit that has a default amount (calls and
/// resources: 1). Unnamed rates are left alone, but an empty request to a set with a rate is an error. A named amount of
/// 0 takes nothing of that limit, not even its default, and does not wait for it.
///
/// The empty set admits everything at once and accepts any key, without a lock or an allocation.
///
/// In configuration it is `{"limits": [{"kind": "RateLimit", "key": "tokens", …}], "config": …}`; any format of serde's
/// that describes itself (JSON, TOML, YAML; not bincode or postcard) will do, and each error tells the place as its format does:
///
/// ```
/// # use concurry_limits::LimitSet;
/// # let read = |_: &str| "[[limits]]\nkind = \"CallLimit\"\ncapacity = 500\nwindow = \"minute\"";
/// let text = read("limits.toml");
/// let set: LimitSet = toml::from_str(&text).map_err(|error| format!("limits.toml: {error}"))?;
/// # Ok::<(), String>(())
/// ```
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use concurry_limits::{CallLimit, LimitSet, RateLimit, ResourceLimit, Window};
///
/// let us = LimitSet::builder()
///     .limit(CallLimit::new(500, Window::MINUTE))
///     .limit(RateLimit::new("tokens", 10_000, Window::MINUTE))
///     .limit(ResourceLimit::new("connections", 8))
///     .config(serde_json::json!({"region": "us-east-1"}))
///     .build()?;
/// let mut acquired = us.acquire_timeout([("tokens", 500)], Duration::from_secs(2))?;
/// assert_eq!(acquired.config()["region"], "us-east-1");
/// acquired.update([("tokens", 430)])?;
/// acquired.release()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Default)]
pub struct LimitSet {
    pub(crate) repr: Repr,
}

#[derive(Clone)]
pub(crate) enum Repr {
    /// No limits; perhaps a configuration.
    Empty(Option<Arc<Value>>),
    Local(Arc<Engine>),
    Remote(Arc<RemoteSet>),
}

impl Default for Repr {
    fn default() -> Self {
        Self::Empty(None)
    }
}

static NO_CONFIG: Value = Value::Null;

/// The configuration that an empty set may have.
pub(crate) fn config_of(config: Option<&Arc<Value>>) -> &Value {
    config.map_or(&NO_CONFIG, |config| config)
}

impl LimitSet {
    /// The set without limits.
    pub const fn empty() -> Self {
        Self { repr: Repr::Empty(None) }
    }

    /// A set to be built.
    pub fn builder() -> LimitSetBuilder {
        LimitSetBuilder::default()
    }

    /// Acquires on this thread, which sleeps until all limits admit the request.
    ///
    /// # Errors
    ///
    /// [`LimitError::Never`] when an amount is above a capacity; [`LimitError::UnknownKey`],
    /// [`LimitError::DuplicateKey`], [`LimitError::AmountRequired`] when the request does not fit the set;
    /// [`LimitError::Disconnected`] when the set lives in a process that is gone.
    #[inline]
    pub fn acquire(&self, request: impl Request) -> Result<LimitSetAcquisition, LimitError> {
        if let Repr::Empty(config) = &self.repr {
            return Ok(LimitSetAcquisition::nothing(config.clone(), 0));
        }
        self.blocking(&request, Wait::Forever, 0)
    }

    /// Like [`acquire`](Self::acquire), for at most `timeout`. It fails at once when the earliest admission is known to
    /// lie later, by what is used now: what others have acquired of a rate counts as used until they tell otherwise, and their refund is
    /// not foreseen. A timeout of zero is [`try_acquire`](Self::try_acquire).
    ///
    /// # Errors
    ///
    /// [`LimitError::Timeout`], which tells how long the wait would be; and those of [`acquire`](Self::acquire).
    pub fn acquire_timeout(
        &self,
        request: impl Request,
        timeout: Duration,
    ) -> Result<LimitSetAcquisition, LimitError> {
        self.blocking(&request, Wait::For(timeout), 0)
    }

    /// Acquires if that is possible now, and nobody with whom the request shares a key came earlier.
    ///
    /// # Errors
    ///
    /// [`LimitError::Unavailable`], which names the limit and the wait; and those of [`acquire`](Self::acquire).
    pub fn try_acquire(&self, request: impl Request) -> Result<LimitSetAcquisition, LimitError> {
        self.blocking(&request, Wait::Never, 0)
    }

    /// Acquires in async code, in one queue with blocking callers. The errors are those of [`acquire`](Self::acquire).
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves nothing taken and wakes the next in line.
    pub fn acquire_async(&self, request: impl Request) -> Acquire {
        self.request(&request, Wait::Forever)
    }

    /// Like [`acquire_async`](Self::acquire_async), for at most `timeout` from now. The errors are those of
    /// [`acquire_timeout`](Self::acquire_timeout).
    ///
    /// # Cancel safety
    ///
    /// Dropping the future leaves nothing taken and wakes the next in line.
    pub fn acquire_async_timeout(&self, request: impl Request, timeout: Duration) -> Acquire {
        self.request(&request, Wait::For(timeout))
    }

    pub(crate) fn request(&self, request: &impl Request, wait: Wait) -> Acquire {
        acquire_of(self, 0, request, wait)
    }

    /// Acquires on this thread, for a pool in which this set has that position.
    pub(crate) fn blocking(
        &self,
        request: &impl Request,
        wait: Wait,
        position: usize,
    ) -> Result<LimitSetAcquisition, LimitError> {
        let engine = match &self.repr {
            Repr::Empty(config) => return Ok(LimitSetAcquisition::nothing(config.clone(), position)),
            Repr::Remote(_) => return acquire_of(self, position, request, wait).block(),
            Repr::Local(engine) => engine,
        };
        let one = Demand::of_one(request, &engine.definition).filter(|_| engine.has_lane());
        let engine = Arc::clone(engine);
        if let Some(wish) = one
            && engine.take_one(wish)
        {
            return Ok(LimitSetAcquisition::in_lane(engine, wish, position));
        }
        let patience = Patience::new(wait, &*engine.clock);
        let demand =
            one.map_or_else(|| Demand::of(request, &engine.definition), |one| Ok(Demand::of_wish(one)))?;
        let taken_at = if one.is_some() {
            engine.admit_locked(&demand, patience)
        } else {
            engine.admit(&demand, patience)
        };
        if let Some(taken_at) = taken_at? {
            return Ok(LimitSetAcquisition::local(engine, demand.items(), taken_at, position));
        }
        Plan::of_one(engine, demand, position, patience).block()
    }

    /// The free-form data that the set was built with; null without any.
    pub fn config(&self) -> &Value {
        match (&self.repr, self.definition()) {
            (Repr::Empty(config), _) => config_of(config.as_ref()),
            (_, definition) => definition.map_or(&NO_CONFIG, |definition| &definition.config),
        }
    }

    /// The limit of that key, as it was built.
    pub fn limit(&self, key: &str) -> Option<&dyn Limit> {
        let definition = self.definition()?;
        Some(&*definition.limits[definition.index(key)?])
    }

    /// The keys of the limits, in the order of the set.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.definition().into_iter().flat_map(|definition| definition.limits.iter().map(|limit| limit.key()))
    }

    /// Whether there are no limits.
    pub const fn is_empty(&self) -> bool {
        matches!(self.repr, Repr::Empty(_))
    }

    /// Whether each worker is to have a state of its own.
    pub fn is_private(&self) -> bool {
        self.definition().is_some_and(|definition| definition.private)
    }

    /// Whether it counts by another clock than the system's.
    #[doc(hidden)]
    pub fn has_own_clock(&self) -> bool {
        matches!(&self.repr, Repr::Local(engine) if engine.clock.identity() != clock::system().identity())
    }

    /// A set of the same definition with nothing taken and nobody waiting. For a set in another process: a clone.
    pub fn fresh(&self) -> Self {
        match &self.repr {
            Repr::Local(engine) => Self::local(Arc::clone(&engine.definition), Arc::clone(&engine.clock)),
            _ => self.clone(),
        }
    }

    /// A set that lives in another process; one that is private gets a state of its own here instead.
    #[doc(hidden)]
    pub fn remote(connection: Arc<dyn RemoteLimits>, id: u32, info: RemoteSetInfo) -> Self {
        let RemoteSetInfo(definition) = info;
        definition.logged_by(Arc::clone(&connection), id);
        if definition.private || definition.limits.is_empty() {
            return Self::local(definition, clock::system());
        }
        Self { repr: Repr::Remote(Arc::new(RemoteSet { connection, id, definition })) }
    }

    /// What was granted by the owner of this set without having been asked for from here.
    #[doc(hidden)]
    pub fn adopt(&self, grant: &RemoteGrant, position: usize) -> LimitSetAcquisition {
        match &self.repr {
            Repr::Remote(set) => LimitSetAcquisition::remote(Arc::clone(set), grant, position),
            Repr::Empty(config) => LimitSetAcquisition::nothing(config.clone(), position),
            Repr::Local(_) => LimitSetAcquisition::nothing(None, position),
        }
    }

    /// What a worker elsewhere has to know for [`LimitSet::remote`].
    #[doc(hidden)]
    pub fn describe(&self) -> RemoteSetInfo {
        RemoteSetInfo(match (&self.repr, self.definition()) {
            (_, Some(definition)) => Arc::clone(definition),
            _ => Arc::new(Definition { config: self.config().clone(), ..Definition::default() }),
        })
    }

    /// A set with a state of its own, of a definition that was validated.
    pub(crate) fn local(definition: Arc<Definition>, clock: Arc<dyn Clock>) -> Self {
        let repr = if definition.limits.is_empty() {
            let config = &definition.config;
            Repr::Empty((!config.is_null()).then(|| Arc::new(config.clone())))
        } else {
            Repr::Local(Engine::new(definition, clock))
        };
        Self { repr }
    }

    pub(crate) fn definition(&self) -> Option<&Arc<Definition>> {
        match &self.repr {
            Repr::Empty(_) => None,
            Repr::Local(engine) => Some(&engine.definition),
            Repr::Remote(remote) => Some(&remote.definition),
        }
    }
}

impl Serialize for LimitSet {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.describe().0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for LimitSet {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let definition = Definition::deserialize(deserializer)?;
        definition.validate().map_err(de::Error::custom)?;
        Ok(Self::local(Arc::new(definition), clock::system()))
    }
}

impl fmt::Debug for LimitSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = match &self.repr {
            Repr::Empty(_) => "empty",
            Repr::Local(_) => "here",
            Repr::Remote(_) => "in another process",
        };
        let keys: Vec<_> = self.keys().collect();
        f.debug_struct("LimitSet").field("place", &place).field("keys", &keys).finish_non_exhaustive()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    /// Such a set has nothing to lock.
    fn has_no_engine(set: &LimitSet) -> bool {
        matches!(set.repr, Repr::Empty(_))
    }

    #[test]
    fn a_set_without_limits_has_no_engine_however_it_is_made() {
        let builders: [fn(LimitSetBuilder) -> LimitSetBuilder; 5] = [
            |builder| builder,
            |builder| builder.config(serde_json::json!({"region": "eu"})),
            LimitSetBuilder::lenient,
            LimitSetBuilder::private,
            |builder| builder.config(serde_json::json!(1)).clock(clock::system()).lenient().private(),
        ];
        let built = builders.map(|with| with(LimitSet::builder()).build().expect("nothing can be wrong"));
        let read = ["{}", r#"{"limits": [], "config": 1, "lenient": true, "private": true}"#];
        let read = read.map(|text| serde_json::from_str(text).expect("nothing can be wrong"));
        for set in built.into_iter().chain(read).chain([LimitSet::empty(), LimitSet::default()]) {
            assert!(
                has_no_engine(&set) && has_no_engine(&set.clone()) && has_no_engine(&set.fresh()),
                "{set:?}"
            );
        }
        let door = LimitSet::builder().limit(crate::ResourceLimit::new("door", 1)).build();
        assert!(!has_no_engine(&door.expect("a valid limit")));
    }
}
