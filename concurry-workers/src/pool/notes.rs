//! What is noted of calls beside them: when a measured one came, and the span of a traced one.
//!
//! A call that is neither has no note, and pays for the question whether it has: one look at its age. Which calls are measured
//! follows from how long calls take. While they take 20 µs or more, every one is; of shorter ones every 128th, which stands for
//! the others. Where many measured calls wait at once, every second of them is let go and every other one of those that come
//! is measured, and so on: so there are never more than a few, evenly spread over the queue.
//!
//! A note goes with its call: into the queue with it, out of it with the worker that takes it, to the end of the run.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use concurry_core::clock::{Clock, Timestamp};
use concurry_core::waits;
use hdrhistogram::Histogram;
use tracing::Span;

use super::queue::Queue;
use super::stats::Times;

/// The most measured calls that wait at once.
const MOST: usize = 128;
/// The mask of the ages that are measured while calls are short.
const SELDOM: u64 = 127;
/// Calls that take at least so long are worth measuring each.
const WORTH_IT: Duration = Duration::from_micros(20);

/// What is noted of one call.
pub(crate) struct Note {
    since: Timestamp,
    /// When its limits were asked first, and did not admit it.
    asked: Option<Timestamp>,
    /// When a worker took it, and how long it had waited in the queue.
    taken: Timestamp,
    queued: Duration,
    /// The part of its waiting and running that was for limits.
    limited: Duration,
    ran: Duration,
    /// How many calls it stands for, if it is measured; otherwise 0.
    weight: u64,
    span: Span,
}

/// The note of a call that a worker took, if it has one.
pub(crate) type Noted = Option<Box<Note>>;

/// The notes of the calls that wait, and what was measured.
pub(super) struct Notes {
    clock: Arc<dyn Clock>,
    waiting: BTreeMap<u64, Box<Note>>,
    /// How many of those that wait are measured, and traced.
    measured: usize,
    traced: usize,
    /// The ages with none of these bits are measured.
    mask: Arc<AtomicU64>,
    waits: Measured,
    runs: Measured,
}

impl<M> Queue<M> {
    /// Tells those outside of a call that has run. Not under the lock: that runs foreign code.
    #[cfg_attr(
        not(feature = "metrics"),
        expect(clippy::unused_self, reason = "it has the numbers to be told")
    )]
    pub(super) fn tell_of(&self, noted: Noted) {
        let Some(note) = noted else { return };
        note.tell();
        #[cfg(feature = "metrics")]
        if note.weight > 0 {
            self.metered.ran(note.queued, note.ran, note.weight);
        }
    }
}

impl Notes {
    pub(super) fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            waiting: BTreeMap::new(),
            measured: 0,
            traced: 0,
            mask: Arc::default(),
            waits: Measured::default(),
            runs: Measured::default(),
        }
    }

    /// The ages with none of these bits are measured: for who looks without the queue's lock.
    pub(super) fn mask(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.mask)
    }

    #[inline]
    fn bits(&self) -> u64 {
        self.mask.load(Ordering::Relaxed)
    }

    #[inline]
    fn is_measured(&self, age: u64) -> bool {
        age & self.bits() == 0
    }

    /// How many calls one of this age stands for.
    fn weight(&self, age: u64) -> u64 {
        if self.is_measured(age) { self.bits() + 1 } else { 0 }
    }

    /// A call of this age begins to wait.
    #[inline]
    pub(super) fn waits(&mut self, age: u64, span: Span) {
        if self.is_measured(age) || !span.is_disabled() {
            self.insert(age, span);
        }
    }

    fn note(&self, age: u64, span: Span) -> Note {
        let since = self.clock.now();
        let (queued, limited, ran) = Default::default();
        let weight = self.weight(age);
        Note { since, asked: None, taken: since, queued, limited, ran, weight, span }
    }

    #[cold]
    fn insert(&mut self, age: u64, span: Span) {
        let note = self.note(age, span);
        self.measured += usize::from(note.weight > 0);
        self.traced += usize::from(!note.span.is_disabled());
        self.waiting.insert(age, Box::new(note));
        if self.measured > MOST {
            self.thin_out(self.bits() * 2 + 1);
        }
    }

    /// Whether a call of this age may have a note.
    #[inline]
    fn may_have(&self, age: u64) -> bool {
        self.is_measured(age) || self.traced > 0
    }

    /// The limits of a call did not admit it.
    pub(super) fn is_held(&mut self, age: u64) {
        if self.may_have(age)
            && let Some(note) = self.waiting.get_mut(&age)
        {
            note.asked.get_or_insert(self.clock.now());
        }
    }

    /// A worker takes a call.
    #[inline]
    pub(super) fn taken(&mut self, age: u64) -> Noted {
        let mut note = self.remove(age)?;
        note.is_taken(self.clock.now());
        Some(note)
    }

    /// A call that was taken, and not begun, waits again.
    pub(super) fn returns(&mut self, age: u64, noted: Noted) {
        let Some(mut note) = noted else { return };
        // Fewer may be measured by now.
        note.weight = self.weight(age);
        if note.weight > 0 || !note.span.is_disabled() {
            self.measured += usize::from(note.weight > 0);
            self.traced += usize::from(!note.span.is_disabled());
            self.waiting.insert(age, note);
        }
    }

    /// A call leaves the queue in whatever way.
    #[inline]
    pub(super) fn remove(&mut self, age: u64) -> Noted {
        if !self.may_have(age) {
            return None;
        }
        let note = self.waiting.remove(&age)?;
        self.measured -= usize::from(note.weight > 0);
        self.traced -= usize::from(!note.span.is_disabled());
        Some(note)
    }

    /// All calls leave the queue. Their spans are to be closed outside of the lock.
    pub(super) fn clear(&mut self) -> impl Sized + use<> {
        (self.measured, self.traced) = (0, 0);
        std::mem::take(&mut self.waiting)
    }

    /// The note of a call that does not wait here, but in its caller.
    #[inline]
    pub(super) fn begin(&mut self, age: u64, span: Span) -> Noted {
        (self.is_measured(age) || !span.is_disabled()).then(|| Box::new(self.note(age, span)))
    }

    /// A call has run. The note is to be [told](Queue::tell_of) outside of the lock.
    #[inline]
    pub(super) fn ran(&mut self, noted: Noted) -> Noted {
        let mut note = noted?;
        let ran = self.clock.now() - note.taken;
        note.ran = ran;
        if note.weight > 0 {
            self.waits.record(note.queued, note.weight);
            self.runs.record(ran, note.weight);
            let is_short = ran < WORTH_IT;
            if is_short && self.bits() < SELDOM {
                self.thin_out(SELDOM);
            } else if self.measured < MOST / 4 && (!is_short || self.bits() > SELDOM) {
                self.mask.store(self.bits() >> 1, Ordering::Relaxed);
            }
        }
        Some(note)
    }

    /// Fewer are measured from now on, and of those that wait.
    fn thin_out(&mut self, mask: u64) {
        self.mask.store(mask, Ordering::Relaxed);
        for (age, note) in &mut self.waiting {
            let stays = note.weight > 0 && age & mask == 0;
            note.weight = if stays { mask + 1 } else { 0 };
        }
        self.waiting.retain(|_, note| note.weight > 0 || !note.span.is_disabled());
        self.measured = self.waiting.values().filter(|note| note.weight > 0).count();
    }

    /// How long calls waited, and ran.
    pub(super) fn times(&self) -> (Option<Times>, Option<Times>) {
        (self.waits.times(), self.runs.times())
    }

    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// How long a call runs on average; none as long as none was measured.
    pub(super) fn mean_run(&self) -> Option<Duration> {
        self.runs.times().map(|times| times.mean)
    }
}

impl Note {
    /// A worker takes the call, or has waited until it can begin with it.
    pub(crate) fn is_taken(&mut self, now: Timestamp) {
        self.taken = now;
        self.queued = now - self.since;
        if let Some(asked) = self.asked.take() {
            self.limited += now - asked;
        }
    }

    /// Runs a part of the call: in its span, and with its waits for limits as its own.
    pub(crate) fn within<R>(noted: &mut Noted, body: impl FnOnce() -> R) -> R {
        let Some(note) = noted else { return body() };
        waits::take();
        let result = note.span.in_scope(body);
        note.limited += waits::take();
        result
    }

    /// The call has waited so long for limits where it ran, elsewhere.
    pub(crate) fn has_waited(noted: &mut Noted, waited: Duration) {
        if let Some(note) = noted {
            note.limited += waited;
        }
    }

    /// Tells the span what was measured.
    fn tell(&self) {
        if self.span.is_disabled() {
            return;
        }
        self.span.record("queued_us", micros(self.queued));
        self.span.record("limits_us", micros(self.limited));
        self.span.record("run_us", micros(self.ran));
    }

    /// Tells the span how the run ended.
    pub(crate) fn ended(&self, how: &'static str) {
        if !self.span.is_disabled() {
            self.span.record("ended", how);
        }
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

/// The spread of one kind of time.
#[derive(Default)]
struct Measured {
    /// In nanoseconds; made with the first time that is recorded.
    times: Option<Histogram<u64>>,
    count: u64,
}

impl Measured {
    fn record(&mut self, time: Duration, weight: u64) {
        if self.times.is_none() {
            // One significant digit, with as much room as the times need: a few hundred numbers.
            self.times = Histogram::new(1).ok();
        }
        let nanos = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX).min(u64::MAX / 4);
        if let Some(times) = &mut self.times
            && times.record_n(nanos, weight).is_ok()
        {
            self.count += 1;
        }
    }

    fn times(&self) -> Option<Times> {
        let times = self.times.as_ref()?;
        let at = |quantile| Duration::from_nanos(times.value_at_quantile(quantile));
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "it is a number of nanoseconds"
        )]
        let mean = Duration::from_nanos(times.mean() as u64);
        Some(Times { p50: at(0.5), p99: at(0.99), mean, measured: self.count })
    }
}

#[cfg(test)]
mod tests {
    use concurry_core::clock::ManualClock;

    use super::*;

    const MILLI: Duration = Duration::from_millis(1);

    fn notes() -> (ManualClock, Notes) {
        let clock = ManualClock::new();
        (clock.clone(), Notes::new(Arc::new(clock)))
    }

    /// Takes a call and runs it for `time`; whether it was noted.
    fn run(notes: &mut Notes, clock: &ManualClock, age: u64, time: Duration) -> bool {
        let taken = notes.taken(age);
        clock.advance(time);
        notes.ran(taken).is_some()
    }

    #[test]
    fn of_a_long_queue_an_even_part_is_measured() {
        let (clock, mut notes) = notes();
        for age in 1..=1_000 {
            notes.waits(age, Span::none());
            assert!(notes.waiting.len() <= MOST);
            clock.advance(MILLI);
        }
        let measured = (1..=1_000).filter(|age| run(&mut notes, &clock, *age, MILLI * 2)).count();
        assert!((60..=MOST).contains(&measured), "{measured}");
        // The first waited for a second, and each a millisecond longer than the one before.
        let (waits, runs) = notes.times();
        let (waits, runs) = (waits.unwrap(), runs.unwrap());
        assert!(waits.p50 >= MILLI * 1_480 && waits.p50 <= MILLI * 1_630, "{waits:?}");
        assert!(waits.p99 >= MILLI * 1_970 && waits.p99 <= MILLI * 2_140, "{waits:?}");
        assert!(runs.p99 >= MILLI * 2 && runs.p99 <= MILLI * 2 * 107 / 100, "{runs:?}");
        assert!(notes.waiting.is_empty() && notes.measured == 0);
    }

    #[test]
    fn long_calls_are_all_measured_and_short_ones_seldom() {
        let (clock, mut notes) = notes();
        let mut ages = 1..;
        let mut share = |notes: &mut Notes, time: Duration, count: usize| {
            let measured = ages.by_ref().take(count).filter(|age| {
                notes.waits(*age, Span::none());
                run(notes, &clock, *age, time)
            });
            measured.count()
        };
        assert_eq!(share(&mut notes, MILLI, 100), 100);
        let short = share(&mut notes, Duration::from_micros(1), 1_281);
        assert!((10..=12).contains(&short), "{short}");
        share(&mut notes, MILLI, 256);
        assert_eq!(share(&mut notes, MILLI, 100), 100);
        let (_, runs) = notes.times();
        // Each stands for those that were not measured, so the short ones are the most.
        assert!(runs.is_some_and(|runs| runs.p50 < MILLI / 100), "{runs:?}");
    }

    #[test]
    fn what_leaves_the_queue_leaves_no_note() {
        let (_clock, mut notes) = notes();
        for age in 1..=500 {
            notes.waits(age, Span::none());
        }
        (1..=500).for_each(|age| drop(notes.remove(age)));
        assert!(notes.waiting.is_empty() && notes.measured == 0 && notes.traced == 0);
    }
}
