//! The three stages, each a worker of its own kind.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::PathBuf;

use concurry::prelude::*;
use serde::{Deserialize, Serialize};

/// Why a file does not come through.
#[derive(Debug, Serialize, Deserialize, thiserror::Error)]
pub(crate) enum Lost {
    #[error("it is no text")]
    NoText,
    #[error("{0}")]
    Unreadable(String),
}

/// The first stage waits for the disk: threads, and no more open files than the limits allow.
#[worker]
#[derive(Default)]
pub(crate) struct Reader {}

#[worker]
impl Reader {
    pub(crate) fn read(&self, file: PathBuf) -> Result<String, Lost> {
        let unreadable = |error: &dyn std::error::Error| Lost::Unreadable(error.to_string());
        let _open = self.limits.acquire([("open_files", 1)]).map_err(|error| unreadable(&error))?;
        let bytes = fs::read(file).map_err(|error| unreadable(&error))?;
        if bytes.contains(&0) {
            return Err(Lost::NoText);
        }
        String::from_utf8(bytes).map_err(|_| Lost::NoText)
    }
}

/// How often each word stands in a text.
pub(crate) type Words = BTreeMap<String, u64>;

/// The second stage computes: one process a core, if so asked.
#[worker]
#[derive(Default)]
pub(crate) struct Counter {}

#[worker]
impl Counter {
    /// A word is letters in a row, whatever their case.
    pub(crate) fn count(&self, text: String) -> Words {
        let mut words = Words::new();
        for word in text.split(|letter: char| !letter.is_alphabetic()).filter(|word| !word.is_empty()) {
            *words.entry(word.to_lowercase()).or_default() += 1;
        }
        words
    }
}

/// The third stage keeps what has come through: one worker, so that nothing has to be locked.
#[worker]
#[derive(Default)]
pub(crate) struct Index {
    words: HashMap<String, u64>,
}

#[worker]
impl Index {
    /// Adds the words of a file; how many of them were new.
    pub(crate) async fn add(&mut self, words: Words) -> usize {
        let before = self.words.len();
        for (word, count) in words {
            *self.words.entry(word).or_default() += count;
        }
        self.words.len() - before
    }

    /// The `most` frequent words, those with the same count by the alphabet; all different words; and all words.
    pub(crate) async fn summary(&self, most: usize) -> (Vec<(String, u64)>, usize, u64) {
        let mut words: Vec<_> = self.words.iter().map(|(word, count)| (word.clone(), *count)).collect();
        words.sort_by(|(a, a_count), (b, b_count)| b_count.cmp(a_count).then_with(|| a.cmp(b)));
        words.truncate(most);
        (words, self.words.len(), self.words.values().sum())
    }
}
