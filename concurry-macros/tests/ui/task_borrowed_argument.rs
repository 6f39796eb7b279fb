use concurry::prelude::*;

#[task]
pub fn count(text: &str) -> usize {
    text.len()
}

fn main() {
    let pool = count::options(ExecutionMode::Thread, (), 1).init().unwrap();
    println!("{}", pool.call("text").result().unwrap());
}
