//! How much memory a child has: the pages of its resident set.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

/// What the system tells of a process.
pub(super) struct Resident(File);

impl Resident {
    /// Of the process of this number, which is there. What is read later is of that one, whoever has its number then.
    pub(super) fn of(process: u32) -> io::Result<Self> {
        File::open(format!("/proc/{process}/statm")).map(Self)
    }

    /// The bytes that are in memory now; none when the process is gone.
    pub(super) fn bytes(&self) -> Option<u64> {
        let mut text = [0; 128];
        let length = self.0.read_at(&mut text, 0).ok()?;
        let text = std::str::from_utf8(&text[..length]).ok()?;
        // proc(5): "size resident shared …", in pages.
        let pages: u64 = text.split(' ').nth(1)?.parse().ok()?;
        Some(pages.saturating_mul(u64::try_from(rustix::param::page_size()).ok()?))
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::Resident;

    #[test]
    fn what_is_used_is_resident() {
        let resident = Resident::of(std::process::id()).unwrap();
        let before = resident.bytes().unwrap();
        let used = vec![1u8; 64 << 20];
        let after = resident.bytes().unwrap();
        assert!(after > before + (32 << 20), "{before} {after}");
        drop(std::hint::black_box(used));
    }
}
