//! Who waits for an answer of a child reads it, where the child's owner sleeps: so a call that is waited for at once takes no thread but
//! its caller's and its child's.
//!
//! What comes before the answer is dealt with if it is about limits; anything else is the owner's.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use concurry_core::call::Look;
use concurry_core::panics::catch;

use super::codec;
use super::connection::has_panicked;
use super::frame::{Frame, Kind};
use super::limits_server::LimitsServer;
use super::transport::{StandsIn, Took};

/// What stands in for the owner of one child.
pub(crate) struct StandIn {
    pub(super) desk: Arc<dyn StandsIn>,
    pub(super) limits: Arc<LimitsServer>,
}

impl StandIn {
    /// Has `look` look for the answer to the call of this id, which `takes` it or gives it back, with how long the call has waited for
    /// limits, before anything else is read. Nothing is read unless it `is_due` once nobody else reads.
    pub(crate) fn look(
        &self,
        id: u64,
        is_due: &dyn Fn() -> bool,
        takes: &mut dyn FnMut(Frame, Duration) -> Option<Frame>,
        look: Look<'_>,
    ) {
        let mut take = |frame: Frame| match frame.kind {
            Kind::Answer if frame.id == id && !has_panicked(&frame) => {
                takes(frame, self.limits.take_waited()).map_or(Took::Awaited, |frame| Took::Left(Ok(frame)))
            }
            _ => match about_limits(&self.limits, frame) {
                Ok(None) => Took::Other,
                Ok(Some(frame)) => Took::Left(Ok(frame)),
                Err(error) => Took::Left(Err(error)),
            },
        };
        self.desk.stand_in(is_due, &mut take, look);
    }
}

/// Deals with a frame that is about limits; others are given back.
pub(super) fn about_limits(limits: &Arc<LimitsServer>, frame: Frame) -> io::Result<Option<Frame>> {
    if matches!(frame.kind, Kind::Ready | Kind::Answer) {
        return Ok(Some(frame));
    }
    catch(|| limits.receive(&frame)).unwrap_or_else(|panic| Err(io::Error::other(panic)))?;
    codec::put_aside(frame.body);
    Ok(None)
}
