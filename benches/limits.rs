//! `cargo bench --bench limits`: what an acquire costs, and how exactly who waits is admitted. See `launch`.

mod launch;

fn main() -> std::process::ExitCode {
    launch::launch(&["limits", "waits"])
}
