//! What the compiler says: each mistake with `#[worker]` shows as one error at the user's own line, and what is legal
//! compiles without a warning.
//!
//! `tests/ui/fail` holds a file a mistake, named after it, with what the compiler prints beside it. After a change of the
//! messages, `TRYBUILD=overwrite cargo test --test ui` writes them anew; read each one before it is committed.

#[test]
fn each_mistake_is_one_error_at_its_place() {
    trybuild::TestCases::new().compile_fail("tests/ui/fail/*.rs");
}

#[test]
fn what_is_legal_compiles_and_runs() {
    trybuild::TestCases::new().pass("tests/ui/pass/*.rs");
}
