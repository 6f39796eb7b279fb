//! Tests of what a pool says beside calls: both ends in one process.

use std::sync::atomic::AtomicBool;
use std::sync::mpsc;
use std::thread;

use super::*;
use crate::process::frame::Kind;
use crate::process::transport::bell::Bell;
use crate::process::transport::outflow::Outflow;

const PLACE: Place = Place { tail: 0, head: 128, waits: 512, bytes: 4096, capacity: 4096 };
const LISTENER: usize = 256;
const OWNER: usize = 384;

struct Ends {
    said: Arc<Outflow>,
    aside: Arc<Aside>,
    listener: Bell,
}

fn ends() -> Ends {
    let memory = Arc::new(Memory::create(8192).unwrap());
    let owner = || Bell::new(&memory, OWNER);
    Ends {
        said: Outflow::new(&memory, PLACE, LISTENER, owner()),
        aside: Arc::new(Aside::new(&memory, PLACE, LISTENER, owner())),
        listener: Bell::new(&memory, LISTENER),
    }
}

fn frame(id: u64) -> Frame {
    let length = usize::try_from(if id % 50 == 7 { 10_000 + id } else { id % 90 }).unwrap();
    Frame::new(Kind::Grant, id, 0, vec![id.to_le_bytes()[0]; length])
}

fn rings(listener: &Bell) -> u32 {
    listener.count().load(Ordering::SeqCst)
}

#[test]
fn a_listener_is_woken_unless_somebody_looks_who_leaves_nothing_unread() {
    let Ends { said, aside, listener } = ends();
    let mut ids = Vec::new();
    let before = aside.listen(&mut |_| ()).unwrap();
    said.put(frame(1));
    assert_eq!(rings(&listener), before + 1, "nobody looks");
    // As though it had come just before the listener was to be woken.
    listener.arm();
    aside
        .look(&mut |frame| {
            ids.push(frame.id);
            // It comes while somebody looks, the last one as that is about to end.
            if frame.id < 5 {
                said.put(self::frame(frame.id + 1));
            }
        })
        .unwrap();
    assert_eq!((ids, rings(&listener)), (vec![1, 2, 3, 4, 5], before + 1));
    said.put(frame(6));
    assert_eq!(rings(&listener), before + 2, "nobody looks any more");
    // It has been rung since, so this does not sleep.
    aside.sleep(before).unwrap();
    let mut ids = Vec::new();
    aside.listen(&mut |frame| ids.push(frame.id)).unwrap();
    assert_eq!(ids, [6]);
}

#[test]
fn a_look_ends_when_nothing_comes_and_while_another_has_the_turn() {
    let Ends { said, aside, .. } = ends();
    aside.look(&mut |_| unreachable!("nothing was said")).unwrap();
    said.put(frame(1));
    let mut ids = Vec::new();
    aside
        .look(&mut |frame| {
            ids.push(frame.id);
            aside.look(&mut |_| unreachable!("the turn is taken")).unwrap();
        })
        .unwrap();
    assert_eq!(ids, [1]);
}

/// Several threads look, one listens, and the pool says more than there is room for.
#[test]
fn all_that_is_said_is_read_once_and_in_order_whoever_reads_it() {
    const COUNT: u64 = if cfg!(miri) { 20 } else { 3_000 };
    let Ends { said, aside, .. } = ends();
    let (tell, told) = mpsc::channel();
    let is_over = Arc::new(AtomicBool::new(false));
    let lookers: Vec<_> = (0..2)
        .map(|_| {
            let (aside, tell, is_over) = (Arc::clone(&aside), tell.clone(), Arc::clone(&is_over));
            thread::spawn(move || {
                while !is_over.load(Ordering::SeqCst) {
                    aside.look(&mut |frame| tell.send(frame).unwrap()).unwrap();
                }
            })
        })
        .collect();
    let listener = thread::spawn({
        let (aside, is_over) = (Arc::clone(&aside), Arc::clone(&is_over));
        move || {
            while !is_over.load(Ordering::SeqCst) {
                let count = aside.listen(&mut |frame| tell.send(frame).unwrap()).unwrap();
                if !is_over.load(Ordering::SeqCst) {
                    aside.sleep(count).unwrap();
                }
            }
        }
    });
    let owner = thread::spawn({
        let (said, is_over) = (Arc::clone(&said), Arc::clone(&is_over));
        move || {
            for id in 0..COUNT {
                said.put(frame(id));
            }
            while !is_over.load(Ordering::SeqCst) {
                said.push();
                thread::yield_now();
            }
        }
    });
    for id in 0..COUNT {
        assert!(told.recv().unwrap() == frame(id), "{id}");
    }
    is_over.store(true, Ordering::SeqCst);
    lookers.into_iter().chain([owner]).for_each(|thread| thread.join().unwrap());
    // One that sleeps learns of it too, now that nobody looks.
    said.put(frame(COUNT));
    listener.join().unwrap();
}
