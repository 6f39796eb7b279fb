//! What the compiler says: each mistake with `#[worker]` or `#[task]` shows as one error at the user's own line. What is
//! legal is in `tests/accepted` of the facade.
//!
//! `tests/ui` holds a file a mistake, named after it, with what the compiler prints beside it. After a change of the
//! messages, `TRYBUILD=overwrite cargo test -p concurry-macros --test ui` writes them anew; read each one before it is
//! committed.
//!
//! They stand here, and not with the facade's tests, since the compiler is asked about them in a project that has all
//! dependencies of the tests beside them: those of the facade's examples would be built once more.

#[test]
fn each_mistake_is_one_error_at_its_place() {
    trybuild::TestCases::new().compile_fail("tests/ui/*.rs");
}
