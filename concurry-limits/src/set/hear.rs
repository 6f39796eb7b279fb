//! What a server said is told to a set.

use super::Engine;
use super::limit_set::{LimitSet, Repr};
use crate::feedback::Word;
use crate::{Feedback, UsageRule};

impl LimitSet {
    /// Tells what a server said: from now on the stricter holds, our count or the server's word, for everyone who uses this
    /// set. [`LimitSetAcquisition::feedback`](crate::LimitSetAcquisition::feedback) does the same for the set that granted.
    ///
    /// A key that the set does not have is skipped, with one warning a key. [`resume`](Self::resume) ends what was said.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use concurry_limits::{Feedback, LimitSet, RateLimit, Window};
    ///
    /// let account = LimitSet::builder().limit(RateLimit::new("tokens", 10_000, Window::MINUTE)).build()?;
    /// account.feedback(Feedback::remaining("tokens", 800, Duration::from_secs(30)));
    /// assert_eq!(account.stats().limit("tokens").unwrap().available, 800);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn feedback(&self, feedback: Feedback) {
        match &self.repr {
            Repr::Empty(_) => {}
            Repr::Local(engine) => engine.hear(&feedback),
            Repr::Remote(remote) => remote.connection.feedback(remote.id, feedback),
        }
    }
}

impl Engine {
    /// Holds the limits back as a server said. Those who wait learn their new instants.
    pub(crate) fn hear(&self, feedback: &Feedback) {
        let definition = &self.definition;
        let find = |key: &String| {
            let index = definition.index(key);
            if index.is_none() {
                definition.warn_unlimited(key);
            }
            index
        };
        let words: Vec<_> = feedback
            .words
            .iter()
            .filter_map(|word| match word {
                Word::Pause { key: None, .. } => Some((None, word)),
                Word::Pause { key: Some(key), .. } | Word::Allowance { key, .. } => {
                    Some((Some(find(key)?), word))
                }
            })
            .collect();
        if words.is_empty() {
            return;
        }
        self.act(|board, now, effects| {
            for (index, word) in words {
                let time = word.time();
                match (index, word) {
                    (Some(index), Word::Pause { .. }) => {
                        board.slots[index].restrain().pause(now + time);
                    }
                    (Some(index), Word::Allowance { remaining, full, .. }) => {
                        board.slots[index].restrain().allow(*remaining, *full, time, now);
                    }
                    (None, Word::Pause { .. }) => {
                        let rates = board.slots.iter_mut().enumerate();
                        let rates = rates.filter(|(index, _)| definition.rule(*index) != UsageRule::Held);
                        rates.for_each(|(_, slot)| slot.restrain().pause(now + time));
                    }
                    (None, Word::Allowance { .. }) => {}
                }
            }
            board.pump(now, effects);
        });
    }
}
