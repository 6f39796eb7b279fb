//! Tests of both ends of a ring, in one process.

use std::cell::{Cell, RefCell};
use std::sync::atomic::Ordering;
use std::thread;

use proptest::prelude::*;

use super::*;
use crate::process::frame::Kind;
use crate::process::transport::{Arrival, Calls, Incoming, for_ever};

pub(super) struct Ends {
    pub(super) incoming: RingIncoming,
    pub(super) calls: Arc<Outflow>,
    pub(super) said: Arc<Outflow>,
    pub(super) nudge: Arc<dyn Nudge>,
    pub(super) stands_in: Arc<dyn StandsIn>,
    pub(super) watcher: thread::JoinHandle<()>,
    pub(super) sink: RingSink,
    pub(super) source: RingSource,
    pub(super) aside: Aside,
    /// The child's end of the socket.
    pub(super) life: UnixStream,
    pub(super) memory: Arc<Memory>,
}

pub(super) fn ends() -> Ends {
    let memory = Arc::new(Memory::create(SIZE).unwrap());
    let (here, life) = UnixStream::pair().unwrap();
    let (PoolEnd { incoming, calls, aside: said, nudge, stands_in }, watch) = pool_end(&memory, here, None);
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

pub(super) fn frame(id: u64, length: usize) -> Frame {
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

#[test]
fn the_end_of_a_child_is_seen_though_its_socket_stays_open() {
    let memory = Arc::new(Memory::create(SIZE).unwrap());
    let ((here, life), (ends, lives)) = (UnixStream::pair().unwrap(), UnixStream::pair().unwrap());
    let (PoolEnd { mut incoming, .. }, watch) = pool_end(&memory, here, Some(ends.into()));
    let watcher = thread::spawn(watch);
    child_end(&memory).sink.send(&frame(1, 100)).unwrap();
    drop(lives);
    watcher.join().unwrap();
    assert!(matches!(incoming.next(&for_ever), Ok(Arrival::Frame(said)) if said.id == 1));
    assert!(matches!(incoming.next(&for_ever), Ok(Arrival::Gone)));
    drop(life);
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

#[test]
fn a_long_frame_is_read_while_it_is_written() {
    let memory = Arc::new(Memory::create(SIZE).unwrap());
    let (mut writer, reader) = (Writer::new(&memory, DOWN), RefCell::new(Reader::new(&memory, DOWN)));
    let long = frame(1, CAPACITY / 2);
    let (calls, seen) = (Cell::new(0), RefCell::new(Vec::new()));
    let more = || {
        calls.set(calls.get() + 1);
        // Whoever was woken finds something at once, and takes it.
        assert!(reader.borrow().has_more());
        seen.borrow_mut().extend(reader.borrow_mut().read().unwrap());
    };
    assert!(writer.write(&long, &mut 0, more).unwrap());
    assert!(calls.get() > 3 && seen.borrow().is_empty(), "not all had come");
    let rest = || reader.borrow_mut().read().unwrap();
    let whole = rest().or_else(rest).unwrap();
    assert_eq!((whole.id, whole.body), (long.id, long.body));

    // What is short is published once.
    assert!(writer.write(&frame(2, 300), &mut 0, || unreachable!("it is one piece")).unwrap());
}
