//! `cargo bench --bench waits`: see `launch`.

mod launch;

fn main() -> std::process::ExitCode {
    launch::launch("waits")
}
