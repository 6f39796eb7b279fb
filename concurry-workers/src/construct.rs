//! One run of a worker's constructor, and the limits that it sees.
//!
//! While a constructor runs, its worker's pool of limits is known to its thread, so that the struct literals in it (to
//! which the macro adds the field `limits`) and the constructor's own code find it. Called as a plain function, outside
//! of any pool, a constructor finds the empty pool, which admits everything.

use std::cell::RefCell;

use concurry_limits::LimitPool;

use crate::error::InitError;
use crate::worker::Worker;
use concurry_core::panics;

thread_local! {
    static CONSTRUCTING: RefCell<Option<LimitPool>> = const { RefCell::new(None) };
}

/// The pool of the worker that is constructed on this thread right now; the empty pool when none is.
///
/// # Examples
///
/// ```
/// assert!(concurry_workers::construct::constructing().acquire(()).is_ok());
/// ```
pub fn constructing() -> LimitPool {
    CONSTRUCTING.with(|slot| slot.borrow().clone()).unwrap_or_default()
}

/// Takes the pool away again, also when the constructor panics.
struct Restore(Option<LimitPool>);

impl Drop for Restore {
    fn drop(&mut self) {
        CONSTRUCTING.with(|slot| *slot.borrow_mut() = self.0.take());
    }
}

/// Makes a worker that owns `limits`. Making its arguments is the user's code as well.
pub(crate) fn construct<W: Worker>(
    args: impl FnOnce() -> W::Args,
    limits: LimitPool,
) -> Result<W, InitError> {
    let name = std::any::type_name::<W>();
    let made = panics::catch(|| {
        let _restore = Restore(CONSTRUCTING.replace(Some(limits.clone())));
        W::construct(args())
    });
    match made {
        Ok(Ok(mut worker)) => {
            *worker.limits_mut() = limits;
            Ok(worker)
        }
        Ok(Err(source)) => Err(InitError::Constructor { worker: name, source }),
        Err(panic) => Err(InitError::ConstructorPanicked { worker: name, panic }),
    }
}
