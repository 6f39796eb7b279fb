//! The parent's side of one child: its start, its frames, its end.
//!
//! One thread owns the connection: it waits for what comes, serves limits, and is the first to see that the child is gone.
//! Calls go by the [`Link`], from whatever thread has one, and grants from whatever thread makes them; neither ever blocks on a
//! child that does not read. Over a socket, a writer is between.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::Duration;

use concurry_core::call::{NotSent, Panicked, WorkerDied};
use concurry_core::panics::contain;
use concurry_limits::{LimitPool, LimitSetAcquisition};
use crossbeam_channel::unbounded;

use super::answers::Answered;
use super::far_error::FarError;
use super::frame::{AnswerKind, Failure, Frame, Hello, Kind, PROTOCOL};
use super::helper::Helper;
use super::launch::{Launch, Launched};
use super::life::{Group, Life};
use super::limits_server::{LimitsServer, May};
use super::memory::Memory;
use super::output::Output;
use super::registry::{self, Registration};
use super::standing_in::{StandIn, about_limits};
use super::transport::{
    Arrival, Calls, Incoming, Nudge, Outlet, Sink, SocketCalls, SocketIncoming, SocketSink, StandsIn,
    Transport, Until, for_ever, write_as_they_come,
};
use super::turns::{self, Turns};
use crate::error::InitError;

/// One child.
pub(crate) struct Connection {
    life: Box<dyn Life>,
    incoming: Box<dyn Incoming>,
    limits: Arc<LimitsServer>,
    _output: Option<Output>,
    /// It ends with the child, and at the latest with the last who could send by it; so it is the last one here.
    _helper: Helper,
}

/// The pool's ends of a transport.
struct Ends {
    incoming: Box<dyn Incoming>,
    calls: Box<dyn Calls>,
    /// Where that goes which is heard while a method runs: one for limits, and one for the link.
    outlets: [Box<dyn Outlet>; 2],
    nudge: Arc<dyn Nudge>,
    /// What reads while the owner sleeps, where that can be.
    stands_in: Option<Arc<dyn StandsIn>>,
    /// Sends what goes over a socket; or sees the end of the child, where what is read does not tell it.
    helper: Helper,
}

impl Ends {
    /// For a child of which `ends` tells the end, if there is that.
    fn new(
        transport: Transport,
        stream: &UnixStream,
        memory: &Arc<Memory>,
        ends: Option<OwnedFd>,
    ) -> io::Result<Self> {
        #[cfg(target_os = "linux")]
        if transport == Transport::Ring {
            use super::transport::ring::{PoolEnd, pool_end};
            let (PoolEnd { incoming, calls, aside, nudge, stands_in }, watch) =
                pool_end(memory, stream.try_clone()?, ends);
            return Ok(Self {
                incoming: Box::new(incoming),
                calls: Box::new(calls),
                outlets: [Box::new(Arc::clone(&aside)), Box::new(aside)],
                nudge,
                stands_in: Some(stands_in),
                helper: Helper::start("concurry-watcher", watch)?,
            });
        }
        let _ = (transport, memory);
        let (outbox, to_send) = unbounded();
        let (incoming, nudge) = SocketIncoming::new(stream.try_clone()?, ends)?;
        let stream = stream.try_clone()?;
        Ok(Self {
            incoming: Box::new(incoming),
            calls: Box::new(SocketCalls(outbox.clone())),
            outlets: [Box::new(outbox.clone()), Box::new(outbox)],
            nudge,
            stands_in: None,
            helper: Helper::start("concurry-writer", move || write_as_they_come(stream, &to_send))?,
        })
    }
}

/// What a child is sent calls by. The connection ends only when its link is gone.
pub(crate) struct Link {
    calls: Box<dyn Calls>,
    nudge: Arc<dyn Nudge>,
    turns: Turns,
    limits: Arc<LimitsServer>,
    /// What is heard while a method runs.
    outlet: Box<dyn Outlet>,
    group: Arc<Group>,
    stand_in: Option<Arc<StandIn>>,
}

/// What comes from a child.
pub(crate) enum Event {
    /// The answer to a call, and how long that has waited for limits in the child.
    Answer(Frame, Duration),
    /// Its worker was made anew after a panic.
    Ready,
    /// Somebody here wants the owner's attention.
    Nudge,
    /// Nothing has come for as long as was to be waited.
    Late,
    /// What it said about limits was dealt with.
    Served,
    /// It is gone, and what it held of limits was given back.
    Gone,
}

/// Why there is no worker at the other end.
pub(crate) enum Ended {
    /// It could not be started.
    Start(io::Error),
    /// It could not be told what it shall be.
    Unsent(NotSent),
    /// It said why it has no worker.
    Failed(Box<dyn std::error::Error + Send + Sync>),
    /// Its constructor panicked.
    Panicked(Panicked),
    /// It died.
    Died(WorkerDied),
}

impl Ended {
    /// As the error of `init` for `worker`.
    pub(crate) fn into_init_error(self, worker: &'static str) -> InitError {
        match self {
            Self::Start(source) => InitError::Start { what: "a worker's process", source },
            Self::Unsent(error) => InitError::Constructor { worker, source: Box::new(error) },
            Self::Failed(source) => InitError::Constructor { worker, source },
            Self::Panicked(panic) => InitError::ConstructorPanicked { worker, panic },
            Self::Died(died) => InitError::Died(died),
        }
    }
}

impl Connection {
    /// Starts a child that serves the worker that `hello` tells it of, and waits until it is ready. `is_started` is given what may end
    /// it meanwhile.
    pub(crate) fn open(
        launch: &dyn Launch,
        hello: Hello,
        limits: &LimitPool,
        is_started: &dyn Fn(Arc<Group>),
    ) -> Result<(Self, Link), Ended> {
        // Without one, the child has no such worker either, and says so.
        let build = registry::find(&hello.worker).map_or(0, Registration::build);
        let hello = Frame::of(Kind::Hello, build, PROTOCOL, &hello).map_err(Ended::Unsent)?;
        let (mut connection, link, stream) =
            Self::start(launch.launch().map_err(Ended::Start)?, limits).map_err(Ended::Start)?;
        is_started(link.group());
        // Nobody else has anything to say yet. When this fails, the child is gone, and its end says so.
        drop(SocketSink(&stream).send(&hello));
        drop(stream);
        match connection.until_ready() {
            Some(Ok(())) => Ok((connection, link)),
            Some(Err(Failure::Constructor(texts))) => Err(Ended::Failed(Box::new(FarError::chain(texts)))),
            Some(Err(Failure::Panicked(panic))) => Err(Ended::Panicked(panic)),
            Some(Err(Failure::Refused(text))) => Err(Ended::Start(io::Error::other(text))),
            Some(Err(Failure::Unsuitable(text))) => Err(Ended::Failed(text.into())),
            None => Err(Ended::Died(connection.bury())),
        }
    }

    fn start(launched: Launched, limits: &LimitPool) -> io::Result<(Self, Link, UnixStream)> {
        let Launched { life, stream, memory, transport, output } = launched;
        let Ends { incoming, calls, outlets: [for_limits, outlet], nudge, stands_in, helper } =
            Ends::new(transport, &stream, &memory, life.ends())?;
        let limits = LimitsServer::new(limits.sets().to_vec(), for_limits, May::Steer);
        let turns = Turns::new(memory);
        let stand_in = stands_in.map(|desk| Arc::new(StandIn { desk, limits: Arc::clone(&limits) }));
        let (group, theirs) = (life.group(), Arc::clone(&limits));
        let link = Link { calls, nudge, turns, limits: theirs, outlet, group, stand_in };
        let connection = Self { life, incoming, limits, _output: output, _helper: helper };
        Ok((connection, link, stream))
    }

    fn until_ready(&mut self) -> Option<Result<(), Failure>> {
        loop {
            match self.receive(&for_ever) {
                Ok(Some(Arrival::Frame(frame))) if frame.kind == Kind::Ready => {
                    // The constructor's waits are no call's.
                    self.take_waited();
                    return frame.open().ok();
                }
                Ok(Some(Arrival::Nudge | Arrival::Late) | None) => {}
                Ok(Some(Arrival::Frame(_) | Arrival::Gone)) | Err(_) => return None,
            }
        }
    }

    /// Waits for what comes next, and sleeps `until` an instant at most; what is about limits is dealt with here.
    pub(crate) fn next(&mut self, until: Until<'_>) -> Event {
        match self.receive(until) {
            Ok(Some(Arrival::Frame(frame))) if frame.kind == Kind::Answer => {
                return Event::Answer(frame, self.take_waited());
            }
            Ok(Some(Arrival::Frame(frame))) if frame.kind == Kind::Ready => {
                // The constructor's waits are no call's.
                self.take_waited();
                return Event::Ready;
            }
            Ok(Some(Arrival::Nudge)) => return Event::Nudge,
            Ok(Some(Arrival::Late)) => return Event::Late,
            Ok(None) => return Event::Served,
            Ok(Some(Arrival::Gone)) => {}
            Ok(Some(Arrival::Frame(frame))) => {
                tracing::error!(kind = ?frame.kind, "a worker's process sent what it may not; it is ended");
                self.life.group().kill();
            }
            Err(error) => {
                tracing::error!(%error, "a worker's process sent what cannot be read; it is ended");
                self.life.group().kill();
            }
        }
        contain("a limit", || self.limits.close());
        Event::Gone
    }

    /// Waits for the next arrival; none when it was about limits, and is dealt with. The owner is told of that too: it may have
    /// put something off because more was at hand.
    fn receive(&mut self, until: Until<'_>) -> io::Result<Option<Arrival>> {
        match self.incoming.next(until)? {
            Arrival::Frame(frame) => Ok(about_limits(&self.limits, frame)?.map(Arrival::Frame)),
            arrival => Ok(Some(arrival)),
        }
    }

    /// How long the child has waited for limits since it was asked last. It runs one call at a time, and its frames come in their
    /// order: what it waited before an answer, it waited in that call, or a thread did that one of its calls has started.
    pub(crate) fn take_waited(&self) -> Duration {
        self.limits.take_waited()
    }

    /// Whether more is at hand, for which nobody need wait.
    pub(crate) fn has_more(&self) -> bool {
        self.incoming.has_more()
    }

    /// Whether more comes within a microsecond or so.
    pub(crate) fn has_more_soon(&self) -> bool {
        const LOOKS: usize = 32;
        (0..LOOKS).any(|_| {
            std::hint::spin_loop();
            self.has_more()
        })
    }

    /// Waits for the end of a child that was told to stop. What its worker does with limits when it is dropped is served.
    pub(crate) fn close(&mut self) {
        while !matches!(self.next(&for_ever), Event::Gone) {}
        self.life.end(false);
    }

    /// The number that the system has for the child.
    pub(crate) fn process_id(&self) -> u32 {
        self.life.process_id()
    }

    /// Makes sure that the child is gone; how it went.
    pub(crate) fn bury(&mut self) -> WorkerDied {
        self.life.end(true)
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.life.end(true);
        contain("a limit", || self.limits.close());
    }
}

impl Link {
    /// A call of a method, to be sent.
    pub(crate) fn frame(method: u16, args: Vec<u8>) -> Result<Frame, NotSent> {
        Frame::new(Kind::Call, 0, u32::from(method), args).sendable()
    }

    /// The id of the next call that is sent.
    pub(crate) fn next_id(&mut self) -> u64 {
        self.turns.next()
    }

    /// What was acquired for the call of this id, to be sent before it: the child has it as though it had acquired it itself.
    ///
    /// # Errors
    ///
    /// What was acquired, when the child is gone.
    pub(crate) fn lend(&self, id: u64, acquired: LimitSetAcquisition) -> Result<Frame, LimitSetAcquisition> {
        self.limits.lend(id, acquired)
    }

    /// Sends calls, with what was lent for them.
    pub(crate) fn send(&self, frames: impl IntoIterator<Item = Frame>) {
        self.calls.send_all(&mut frames.into_iter());
    }

    /// Tells the child that nobody needs the result of a call that it runs.
    pub(crate) fn cancel(&self, id: u64) {
        // A child that is gone runs it no more.
        self.outlet.say(Frame::new(Kind::Cancel, id, 0, Vec::new()));
    }

    /// Takes back what was acquired for a call that was taken back.
    pub(crate) fn unlend(&self, id: u64) -> Option<LimitSetAcquisition> {
        self.limits.unlend(id)
    }

    /// What reads its answers while the owner sleeps, where that can be.
    pub(crate) fn stand_in(&self) -> Option<&Arc<StandIn>> {
        self.stand_in.as_ref()
    }

    /// What the child is ended by.
    pub(crate) fn group(&self) -> Arc<Group> {
        Arc::clone(&self.group)
    }

    /// Has the child end when it has run what it was sent.
    pub(crate) fn stop(&self) {
        self.calls.send(Frame::new(Kind::Stop, 0, 0, Vec::new()));
    }

    /// Takes back what the child has not begun; tells of an id whether it was among that.
    pub(crate) fn take_back(&mut self) -> impl Fn(u64) -> bool + use<> {
        let begun = self.turns.take_back();
        move |id| begun.is_some_and(|begun| turns::is_after(id, begun))
    }

    /// Whether all that was sent is on its way.
    pub(crate) fn is_flowing(&self) -> bool {
        self.calls.is_flowing()
    }

    /// Sends more, if there is room for it now.
    pub(crate) fn flow(&self) {
        self.calls.flow();
    }

    /// Gets the attention of the connection's owner.
    pub(crate) fn nudge(&self) {
        self.nudge.nudge();
    }
}

const PANICKED: u32 = AnswerKind::Panicked as u32;

/// Whether this answer says that the method panicked.
pub(crate) fn has_panicked(frame: &Frame) -> bool {
    frame.tag == PANICKED
}

/// Whether this answer says that there is none.
pub(crate) fn is_not_sent(frame: &Frame) -> bool {
    frame.tag == AnswerKind::NotSent as u32
}

/// What has come, for whoever completes the promise.
pub(crate) fn answered(frame: &Frame) -> Answered<'_> {
    Answered { tag: frame.tag, bytes: &frame.body }
}

#[cfg(test)]
#[path = "connection_tests.rs"]
mod tests;
