use concurry::prelude::*;

#[task(thread)]
pub fn add(number: u64) -> u64 {
    number + 1
}

fn main() {
    let pool = add::options(ExecutionMode::Thread, (), 1).init().unwrap();
    println!("{}", pool.call(1).result().unwrap());
}
