//! Starts a child, within the time that it has for that.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Wake, Waker};

use concurry_core::clock;
use concurry_core::panics;
use concurry_core::sync::lock;

use crate::error::InitError;
use crate::process::{Connection, Ended, Group, Hello, Link, OwnExecutable};
use crate::runtime::Shared;
use crate::worker::Worker;

/// Starts a child for worker `index`, and returns when its worker is there. `is_started` is given what may end it before.
pub(super) fn connect<W: Worker>(
    shared: &Shared<W>,
    index: usize,
    is_started: &dyn Fn(Arc<Group>),
) -> Result<(Connection, Link), InitError> {
    let worker = std::any::type_name::<W>();
    let limits = shared.limits_of(index);
    let options = &shared.processes.process;
    // A clone of the arguments is the user's code, and so is the choice of processors.
    let hello = panics::catch(|| {
        let args = W::encode_args(&shared.args())?;
        Ok(Hello::to(worker, index, args, &limits, options))
    });
    let hello = match hello {
        Ok(Ok(hello)) => hello,
        Ok(Err(error)) => return Err(Ended::Unsent(error).into_init_error(worker)),
        Err(panic) => return Err(Ended::Panicked(panic).into_init_error(worker)),
    };
    let transport = shared.processes.transport;
    let launch = OwnExecutable { transport, options, name: format!("{}-{index}", shared.name) };
    let (clock, alarm) = (clock::system(), Mutex::new(None));
    let outcome = Connection::open(&launch, hello, &limits, &|group| {
        if let Some(timeout) = options.start_timeout {
            let overdue = Arc::new(Overdue { group: Arc::clone(&group), is_over: AtomicBool::new(false) });
            let guard = clock.wake_at(clock.now() + timeout, Waker::from(Arc::clone(&overdue)));
            *lock(&alarm) = Some((overdue, guard));
        }
        is_started(group);
    });
    let is_over = lock(&alarm).as_ref().is_some_and(|(overdue, _)| overdue.is_over.load(Ordering::SeqCst));
    outcome.map_err(|ended| match (ended, options.start_timeout) {
        (Ended::Died(_), Some(after)) if is_over => InitError::StartTimedOut { after },
        (ended, _) => ended.into_init_error(worker),
    })
}

/// Ends a child that takes too long.
struct Overdue {
    group: Arc<Group>,
    is_over: AtomicBool,
}

impl Wake for Overdue {
    fn wake(self: Arc<Self>) {
        self.is_over.store(true, Ordering::SeqCst);
        self.group.kill();
    }
}
