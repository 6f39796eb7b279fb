//! What was understood of a response, and what was not.

use super::{Feedback, FeedbackError};

/// Each header is heard by itself: servers say odd things in one of them, and what the others say is true all the same.
#[derive(Default)]
pub(super) struct Heard {
    feedback: Feedback,
    /// The first that was not understood.
    error: Option<FeedbackError>,
}

impl Heard {
    /// What one header says, or several that belong together.
    pub(super) fn hear(&mut self, said: Result<Feedback, FeedbackError>) {
        if let Some(feedback) = self.value_of(said) {
            self.feedback = std::mem::take(&mut self.feedback).and(feedback);
        }
    }

    /// The same, of a header that is no feedback by itself.
    pub(super) fn value_of<T>(&mut self, said: Result<T, FeedbackError>) -> Option<T> {
        said.map_err(|error| self.error.get_or_insert(error)).ok()
    }

    /// All of it.
    pub(super) fn end(self) -> Result<Feedback, FeedbackError> {
        match self.error {
            None => Ok(self.feedback),
            Some(error) => Err(error.beside(self.feedback)),
        }
    }
}
