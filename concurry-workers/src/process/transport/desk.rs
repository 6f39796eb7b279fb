//! Who reads what a child says: the owner of its connection, or while that sleeps, whoever waits for an answer.
//!
//! One at a time has the *turn*. The owner has it while it is awake, and gives it up to sleep. Who waits for an answer, and finds the
//! owner asleep, takes the turn and looks for the answer itself, so that neither needs another thread: with the turn it has
//! the bell, too, and the child wakes nobody. When it looks no more the owner is to be woken again, by what it has left as well.
//! While somebody wants to look, an owner that has nothing to read goes to sleep at once.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use concurry_core::call::Look;
use concurry_core::clock;
use concurry_core::park;
use concurry_core::spin::Spin;
use tokio::sync::{Mutex, MutexGuard, OwnedMutexGuard};

use super::bell::Bell;
use super::outflow::Outflow;
use super::stream::Reader;
use super::{Arrival, Incoming, Nudge, StandsIn, Took, Until};
use crate::process::frame::Frame;

/// What others tell the owner of a connection.
pub(super) struct Signs {
    nudged: AtomicBool,
    gone: AtomicBool,
    /// How many would read while the owner sleeps.
    wanted: AtomicUsize,
    owner: Bell,
}

impl Signs {
    pub(super) fn new(owner: Bell) -> Arc<Self> {
        let sign = || AtomicBool::new(false);
        Arc::new(Self { nudged: sign(), gone: sign(), wanted: AtomicUsize::new(0), owner })
    }

    /// The child is gone.
    pub(super) fn is_gone(&self) {
        self.gone.store(true, Ordering::SeqCst);
        self.owner.force();
    }
}

impl Nudge for Signs {
    fn nudge(&self) {
        if !self.nudged.swap(true, Ordering::SeqCst) {
            self.owner.ring();
        }
    }
}

/// Where what a child says is read.
pub(super) struct Desk {
    turn: Arc<Mutex<Turn>>,
    /// What goes to the child: calls, and what is said beside them. The owner sees to both.
    calls: Arc<Outflow>,
    aside: Arc<Outflow>,
    signs: Arc<Signs>,
}

/// What the one who reads has.
struct Turn {
    reader: Reader,
    /// Where the child waits for room.
    room: Bell,
    /// What the owner has learned of how long it waits.
    spin: Spin,
    /// What was read for the owner.
    left: Option<io::Result<Frame>>,
    /// The owner sleeps in the middle of a frame. It may have put off what it has read before, for the rest to wake it.
    is_owners: bool,
}

impl Turn {
    fn has_more(&self) -> bool {
        self.left.is_some() || self.reader.has_more()
    }

    fn read(&mut self) -> io::Result<Option<Frame>> {
        if let Some(left) = self.left.take() {
            return left.map(Some);
        }
        let frame = self.reader.read()?;
        if self.reader.publish() {
            self.room.ring();
        }
        Ok(frame)
    }
}

impl Desk {
    pub(super) fn new(
        reader: Reader,
        room: Bell,
        [calls, aside]: [Arc<Outflow>; 2],
        signs: Arc<Signs>,
    ) -> Arc<Self> {
        let turn = Turn { reader, room, spin: Spin::new(), left: None, is_owners: false };
        Arc::new(Self { turn: Arc::new(Mutex::new(turn)), calls, aside, signs })
    }

    /// Whether there is something that only the owner does.
    fn needs_owner(&self) -> bool {
        let Signs { nudged, gone, .. } = &*self.signs;
        nudged.load(Ordering::SeqCst)
            || gone.load(Ordering::SeqCst)
            || self.calls.needs_owner()
            || self.aside.needs_owner()
    }

    /// Whether there is something for the owner, who has the turn or is given it.
    fn calls_owner(&self, turn: &Turn) -> bool {
        turn.has_more() || self.needs_owner()
    }

    /// Reads a frame for one who looks; whether it is to look no more.
    fn read_for(
        &self,
        Borrowed { turn, has_read, .. }: &mut Borrowed<'_>,
        take: &mut dyn FnMut(Frame) -> Took,
    ) -> bool {
        if turn.left.is_some() || self.needs_owner() {
            return true;
        }
        if !turn.reader.has_more() {
            return false;
        }
        let left = match turn.read() {
            Ok(None) => return false,
            Ok(Some(frame)) => match take(frame) {
                Took::Other => return false,
                Took::Awaited => {
                    *has_read = true;
                    return true;
                }
                Took::Left(left) => left,
            },
            Err(error) => Err(error),
        };
        turn.left = Some(left);
        true
    }

    /// Whether one who has the turn of an owner that sleeps may read: the owner was not told of anything, and has left nothing undone.
    fn may_read(&self, turn: &Turn) -> bool {
        turn.left.is_none() && !turn.is_owners && !self.needs_owner()
    }

    /// From here on the owner is not woken by what comes.
    fn borrow<'a>(&'a self, turn: MutexGuard<'a, Turn>) -> Borrowed<'a> {
        self.signs.owner.disarm();
        Borrowed { desk: self, turn, has_read: false }
    }
}

/// The turn of an owner that sleeps. When it is given back, the owner sleeps on if nothing is left for it.
struct Borrowed<'a> {
    desk: &'a Desk,
    turn: MutexGuard<'a, Turn>,
    /// It has read what it looked for, and so is likely to come again.
    has_read: bool,
}

impl Drop for Borrowed<'_> {
    fn drop(&mut self) {
        let owner = &self.desk.signs.owner;
        if self.has_read {
            owner.arm_as_read_for();
        } else {
            owner.arm();
        }
        // What came just before has woken nobody.
        if self.desk.calls_owner(&self.turn) {
            owner.ring();
        }
    }
}

impl StandsIn for Desk {
    fn stand_in(&self, is_due: &dyn Fn() -> bool, take: &mut dyn FnMut(Frame) -> Took, look: Look<'_>) {
        let (mut mine, mut is_over, mut looks) = (None, false, 0u64);
        look(&mut || {
            if is_over {
                return false;
            }
            if mine.is_none() {
                let Ok(turn) = self.turn.try_lock() else {
                    // Said at the second look: for one who does not look on, the owner is to do so.
                    looks += 1;
                    if looks == 2 {
                        self.signs.wanted.fetch_add(1, Ordering::Relaxed);
                    }
                    return false;
                };
                // The owner may have read meanwhile what is waited for, or be about to.
                is_over = !self.may_read(&turn) || !is_due();
                if is_over {
                    return false;
                }
                mine = Some(self.borrow(turn));
            }
            is_over = mine.as_mut().is_some_and(|mine| self.read_for(mine, take));
            if is_over {
                mine = None;
            }
            is_over
        });
        if looks >= 2 {
            self.signs.wanted.fetch_sub(1, Ordering::Relaxed);
        }
        drop(mine);
    }
}

/// The pool's receiving half.
pub(in crate::process) struct RingIncoming {
    desk: Arc<Desk>,
    /// None while it sleeps.
    turn: Option<OwnedMutexGuard<Turn>>,
}

impl RingIncoming {
    pub(super) fn new(desk: Arc<Desk>) -> Self {
        Self { desk, turn: None }
    }

    /// Waits until there is something to do, and sleeps `until` an instant at most; whether there is.
    fn wait(&mut self, until: Until<'_>) -> io::Result<bool> {
        let Self { desk, turn } = self;
        let signs = &*desk.signs;
        let clock = clock::system();
        let start = clock.now();
        let here = turn_of(desk, turn);
        let mut spin = here.spin.clone();
        let is_called = || desk.calls_owner(here);
        let looked = spin.until(&*clock, start, || is_called() || signs.wanted.load(Ordering::Relaxed) > 0);
        let is_called = is_called();
        // Of a look that ended for the sake of others nothing is learned.
        if is_called || !looked {
            here.spin = spin;
        }
        if is_called {
            return Ok(true);
        }
        let until = until();
        loop {
            let count = signs.owner.count().load(Ordering::SeqCst);
            signs.owner.arm();
            let left = until.map(|until| until - clock.now());
            let is_over = left.is_some_and(|left| left.is_zero());
            let here = turn_of(desk, turn);
            let is_called = desk.calls_owner(here);
            if is_called || is_over {
                signs.owner.disarm();
                return Ok(is_called);
            }
            here.is_owners = here.reader.has_begun();
            *turn = None;
            signs.owner.sleep_for(count, left)?;
            let here = turn_of(desk, turn);
            here.is_owners = false;
            if desk.calls_owner(here) {
                // One who stood in may have armed it.
                signs.owner.disarm();
                if !looked {
                    here.spin.waited(clock.now() - start);
                }
                return Ok(true);
            }
        }
    }
}

/// The turn of the owner, who waits for it if it has none.
fn turn_of<'a>(desk: &Desk, turn: &'a mut Option<OwnedMutexGuard<Turn>>) -> &'a mut Turn {
    turn.get_or_insert_with(|| park::idle_on(Arc::clone(&desk.turn).lock_owned()))
}

impl Incoming for RingIncoming {
    fn next(&mut self, until: Until<'_>) -> io::Result<Arrival> {
        loop {
            let Self { desk, turn } = self;
            let signs = &*desk.signs;
            let is_gone = signs.gone.load(Ordering::SeqCst);
            if signs.nudged.load(Ordering::SeqCst) && signs.nudged.swap(false, Ordering::SeqCst) {
                return Ok(Arrival::Nudge);
            }
            desk.aside.push();
            let turn = turn_of(desk, turn);
            if let Some(frame) = turn.read()? {
                return Ok(Arrival::Frame(frame));
            }
            if turn.has_more() {
                continue;
            }
            if is_gone {
                // Nothing was there after it was gone.
                return Ok(Arrival::Gone);
            }
            desk.calls.check()?;
            desk.aside.check()?;
            if desk.calls.is_unstuck() {
                // Here, since the one who owned it may only wait for its end by now.
                desk.calls.push();
                return Ok(Arrival::Nudge);
            }
            if !self.wait(until)? {
                return Ok(Arrival::Late);
            }
        }
    }

    fn has_more(&self) -> bool {
        self.turn.as_ref().is_some_and(|turn| turn.has_more())
    }
}
