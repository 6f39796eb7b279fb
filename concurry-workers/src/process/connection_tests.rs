//! A child that says what it may not.

use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use super::super::life::Process;
use super::super::transport::pair;
use super::*;

/// A child that goes on for as long as it is let, and what it says.
fn launched() -> (Launched, UnixStream) {
    let (stream, says) = pair().unwrap();
    let child = Command::new("cat").stdin(Stdio::piped()).process_group(0).spawn().unwrap();
    let life = Box::new(Process::new(child));
    let transport = Transport::Socket;
    let memory = Arc::new(Memory::create(transport.memory()).unwrap());
    (Launched { life, stream, memory, transport, output: None }, says)
}

#[test]
fn a_child_that_says_what_it_may_not_is_not_waited_for_but_ended() {
    for frame in [Frame::new(Kind::Call, 0, 0, Vec::new()), Frame::new(Kind::Acquire, 0, 0, vec![0xff])] {
        let (launched, says) = launched();
        let (mut connection, link, stream) = Connection::start(launched, &LimitPool::default()).unwrap();
        SocketSink(&says).send(&frame).unwrap();
        drop((link, stream));
        connection.close();
        assert_eq!(connection.bury().signal(), Some(9));
    }
}
