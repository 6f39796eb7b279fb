//! Constructors may be async, fail, and have any error that can become a box.
#![deny(warnings, clippy::items_after_statements)]

use std::error::Error;

use concurry::prelude::*;

macro_rules! worker {
    ($name:ident, $($new:tt)*) => {
        #[worker]
        pub struct $name {
            made: u64,
        }

        #[worker]
        impl $name {
            $($new)*

            pub fn made(&self) -> u64 {
                self.made
            }
        }
    };
}

pub type ParseResult<T> = Result<T, std::num::ParseIntError>;

worker!(
    Plain,
    pub fn new(made: u64) -> Plain {
        Self { made }
    }
);
worker!(
    Later,
    pub async fn new(made: u64) -> Self {
        std::future::ready(()).await;
        Self { made }
    }
);
worker!(
    Text,
    pub fn new(made: u64) -> Result<Self, String> {
        if made == 0 { Err("nothing".to_owned()) } else { Ok(Self { made }) }
    }
);
worker!(
    Str,
    pub fn new(made: u64) -> Result<Self, &'static str> {
        if made == 0 { Err("nothing") } else { Ok(Self { made }) }
    }
);
worker!(
    Boxed,
    pub fn new(made: u64) -> Result<Self, Box<dyn Error + Send + Sync>> {
        Ok(Self { made: made.to_string().parse()? })
    }
);
worker!(
    Aliased,
    pub fn new(made: u64) -> ParseResult<Self> {
        Ok(Self { made: made.to_string().parse()? })
    }
);
worker!(
    LaterAndFallible,
    pub async fn new(made: u64) -> std::io::Result<Self> {
        Ok(Self { made })
    }
);
worker!(
    Private,
    fn new(mut made: u64) -> Self {
        made += 1;
        Self { made: made - 1 }
    }
);
worker!(
    UsesLimits,
    pub fn new(made: u64) -> Result<Self, LimitError> {
        let acquired = limits.acquire(())?;
        drop(acquired);
        let _text = format!("{limits:?}");
        Ok(Self { made })
    }
);
worker!(
    HasLimits,
    pub fn new(limits: u64) -> Self {
        Self { made: limits }
    }
);
worker!(
    MakesLimits,
    pub fn new(made: u64) -> Self {
        let limits = made;
        Self { made: limits }
    }
);
worker!(
    CallsLimits,
    pub fn new(made: u64) -> Self {
        const fn limits() -> u64 {
            0
        }
        assert_eq!(limits(), 0);
        Self { made: made + limits() }
    }
);
worker!(
    TakesApart,
    pub fn new(Parts { limits, made }: Parts) -> Self {
        Self { made: made + limits }
    }
);
worker!(
    HasItems,
    pub fn new(made: u64) -> Self {
        const NONE: u64 = 0;
        macro_rules! free {
            () => {
                limits.acquire(()).is_ok()
            };
        }
        assert!(free!() && limits.acquire(()).is_ok());
        Self { made: made + NONE }
    }
);

#[derive(Clone)]
pub struct Parts {
    limits: u64,
    made: u64,
}

macro_rules! check {
    ($($name:ident)*) => {
        $(
            let worker = $name::options(ExecutionMode::Thread, (), 1).init(1).unwrap();
            assert_eq!(worker.made().result().unwrap(), 1);
        )*
    };
}

pub(crate) fn main() {
    check!(Plain Later Text Str Boxed Aliased LaterAndFallible Private UsesLimits HasLimits MakesLimits CallsLimits HasItems);
    let apart = TakesApart::options(ExecutionMode::Thread, (), 1).init(Parts { limits: 1, made: 2 }).unwrap();
    assert_eq!(apart.made().result().unwrap(), 3);
    let error = Text::options(ExecutionMode::Thread, (), 1).init(0).unwrap_err();
    assert!(error.to_string().contains("nothing"));
}
