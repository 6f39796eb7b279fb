//! `Worker::options(mode, limits, max_workers)` and its `init`.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use concurry_core::clock::{self, Clock};
use concurry_core::config::{Config, RestartLimit};
use concurry_core::mode::ExecutionMode;
use concurry_core::retry::Retry;
use concurry_limits::{IntoLimits, LimitPool, LimitSet, LimitSetError};

use crate::error::InitError;
use crate::pool::{LoadBalancing, Names, PoolHandle, Queue, QueueOptions, Staffing, WhenFull};
use crate::process::Asked;
use crate::retry::rules;
use crate::runtime::{self, Restarts, Setup};
use crate::worker::Worker;

/// How many workers a pool has.
///
/// # Examples
///
/// ```
/// use concurry_workers::options::Workers;
///
/// assert_eq!(Workers::from(4), Workers::Exactly(4));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Workers {
    /// As many as the [configuration](concurry_core::config) says. Without any: one in sync and async mode; as many as this
    /// process may use processors in thread and process mode.
    #[default]
    Default,
    /// This many, 1 to 65536; with [`on_demand`](WorkerOptions::on_demand) any number from 1, which is a bound then.
    Exactly(usize),
}

/// The most workers that are made at once: more than any system has threads for.
pub(crate) const MOST_AT_ONCE: usize = 1 << 16;

impl From<usize> for Workers {
    fn from(count: usize) -> Self {
        Self::Exactly(count)
    }
}

impl Workers {
    fn resolve(self, mode: ExecutionMode, configured: Option<usize>) -> Result<usize, InitError> {
        let count = match self {
            Self::Exactly(count) => count,
            Self::Default => configured.unwrap_or(1),
        };
        match (count, mode) {
            (0, _) => Err(InitError::InvalidOption {
                option: "max_workers",
                value: "0".to_owned(),
                expected: "a pool needs at least one worker",
            }),
            (2.., ExecutionMode::Sync) => Err(InitError::InvalidOption {
                option: "max_workers",
                value: count.to_string(),
                expected: "mode sync runs in the caller and has exactly 1 worker",
            }),
            (count, _) => Ok(count),
        }
    }
}

/// How a pool is to be: made by `Worker::options(mode, limits, max_workers)`, ended by `init(…)` with the arguments of the
/// worker's constructor.
///
/// What is not said here is what the [configuration](concurry_core::config) says where `init` is called; "by default" below
/// is without any.
///
/// `A` is the tuple of those arguments.
#[must_use = "nothing runs before `init`"]
pub struct WorkerOptions<W, A> {
    mode: ExecutionMode,
    limits: Result<LimitPool, LimitSetError>,
    workers: Workers,
    max_queued_calls: Option<usize>,
    when_full: Option<WhenFull>,
    balancing: Option<LoadBalancing>,
    on_demand: Option<Duration>,
    restarts: Option<RestartLimit>,
    name: Option<String>,
    retry: Option<Retry>,
    pub(crate) processes: Asked,
    clock: Arc<dyn Clock>,
    marker: PhantomData<fn(A) -> W>,
}

impl<W, A> fmt::Debug for WorkerOptions<W, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WorkerOptions")
            .field("mode", &self.mode)
            .field("limits", &self.limits)
            .field("workers", &self.workers)
            .finish_non_exhaustive()
    }
}

impl<W: Worker, A> WorkerOptions<W, A> {
    #[doc(hidden)]
    pub fn new(mode: ExecutionMode, limits: impl IntoLimits, workers: impl Into<Workers>) -> Self {
        Self {
            mode,
            limits: limits.into_limits(),
            workers: workers.into(),
            max_queued_calls: None,
            when_full: None,
            balancing: None,
            on_demand: None,
            restarts: None,
            name: None,
            retry: None,
            processes: Asked::default(),
            clock: clock::system(),
            marker: PhantomData,
        }
    }

    /// How many calls may wait for a worker, 1 or more; no bound by default. Submitting to a full pool blocks until there
    /// is room, or does what [`when_full`](Self::when_full) says. Calls that wait to be tried again count, but are never
    /// held back themselves. Mode sync has no queue.
    ///
    /// Who would wait for itself is told [`CallError::WouldDeadlock`](concurry_core::call::CallError::WouldDeadlock) instead: a method or
    /// callback of this pool, and in mode async the only thread of the runtime that the pool is on.
    pub fn max_queued_calls(mut self, calls: usize) -> Self {
        self.max_queued_calls = Some(calls);
        self
    }

    /// What happens to a call that is submitted when [as many as may](Self::max_queued_calls) wait; by default the submitter
    /// waits.
    pub fn when_full(mut self, when_full: WhenFull) -> Self {
        self.when_full = Some(when_full);
        self
    }

    /// How calls are spread over the workers; by default whichever is idle takes the oldest call. Calls through
    /// [`affinity`](PoolHandle::affinity) go to the worker of their key in any case.
    pub fn load_balancing(mut self, balancing: LoadBalancing) -> Self {
        self.balancing = Some(balancing);
        self
    }

    /// Workers are made when a call comes that nobody is there for, up to `max_workers`, and end when no call has come or run
    /// there for `idle`; in mode async that may be twice as long. One is made by `init`, which so knows that it can be. A call
    /// whose worker cannot be made is answered with `CallError::WorkerLost`; the next one has another worker tried. Mode sync
    /// has its one worker always.
    pub fn on_demand(mut self, idle: Duration) -> Self {
        self.on_demand = Some(idle);
        self
    }

    /// How often the pool's workers may be made anew, after panics and deaths, in any time as long as `within` (more than 0);
    /// without bound by default. When it is spent the pool gives up: what waits, and every later call, is answered with
    /// `CallError::WorkerLost`.
    ///
    /// A worker whose constructor fails when it is made anew is tried three times, with a short wait in between, before it is
    /// lost. When the last one is lost the pool gives up as well.
    pub fn max_restarts(mut self, count: usize, within: Duration) -> Self {
        self.restarts = Some(RestartLimit { count, within });
        self
    }

    /// The pool's name, in statistics and in the names of its threads; by default the worker's type.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// How the methods that return a `Result` are tried again when they fail; a method's own `#[retry(…)]` overrides this
    /// field by field. Each attempt gets a clone of the arguments.
    ///
    /// While a call backs off it holds neither a worker nor a limit, and then it takes its old place in the queue. In mode
    /// sync the caller waits. `init` fails when no method returns a `Result`.
    ///
    /// ```
    /// use concurry_core::retry::Retry;
    /// use std::time::Duration;
    ///
    /// let retry = Retry::exponential(5).wait(Duration::from_millis(200)).max_wait(Duration::from_secs(20));
    /// # let _ = retry;
    /// ```
    pub fn retry(mut self, retry: Retry) -> Self {
        self.retry = Some(retry);
        self
    }

    /// The clock that the waits between attempts are measured on; the system's by default, another one for tests.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    fn start(self, args: W::Args) -> Result<W::Handle, InitError> {
        W::check_options(self.mode, self.retry.is_some())?;
        let config = Config::current().of(self.mode);
        let workers = self.workers.resolve(self.mode, config.max_workers)?;
        let capacity = self.max_queued_calls.or(config.max_queued_calls).unwrap_or(usize::MAX);
        if capacity == 0 {
            return Err(InitError::InvalidOption {
                option: "max_queued_calls",
                value: "0".to_owned(),
                expected: "a call must be able to wait: at least 1",
            });
        }
        if let Some(name) = self.name.as_ref().filter(|name| name.is_empty() || name.contains('\0')) {
            return Err(InitError::InvalidOption {
                option: "name",
                value: format!("{name:?}"),
                expected: "a pool's name has at least one character, none of which is NUL",
            });
        }
        let name = self.name.unwrap_or_else(|| short_name(std::any::type_name::<W>()).to_owned());
        let limits = usable::<W>(self.limits?, self.mode)?;
        let rules = rules(std::any::type_name::<W>(), self.retry, &config.retry, &W::retries())?;
        let idle = self.on_demand.or(config.on_demand).filter(|_| self.mode != ExecutionMode::Sync);
        let processes = self.processes.resolve(self.mode, &config)?;
        let staffing = Staffing { target: workers, idle };
        if staffing.at_first() > MOST_AT_ONCE {
            return Err(too_many("max_workers", workers));
        }
        let queue = Queue::new(QueueOptions {
            capacity,
            when_full: self.when_full.or(config.when_full).unwrap_or_default(),
            balancing: self.balancing.or(config.load_balancing).unwrap_or_default(),
            staffing,
            clock: self.clock,
            limits: limits.clone(),
            names: Names { pool: name.clone(), mode: self.mode },
            helps: self.mode == ExecutionMode::Process && processes.may_stand_in(),
        });
        let setup = Setup {
            mode: self.mode,
            limits,
            workers: staffing.at_first(),
            restarts: Restarts::of(self.restarts, &config)?,
            queue: Arc::clone(&queue),
            name,
            args,
            processes,
        };
        let runtime: Arc<_> = runtime::start::<W>(setup)?;
        Ok(PoolHandle::new(runtime, queue, rules).into())
    }
}

/// More workers are asked for than are made at once.
pub(crate) fn too_many(option: &'static str, workers: usize) -> InitError {
    InitError::InvalidOption {
        option,
        value: workers.to_string(),
        expected: "65536 are the most, except for a pool whose workers come with calls (`on_demand`)",
    }
}

/// The limits, if a pool of such workers in this mode can have them.
fn usable<W: Worker>(limits: LimitPool, mode: ExecutionMode) -> Result<LimitPool, InitError> {
    if limits.is_empty() {
        return Err(InitError::UnusableLimits(concurry_limits::LimitError::EmptyPool));
    }
    if W::IS_LIMITED && limits.sets().iter().any(LimitSet::is_private) {
        return Err(InitError::InvalidOption {
            option: "limits",
            value: "a private limit set".to_owned(),
            expected: "a method with #[limited] is admitted before a worker is chosen: share the set",
        });
    }
    let counts_elsewhere = |set: &LimitSet| set.is_private() && set.has_own_clock();
    if mode == ExecutionMode::Process && limits.sets().iter().any(counts_elsewhere) {
        return Err(InitError::InvalidOption {
            option: "limits",
            value: "a private limit set with a clock of its own".to_owned(),
            expected: "each process counts its private sets by the system's clock: share the set, or leave the clock out",
        });
    }
    Ok(limits)
}

fn short_name(path: &str) -> &str {
    path.rsplit("::").next().unwrap_or(path)
}

/// One `init` for each number of constructor arguments, so that they are typed and stand in a row.
macro_rules! init {
    ($($name:ident: $type:ident),*) => {
        impl<W, $($type),*> WorkerOptions<W, ($($type,)*)>
        where
            W: Worker<Args = ($($type,)*)>,
        {
            /// Starts the pool: runs the constructor with these arguments in every worker, and returns when all are ready.
            ///
            /// # Errors
            ///
            /// [`InitError`] when an option is wrong, the mode does not suit the worker, or a constructor or process
            /// fails; nothing is left running then.
            #[allow(clippy::too_many_arguments, reason = "as many as the user's constructor has")]
            pub fn init(self, $($name: $type),*) -> Result<W::Handle, InitError> {
                self.start(($($name,)*))
            }
        }
    };
}

init!();
init!(a: A);
init!(a: A, b: B);
init!(a: A, b: B, c: C);
init!(a: A, b: B, c: C, d: D);
init!(a: A, b: B, c: C, d: D, e: E);
init!(a: A, b: B, c: C, d: D, e: E, f: F);
init!(a: A, b: B, c: C, d: D, e: E, f: F, g: G);
init!(a: A, b: B, c: C, d: D, e: E, f: F, g: G, h: H);
init!(a: A, b: B, c: C, d: D, e: E, f: F, g: G, h: H, i: I);
init!(a: A, b: B, c: C, d: D, e: E, f: F, g: G, h: H, i: I, j: J);
init!(a: A, b: B, c: C, d: D, e: E, f: F, g: G, h: H, i: I, j: J, k: K);
init!(a: A, b: B, c: C, d: D, e: E, f: F, g: G, h: H, i: I, j: J, k: K, l: L);
