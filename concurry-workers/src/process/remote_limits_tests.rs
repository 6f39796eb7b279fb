//! Wakers that do what they must not.

use std::sync::atomic::AtomicUsize;
use std::task::Wake;

use super::*;

fn asked(questions: &Questions, id: u64, waker: &Waker) {
    questions.stands(id).expect("nothing has ended");
    assert!(questions.poll(id, Some(waker)).is_none());
}

fn answer(id: u64) -> Frame {
    Frame::new(Kind::Stats, id, 0, Vec::new())
}

#[derive(Default)]
struct Panics(AtomicUsize);

impl Wake for Panics {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
        panic!("woken");
    }
}

#[test]
fn a_waker_that_panics_keeps_nobody_from_being_woken() {
    let (questions, panics) = (Questions::default(), Arc::<Panics>::default());
    let waker = Waker::from(Arc::clone(&panics));
    (0..4).for_each(|id| asked(&questions, id, &waker));
    questions.answered(answer(0));
    assert!(questions.poll(0, None).is_some_and(|answer| answer.is_ok()));
    questions.end("it ended");
    assert_eq!(panics.0.load(Ordering::SeqCst), 4);
    assert!(questions.poll(1, None).is_some_and(|answer| answer.is_err()));
}

/// Asks, when it is dropped.
struct Asks(Arc<Questions>);

impl Wake for Asks {
    fn wake(self: Arc<Self>) {}
}

impl Drop for Asks {
    fn drop(&mut self) {
        assert!(!self.0.falls(99));
    }
}

#[test]
fn a_waker_that_asks_when_it_is_dropped_waits_for_no_lock() {
    let questions = Arc::<Questions>::default();
    let waker = || Waker::from(Arc::new(Asks(Arc::clone(&questions))));
    (0..3).for_each(|id| asked(&questions, id, &waker()));
    assert!(questions.poll(0, Some(&waker())).is_none(), "it takes the place of the first");
    assert!(questions.falls(0));
    questions.answered(answer(1));
    assert!(questions.poll(1, Some(&waker())).is_some_and(|answer| answer.is_ok()));
    questions.end("it ended");
}
