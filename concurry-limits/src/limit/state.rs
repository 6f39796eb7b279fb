//! [`LimitState`]: the counting behind a limit.

use std::borrow::Cow;

use concurry_core::clock::Timestamp;

use super::{PackedState, Tally};

/// The answer of a limit to "may this amount be taken now?".
///
/// # Examples
///
/// ```
/// use concurry_core::clock::Timestamp;
/// use concurry_limits::{Limit, ResourceLimit, Verdict};
///
/// let now = Timestamp::default();
/// let mut doors = ResourceLimit::new("doors", 2).state(now);
/// assert_eq!(doors.check(2, now), Verdict::Granted);
/// doors.take(2, now);
/// assert_eq!(doors.check(1, now), Verdict::OnRelease);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Yes.
    Granted,
    /// Refused until exactly this instant, if nothing else happens; admitted at it.
    NotBefore(Timestamp),
    /// Refused until something is given back.
    OnRelease,
    /// Refused for ever, and why.
    Never(Cow<'static, str>),
}

impl Verdict {
    /// The verdict on an amount above the capacity.
    pub(crate) fn above_capacity() -> Self {
        Self::Never(Cow::Borrowed(ABOVE_CAPACITY))
    }
}

pub(crate) const ABOVE_CAPACITY: &str = "it is more than the capacity";

/// The counting behind a limit: a pure state machine that is given the time.
///
/// It does not lock, sleep or read a clock; a [`LimitSet`](crate::LimitSet) calls it under its lock. `now` never goes
/// back between calls. `check` takes nothing; `take` follows a granted `check` of the same amount and instant; each take
/// is ended by one `settle`, or by one `undo` when it never reached its caller.
///
/// # Examples
///
/// A refused amount is admitted at exactly the instant that was named:
///
/// ```
/// use std::time::Duration;
/// use concurry_core::clock::Timestamp;
/// use concurry_limits::{Limit, RateLimit, Verdict, Window};
///
/// let start = Timestamp::default();
/// let mut tokens = RateLimit::new("tokens", 10, Window::SECOND).state(start);
/// tokens.take(10, start);
/// let later = start + Duration::from_secs(1);
/// assert_eq!(tokens.check(1, start), Verdict::NotBefore(later));
/// assert_eq!(tokens.check(1, later), Verdict::Granted);
/// ```
pub trait LimitState: Send {
    /// Whether `amount` may be taken at `now`. Changes nothing that can be observed.
    fn check(&mut self, amount: u64, now: Timestamp) -> Verdict;

    /// Takes `amount`, which `check` has just granted.
    fn take(&mut self, amount: u64, now: Timestamp);

    /// Ends a take: of `requested`, `used` were used. Refunds, gives back or charges, as the limit promises.
    /// `used` is above `requested` only where the limit's [`UsageRule`](crate::UsageRule) allows that.
    fn settle(&mut self, requested: u64, used: u64, now: Timestamp);

    /// Takes back a take of `taken_at` as though it had never been.
    fn undo(&mut self, amount: u64, taken_at: Timestamp, now: Timestamp);

    /// Changes the capacity. What is used stays used.
    fn set_capacity(&mut self, capacity: u64, now: Timestamp);

    /// How much of the capacity is used at `now`, rounded up; above the capacity when in debt.
    fn in_use(&mut self, now: Timestamp) -> u64;

    /// Whether this is as good as a new state at `now`: nobody could ever tell them apart. A
    /// [`KeyedLimits`](crate::KeyedLimits) forgets such states. The default is that nothing is in use; a state that
    /// remembers more than what is in use says so here.
    fn is_pristine(&mut self, now: Timestamp) -> bool {
        self.in_use(now) == 0
    }

    /// This state in two numbers, if it fits at `now`: a [`KeyedLimits`](crate::KeyedLimits) keeps it in that form while
    /// nothing is held of it and nobody waits. The default is that it does not fit, and then it is kept as it is.
    fn pack(&mut self, now: Timestamp) -> Option<PackedState> {
        let _ = now;
        None
    }

    /// Whether a take whose whole amount was used needs no [`settle`](Self::settle), since that would change nothing. A
    /// set then leaves it out. The default is that it does. The answer never changes.
    fn spends_when_taken(&self) -> bool {
        false
    }

    /// Whether time frees anything of this limit. The default is that it does; who says that it does not may be given an
    /// earlier instant than now in [`settle`](Self::settle). The answer never changes.
    fn goes_by_time(&self) -> bool {
        true
    }

    /// Whether a [`settle`](Self::settle) can make an admission earlier than [`NotBefore`](Verdict::NotBefore) said. Who has a
    /// deadline before that instant is then not refused as long as another limit of the request waits for a
    /// [release](Verdict::OnRelease), which may bring a refund. The default is that it can.
    fn refunds(&self) -> bool {
        true
    }

    /// What is counted at `now`, where a set of this limit alone may count it on without asking.
    #[doc(hidden)]
    fn tally(&mut self, now: Timestamp) -> Option<Tally> {
        let _ = now;
        None
    }

    /// Goes on with what a set has counted.
    #[doc(hidden)]
    fn set_tally(&mut self, tally: &Tally) {
        let _ = tally;
    }

    /// Becomes, at `now`, the state that was packed; called on a new state of the same limit.
    fn unpack(&mut self, packed: PackedState, now: Timestamp) {
        let _ = (packed, now);
    }
}
