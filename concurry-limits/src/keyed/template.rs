//! What the set of a key is made from.

use std::fmt;
use std::sync::Arc;

use crate::set::Definition;
use crate::{LimitError, LimitSetBuilder};

pub(super) enum Template<K> {
    /// One definition, which all keys share.
    Same(Arc<Definition>),
    /// A definition a key.
    Each(Box<Each<K>>),
}

type Each<K> = dyn Fn(&K) -> LimitSetBuilder + Send + Sync;

impl<K> Template<K> {
    /// The definition of the set of `key`.
    pub(super) fn definition(&self, key: &K) -> Result<Arc<Definition>, LimitError> {
        match self {
            Self::Same(definition) => Ok(Arc::clone(definition)),
            Self::Each(each) => match each(key).into_parts() {
                Ok((definition, _)) => Ok(definition),
                Err(error) => Err(LimitError::Template { reason: error.to_string() }),
            },
        }
    }
}

impl<K> fmt::Debug for Template<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Same(_) => "one for all keys",
            Self::Each(_) => "one a key",
        })
    }
}
