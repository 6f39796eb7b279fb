//! Tests of both ends of a ring, in one process.

use std::cell::Cell;
use std::sync::atomic::Ordering;
use std::sync::mpsc;
use std::thread;

use proptest::prelude::*;

use super::*;
use crate::process::frame::Kind;
use crate::process::transport::{Arrival, Calls, Incoming, Took, for_ever};

struct Ends {
    incoming: RingIncoming,
    calls: Arc<Outflow>,
    said: Arc<Outflow>,
    nudge: Arc<dyn Nudge>,
    stands_in: Arc<dyn StandsIn>,
    watcher: thread::JoinHandle<()>,
    sink: RingSink,
    source: RingSource,
    aside: Aside,
    /// The child's end of the socket.
    life: UnixStream,
    memory: Arc<Memory>,
}

fn ends() -> Ends {
    let memory = Arc::new(Memory::create(SIZE).unwrap());
    let (here, life) = UnixStream::pair().unwrap();
    let (PoolEnd { incoming, calls, aside: said, nudge, stands_in }, watch) = pool_end(&memory, here);
    let ChildEnd { sink, source, aside } = child_end(&memory);
    Ends {
        incoming,
        calls,
        said,
        nudge,
        stands_in,
        watcher: thread::spawn(watch),
        sink,
        source,
        aside,
        life,
        memory,
    }
}

fn frame(id: u64, length: usize) -> Frame {
    let body = (0..length).map(|place| (place as u64 ^ id).to_le_bytes()[0]).collect();
    Frame::new(Kind::Call, id, 7, body)
}

/// Lengths of frames: most are small, some larger than the ring.
fn length(id: u64) -> usize {
    match id % 97 {
        0 => CAPACITY * 2 + 5,
        1 => CAPACITY - 17,
        other => usize::try_from(other * 13 % 300).unwrap(),
    }
}

#[test]
fn frames_of_any_size_arrive_whole_and_in_order_in_both_directions() {
    const COUNT: u64 = if cfg!(miri) { 5 } else { 5_000 };
    let Ends { mut incoming, calls, mut sink, mut source, watcher, life, .. } = ends();
    let child = thread::spawn(move || {
        for id in 0..COUNT {
            let came = source.receive().unwrap();
            assert!(came == frame(id, length(id)), "{id}");
            sink.send(&came).unwrap();
        }
        drop(life);
    });
    let (mut sent, mut came) = (0, 0);
    loop {
        // More than fits is taken at once, and goes as there is room.
        while sent < COUNT && sent < came + 200 {
            calls.send(frame(sent, length(sent)));
            sent += 1;
        }
        match incoming.next(&for_ever).unwrap() {
            Arrival::Frame(answer) => {
                assert!(answer == frame(came, length(came)), "{came}");
                came += 1;
            }
            Arrival::Nudge | Arrival::Late => {}
            Arrival::Gone => break,
        }
        calls.flow();
    }
    assert_eq!(came, COUNT);
    child.join().unwrap();
    watcher.join().unwrap();
}

#[test]
fn what_was_written_before_the_end_comes_before_it() {
    let Ends { mut incoming, mut sink, watcher, life, .. } = ends();
    sink.send(&frame(1, 10)).unwrap();
    sink.send(&frame(2, 10)).unwrap();
    drop((sink, life));
    watcher.join().unwrap();
    let ids: Vec<_> = std::iter::from_fn(|| match incoming.next(&for_ever).unwrap() {
        Arrival::Frame(frame) => Some(frame.id),
        _ => None,
    })
    .collect();
    assert_eq!(ids, [1, 2]);
}

#[test]
fn an_owner_that_sleeps_hears_a_nudge_an_end_and_room() {
    let Ends { mut incoming, calls, nudge, mut source, life, watcher, .. } = ends();
    calls.send(frame(1, 3 * CAPACITY));
    assert!(!calls.is_flowing(), "it does not fit");
    let (tell, heard) = std::sync::mpsc::channel();
    let owner = thread::spawn(move || {
        loop {
            let arrival = incoming.next(&for_ever).unwrap();
            calls.flow();
            tell.send(matches!(arrival, Arrival::Gone)).unwrap();
            if matches!(arrival, Arrival::Gone) {
                return calls.is_flowing();
            }
        }
    });
    assert!(source.receive().unwrap() == frame(1, 3 * CAPACITY));
    assert!(!heard.recv().unwrap(), "there was room");
    nudge.nudge();
    drop(life);
    watcher.join().unwrap();
    assert!(owner.join().unwrap());
    assert!(heard.into_iter().any(|gone| gone));
}

/// A child that says that it has read what was never written is found out by the owner, also one that sleeps.
#[test]
fn a_broken_position_is_an_error_whichever_stream_it_is_of() {
    for place in [DOWN, ASIDE] {
        let Ends { mut incoming, calls, said, memory, life, watcher, .. } = ends();
        let owner = thread::spawn(move || {
            loop {
                match incoming.next(&for_ever) {
                    Ok(Arrival::Nudge) => {}
                    outcome => return outcome.is_err(),
                }
            }
        });
        memory.word(place.head).store(1 << 40, Ordering::SeqCst);
        // What is sent blindly finds room; in the end one looks where the reader is.
        for id in 0..3 {
            calls.send(frame(id, CAPACITY));
            said.put(frame(id, LITTLE));
        }
        assert!(owner.join().unwrap(), "{place:?}");
        drop(life);
        watcher.join().unwrap();
    }
}

#[test]
fn what_is_said_beside_calls_goes_on_as_the_child_reads_it() {
    let Ends { mut incoming, said, aside, life, watcher, .. } = ends();
    for id in 0..8 {
        said.put(frame(id, LITTLE / 2));
    }
    let owner = thread::spawn(move || while !matches!(incoming.next(&for_ever).unwrap(), Arrival::Gone) {});
    let mut ids = Vec::new();
    while ids.len() < 8 {
        aside.look(&mut |frame| ids.push(frame.id)).unwrap();
    }
    assert_eq!(ids, (0..8).collect::<Vec<_>>());
    drop(life);
    watcher.join().unwrap();
    owner.join().unwrap();
}

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

proptest! {
    /// A child can write what it wants: it is an error, or frames, or nothing; never a panic, and never without end.
    #[test]
    fn whatever_is_in_the_ring_is_read_or_refused(
        tail in prop_oneof![0..200u64, any::<u64>()],
        head in prop_oneof![0..10u64, any::<u64>()],
        bytes in proptest::collection::vec(any::<u8>(), 0..200),
    ) {
        let Ends { mut incoming, calls, said, memory, life, watcher, .. } = ends();
        memory.write(UP.bytes, &bytes);
        memory.word(UP.tail).store(tail, Ordering::SeqCst);
        memory.word(DOWN.head).store(head, Ordering::SeqCst);
        memory.word(ASIDE.head).store(head, Ordering::SeqCst);
        calls.send(frame(1, 100));
        for id in 0..3 {
            said.put(frame(id, LITTLE));
        }
        drop(life);
        watcher.join().unwrap();
        // A frame takes more than 16 bytes, and a nudge that there is room comes once.
        let most = usize::try_from(tail.min(CAPACITY as u64)).unwrap() / 17 + 2;
        let ends = (0..=most).any(|_| !matches!(incoming.next(&for_ever), Ok(Arrival::Frame(_) | Arrival::Nudge)));
        prop_assert!(ends);
    }
}
