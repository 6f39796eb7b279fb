//! The usage of what was acquired: what may be told, and what was not.

use smallvec::SmallVec;

use crate::set::{Definition, Item};
use crate::{LimitError, Request, UsageRule};

/// Usages by the place of their item.
pub(crate) type Told = SmallVec<[(usize, u64); 1]>;

/// What `usage` tells of `items`: all of it or an error.
#[inline]
pub(crate) fn read(
    definition: &Definition,
    items: &[Item],
    usage: &impl Request,
) -> Result<Told, LimitError> {
    let mut told = Told::new();
    let mut outcome = Ok(());
    usage.for_each_amount(&mut |key, used| {
        if outcome.is_err() {
            return;
        }
        match find(definition, items, &told, key, used) {
            Ok(Some(place)) => told.push((place, used)),
            Ok(None) => definition.warn_unknown(key),
            Err(error) => outcome = Err(error),
        }
    });
    outcome.map(|()| told)
}

/// Tells what [`read`] has read.
pub(crate) fn tell(items: &mut [Item], told: &[(usize, u64)]) {
    for (place, used) in told {
        items[*place].tell(*used);
    }
}

/// A bit for each place in `items` of which a usage has to be told.
pub(crate) fn must_tell(definition: &Definition, items: &[Item]) -> u128 {
    let needed = items.iter().enumerate().filter(|(_, item)| needs_update(definition, item));
    needed.fold(0, |mask, (place, _)| mask | 1 << place)
}

fn needs_update(definition: &Definition, item: &Item) -> bool {
    definition.rule(item.index()).needs_update(item.requested, item.named)
}

/// The keys of those of which a usage had to be told and was not.
#[inline]
pub(crate) fn missing(definition: &Definition, items: &[Item]) -> Vec<String> {
    let is_missing = |item: &&Item| item.told().is_none() && needs_update(definition, item);
    if !items.iter().any(|item| is_missing(&item)) {
        return Vec::new();
    }
    items.iter().filter(is_missing).map(|item| definition.key(item.index()).to_owned()).collect()
}

/// Logs what [`missing`] found.
#[inline]
pub(crate) fn warn_of(definition: &Definition, missing: Vec<String>) {
    if !missing.is_empty() {
        definition.warn_untold(missing);
    }
}

/// The place in `items` of the one with `key`, if `used` may be told of it.
#[inline]
pub(crate) fn place(definition: &Definition, items: &[Item], key: &str, used: u64) -> Option<usize> {
    let place = items.iter().position(|item| definition.key(item.index()) == key)?;
    let item = &items[place];
    definition.rule(item.index()).allows(item.requested, item.named, used).then_some(place)
}

/// Which of `items` the usage `used` of `key` is told of; `None` for a key that is to be skipped.
#[inline]
fn find(
    definition: &Definition,
    items: &[Item],
    told: &[(usize, u64)],
    key: &str,
    used: u64,
) -> Result<Option<usize>, LimitError> {
    if let Some(place) = place(definition, items, key, used)
        && told.iter().all(|(earlier, _)| *earlier != place)
    {
        return Ok(Some(place));
    }
    if definition.lenient && definition.index(key).is_none() {
        return Ok(None);
    }
    Err(why_not(definition, items, told, key, used))
}

/// Why such a usage may not be told.
#[cold]
fn why_not(
    definition: &Definition,
    items: &[Item],
    told: &[(usize, u64)],
    key: &str,
    used: u64,
) -> LimitError {
    let key = key.to_owned();
    let index = definition.index(&key);
    let Some(place) = items.iter().position(|item| Some(item.index()) == index) else {
        let acquired = items.iter().map(|item| definition.key(item.index()).to_owned()).collect();
        return LimitError::NotAcquired { key, acquired };
    };
    let Item { requested, .. } = items[place];
    if told.iter().any(|(earlier, _)| *earlier == place) {
        LimitError::DuplicateKey { key }
    } else if definition.rule(items[place].index()) == UsageRule::Counted && !items[place].named {
        LimitError::UnexpectedUsage { key, used }
    } else {
        LimitError::UsageExceedsRequested { key, requested, used }
    }
}
