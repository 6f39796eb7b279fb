//! Tests of who reads what a child says, and of whom that wakes, with both ends of a ring in one process.

use std::cell::Cell;
use std::sync::atomic::Ordering;
use std::sync::mpsc;
use std::thread;

use super::tests::{Ends, ends, frame};
use super::*;
use crate::process::transport::{Arrival, Calls, Incoming, Took, for_ever};

/// Reads for an owner that sleeps: `act` is what happens once nobody else reads, and the end of it that it looks no more.
fn stand_in(stands_in: &dyn StandsIn, act: impl FnOnce(), mut take: impl FnMut(Frame) -> Took) {
    let (is_mine, mut act) = (Cell::new(false), Some(act));
    let is_due = || {
        is_mine.set(true);
        true
    };
    stands_in.stand_in(&is_due, &mut take, &mut |step| {
        while !is_mine.get() {
            assert!(!step(), "the owner reads");
            thread::yield_now();
        }
        act.take().into_iter().for_each(|act| act());
        while !step() {
            thread::yield_now();
        }
        assert!(!step(), "once it is over nothing is read");
    });
}

/// What the owner hears, in its order.
fn owned(mut incoming: RingIncoming) -> mpsc::Receiver<String> {
    let (tell, heard) = mpsc::channel();
    thread::spawn(move || {
        loop {
            let arrival = match incoming.next(&for_ever) {
                Ok(Arrival::Frame(frame)) => frame.id.to_string(),
                Ok(Arrival::Nudge) => "nudge".to_owned(),
                Ok(Arrival::Late) => "late".to_owned(),
                Ok(Arrival::Gone) => return tell.send("gone".to_owned()),
                Err(error) => error.to_string(),
            };
            tell.send(arrival).unwrap();
        }
    });
    heard
}

#[test]
fn who_waits_for_an_answer_reads_it_and_leaves_the_owner_asleep() {
    const ROUNDS: u64 = if cfg!(miri) { 3 } else { 100 };
    let Ends { incoming, mut sink, stands_in, life, watcher, .. } = ends();
    let (heard, mut read) = (owned(incoming), Vec::new());
    for id in 0..ROUNDS {
        let act = || (0..3).for_each(|other| sink.send(&frame(10 * id + other, 30)).unwrap());
        stand_in(&*stands_in, act, |frame| {
            read.push(frame.id);
            if frame.id % 10 == 2 { Took::Awaited } else { Took::Other }
        });
    }
    assert_eq!(read, (0..ROUNDS).flat_map(|id| (0..3).map(move |other| 10 * id + other)).collect::<Vec<_>>());
    drop(life);
    watcher.join().unwrap();
    assert_eq!(heard.into_iter().collect::<Vec<_>>(), ["gone"], "nothing was left for it");
}

#[test]
fn what_is_not_for_who_waits_is_left_for_the_owner_and_wakes_it() {
    let Ends { incoming, mut sink, nudge, stands_in, life, watcher, .. } = ends();
    let heard = owned(incoming);
    let put_back = |frame| Took::Left(Ok(frame));
    stand_in(&*stands_in, || (1..=3).for_each(|id| sink.send(&frame(id, 5)).unwrap()), put_back);
    assert_eq!(heard.iter().take(3).collect::<Vec<_>>(), ["1", "2", "3"]);
    let unread = |_| -> Took { panic!("only the owner hears that") };
    stand_in(&*stands_in, || nudge.nudge(), unread);
    assert_eq!(heard.recv().unwrap(), "nudge");
    let wrong = |_| Took::Left(Err(io::Error::other("wrong")));
    stand_in(&*stands_in, || sink.send(&frame(4, 5)).unwrap(), wrong);
    assert_eq!(heard.recv().unwrap(), "wrong");
    stand_in(&*stands_in, || drop(life), unread);
    watcher.join().unwrap();
    assert_eq!(heard.recv().unwrap(), "gone");
}

#[test]
fn the_owner_hears_what_comes_when_nobody_waits_for_it_any_more() {
    let Ends { incoming, mut sink, stands_in, life, watcher, .. } = ends();
    let heard = owned(incoming);
    let unread = &mut |_| -> Took { panic!("nobody waits for it") };
    let looks_in_vain = &mut |step: &mut dyn FnMut() -> bool| assert!((0..100).all(|_| !step()));
    stands_in.stand_in(&|| false, unread, looks_in_vain);
    sink.send(&frame(1, 5)).unwrap();
    assert_eq!(heard.recv().unwrap(), "1");
    // One that has looked for a while, and gives up.
    let is_mine = Cell::new(false);
    let is_due = || {
        is_mine.set(true);
        true
    };
    stands_in.stand_in(&is_due, unread, &mut |step| {
        while !is_mine.get() {
            step();
            thread::yield_now();
        }
    });
    sink.send(&frame(2, 5)).unwrap();
    assert_eq!(heard.recv().unwrap(), "2");
    drop(life);
    watcher.join().unwrap();
    assert_eq!(heard.recv().unwrap(), "gone");
}

#[test]
fn an_answer_that_somebody_is_likely_to_read_wakes_the_owner_if_nobody_does() {
    let Ends { incoming, calls, mut sink, mut source, stands_in, life, watcher, memory, .. } = ends();
    let heard = owned(incoming);
    let answer = |id| Frame::new(Kind::Answer, id, 0, Vec::new());
    let is_read = |sink: &mut RingSink| {
        stand_in(&*stands_in, || sink.send(&answer(0)).unwrap(), |_| Took::Awaited);
    };
    let rings = || memory.half(OWNER).load(Ordering::SeqCst);
    let falls_asleep = || {
        while memory.half(OWNER + 4).load(Ordering::SeqCst) == 0 {
            thread::yield_now();
        }
    };
    falls_asleep();
    is_read(&mut sink);
    let before = rings();
    sink.send(&answer(1)).unwrap();
    assert_eq!(rings(), before, "somebody is likely to read it");
    let child = thread::spawn(move || (source.receive().unwrap().id, source));
    assert_eq!(heard.recv().unwrap(), "1", "nobody has, and the child has nothing else to do");
    falls_asleep();
    sink.send(&answer(2)).unwrap();
    assert_eq!(heard.recv().unwrap(), "2", "nobody is likely to read it");
    calls.send(frame(7, 5));
    let (id, mut source) = child.join().unwrap();
    assert_eq!(id, 7);
    is_read(&mut sink);
    sink.send(&answer(3)).unwrap();
    calls.send(frame(8, 5));
    assert_eq!(source.receive().unwrap().id, 8);
    assert_eq!(heard.recv().unwrap(), "3", "the next call may take long");
    is_read(&mut sink);
    sink.send(&answer(4)).unwrap();
    sink.is_busy();
    assert_eq!(heard.recv().unwrap(), "4");
    drop(life);
    watcher.join().unwrap();
}

#[test]
fn the_owner_sleeps_on_while_the_child_reads_and_nothing_waits_for_room() {
    let Ends { incoming, calls, mut source, stands_in, life, watcher, memory, .. } = ends();
    let heard = owned(incoming);
    // Nobody reads for it, and it sleeps.
    stand_in(&*stands_in, || life.shutdown(std::net::Shutdown::Write).unwrap(), |_| Took::Other);
    assert_eq!(heard.recv().unwrap(), "gone");
    memory.half(OWNER + 4).store(1, Ordering::SeqCst);
    let before = memory.half(OWNER).load(Ordering::SeqCst);
    for id in 0..3 {
        calls.send(frame(id, 5));
        assert_eq!(source.receive().unwrap().id, id);
    }
    assert_eq!(memory.half(OWNER).load(Ordering::SeqCst), before, "nothing waits");
    calls.send(frame(3, 3 * CAPACITY));
    memory.half(OWNER + 4).store(1, Ordering::SeqCst);
    let before = memory.half(OWNER).load(Ordering::SeqCst);
    let child = thread::spawn(move || source.receive().unwrap().id);
    while memory.half(OWNER).load(Ordering::SeqCst) == before {
        thread::yield_now();
    }
    while !calls.is_flowing() {
        calls.flow();
    }
    assert_eq!(child.join().unwrap(), 3);
    watcher.join().unwrap();
}

#[test]
fn nobody_reads_the_rest_of_what_the_owner_has_begun_to_read() {
    let Ends { incoming, stands_in, life, watcher, memory, .. } = ends();
    let heard = owned(incoming);
    let (frame, bell) = (frame(1, 100), Bell::new(&memory, OWNER));
    let bytes = [&frame.header().unwrap()[..], &frame.body].concat();
    let write = |from: usize, to: usize| {
        memory.write(UP.bytes + from, &bytes[from..to]);
        memory.word(UP.tail).store(to as u64, Ordering::SeqCst);
        bell.force();
    };
    write(0, 60);
    let has_begun = || memory.word(UP.head).load(Ordering::SeqCst) == 60;
    while !(has_begun() && memory.half(OWNER + 4).load(Ordering::SeqCst) == 1) {
        thread::yield_now();
    }
    let unread = &mut |_| -> Took { panic!("it is the owner's") };
    for _ in 0..100 {
        stands_in.stand_in(&|| panic!("it is not to be read"), unread, &mut |step| {
            assert!((0..100).all(|_| !step()));
        });
    }
    write(60, bytes.len());
    assert_eq!(heard.recv().unwrap(), "1");
    drop(life);
    watcher.join().unwrap();
}
