//! [`Request`]: amounts by key.

use std::collections::{BTreeMap, HashMap};
use std::hash::BuildHasher;

/// Amounts by key: what an acquire asks for, and what an update tells.
///
/// Implemented for `()` (nothing named), for arrays, slices and vectors of `(key, amount)`, for maps, and for references
/// to them; a key is anything that is `AsRef<str>`, an amount is a `u64`.
///
/// # Examples
///
/// ```
/// use std::collections::BTreeMap;
/// use concurry_limits::LimitSet;
///
/// let set = LimitSet::empty();
/// set.acquire(())?;
/// set.acquire([("tokens", 100)])?;
/// set.acquire(vec![("tokens".to_string(), 100)])?;
/// set.acquire(&BTreeMap::from([("tokens", 100), ("images", 2)]))?;
/// # Ok::<(), concurry_limits::LimitError>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not name amounts of limits",
    label = "not a request",
    note = "use `()` for every limit at its default, or pairs of a key and a `u64`, as in `[(\"tokens\", 100)]`"
)]
pub trait Request {
    /// Calls `each` with every key and its amount, in order.
    fn for_each_amount(&self, each: &mut dyn FnMut(&str, u64));

    /// The key and its amount, where it is cheap to tell that there is one alone.
    #[doc(hidden)]
    #[inline]
    fn single(&self) -> Option<(&str, u64)> {
        None
    }

    /// Whether it is cheap to tell that nothing is named.
    #[doc(hidden)]
    #[inline]
    fn names_nothing(&self) -> bool {
        false
    }
}

impl Request for () {
    fn for_each_amount(&self, _: &mut dyn FnMut(&str, u64)) {}

    #[inline]
    fn names_nothing(&self) -> bool {
        true
    }
}

impl<R: Request + ?Sized> Request for &R {
    fn for_each_amount(&self, each: &mut dyn FnMut(&str, u64)) {
        (**self).for_each_amount(each);
    }

    #[inline]
    fn single(&self) -> Option<(&str, u64)> {
        (**self).single()
    }

    #[inline]
    fn names_nothing(&self) -> bool {
        (**self).names_nothing()
    }
}

impl<K: AsRef<str>> Request for [(K, u64)] {
    fn for_each_amount(&self, each: &mut dyn FnMut(&str, u64)) {
        for (key, amount) in self {
            each(key.as_ref(), *amount);
        }
    }

    #[inline]
    fn single(&self) -> Option<(&str, u64)> {
        if let [(key, amount)] = self { Some((key.as_ref(), *amount)) } else { None }
    }
}

impl<K: AsRef<str>, const N: usize> Request for [(K, u64); N] {
    fn for_each_amount(&self, each: &mut dyn FnMut(&str, u64)) {
        self.as_slice().for_each_amount(each);
    }

    #[inline]
    fn single(&self) -> Option<(&str, u64)> {
        self.as_slice().single()
    }
}

impl<K: AsRef<str>> Request for Vec<(K, u64)> {
    fn for_each_amount(&self, each: &mut dyn FnMut(&str, u64)) {
        self.as_slice().for_each_amount(each);
    }

    #[inline]
    fn single(&self) -> Option<(&str, u64)> {
        self.as_slice().single()
    }
}

impl<K: AsRef<str>> Request for BTreeMap<K, u64> {
    fn for_each_amount(&self, each: &mut dyn FnMut(&str, u64)) {
        for (key, amount) in self {
            each(key.as_ref(), *amount);
        }
    }
}

impl<K: AsRef<str>, S: BuildHasher> Request for HashMap<K, u64, S> {
    fn for_each_amount(&self, each: &mut dyn FnMut(&str, u64)) {
        for (key, amount) in self {
            each(key.as_ref(), *amount);
        }
    }
}
