//! `cargo bench --bench processes`: see `launch`.

mod launch;

fn main() -> std::process::ExitCode {
    launch::launch(&["processes"])
}
