//! A task goes by its `cfg`, above and below the attribute.
use concurry::prelude::*;

#[task]
#[cfg(unix)]
pub fn add(number: u64) -> u64 {
    number + 1
}

#[task]
#[cfg(not(unix))]
pub fn add(number: u64) -> u64 {
    number - 1
}

#[cfg(not(unix))]
#[task]
pub fn absent(number: Absent) -> Absent {
    number
}

pub(crate) fn main() {
    let pool = add::options(ExecutionMode::Thread, (), 1).init().unwrap();
    assert_eq!(pool.call(add(1)).result().unwrap(), 3);
}
