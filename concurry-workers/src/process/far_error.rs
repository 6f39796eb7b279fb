//! Errors on their way between processes: as their texts, and those of all that caused them.

use std::error::Error;

/// What arrives of an error that was made in another process.
#[derive(Debug, thiserror::Error)]
#[error("{text}")]
pub(super) struct FarError {
    text: String,
    source: Option<Box<FarError>>,
}

impl FarError {
    /// An error with these texts, from the outermost on.
    pub(super) fn chain(texts: Vec<String>) -> Self {
        let mut texts = texts.into_iter().rev();
        let innermost = Self { text: texts.next().unwrap_or_default(), source: None };
        texts.fold(innermost, |source, text| Self { text, source: Some(Box::new(source)) })
    }
}

/// The texts of an error, from the outermost on.
pub(super) fn texts(error: &(dyn Error + 'static)) -> Vec<String> {
    std::iter::successors(Some(error), |&error| error.source()).map(ToString::to_string).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_arrives_with_all_that_caused_it() {
        let three = ["outer", "middle", "inner"].map(str::to_owned);
        assert_eq!(texts(&FarError::chain(three.to_vec())), three);
        assert_eq!(texts(&FarError::chain(Vec::new())), [""]);
    }
}
