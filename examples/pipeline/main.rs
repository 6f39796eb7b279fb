//! Which words are the most frequent in a folder? Three pools, each in the mode that suits its work, in a row.
//!
//! ```sh
//! cargo run --example pipeline
//! cargo run --release --example pipeline -- --top 20 --counters thread ~/notes
//! ```
//!
//! Threads read the files, processes count the words, and one async worker keeps the index. What to look at: `through`,
//! where each file is one call made of three, by `and_then`: no thread waits between the stages, and a file that is lost in
//! one of them goes no further; [`stages`], the workers; and `submit_all`, which bounds how many files are on the way.
//!
//! It exits with 0 when all files could be read; those that are no text are left out.

mod stages;

#[path = "../support/files.rs"]
mod files;
#[path = "../support/program.rs"]
mod program;

use std::error::Error;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use concurry::prelude::*;

use stages::{Counter, CounterHandle, Index, IndexHandle, Lost, Reader, ReaderHandle};

/// So many files are open at a time.
const OPEN_FILES: u64 = 64;

/// Tells the most frequent words in the files of a folder.
#[derive(Parser)]
struct Arguments {
    /// A folder; without it, this repository
    folder: Option<PathBuf>,
    /// How many words are told
    #[arg(long, value_name = "N", default_value = "10")]
    top: usize,
    /// How many files are on the way at most
    #[arg(long, value_name = "N", default_value = "64", value_parser = clap::value_parser!(u32).range(1..))]
    in_flight: u32,
    /// Where the files are read: sync, thread, async or process
    #[arg(long, value_name = "MODE", default_value = "thread")]
    readers: ExecutionMode,
    /// Where the words are counted
    #[arg(long, value_name = "MODE", default_value = "process")]
    counters: ExecutionMode,
    /// Where the index is kept
    #[arg(long, value_name = "MODE", default_value = "async")]
    index: ExecutionMode,
}

fn main() -> ExitCode {
    program::run("pipeline", index)
}

/// The pools, in the order in which a file goes through them.
struct Pipeline {
    reader: ReaderHandle,
    counter: CounterHandle,
    index: IndexHandle,
}

impl Pipeline {
    fn start(arguments: &Arguments) -> Result<Self, InitError> {
        let open = LimitSet::builder().limit(ResourceLimit::new("open_files", OPEN_FILES)).build()?;
        Ok(Self {
            reader: Reader::options(arguments.readers, open, Workers::Default).name("reader").init()?,
            counter: Counter::options(arguments.counters, (), Workers::Default).name("counter").init()?,
            // One, since the index is one.
            index: Index::options(arguments.index, (), 1).name("index").init()?,
        })
    }

    /// One file through all stages: a call made of three.
    fn through(&self, file: &Path) -> Call<usize, Lost> {
        let (counter, index) = (self.counter.clone(), self.index.clone());
        self.reader
            .read(file.to_owned())
            // The later stages have no errors of their own; `widen` lets them stand in a row with one that has.
            .and_then(move |text| counter.count(text).widen())
            .and_then(move |words| index.add(words).widen())
    }
}

fn index(arguments: Arguments) -> Result<(), Box<dyn Error>> {
    let folder = arguments.folder.as_deref().unwrap_or(Path::new(env!("CARGO_MANIFEST_DIR")));
    let files = files::under(folder).map_err(|error| format!("cannot read {}: {error}", folder.display()))?;
    let pipeline = Pipeline::start(&arguments)?;

    let (mut through, mut no_text, mut unreadable) = (0, 0, Vec::new());
    let in_flight = usize::try_from(arguments.in_flight).unwrap_or(usize::MAX);
    let outcomes = submit_all(&files, in_flight, |file| pipeline.through(file));
    for (file, outcome) in files.iter().zip(outcomes) {
        match outcome {
            Ok(_new) => through += 1,
            Err(CallError::Failed(Lost::NoText)) => no_text += 1,
            Err(error) => unreadable.push(format!("{}: {error}", file.display())),
        }
    }
    let (top, different, words) = pipeline.index.summary(arguments.top).result()?;

    let mut out = io::stdout().lock();
    writeln!(
        out,
        "{through} files, {words} words, {different} of them different; {no_text} files are no text"
    )?;
    for (word, count) in top {
        writeln!(out, "{count:8}  {word}")?;
    }
    match unreadable.first() {
        None => Ok(()),
        Some(first) => Err(format!("{} files cannot be read; {first}", unreadable.len()).into()),
    }
}
