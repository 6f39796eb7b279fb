//! Are two folders the same? The checksums of all files under a folder, by a function that runs in any mode.
//!
//! ```sh
//! cargo run --release --example checksums -- --mode process src
//! ```
//!
//! Without arguments it reads this repository's own files in threads. What to look at: [`checksum`], a plain function with
//! `#[task]`, which the last line of `read_all` calls as what it is, in whatever mode; and `limits`, which it is given.

#[path = "../support/files.rs"]
mod files;
#[path = "../support/program.rs"]
mod program;

use std::error::Error;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use concurry::clock;
use concurry::prelude::*;

/// Tells the checksum of all files under a folder, and of their names.
#[derive(Parser)]
struct Arguments {
    /// A folder; without it, this repository
    folder: Option<PathBuf>,
    /// Where the workers run: sync, thread, async or process
    #[arg(long, default_value = "thread")]
    mode: ExecutionMode,
}

/// So many files are open at a time, in all processes together.
const MOST_OPEN: u64 = 64;

/// The FNV-1a hash of a file's bytes, and how many there are.
#[task]
fn checksum(path: PathBuf, limits: &LimitPool) -> io::Result<(u64, u64)> {
    let _open = limits.acquire([("open_files", 1)]).map_err(io::Error::other)?;
    let (mut file, mut buffer) = (File::open(path)?, vec![0; 64 * 1024]);
    let (mut hash, mut bytes) = (fnv::START, 0);
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok((hash, bytes)),
            read => {
                hash = fnv::add(hash, &buffer[..read]);
                bytes += read as u64;
            }
        }
    }
}

/// The hash of Fowler, Noll and Vo, 1a, in 64 bits.
mod fnv {
    pub(super) const START: u64 = 0xcbf2_9ce4_8422_2325;

    pub(super) fn add(hash: u64, bytes: &[u8]) -> u64 {
        bytes.iter().fold(hash, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
    }
}

fn main() -> ExitCode {
    program::run("checksums", read_all)
}

fn read_all(Arguments { folder, mode }: Arguments) -> Result<(), Box<dyn Error>> {
    let folder = folder.as_deref().unwrap_or(Path::new(env!("CARGO_MANIFEST_DIR")));
    let clock = clock::system();
    let start = clock.now();
    let paths = files::under(folder).map_err(|error| format!("cannot read {}: {error}", folder.display()))?;
    let open = LimitSet::builder().limit(ResourceLimit::new("open_files", MOST_OPEN)).build()?;
    let workers = checksum::options(mode, open, Workers::Default).init()?;
    let (mut hash, mut bytes, mut count) = (fnv::START, 0, 0);
    let outcomes = submit_all(&paths, 256, |path| workers.call(path.clone()));
    for (path, outcome) in paths.iter().zip(outcomes) {
        let (sum, size) = outcome.map_err(|error| format!("cannot read {}: {error}", path.display()))?;
        // The names belong to it: a file that has moved is a change.
        let name = path.strip_prefix(folder).unwrap_or(path).as_os_str().as_encoded_bytes();
        hash = fnv::add(fnv::add(hash, name), &sum.to_le_bytes());
        bytes += size;
        count += 1;
    }
    let time = clock.now() - start;
    writeln!(io::stdout(), "{count} files, {bytes} bytes, checksum {hash:016x}, in {time:.1?} ({mode})")?;
    Ok(())
}
