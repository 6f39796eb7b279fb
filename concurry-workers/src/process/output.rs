//! What a child writes to its standard output and error, with its worker's name before each line.
//!
//! Promises: a line is written as a whole; what a child wrote before it died is written before its connection ends, its last line
//! also when that has no end. A reader that is slow holds the child back, as it would without this. Who inherited the pipes from
//! the child and outlives it is read as long as it writes.
//!
//! Lines go to the descriptors themselves: whoever holds the lock of the standard library's handle may be waiting for the child.

use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::process::Child;
use std::sync::Mutex;
use std::thread;

use concurry_core::sync::lock;
use crossbeam_channel::{Receiver, Sender, bounded};
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;

/// The output of one child. When this is dropped, all that the child wrote has been passed on; the child is gone by then.
pub(super) struct Output {
    /// Its end tells that the child is gone.
    life: Option<UnixStream>,
    passed_on: Receiver<()>,
}

impl Output {
    /// Passes on what `child` writes to its pipes.
    pub(super) fn start(child: &mut Child, name: &str) -> io::Result<Self> {
        let (life, end) = UnixStream::pair()?;
        let (done, passed_on) = bounded(0);
        let mut streams = Vec::new();
        let pipes = [
            (child.stdout.take().map(OwnedFd::from), To::Output),
            (child.stderr.take().map(OwnedFd::from), To::Error),
        ];
        for (pipe, to) in pipes {
            if let Some(pipe) = pipe {
                rustix::io::ioctl_fionbio(&pipe, true)?;
                streams.push(Stream { pipe: pipe.into(), lines: Lines::new(name, to) });
            }
        }
        thread::Builder::new().name(format!("{name}-output")).spawn(move || pass_on(streams, end, done))?;
        Ok(Self { life: Some(life), passed_on })
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        drop(self.life.take());
        // Nothing is ever sent: the other end is dropped when all was passed on.
        let _passed_on = self.passed_on.recv();
    }
}

struct Stream {
    pipe: std::fs::File,
    lines: Lines,
}

/// So much is read at once, and so much may be in a pipe when its writer is gone.
const READ: usize = 64 << 10;
const PIPE: usize = 1 << 20;

fn pass_on(mut streams: Vec<Stream>, life: UnixStream, done: Sender<()>) {
    let mut waits = Some((life, done));
    while !streams.is_empty() {
        let is_gone = match wait(&streams, waits.as_ref().map(|(life, _)| life.as_fd())) {
            Ok(is_gone) => is_gone,
            Err(error) => return tracing::error!(%error, "the output of a worker's process is lost"),
        };
        let most = if is_gone { PIPE } else { 1 };
        streams.retain_mut(|stream| stream.read(most));
        if is_gone {
            for stream in &mut streams {
                stream.lines.end();
            }
            waits = None;
        }
    }
}

/// Waits until there is something to read; whether the child is gone.
fn wait(streams: &[Stream], life: Option<BorrowedFd<'_>>) -> io::Result<bool> {
    let pipes = streams.iter().map(|stream| stream.pipe.as_fd());
    let mut all: Vec<_> = pipes.chain(life).map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)).collect();
    loop {
        match poll(&mut all, None) {
            Ok(_) => break,
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(all.get(streams.len()).is_some_and(|life| !life.revents().is_empty()))
}

impl Stream {
    /// Reads what is there, up to about `most` bytes and at least once; whether more may come.
    fn read(&mut self, most: usize) -> bool {
        let (mut read, mut bytes) = (0, vec![0; READ]);
        while read < most {
            match self.pipe.read(&mut bytes) {
                Ok(length) if length > 0 => {
                    self.lines.take(&bytes[..length]);
                    read += length;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return true,
                Ok(_) | Err(_) => {
                    self.lines.end();
                    return false;
                }
            }
        }
        true
    }
}

enum To {
    Output,
    Error,
}

/// Makes lines of bytes.
struct Lines {
    to: To,
    prefix: Vec<u8>,
    /// The beginning of a line, without its prefix.
    partial: Vec<u8>,
}

/// A line that is longer is broken up.
const LONGEST: usize = 1 << 20;

impl Lines {
    fn new(name: &str, to: To) -> Self {
        Self { to, prefix: format!("[{name}] ").into_bytes(), partial: Vec::new() }
    }

    fn take(&mut self, bytes: &[u8]) {
        let text = self.whole(bytes);
        self.write(&text);
    }

    /// The lines that end in `bytes`, each with its prefix.
    fn whole(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut text = Vec::new();
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.partial.extend_from_slice(piece);
            if piece.ends_with(b"\n") || self.partial.len() >= LONGEST {
                self.finish(&mut text);
            }
        }
        text
    }

    /// The line that was begun ends here.
    fn finish(&mut self, text: &mut Vec<u8>) {
        if self.partial.is_empty() {
            return;
        }
        text.extend_from_slice(&self.prefix);
        text.append(&mut self.partial);
        if !text.ends_with(b"\n") {
            text.push(b'\n');
        }
    }

    /// Nothing more comes.
    fn end(&mut self) {
        let mut text = Vec::new();
        self.finish(&mut text);
        self.write(&text);
    }

    fn write(&self, text: &[u8]) {
        /// Held while lines are written: those of several children do not mix.
        static WRITES: [Mutex<()>; 2] = [Mutex::new(()), Mutex::new(())];
        let [output, error] = &WRITES;
        let (to, writes) = match self.to {
            To::Output => (rustix::stdio::stdout(), output),
            To::Error => (rustix::stdio::stderr(), error),
        };
        if text.is_empty() {
            return;
        }
        let _writes = lock(writes);
        // Whoever does not want it any more has closed it; the child goes on.
        let _written = write(to, text);
    }
}

/// Writes all of `text`, however much is taken at once, also to a pipe that somebody has made one that does not block.
fn write(to: BorrowedFd<'_>, mut text: &[u8]) -> rustix::io::Result<()> {
    while !text.is_empty() {
        match rustix::io::write(to, text) {
            Ok(0) => break,
            Ok(written) => text = &text[written..],
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => match poll(&mut [PollFd::from_borrowed_fd(to, PollFlags::OUT)], None) {
                Ok(_) | Err(Errno::INTR) => {}
                Err(error) => return Err(error),
            },
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::os::fd::AsFd;
    use std::os::unix::net::UnixStream;

    use super::{LONGEST, Lines, To, write};

    fn text(lines: &mut Lines, bytes: &[u8]) -> String {
        String::from_utf8(lines.whole(bytes)).unwrap()
    }

    #[test]
    fn lines_are_whole_wherever_they_were_cut() {
        let mut lines = Lines::new("pool-0", To::Output);
        assert_eq!(text(&mut lines, b"one\n\ntw"), "[pool-0] one\n[pool-0] \n");
        assert_eq!(text(&mut lines, b""), "");
        assert_eq!(text(&mut lines, b"o\nthree"), "[pool-0] two\n");
        let mut last = Vec::new();
        lines.finish(&mut last);
        assert_eq!(last, b"[pool-0] three\n");
        lines.finish(&mut last);
        assert_eq!(last.len(), 15, "there is nothing more");
    }

    #[test]
    fn a_line_without_end_is_broken_up() {
        let mut lines = Lines::new("pool-0", To::Error);
        let mut broken = 0;
        for _ in 0..5 {
            broken += text(&mut lines, &vec![b'x'; LONGEST / 2]).lines().count();
            assert!(lines.partial.len() < LONGEST);
        }
        assert_eq!(broken, 2);
    }

    #[test]
    fn all_is_written_also_where_nothing_blocks_and_little_is_taken_at_once() {
        let (here, mut there) = UnixStream::pair().unwrap();
        here.set_nonblocking(true).unwrap();
        let text = vec![b'x'; 3 * LONGEST];
        let reader = std::thread::spawn(move || {
            let mut read = Vec::new();
            there.read_to_end(&mut read).map(|_| read)
        });
        write(here.as_fd(), &text).unwrap();
        drop(here);
        assert!(reader.join().unwrap().unwrap() == text);
    }
}
