//! What the set of a key is made from.

use std::fmt;
use std::sync::Arc;

use crate::set::{Definition, Warned};
use crate::{LimitError, LimitSetBuilder};

pub(super) enum Template<K> {
    /// One definition, which all keys share.
    Same(Arc<Definition>),
    /// A definition a key; a key that is used again gets another, and what was warned of is warned of.
    Each(Box<Each<K>>, Arc<Warned>),
}

type Each<K> = dyn Fn(&K) -> LimitSetBuilder + Send + Sync;

impl<K> Template<K> {
    /// A definition for each key, made by `each`.
    pub(super) fn each(each: impl Fn(&K) -> LimitSetBuilder + Send + Sync + 'static) -> Self {
        Self::Each(Box::new(each), Arc::default())
    }

    /// The definition of the set of `key`.
    pub(super) fn definition(&self, key: &K) -> Result<Arc<Definition>, LimitError> {
        match self {
            Self::Same(definition) => Ok(Arc::clone(definition)),
            Self::Each(each, warned) => match each(key).into_parts() {
                Ok((mut definition, _)) => {
                    if let Some(new) = Arc::get_mut(&mut definition) {
                        new.warned = Arc::clone(warned);
                    }
                    Ok(definition)
                }
                Err(error) => Err(LimitError::Template { reason: error.to_string() }),
            },
        }
    }
}

impl<K> fmt::Debug for Template<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Same(_) => "one for all keys",
            Self::Each(..) => "one a key",
        })
    }
}
