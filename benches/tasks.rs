//! `cargo bench --bench tasks`: see `launch`.

mod launch;

fn main() -> std::process::ExitCode {
    launch::launch(&["tasks"])
}
