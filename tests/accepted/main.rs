//! What is legal in a worker compiles without a warning, and runs: a module a question. What is not legal is in
//! `concurry-macros/tests/ui`.
//!
//! The modules are public, so that lints about what can be reached from outside look at them; each forbids by itself the
//! warnings that its user might.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    unreachable_pub,
    reason = "a test is its own documentation, and may fail"
)]
#![allow(
    clippy::missing_errors_doc,
    clippy::if_same_then_else,
    clippy::missing_panics_doc,
    clippy::many_single_char_names,
    clippy::needless_arbitrary_self_type,
    clippy::new_without_default,
    clippy::redundant_closure_for_method_calls,
    clippy::should_implement_trait,
    clippy::unnecessary_wraps,
    reason = "the workers are as odd as users may write them; what is emitted for them is not"
)]

pub mod argument_patterns;
pub mod attributes;
pub mod by_fragments;
pub mod constructors;
pub mod derives;
pub mod lifetimes;
pub mod limited;
pub mod literals;
pub mod method_names;
pub mod methods_under_cfg;
pub mod other_items;
pub mod own_traits;
pub mod places;
pub mod retries;
pub mod returned_types;
pub mod strict_lints;
pub mod task_under_cfg;
pub mod unsendable_worker;
pub mod user_names;
pub mod user_traits;
pub mod visibilities;

/// A test a module: it calls the module's `main`.
macro_rules! run {
    ($($module:ident)*) => {
        mod runs {
            $(#[test]
            fn $module() {
                super::$module::main();
            })*
        }
    };
}

run! {
    argument_patterns attributes by_fragments constructors derives lifetimes limited literals method_names methods_under_cfg
    other_items own_traits places retries returned_types task_under_cfg unsendable_worker user_names user_traits visibilities
}

#[test]
fn strict_lints() -> Result<(), Box<dyn std::error::Error>> {
    strict_lints::main()
}
