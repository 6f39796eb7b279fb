//! For how long calls wait behind one that a child runs.
//!
//! The time counts from when the owner first sees that a call waits behind this one, and begins anew with each answer.

use std::time::Duration;

use concurry_core::clock::Timestamp;

/// For how long calls wait behind one that is running.
const PATIENCE: Duration = Duration::from_millis(1);
/// So often more is read first when that is over: it may be the answer, where the owner itself was held up.
const PUT_OFF: u32 = 64;

/// Until when calls wait, if any does.
#[derive(Debug, Default)]
pub(super) struct Patience(Option<Watch>);

/// Of the call that runs after so many that were answered.
#[derive(Debug)]
struct Watch {
    answered: u64,
    at: Timestamp,
    put_off: u32,
}

impl Patience {
    /// Until when; none where no call `is_behind` the one that runs.
    pub(super) fn until(
        &mut self,
        is_behind: bool,
        answered: u64,
        now: impl Fn() -> Timestamp,
    ) -> Option<Timestamp> {
        self.watch(is_behind, answered, now).map(|watch| watch.at)
    }

    /// Whether that is over now; it begins anew then. Where there `is_more` to be read, that is read first, but not for ever: a method
    /// may say something all the time.
    pub(super) fn is_over(
        &mut self,
        is_behind: bool,
        answered: u64,
        is_more: bool,
        now: impl Fn() -> Timestamp,
    ) -> bool {
        let Some(watch) = self.watch(is_behind, answered, &now) else { return false };
        if watch.at > now() {
            return false;
        }
        watch.put_off += 1;
        let is_over = !is_more || watch.put_off > PUT_OFF;
        if is_over {
            self.forget();
        }
        is_over
    }

    /// What waited has gone.
    pub(super) fn forget(&mut self) {
        self.0 = None;
    }

    fn watch(&mut self, is_behind: bool, answered: u64, now: impl Fn() -> Timestamp) -> Option<&mut Watch> {
        self.0.take_if(|watch| !is_behind || watch.answered != answered);
        if is_behind && self.0.is_none() {
            self.0 = Some(Watch { answered, at: now() + PATIENCE, put_off: 0 });
        }
        self.0.as_mut()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Timestamp = Timestamp::from_nanos(0);

    fn at(time: Duration) -> impl Fn() -> Timestamp {
        move || START + time
    }

    #[test]
    fn it_is_over_at_its_instant_and_begins_anew_with_each_answer() {
        let mut patience = Patience::default();
        assert_eq!(patience.until(false, 0, at(Duration::ZERO)), None, "nobody waits");
        assert_eq!(patience.until(true, 0, at(Duration::ZERO)), Some(START + PATIENCE));
        let nearly = PATIENCE.saturating_sub(Duration::from_nanos(1));
        assert!(!patience.is_over(true, 0, false, at(nearly)));
        assert!(!patience.is_over(true, 1, false, at(PATIENCE)), "another one runs");
        assert!(!patience.is_over(true, 1, false, at(PATIENCE + nearly)));
        assert!(patience.is_over(true, 1, false, at(PATIENCE * 2)));
        assert!(!patience.is_over(true, 1, false, at(PATIENCE * 2)), "it is over once");
        assert_eq!(patience.until(true, 1, at(PATIENCE * 2)), Some(START + PATIENCE * 3));
    }

    #[test]
    fn what_nobody_waits_for_any_more_is_forgotten() {
        let mut patience = Patience::default();
        patience.until(true, 0, at(Duration::ZERO));
        assert_eq!(patience.until(false, 0, at(PATIENCE)), None);
        assert!(!patience.is_over(true, 0, false, at(PATIENCE)), "who waits from now on has all of the time");
    }

    #[test]
    fn what_is_there_is_read_first_but_not_for_ever() {
        let mut patience = Patience::default();
        patience.until(true, 0, at(Duration::ZERO));
        let puts_off = (0..1_000).take_while(|_| !patience.is_over(true, 0, true, at(PATIENCE))).count();
        assert_eq!(puts_off, 64);
    }
}
