//! `cargo bench --bench limits`: see `launch`.

mod launch;

fn main() -> std::process::ExitCode {
    launch::launch("limits")
}
