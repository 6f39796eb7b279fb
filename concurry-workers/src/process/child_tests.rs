//! What a child says of what it cannot do.

use std::thread;

use concurry_core::call::NotSent;

use super::super::options::ProcessOptions;
use super::super::transport::{give, pair};
use super::*;
use crate::tasks::TaskWorker;

// One that can be told of, and goes no further than that.
inventory::submit! { Registration::of::<TaskWorker>() }

/// What a child says to a first frame whose tag and id are these.
fn says(tag: u32, id: impl FnOnce(u64) -> u64) -> String {
    let name = std::any::type_name::<TaskWorker>();
    let build = registry::find(name).unwrap().build();
    let hello = Hello::to(name, 0, Vec::new(), &LimitPool::default(), &ProcessOptions::default());
    let (here, there) = pair().unwrap();
    let child = thread::spawn(move || run(there));
    let transport = Transport::Socket;
    let memory = Memory::create(transport.memory()).unwrap();
    give(&here, transport.byte(), memory.file()).unwrap();
    SocketSink(&here).send(&Frame::of(Kind::Hello, id(build), tag, &hello).unwrap()).unwrap();
    let answer = SocketSource::new(here.try_clone().unwrap()).receive().unwrap().unwrap();
    assert_eq!((answer.kind, child.join().unwrap()), (Kind::Ready, 1));
    match answer.open::<Result<(), Failure>>().unwrap() {
        Err(Failure::Unsuitable(why)) => why,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_child_of_another_build_says_so() {
    for why in [says(PROTOCOL, |build| build ^ 1), says(PROTOCOL + 1, |build| build)] {
        assert!(why.contains("of another build"), "{why}");
    }
    let why = says(PROTOCOL, |build| build);
    assert!(!why.contains("of another build"), "{why}");
}

#[test]
#[cfg(target_pointer_width = "64")]
fn a_result_that_is_too_long_for_a_frame_is_an_error_of_its_call() {
    let result = Finished { tag: AnswerKind::Returned as u32, body: super::super::frame::tests::too_long() };
    let frame = to_send(7, result);
    assert_eq!((frame.id, frame.tag), (7, AnswerKind::NotSent as u32));
    let error: NotSent = codec::decode("an error", &frame.body).unwrap();
    assert!(error.to_string().contains("more than 4 GiB"), "{error}");
    assert!(frame.sendable().is_ok());
}
