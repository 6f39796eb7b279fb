//! What a child or a client asks for, and what becomes of it.

use concurry_limits::ResourceLimit;
use concurry_limits::remote::Wait;
use crossbeam_channel::{Receiver, unbounded};

use super::*;

fn server(set: &LimitSet) -> (Arc<LimitsServer>, Receiver<Frame>) {
    let (outlet, said) = unbounded();
    (LimitsServer::new(vec![set.clone()], Box::new(outlet), May::Use), said)
}

fn asks(id: u64) -> Frame {
    let request = AcquireRequest { sets: vec![0], amounts: Vec::new(), wait: Wait::Forever };
    Frame::new(Kind::Acquire, id, 0, body(&request))
}

#[test]
fn a_name_that_is_taken_is_refused_and_what_has_it_keeps_it() {
    let set = LimitSet::builder().limit(ResourceLimit::new("doors", 1)).build().unwrap();
    let (server, said) = server(&set);
    for id in [1, 2, 3] {
        server.receive(&asks(id)).unwrap();
    }
    for id in [1, 2, 3] {
        assert_eq!(server.receive(&asks(id)).unwrap_err().kind(), io::ErrorKind::InvalidData);
    }
    let doors = || set.stats().limit("doors").unwrap().clone();
    assert_eq!((doors().in_use, doors().waiting), (1, 2));
    server.receive(&Frame::new(Kind::CancelAcquire, 1, 0, Vec::new())).unwrap();
    server.receive(&Frame::new(Kind::Settle, 2, 0, body(&Usage::new()))).unwrap();
    let grants: Vec<_> = said.try_iter().map(|frame| (frame.kind, frame.id)).collect();
    assert_eq!(grants, [(Kind::Grant, 1), (Kind::Grant, 2), (Kind::Grant, 3)]);
    server.close();
    assert_eq!((doors().in_use, doors().waiting), (0, 0));
}

#[test]
fn a_crowd_of_wishes_is_given_up_one_after_the_other() {
    let set = LimitSet::builder().limit(ResourceLimit::new("doors", 2)).build().unwrap();
    let (server, said) = server(&set);
    server.receive(&asks(0)).unwrap();
    // It holds the others up until it is given up itself; then each of them could be granted by the one before.
    let both = AcquireRequest { sets: vec![0], amounts: vec![("doors".into(), 2)], wait: Wait::Forever };
    server.receive(&Frame::new(Kind::Acquire, 1, 0, body(&both))).unwrap();
    for id in 2..20_000 {
        server.receive(&asks(id)).unwrap();
    }
    server.close();
    let doors = set.stats().limit("doors").unwrap().clone();
    assert_eq!((doors.in_use, doors.waiting), (0, 0));
    assert_eq!(said.try_iter().count(), 1, "what was granted before");
}
