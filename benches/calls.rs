//! `cargo bench --bench calls`: see `launch`.

mod launch;

fn main() -> std::process::ExitCode {
    launch::launch(&["calls"])
}
