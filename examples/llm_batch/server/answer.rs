//! What the server says: made up from the prompt, the same each time.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

/// An answer, what it costs, and how long it takes.
pub(super) struct Answer {
    pub(super) text: String,
    pub(super) prompt_tokens: u64,
    pub(super) completion_tokens: u64,
    pub(super) latency: Duration,
}

impl Answer {
    /// The answer to `prompt`, of at most `max_tokens`.
    pub(super) fn to(prompt: &str, max_tokens: u64) -> Self {
        let lines: Vec<&str> =
            prompt.lines().skip(4).map(str::trim).filter(|line| !line.is_empty()).collect();
        let first = lines.first().copied().unwrap_or_default();
        let text = format!("A text of {} lines which begins with: {first}", lines.len());
        let text = cut(&text, max_tokens.min(40));

        let mut hasher = DefaultHasher::new();
        prompt.hash(&mut hasher);
        let completion_tokens = count(text);
        // As a small model: a while for the prompt, and a while for each token. 80 to 250 ms in all.
        let millis = 80 + hasher.finish() % 130 + completion_tokens;
        Self {
            text: text.to_owned(),
            prompt_tokens: count(prompt),
            completion_tokens,
            latency: Duration::from_millis(millis),
        }
    }
}

/// All tokens of a call with this prompt.
pub(crate) fn tokens(prompt: &str, max_tokens: u64) -> u64 {
    let answer = Answer::to(prompt, max_tokens);
    answer.prompt_tokens + answer.completion_tokens
}

/// A tokeniser of the simplest kind: four bytes are a token.
fn count(text: &str) -> u64 {
    (text.len() as u64).div_ceil(4)
}

/// The beginning of `text`, of at most so many tokens.
fn cut(text: &str, tokens: u64) -> &str {
    let bytes = usize::try_from(tokens * 4).unwrap_or(usize::MAX).min(text.len());
    let end = (0..=bytes).rev().find(|end| text.is_char_boundary(*end));
    &text[..end.unwrap_or(0)]
}
