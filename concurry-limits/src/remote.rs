//! The seam through which a set in another process is used.
//!
//! The state of a set lives in the process that built it. A worker elsewhere holds a [`LimitSet`] that asks it through a
//! [`RemoteLimits`]; all checks of usages are made at the worker, which knows the definition, and only what was taken and
//! used travels. The owner answers with [`serve`], [`LimitSetAcquisition::export`](crate::LimitSetAcquisition::export)
//! and [`LimitSetAcquisition::settle_with`](crate::LimitSetAcquisition::settle_with).

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

mod steering;

pub use steering::{Steering, SteeringAnswer, steer};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser};

use crate::set::{Acquire, Definition, LimitSet, LimitSetStats, acquire_earliest};
use crate::{Feedback, LimitError};

/// How long a request may wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Wait {
    /// Until it is admitted.
    Forever,
    /// At most so long; zero is [`Wait::Never`].
    For(Duration),
    /// Not at all.
    Never,
}

/// One limit of a grant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GrantedItem {
    /// The position of the limit in its set.
    pub index: u32,
    /// The amount that was taken.
    pub requested: u64,
    /// Whether the request named it.
    pub named: bool,
}

/// What an owner granted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemoteGrant {
    /// The owner's name for it, to settle it by.
    pub id: u64,
    /// Which of the sets that were asked.
    pub set: u32,
    /// What was taken.
    pub items: Vec<GrantedItem>,
}

/// A grant on its way. Dropping it cancels the request; a grant that has been made by then is given back by the owner.
pub type RemoteAcquire = Pin<Box<dyn Future<Output = Result<RemoteGrant, LimitError>> + Send>>;

/// What a set has to say in the log, of its use here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Notice {
    /// What was acquired of these keys was released without an update that it needed.
    Untold(Vec<String>),
    /// A request or a usage names a key that a lenient set skips.
    Unknown(String),
    /// A server told of a key that the set does not limit.
    Unlimited(String),
}

/// Has `set` say in the log what was noticed of its use elsewhere; of a key that it has warned of already, nothing.
pub fn take_notice(set: &LimitSet, notice: &Notice) {
    if let Some(definition) = set.definition() {
        definition.log(notice);
    }
}

/// The way to the owner of sets.
pub trait RemoteLimits: Send + Sync + fmt::Debug {
    /// Asks for `request` in whichever of `sets` can admit it first.
    fn acquire(&self, sets: &[u32], request: Vec<(String, u64)>, wait: Wait) -> RemoteAcquire;

    /// Ends a grant: the usage that was told of the limit at each index. What is not named counts as used wholly, and is
    /// logged by the owner, if `warn`.
    fn settle(&self, grant: u64, usage: Vec<(u32, u64)>, warn: bool);

    /// Takes a grant back that never reached the one who asked: nothing of it counts as used.
    fn undo(&self, grant: u64);

    /// The statistics of a set.
    ///
    /// # Errors
    ///
    /// When the owner cannot be reached.
    fn stats(&self, set: u32) -> Result<LimitSetStats, LimitError>;

    /// Tells a set what a server said. It is told before whatever this side asks next.
    fn feedback(&self, set: u32, feedback: Feedback);

    /// Has the owner of a set say in its log what was noticed here, where there may be none.
    fn notice(&self, set: u32, notice: Notice);

    /// Has a set steered, or asked.
    ///
    /// # Errors
    ///
    /// When the owner cannot be reached, does not let its set be steered from elsewhere, or refuses this.
    fn steer(&self, set: u32, steering: Steering) -> SteeringAnswer;
}

/// What a worker elsewhere has to know of a set. It travels as text, in any format.
#[derive(Debug, Clone)]
pub struct RemoteSetInfo(pub(crate) Arc<Definition>);

impl Serialize for RemoteSetInfo {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let text = serde_json::to_string(&*self.0).map_err(ser::Error::custom)?;
        serializer.serialize_str(&text)
    }
}

impl<'de> Deserialize<'de> for RemoteSetInfo {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let definition: Definition = serde_json::from_str(&text).map_err(de::Error::custom)?;
        definition.validate().map_err(de::Error::custom)?;
        Ok(Self(Arc::new(definition)))
    }
}

/// A set in another process.
#[derive(Debug)]
pub(crate) struct RemoteSet {
    pub(crate) connection: Arc<dyn RemoteLimits>,
    pub(crate) id: u32,
    pub(crate) definition: Arc<Definition>,
}

impl RemoteSet {
    /// Whether one request can ask for this set and `other`.
    pub(crate) fn is_beside(&self, other: &Self) -> bool {
        std::ptr::addr_eq(Arc::as_ptr(&self.connection), Arc::as_ptr(&other.connection))
    }
}

/// The owner's side of [`RemoteLimits::acquire`]: the acquisition knows the position in `sets` of the one that granted.
pub fn serve(sets: &[LimitSet], request: Vec<(String, u64)>, wait: Wait) -> Acquire {
    acquire_earliest(sets.iter().enumerate(), &request, wait)
}
