//! What a worker elsewhere asks of a set, beside acquiring.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{Admission, LimitError, LimitSet};

/// An order or a question of a worker elsewhere; feedback, which needs no answer, is none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Steering {
    /// [`LimitSet::would_admit`]; answered with an admission.
    WouldAdmit {
        /// The amounts that are asked for.
        request: Vec<(String, u64)>,
        /// Whether the request stands in the queue itself.
        queued: bool,
    },
    /// [`LimitSet::set_capacity`].
    SetCapacity {
        /// The limit.
        key: String,
        /// Its new capacity.
        capacity: u64,
    },
    /// [`LimitSet::pause`].
    Pause {
        /// The limit.
        key: String,
        /// For how long.
        time: Duration,
    },
    /// [`LimitSet::resume`].
    Resume {
        /// The limit.
        key: String,
    },
}

impl Steering {
    /// Whether it changes nothing.
    pub fn is_question(&self) -> bool {
        matches!(self, Self::WouldAdmit { .. })
    }

    /// The name of the method that asks for it.
    pub fn operation(&self) -> &'static str {
        match self {
            Self::WouldAdmit { .. } => "would_admit",
            Self::SetCapacity { .. } => "set_capacity",
            Self::Pause { .. } => "pause",
            Self::Resume { .. } => "resume",
        }
    }
}

/// What became of it: the answer to a question, `None` for an order that was carried out.
pub type SteeringAnswer = Result<Option<Admission>, LimitError>;

/// The owner's side of [`RemoteLimits::steer`](super::RemoteLimits::steer).
///
/// # Errors
///
/// Those of the method that was asked for.
pub fn steer(set: &LimitSet, steering: Steering) -> SteeringAnswer {
    match steering {
        Steering::WouldAdmit { request, queued } => return Ok(Some(set.admission(&request, queued))),
        Steering::SetCapacity { key, capacity } => set.set_capacity(&key, capacity)?,
        Steering::Pause { key, time } => set.pause(&key, time)?,
        Steering::Resume { key } => set.resume(&key)?,
    }
    Ok(None)
}
