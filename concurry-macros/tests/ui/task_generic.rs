use concurry::prelude::*;

#[task]
pub fn describe<T: std::fmt::Debug>(value: T) -> String {
    format!("{value:?}")
}

fn main() {
    let pool = describe::options(ExecutionMode::Thread, (), 1).init().unwrap();
    println!("{}", pool.call(1).result().unwrap());
}
