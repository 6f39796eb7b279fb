//! The bare primitives that processes talk by: a socket pair with batched writes, and a ring in shared memory with a futex.
//! Nothing is checked, and nobody may die.

use std::io::{Read, Write};
use std::os::fd::{FromRawFd, IntoRawFd, RawFd};
use std::os::unix::net::UnixStream;
use std::process::{Child, Command};
use std::sync::atomic::{AtomicU32, Ordering, fence};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

/// A message of 64 bytes.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Message {
    /// Which one it is.
    pub id: u64,
    /// Whatever.
    pub a: [u8; 32],
    /// Whatever.
    pub b: [u8; 24],
}

impl Message {
    /// The message of this number.
    pub fn of(id: u64) -> Self {
        Self { id, a: [7; 32], b: [9; 24] }
    }
}

/// The length of a large message.
pub const MIB: usize = 1 << 20;
/// How many messages are under way at most.
const WINDOW: u64 = 100;
const SLOTS: usize = 1024;

/// A peer's other end, ended with it.
pub struct OtherEnd(Child);

impl Drop for OtherEnd {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

fn start(mode: &str, fd: RawFd, spin: Duration) -> OtherEnd {
    let executable = std::env::current_exe().expect("it has a path");
    let spin = spin.as_nanos().to_string();
    let child = Command::new(executable).args(["--other-end", mode, &fd.to_string(), &spin]).spawn();
    OtherEnd(child.expect("it starts"))
}

/// Runs the other end of a peer and exits, if this process was started as one.
pub fn run_if_other_end() {
    let arguments: Vec<String> = std::env::args().collect();
    if arguments.get(1).is_none_or(|argument| argument != "--other-end") {
        return;
    }
    let fd: RawFd = arguments[3].parse().expect("a descriptor");
    let spin = Duration::from_nanos(arguments[4].parse().expect("a time"));
    match arguments[2].as_str() {
        // SAFETY: it was inherited for this, and nobody else has it.
        "socket" => Socket::over(unsafe { UnixStream::from_raw_fd(fd) }).serve(),
        "socket-large" => {
            // SAFETY: as above.
            let mut stream = unsafe { UnixStream::from_raw_fd(fd) };
            let mut bytes = vec![0; MIB];
            while stream.read_exact(&mut bytes).is_ok() && stream.write_all(&bytes[..8]).is_ok() {}
        }
        "ring" => {
            let shared = map(fd);
            let (mut receiver, mut sender) = (
                Receiver { ring: &shared.rings[0], head: 0, spin },
                Sender { ring: &shared.rings[1], tail: 0 },
            );
            let mut copy = vec![0; MIB];
            loop {
                let mut message = receiver.receive();
                if message.a[0] == 1 {
                    copy.copy_from_slice(
                        &shared.large[usize::try_from(message.id % 2).expect("it is small")],
                    );
                    message.a[0] = copy[100];
                }
                message.id += 1;
                sender.send(&message);
            }
        }
        _ => {}
    }
    std::process::exit(0)
}

/// Frames over a socket: a length and postcard's bytes, gathered before they are written.
pub struct Socket {
    stream: UnixStream,
    read: Vec<u8>,
    from: usize,
    to: usize,
    written: Vec<u8>,
    _other: Option<OtherEnd>,
}

impl Default for Socket {
    fn default() -> Self {
        Self::new()
    }
}

impl Socket {
    /// With its other end.
    pub fn new() -> Self {
        let (stream, other) = pair("socket");
        Self { _other: Some(other), ..Self::over(stream) }
    }

    fn over(stream: UnixStream) -> Self {
        Self { stream, read: vec![0; 64 << 10], from: 0, to: 0, written: Vec::new(), _other: None }
    }

    fn put(&mut self, message: &Message) {
        let at = self.written.len();
        self.written.extend_from_slice(&[0; 4]);
        self.written =
            postcard::to_extend(message, std::mem::take(&mut self.written)).expect("it can be encoded");
        let length = u32::try_from(self.written.len() - at - 4).expect("it is small");
        self.written[at..at + 4].copy_from_slice(&length.to_le_bytes());
    }

    fn flush(&mut self) {
        self.stream.write_all(&self.written).expect("the other end lives");
        self.written.clear();
    }

    /// The length of the next frame, when all of it is here.
    fn at_hand(&self) -> Option<usize> {
        let (length, rest) = self.read[self.from..self.to].split_first_chunk::<4>()?;
        let length = u32::from_le_bytes(*length) as usize;
        (rest.len() >= length).then_some(length)
    }

    fn get(&mut self) -> Option<Message> {
        let length = loop {
            if let Some(length) = self.at_hand() {
                break length;
            }
            self.read.copy_within(self.from..self.to, 0);
            (self.to, self.from) = (self.to - self.from, 0);
            match self.stream.read(&mut self.read[self.to..]) {
                Ok(0) | Err(_) => return None,
                Ok(bytes) => self.to += bytes,
            }
        };
        let start = self.from + 4;
        self.from = start + length;
        postcard::from_bytes(&self.read[start..start + length]).ok()
    }

    fn serve(&mut self) {
        while let Some(mut message) = self.get() {
            message.id += 1;
            self.put(&message);
            if self.at_hand().is_none() {
                self.flush();
            }
        }
    }

    /// There and back.
    pub fn round_trip(&mut self) -> u64 {
        self.put(&Message::of(1));
        self.flush();
        self.get().expect("it is answered").id
    }

    /// So many, up to a hundred of them under way.
    pub fn pipelined(&mut self, count: u32) -> u64 {
        let mut sum = 0;
        for id in 0..u64::from(count) {
            self.put(&Message::of(id));
            if id + 1 >= WINDOW {
                if self.at_hand().is_none() {
                    self.flush();
                }
                sum += self.get().expect("it is answered").id;
            }
        }
        self.flush();
        for _ in 1..WINDOW {
            sum += self.get().expect("it is answered").id;
        }
        sum
    }
}

fn pair(mode: &str) -> (UnixStream, OtherEnd) {
    let (here, there) = UnixStream::pair().expect("there are sockets");
    let there = there.into_raw_fd();
    // SAFETY: plain calls on a descriptor that is ours.
    unsafe { libc::fcntl(there, libc::F_SETFD, 0) };
    let other = start(mode, there, Duration::ZERO);
    // SAFETY: as above; the child has its own.
    unsafe { libc::close(there) };
    (here, other)
}

/// Large messages over a socket, each acknowledged.
pub struct LargeSocket {
    stream: UnixStream,
    _other: OtherEnd,
}

impl Default for LargeSocket {
    fn default() -> Self {
        Self::new()
    }
}

impl LargeSocket {
    /// With its other end.
    pub fn new() -> Self {
        let (stream, other) = pair("socket-large");
        Self { stream, _other: other }
    }

    /// Sends one, and waits until it is there.
    pub fn send(&mut self, bytes: &[u8]) -> u8 {
        let mut seen = [0; 8];
        self.stream.write_all(bytes).expect("the other end lives");
        self.stream.read_exact(&mut seen).expect("the other end lives");
        seen[0]
    }
}

#[repr(C, align(128))]
struct Apart(AtomicU32);

#[repr(C)]
struct Slots {
    head: Apart,
    tail: Apart,
    sleeping: Apart,
    slots: [[u8; 80]; SLOTS],
}

#[repr(C)]
struct Shared {
    rings: [Slots; 2],
    large: [[u8; MIB]; 2],
}

struct Sender {
    ring: &'static Slots,
    tail: u32,
}

struct Receiver {
    ring: &'static Slots,
    head: u32,
    spin: Duration,
}

fn futex(word: &AtomicU32, operation: i32, value: u32) {
    // SAFETY: the word is mapped for ever.
    unsafe { libc::syscall(libc::SYS_futex, word.as_ptr(), operation, value, 0usize, 0usize, 0) };
}

impl Sender {
    fn send(&mut self, message: &Message) {
        while self.tail.wrapping_sub(self.ring.head.0.load(Ordering::Acquire)) as usize >= SLOTS {
            std::thread::yield_now();
        }
        let slot = self.ring.slots[self.tail as usize % SLOTS].as_ptr().cast_mut();
        // SAFETY: the slot is the sender's until the tail says otherwise.
        let slot = unsafe { std::slice::from_raw_parts_mut(slot, 80) };
        let length = postcard::to_slice(message, &mut slot[1..]).expect("it fits").len();
        slot[0] = u8::try_from(length).expect("it fits");
        self.tail = self.tail.wrapping_add(1);
        self.ring.tail.0.store(self.tail, Ordering::Release);
        fence(Ordering::SeqCst);
        if self.ring.sleeping.0.load(Ordering::Relaxed) != 0 {
            futex(&self.ring.tail.0, libc::FUTEX_WAKE, 1);
        }
    }
}

impl Receiver {
    fn has_more(&self) -> bool {
        self.ring.tail.0.load(Ordering::Acquire) != self.head
    }

    fn receive(&mut self) -> Message {
        let start = (!self.has_more()).then(Instant::now);
        while !self.has_more() {
            for _ in 0..64 {
                std::hint::spin_loop();
            }
            if !self.has_more() && start.is_some_and(|start| start.elapsed() >= self.spin) {
                self.ring.sleeping.0.store(1, Ordering::SeqCst);
                fence(Ordering::SeqCst);
                if !self.has_more() {
                    futex(&self.ring.tail.0, libc::FUTEX_WAIT, self.head);
                }
                self.ring.sleeping.0.store(0, Ordering::SeqCst);
            }
        }
        let slot = &self.ring.slots[self.head as usize % SLOTS];
        let message = postcard::from_bytes(&slot[1..1 + usize::from(slot[0])]).expect("it was encoded");
        self.head = self.head.wrapping_add(1);
        self.ring.head.0.store(self.head, Ordering::Release);
        message
    }
}

fn map(fd: RawFd) -> &'static Shared {
    let (read_write, shared) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_SHARED | libc::MAP_POPULATE);
    // SAFETY: a new mapping of a file of this size, never unmapped; any bytes are a valid value.
    unsafe {
        let base = libc::mmap(std::ptr::null_mut(), size_of::<Shared>(), read_write, shared, fd, 0);
        assert_ne!(base, libc::MAP_FAILED, "it can be mapped");
        &*base.cast::<Shared>()
    }
}

/// A ring of slots in shared memory, and two large buffers.
pub struct Ring {
    shared: &'static Shared,
    sender: Sender,
    receiver: Receiver,
    under_way: u64,
    _other: OtherEnd,
}

impl Ring {
    /// With its other end; both look for so long before they sleep.
    pub fn new(spin: Duration) -> Self {
        // SAFETY: plain calls on a descriptor that is ours.
        let fd = unsafe { libc::memfd_create(c"peers".as_ptr(), 0) };
        let size = i64::try_from(size_of::<Shared>()).expect("it is small");
        // SAFETY: as above.
        unsafe { libc::ftruncate(fd, size) };
        let shared = map(fd);
        let other = start("ring", fd, spin);
        // SAFETY: as above; the child has its own.
        unsafe { libc::close(fd) };
        let sender = Sender { ring: &shared.rings[0], tail: 0 };
        let receiver = Receiver { ring: &shared.rings[1], head: 0, spin };
        Self { shared, sender, receiver, under_way: 0, _other: other }
    }

    /// There and back.
    pub fn round_trip(&mut self) -> u64 {
        self.sender.send(&Message::of(1));
        self.receiver.receive().id
    }

    /// So many, up to a hundred of them under way.
    pub fn pipelined(&mut self, count: u32) -> u64 {
        let mut sum = 0;
        for id in 0..u64::from(count) {
            self.sender.send(&Message::of(id));
            if id + 1 >= WINDOW {
                sum += self.receiver.receive().id;
            }
        }
        for _ in 1..WINDOW {
            sum += self.receiver.receive().id;
        }
        sum
    }

    /// Large messages, copied in and copied out, two of them under way.
    pub fn send_large(&mut self, bytes: &[u8], count: u32) {
        for id in 0..u64::from(count) {
            let buffer = self.shared.large[usize::try_from(id % 2).expect("it is small")].as_ptr().cast_mut();
            // SAFETY: the other end has answered the message before last, so the buffer is ours.
            unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), buffer, MIB) };
            let mut message = Message::of(id);
            message.a[0] = 1;
            self.sender.send(&message);
            self.under_way += 1;
            if self.under_way == 2 {
                self.receiver.receive();
                self.under_way -= 1;
            }
        }
        while self.under_way > 0 {
            self.receiver.receive();
            self.under_way -= 1;
        }
    }
}
