//! The parent's side of limits: a child's wishes stand in the owner's queue like everybody's.
//!
//! A wish that can be granted is granted where it is read. One that must wait costs no thread: it is a future that is polled
//! when its grant wakes it, on the thread that made the grant possible; the answer goes out from there, which never blocks.
//! What a child holds is listed here, and is given back when the child releases it or is gone. How long it waits is counted for it,
//! not for whatever that thread runs.
//!
//! A user's own limit may panic. That is the answer to whoever asked, and the child goes on.

use std::collections::HashMap;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use concurry_limits::remote::{Notice, RemoteGrant, Steering, SteeringAnswer, serve, steer, take_notice};
use concurry_limits::{Acquire, LimitError, LimitSet, LimitSetAcquisition};

use super::child::body;
use super::frame::{AcquireRequest, Frame, GrantAnswer, Kind, StatsAnswer, Usage};
use super::transport::Outlet;
use concurry_core::call::Panicked;
use concurry_core::panics::{catch, contain, discard};
use concurry_core::sync::lock;
use concurry_core::waits;

/// The limits of one child.
pub(crate) struct LimitsServer {
    sets: Vec<LimitSet>,
    outlet: Box<dyn Outlet>,
    may: May,
    table: Mutex<Table>,
    /// How many nanoseconds its wishes have waited since this was asked last.
    waited: AtomicU64,
}

/// What the other side may do to the sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum May {
    /// Use them, ask about them, and tell what a server said.
    Use,
    /// Also change capacities, pause and resume.
    Steer,
}

#[derive(Default)]
struct Table {
    closed: bool,
    wishes: HashMap<u64, Arc<Wish>>,
    held: HashMap<u64, LimitSetAcquisition>,
}

/// A wish that waits.
struct Wish {
    id: u64,
    server: Weak<LimitsServer>,
    sets: Vec<u32>,
    future: Mutex<Option<Acquire>>,
    turn: AtomicU8,
}

/// Marks the grants that a child did not ask for.
const LENT: u64 = 1 << 63;

/// Nobody polls; somebody polls; somebody polls and must poll once more.
const IDLE: u8 = 0;
const POLLING: u8 = 1;
const AGAIN: u8 = 2;

impl LimitsServer {
    pub(crate) fn new(sets: Vec<LimitSet>, outlet: Box<dyn Outlet>, may: May) -> Arc<Self> {
        Arc::new(Self { sets, outlet, may, table: Mutex::default(), waited: AtomicU64::new(0) })
    }

    /// A frame about limits has come from the child.
    pub(crate) fn receive(self: &Arc<Self>, frame: &Frame) -> io::Result<()> {
        match frame.kind {
            Kind::Acquire => {
                self.is_new(frame.id)?;
                self.acquire(frame.id, frame.open()?);
            }
            Kind::CancelAcquire => self.cancel(frame.id),
            Kind::Settle => {
                let usage: Usage = frame.open()?;
                let held = lock(&self.table).held.remove(&frame.id);
                if let Some(acquisition) = held {
                    let settle = || acquisition.settle_with(usage, frame.tag != 0);
                    // Nobody waits for an answer: another program is told of a panic by the end of its connection.
                    match self.may {
                        May::Use => settle(),
                        May::Steer => contain("a limit", settle).unwrap_or_default(),
                    }
                }
            }
            Kind::StatsRequest => {
                let answer: StatsAnswer = match self.sets.get(frame.tag as usize) {
                    Some(set) => answered(|| Ok(set.stats())),
                    None => Err(unknown_set(frame.tag)),
                };
                self.send(Kind::Stats, frame.id, body(&answer));
            }
            Kind::Feedback => {
                let feedback = frame.open()?;
                if let Some(set) = self.sets.get(frame.tag as usize) {
                    contain("a limit", || set.feedback(feedback));
                }
            }
            Kind::Notice => {
                let notice: Notice = frame.open()?;
                if let Some(set) = self.sets.get(frame.tag as usize) {
                    contain("the log of a limit set", || take_notice(set, &notice));
                }
            }
            Kind::Steer => {
                let steering = frame.open()?;
                let answer = answered(|| self.steer(frame.tag, steering));
                self.send(Kind::Steered, frame.id, body(&answer));
            }
            _ => {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "a child sent a pool's frame"));
            }
        }
        Ok(())
    }

    fn steer(&self, set: u32, steering: Steering) -> SteeringAnswer {
        let set = self.sets.get(set as usize).ok_or_else(|| unknown_set(set))?;
        if self.may == May::Use && !steering.is_question() {
            return Err(LimitError::OwnerOnly { operation: steering.operation().to_owned() });
        }
        steer(set, steering)
    }

    /// The child is gone: its wishes end, and what it held is given back.
    pub(crate) fn close(&self) {
        let (wishes, held) = {
            let mut table = lock(&self.table);
            table.closed = true;
            (std::mem::take(&mut table.wishes), std::mem::take(&mut table.held))
        };
        for wish in wishes.into_values() {
            contain("a limit", || wish.end());
        }
        for acquisition in held.into_values() {
            contain("a limit", || acquisition.give_back());
        }
    }

    /// Whether no wish or grant has this id: two of one name could not be told apart.
    fn is_new(&self, id: u64) -> io::Result<()> {
        let table = lock(&self.table);
        if table.wishes.contains_key(&id) || table.held.contains_key(&id) {
            let text = "a child asked by the name of what it holds or waits for";
            return Err(io::Error::new(io::ErrorKind::InvalidData, text));
        }
        Ok(())
    }

    fn acquire(self: &Arc<Self>, id: u64, request: AcquireRequest) {
        let AcquireRequest { sets, amounts, wait } = request;
        let chosen: Option<Vec<LimitSet>> =
            sets.iter().map(|set| self.sets.get(*set as usize).cloned()).collect();
        let Some(chosen) = chosen else {
            let unknown = unknown_set(sets.first().copied().unwrap_or_default());
            return self.answer(id, &sets, Err(unknown), |_| true);
        };
        // Most need not wait. Whoever polls a future that waits once more replaces the waker.
        let begin = || {
            let mut future = serve(&chosen, amounts, wait);
            match self.counting(|| Pin::new(&mut future).poll(&mut Context::from_waker(Waker::noop()))) {
                Poll::Ready(outcome) => outcome.map(Begun::Granted),
                Poll::Pending => Ok(Begun::Waits(future)),
            }
        };
        let future = match answered(begin) {
            Ok(Begun::Waits(future)) => future,
            Ok(Begun::Granted(acquisition)) => return self.answer(id, &sets, Ok(acquisition), |_| true),
            Err(error) => return self.answer(id, &sets, Err(error), |_| true),
        };
        let wish = Arc::new(Wish {
            id,
            server: Arc::downgrade(self),
            sets,
            future: Mutex::new(Some(future)),
            turn: AtomicU8::new(IDLE),
        });
        let replaced = {
            let mut table = lock(&self.table);
            if table.closed {
                drop(table);
                return; // with the wish, as though it had been given up
            }
            table.wishes.insert(id, Arc::clone(&wish))
        };
        drop(replaced); // a wish that is dropped lets others have their turn, which answers: not under the lock
        wish.wake();
    }

    /// Polls a wish, and counts what it has waited: before the child hears of it, so that it is there when the child answers
    /// the call that waited.
    fn counting<R>(&self, poll: impl FnOnce() -> R) -> R {
        let (polled, waited) = waits::apart(poll);
        if !waited.is_zero() {
            let nanos = u64::try_from(waited.as_nanos()).unwrap_or(u64::MAX);
            self.waited.fetch_add(nanos, Ordering::Relaxed);
        }
        polled
    }

    /// How long wishes of the child have waited since this was asked last.
    pub(crate) fn take_waited(&self) -> Duration {
        // Most calls wait for nothing, and a look is cheaper than a swap.
        let nanos = match self.waited.load(Ordering::Relaxed) {
            0 => 0,
            _ => self.waited.swap(0, Ordering::Relaxed),
        };
        Duration::from_nanos(nanos)
    }

    /// Hands over what was acquired for call `id`: the child releases it as though it had asked for it, and what it holds
    /// when it is gone is given back. The frame that tells it, or what was acquired when
    /// it is gone.
    pub(crate) fn lend(&self, id: u64, acquired: LimitSetAcquisition) -> Result<Frame, LimitSetAcquisition> {
        // The child counts its wishes up from zero.
        let grant =
            RemoteGrant { id: LENT | id, set: narrow(acquired.set_index()), items: acquired.export() };
        let mut table = lock(&self.table);
        if table.closed {
            return Err(acquired);
        }
        let replaced =
            if grant.items.is_empty() { Some(acquired) } else { table.held.insert(grant.id, acquired) };
        drop(table);
        drop(replaced);
        Ok(Frame::new(Kind::Lend, id, 0, body(&grant)))
    }

    /// Takes back what was lent for call `id`, which the child will not begin.
    pub(crate) fn unlend(&self, id: u64) -> Option<LimitSetAcquisition> {
        lock(&self.table).held.remove(&(LENT | id))
    }

    /// The child does not want what it asked for, or what was granted to it in the meantime: nothing of it was used.
    fn cancel(&self, id: u64) {
        let (wish, held) = {
            let mut table = lock(&self.table);
            (table.wishes.remove(&id), table.held.remove(&id))
        };
        if let Some(wish) = wish {
            contain("a limit", || wish.end());
        }
        if let Some(acquisition) = held {
            contain("a limit", || acquisition.undo());
        }
    }

    /// Tells the child the outcome of a wish, unless it `is_wanted` no more.
    fn answer(
        &self,
        id: u64,
        sets: &[u32],
        outcome: Result<LimitSetAcquisition, LimitError>,
        is_wanted: impl FnOnce(&mut Table) -> bool,
    ) {
        let answer: GrantAnswer = match outcome {
            Ok(acquisition) => {
                let set = sets.get(acquisition.set_index()).copied().unwrap_or_default();
                let grant = RemoteGrant { id, set, items: acquisition.export() };
                let mut table = lock(&self.table);
                if table.closed || !is_wanted(&mut table) {
                    // Cancelled, or the child died, while the grant was on its way here.
                    drop(table);
                    acquisition.undo();
                    return;
                }
                let replaced = table.held.insert(id, acquisition);
                drop(table);
                drop(replaced);
                Ok(grant)
            }
            Err(error) => {
                if !is_wanted(&mut lock(&self.table)) {
                    return;
                }
                Err(error)
            }
        };
        self.send(Kind::Grant, id, body(&answer));
    }

    fn send(&self, kind: Kind, id: u64, body: Vec<u8>) {
        // When nobody listens, the child is gone, and `close` gives back what it held.
        self.outlet.say(Frame::new(kind, id, 0, body));
    }
}

impl Wake for Wish {
    /// Polls the wish here. A wake-up that comes while it is polled, perhaps from inside of it, has it polled once more.
    fn wake(self: Arc<Self>) {
        if self.turn.swap(AGAIN, Ordering::SeqCst) != IDLE {
            return;
        }
        loop {
            self.turn.store(POLLING, Ordering::SeqCst);
            self.poll();
            if self.turn.compare_exchange(POLLING, IDLE, Ordering::SeqCst, Ordering::SeqCst).is_ok() {
                return;
            }
        }
    }
}

impl Wish {
    /// It is not wanted any more.
    fn end(&self) {
        let future = lock(&self.future).take();
        drop(future);
    }

    fn poll(self: &Arc<Self>) {
        let Some(server) = self.server.upgrade() else { return };
        // Who closes it gives each wish up in turn. What is granted meanwhile is not given back from here: that would grant the next one,
        // from inside of it, and so on through all that the client has waiting.
        if lock(&server.table).closed {
            return;
        }
        let waker = Waker::from(Arc::clone(self));
        let (outcome, future) = {
            let mut slot = lock(&self.future);
            let Some(future) = slot.as_mut() else { return };
            let poll = || Pin::new(future).poll(&mut Context::from_waker(&waker));
            // Whoever woke this has nothing to do with a panic; whoever waits is told.
            let outcome = match catch(|| server.counting(poll)) {
                Ok(Poll::Ready(outcome)) => outcome,
                Ok(Poll::Pending) => return,
                Err(panic) => Err(panicked(&panic)),
            };
            (outcome, slot.take())
        };
        discard(future);
        server.answer(self.id, &self.sets, outcome, |table| table.wishes.remove(&self.id).is_some());
    }
}

/// What becomes of a wish as it is read.
enum Begun {
    Granted(LimitSetAcquisition),
    Waits(Acquire),
}

/// The answer to a question, also when a user's own limit panics at it.
fn answered<T>(ask: impl FnOnce() -> Result<T, LimitError>) -> Result<T, LimitError> {
    catch(ask).unwrap_or_else(|panic| Err(panicked(&panic)))
}

fn panicked(panic: &Panicked) -> LimitError {
    LimitError::Disconnected { reason: format!("a limit panicked: {panic}") }
}

fn unknown_set(set: u32) -> LimitError {
    LimitError::Disconnected { reason: format!("the pool has no limit set {set}") }
}

/// The position of a set in its pool.
fn narrow(position: usize) -> u32 {
    u32::try_from(position).unwrap_or(u32::MAX)
}

#[cfg(test)]
#[path = "limits_server_tests.rs"]
mod tests;
