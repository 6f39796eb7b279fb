//! Frames over a socket: a Unix pair to a child, or a Unix or TCP connection to another program.

use std::io::{self, BufReader, BufWriter, IoSlice, Read, Write};
use std::net::Shutdown;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use concurry_core::clock;
use crossbeam_channel::{Receiver, Sender};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{RecvFlags, recv};

use super::{Arrival, Calls, Incoming, Nudge, Sink, Source, Until};
use crate::process::frame::{Frame, HEADER};

/// A connected pair: one end for us, one for the child.
pub(in crate::process) fn pair() -> io::Result<(UnixStream, UnixStream)> {
    UnixStream::pair()
}

/// The sending half of a socket.
pub(crate) struct SocketSink<S>(pub(crate) S);

/// Writes header and body, or the beginning of them.
pub(crate) trait WriteBoth: Write {
    /// Unlike `write_vectored`, it raises no signal where the other end is gone, which would end a program that restored that signal's
    /// default.
    fn write_both(&mut self, header: &[u8], body: &[u8]) -> io::Result<usize>;
}

impl<S: Write> WriteBoth for BufWriter<S> {
    fn write_both(&mut self, header: &[u8], _: &[u8]) -> io::Result<usize> {
        self.write(header)
    }
}

impl WriteBoth for UnixStream {
    fn write_both(&mut self, header: &[u8], body: &[u8]) -> io::Result<usize> {
        (&*self).write_both(header, body)
    }
}

impl WriteBoth for &UnixStream {
    fn write_both(&mut self, header: &[u8], body: &[u8]) -> io::Result<usize> {
        send_both(self, header, body)
    }
}

/// In one system call, where the socket takes both.
#[cfg(target_os = "linux")]
pub(crate) fn send_both(socket: &mut (impl Write + AsFd), header: &[u8], body: &[u8]) -> io::Result<usize> {
    use rustix::net::{SendAncillaryBuffer, SendFlags, sendmsg};

    let both = [IoSlice::new(header), IoSlice::new(body)];
    Ok(sendmsg(socket, &both, &mut SendAncillaryBuffer::default(), SendFlags::NOSIGNAL)?)
}

/// In one system call, where the socket takes both.
#[cfg(not(target_os = "linux"))]
pub(crate) fn send_both(socket: &mut (impl Write + AsFd), header: &[u8], body: &[u8]) -> io::Result<usize> {
    socket.write_vectored(&[IoSlice::new(header), IoSlice::new(body)])
}

impl<S: WriteBoth + Send> Sink for SocketSink<S> {
    fn send(&mut self, frame: &Frame) -> io::Result<()> {
        let header = frame.header().map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?;
        let mut sent = 0;
        while sent < HEADER {
            match self.0.write_both(&header[sent..], &frame.body) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => sent += written,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.0.write_all(&frame.body[sent - HEADER..])
    }
}

/// The receiving half of a socket.
pub(crate) struct SocketSource<S>(BufReader<S>);

impl<S: Read> SocketSource<S> {
    pub(crate) fn new(stream: S) -> Self {
        Self(BufReader::with_capacity(GATHERED, stream))
    }

    /// What it reads from.
    pub(crate) fn stream(&mut self) -> &mut S {
        self.0.get_mut()
    }
}

/// Bodies are read in pieces of this size, so that a wrong length in a header cannot ask for memory at once.
const PIECE: usize = 1 << 20;

impl<S: Read + Send> Source for SocketSource<S> {
    fn receive(&mut self) -> io::Result<Option<Frame>> {
        self.receive_at_most(usize::MAX)
    }
}

impl<S: Read> SocketSource<S> {
    /// The next frame, which is an error when its body has more than `most` bytes: from a peer that is not trusted yet.
    pub(crate) fn receive_at_most(&mut self, most: usize) -> io::Result<Option<Frame>> {
        let mut header = [0; HEADER];
        let mut read = 0;
        while read < HEADER {
            match self.0.read(&mut header[read..]) {
                Ok(0) if read == 0 => return Ok(None),
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(bytes) => read += bytes,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // A peer that dies with unread data in its queue resets the connection: it is gone all the same.
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset && read == 0 => return Ok(None),
                Err(error) => return Err(error),
            }
        }
        let (mut frame, length) = Frame::from_header(&header)?;
        if length > most {
            let text = format!("a frame of {length} bytes where {most} are allowed");
            return Err(io::Error::new(io::ErrorKind::InvalidData, text));
        }
        while frame.body.len() < length {
            let start = frame.body.len();
            frame.body.resize(length.min(start + PIECE), 0);
            self.0.read_exact(&mut frame.body[start..])?;
        }
        Ok(Some(frame))
    }
}

/// How many bytes are gathered for one system call.
const GATHERED: usize = 64 * 1024;

/// Sends frames as they come: those that are at hand together leave in one system call. Ends when the other side is gone, or
/// all who could send are.
pub(in crate::process) fn write_as_they_come(stream: UnixStream, frames: &Receiver<Frame>) {
    let mut sink = SocketSink(BufWriter::with_capacity(GATHERED, stream));
    for frame in frames {
        let sent = sink.send(&frame).and_then(|()| if frames.is_empty() { sink.0.flush() } else { Ok(()) });
        if sent.is_err() {
            // Whoever reads from the other side sees its end. What was gathered is for nobody.
            drop(sink.0.into_parts());
            return;
        }
    }
}

/// Calls over the socket: they go the way of all frames.
pub(in crate::process) struct SocketCalls(pub(in crate::process) Sender<Frame>);

impl Calls for SocketCalls {
    fn send_all(&self, frames: &mut dyn Iterator<Item = Frame>) {
        for frame in frames {
            // When the writer has ended, the child is gone, and the reader says so.
            drop(self.0.send(frame));
        }
    }

    fn is_flowing(&self) -> bool {
        true
    }

    fn flow(&self) {}
}

/// The pool's receiving half of a socket. A second pair beside it is for nudges.
pub(in crate::process) struct SocketIncoming {
    source: SocketSource<Watched>,
    nudged: Arc<AtomicBool>,
    nudges: UnixStream,
    /// Kept, so that the pair does not hang up before its reader.
    _nudge: Arc<SocketNudge>,
}

impl Drop for SocketIncoming {
    /// Nobody reads any more, so nobody is to write either, whoever holds the other end.
    fn drop(&mut self) {
        self.source.stream().is_over().unwrap_or_default();
    }
}

/// A child's socket, which ends with the child, whoever else holds its other end: also in the middle of a frame.
pub(super) struct Watched {
    stream: UnixStream,
    /// Can be read from once the child has ended, until that was seen.
    ends: Option<OwnedFd>,
}

impl Watched {
    /// Of a child of which `ends` tells the end, if there is that.
    pub(super) fn new(stream: UnixStream, ends: Option<OwnedFd>) -> Self {
        Self { stream, ends }
    }

    /// What was sent is read, and then comes the end.
    fn is_over(&mut self) -> io::Result<()> {
        self.ends = None;
        self.stream.shutdown(Shutdown::Both)
    }
}

impl Read for Watched {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        while let Some(ends) = &self.ends {
            match recv(&self.stream, &mut *bytes, RecvFlags::DONTWAIT) {
                Ok((read, _)) => return Ok(read),
                Err(Errno::AGAIN) => {}
                Err(error) => return Err(error.into()),
            }
            let mut both =
                [self.stream.as_fd(), ends.as_fd()].map(|one| PollFd::from_borrowed_fd(one, PollFlags::IN));
            match poll(&mut both, None) {
                Ok(_) if both[1].revents().is_empty() => {}
                Ok(_) => self.is_over()?,
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        self.stream.read(bytes)
    }
}

/// Nudges the reader of a socket.
struct SocketNudge {
    nudged: Arc<AtomicBool>,
    nudges: UnixStream,
}

impl SocketIncoming {
    /// Of a child of which `ends` tells the end, if there is that.
    pub(in crate::process) fn new(
        stream: UnixStream,
        ends: Option<OwnedFd>,
    ) -> io::Result<(Self, Arc<dyn Nudge>)> {
        let (here, there) = pair()?;
        here.set_nonblocking(true)?;
        there.set_nonblocking(true)?;
        let nudged = Arc::new(AtomicBool::new(false));
        let nudge = Arc::new(SocketNudge { nudged: Arc::clone(&nudged), nudges: there });
        let source = SocketSource::new(Watched::new(stream, ends));
        Ok((Self { source, nudged, nudges: here, _nudge: Arc::clone(&nudge) }, nudge))
    }
}

impl Nudge for SocketNudge {
    fn nudge(&self) {
        if !self.nudged.swap(true, Ordering::SeqCst) {
            // One that finds no room is one of many that are there, and one is enough.
            drop((&self.nudges).write(&[1]));
        }
    }
}

impl Incoming for SocketIncoming {
    fn next(&mut self, until: Until<'_>) -> io::Result<Arrival> {
        loop {
            if self.nudged.swap(false, Ordering::SeqCst) {
                return Ok(Arrival::Nudge);
            }
            if !self.has_more() {
                let Watched { stream, ends } = self.source.0.get_ref();
                // Where there is no third, the first is asked twice.
                let ends = ends.as_ref().map_or(stream.as_fd(), AsFd::as_fd);
                let mut all = [stream.as_fd(), ends, self.nudges.as_fd()]
                    .map(|one| PollFd::from_borrowed_fd(one, PollFlags::IN));
                let clock = clock::system();
                let left = until().map(|until| until - clock.now());
                let left = left.and_then(|left| Timespec::try_from(left).ok());
                match poll(&mut all, left.as_ref()) {
                    Ok(0) => return Ok(Arrival::Late),
                    Ok(_) => {}
                    Err(Errno::INTR) => continue,
                    Err(error) => return Err(error.into()),
                }
                let [comes, has_ended, is_nudged] = all.map(|one| !one.revents().is_empty());
                if is_nudged {
                    // Whether there was one says the flag; the bytes have done their work.
                    drop((&self.nudges).read(&mut [0; 64]));
                }
                if !comes && !has_ended {
                    continue;
                }
            }
            return Ok(self.source.receive()?.map_or(Arrival::Gone, Arrival::Frame));
        }
    }

    fn has_more(&self) -> bool {
        !self.source.0.buffer().is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::process::frame::Kind;

    fn ends() -> (SocketSink<UnixStream>, SocketSource<UnixStream>) {
        let (here, there) = pair().unwrap();
        (SocketSink(here), SocketSource::new(there))
    }

    #[test]
    fn frames_arrive_whole_and_in_order_also_when_larger_than_the_sockets_buffer() {
        let (mut sink, mut source) = ends();
        let frames: Vec<Frame> = [0usize, 1, 17, 5_000_000, 3]
            .into_iter()
            .zip(0..)
            .map(|(length, id)| Frame::new(Kind::Call, id, 7, vec![u8::try_from(id).unwrap(); length]))
            .collect();
        let sent = frames.clone();
        let sender = std::thread::spawn(move || sent.iter().try_for_each(|frame| sink.send(frame)));
        for frame in &frames {
            assert_eq!(source.receive().unwrap().as_ref(), Some(frame));
        }
        sender.join().unwrap().unwrap();
        assert_eq!(source.receive().unwrap(), None);
    }

    #[test]
    fn a_sender_that_dies_in_the_middle_of_a_frame_is_an_error_not_a_hang() {
        let (sink, mut source) = ends();
        let mut stream = sink.0;
        stream.write_all(&Frame::new(Kind::Call, 1, 0, vec![0; 100]).header().unwrap()).unwrap();
        drop(stream);
        assert!(source.receive().is_err());
    }

    #[test]
    fn the_end_of_a_child_is_seen_though_its_socket_stays_open() {
        let ((here, there), (ends, lives)) = (pair().unwrap(), pair().unwrap());
        let (mut incoming, _nudge) = SocketIncoming::new(here, Some(ends.into())).unwrap();
        let said = Frame::new(Kind::Answer, 1, 0, vec![7; 100]);
        SocketSink(&there).send(&said).unwrap();
        drop(lives);
        assert!(matches!(incoming.next(&super::super::for_ever), Ok(Arrival::Frame(frame)) if frame == said));
        assert!(matches!(incoming.next(&super::super::for_ever), Ok(Arrival::Gone)));
        // Nor does a writer wait for somebody to read.
        assert!(SocketSink(&incoming.source.0.get_ref().stream).send(&said).is_err());
        drop(there);
    }

    #[test]
    fn the_end_of_a_child_is_seen_in_the_middle_of_a_frame() {
        let ((here, mut there), (ends, lives)) = (pair().unwrap(), pair().unwrap());
        let (mut incoming, _nudge) = SocketIncoming::new(here, Some(ends.into())).unwrap();
        there.write_all(&Frame::new(Kind::Answer, 1, 0, vec![0; 100]).header().unwrap()).unwrap();
        there.write_all(&[7; 50]).unwrap();
        drop(lives);
        assert!(incoming.next(&super::super::for_ever).is_err());
        drop(there);
    }

    #[test]
    fn a_reader_outlives_who_nudges_it() {
        let (here, there) = pair().unwrap();
        let (mut incoming, nudge) = SocketIncoming::new(here, None).unwrap();
        nudge.nudge();
        drop(nudge);
        assert!(matches!(incoming.next(&super::super::for_ever), Ok(Arrival::Nudge)));
        // Nothing hangs up: it would be woken without end.
        incoming.nudges.set_nonblocking(true).unwrap();
        while incoming.nudges.read(&mut [0; 8]).is_ok_and(|read| read > 0) {}
        assert_eq!(incoming.nudges.read(&mut [0]).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        drop(there);
        assert!(matches!(incoming.next(&super::super::for_ever), Ok(Arrival::Gone)));
    }

    #[test]
    fn an_unknown_kind_of_frame_is_an_error() {
        let (sink, mut source) = ends();
        let mut stream = sink.0;
        stream.write_all(&[0, 0, 0, 0, 99, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]).unwrap();
        assert_eq!(source.receive().unwrap_err().kind(), io::ErrorKind::InvalidData);
    }
}
