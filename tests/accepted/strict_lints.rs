//! No lint fires in the emitted code, however strict the user's crate is.
#![deny(warnings, unused, nonstandard_style)]
#![deny(rust_2018_idioms, let_underscore, unreachable_pub, unused_qualifications, unused_lifetimes)]
#![deny(missing_copy_implementations, single_use_lifetimes, trivial_casts, trivial_numeric_casts)]
#![deny(unused_results, unused_import_braces, variant_size_differences, elided_lifetimes_in_paths)]
#![deny(
    unit_bindings,
    redundant_lifetimes,
    unnameable_types,
    explicit_outlives_requirements,
    unused_macro_rules
)]
#![deny(clippy::all, clippy::pedantic, clippy::nursery)]
#![forbid(unsafe_code, missing_docs, missing_debug_implementations, clippy::unwrap_used, clippy::panic)]

/// Public, so that `missing_docs` holds.
pub mod workers {
    use concurry::prelude::*;

    /// An error, with its reason.
    #[derive(Debug)]
    pub struct Refused(pub String);

    /// A worker.
    #[worker]
    #[derive(Debug)]
    pub struct Strict {
        count: u64,
    }

    #[worker]
    impl Strict {
        /// Makes it.
        ///
        /// # Errors
        ///
        /// Never.
        pub async fn new(count: u64, _: String) -> Result<Self, String> {
            std::future::ready(()).await;
            Ok(Self { count })
        }

        /// Counts.
        pub const fn add(&mut self, by: u64) -> u64 {
            self.count += by;
            self.count
        }

        /// Tells.
        pub const fn count(&self) -> u64 {
            self.count
        }

        /// Waits.
        ///
        /// # Errors
        ///
        /// When it is refused.
        pub async fn wait(&self, large: [u64; 64]) -> Result<u64, Refused> {
            std::future::ready(()).await;
            large.first().copied().ok_or_else(|| Refused("empty".to_owned()))
        }

        /// Waits alone.
        pub async fn wait_alone(&mut self) {
            std::future::ready(()).await;
            self.count += 1;
        }

        /// Reads.
        ///
        /// # Errors
        ///
        /// As a file does.
        pub fn read(&self) -> std::io::Result<u64> {
            std::io::Write::flush(&mut std::io::sink())?;
            Ok(self.count)
        }
    }

    /// A task.
    ///
    /// # Errors
    ///
    /// As a file does.
    #[task]
    #[retry(attempts = 2)]
    pub fn read_a_file(limits: &LimitPool, path: std::path::PathBuf, _: u8) -> std::io::Result<u64> {
        let _permit = limits.acquire(()).map_err(std::io::Error::other)?;
        Ok(path.metadata()?.len())
    }

    /// A task that waits and travels.
    ///
    /// # Errors
    ///
    /// Never.
    #[task(process)]
    pub async fn wait_for(number: u64) -> std::io::Result<u64> {
        std::future::ready(Ok(number)).await
    }

    /// A worker that travels.
    #[worker]
    #[derive(Debug, Default)]
    pub struct Travelling;

    #[worker(process)]
    impl Travelling {
        /// Goes.
        pub fn go(&self, to: String, _: u8) -> Option<String> {
            self.limits.acquire(()).ok().map(|_| to)
        }
    }
}

mod private {
    use concurry::prelude::*;

    #[task]
    fn never_started(number: u64) -> u64 {
        number
    }

    #[worker]
    pub(crate) struct Inner {
        count: u64,
    }

    #[worker]
    impl Inner {
        pub(crate) const fn start() -> u64 {
            1
        }

        pub(crate) fn new() -> Self {
            Self { count: Self::start() }
        }

        pub(crate) const fn count(&self) -> u64 {
            self.count
        }

        pub(crate) const fn never_called(&self) -> u64 {
            self.count
        }
    }
}

pub(crate) fn main() -> Result<(), Box<dyn std::error::Error>> {
    use concurry::prelude::*;

    let strict = workers::Strict::options(ExecutionMode::Thread, (), 1).init(1, String::new())?;
    assert_eq!(strict.add(1).result()?, 2);
    strict.wait_alone().result()?;
    assert_eq!(strict.count().result()?, 3);
    assert_eq!(strict.wait([1; 64]).result().ok(), Some(1));
    assert_eq!(strict.read().result()?, 3);
    let travelling = workers::Travelling::options(ExecutionMode::Thread, (), 1).init()?;
    assert_eq!(travelling.go("there".to_owned(), 1).result()?, Some("there".to_owned()));
    let inner = private::Inner::options(ExecutionMode::Thread, (), 1).init()?;
    assert_eq!(inner.count().result()?, 1);
    let reads = workers::read_a_file::options(ExecutionMode::Process, (), 1).init()?;
    assert!(reads.call("/none/such".into(), 0).result().is_err());
    assert_eq!(workers::wait_for::options(ExecutionMode::Async, (), 1).init()?.call(4).result()?, 4);
    Ok(())
}
