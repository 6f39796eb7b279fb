//! A value of any type that an error hands back.

use std::any::Any;
use std::sync::Mutex;

use crate::panics::Held;
use crate::sync::lock;

/// Behind a lock that is only taken by its owner: so the error can be shared, whatever the value is. A panic in its `Drop` reaches
/// nobody.
pub(super) struct Kept(Mutex<Option<Held<Box<dyn Any + Send>>>>);

impl Kept {
    pub(super) fn new(value: impl Any + Send) -> Self {
        Self(Mutex::new(Some(Held::new(Box::new(value)))))
    }

    /// The value, if it is of this type.
    pub(super) fn into<T: Any>(self) -> Option<T> {
        let value = lock(&self.0).take()?;
        value.with(|value| value.downcast().ok().map(|value| *value))?
    }
}
