use concurry::prelude::*;

#[task]
pub fn greet(name: impl ToString) -> String {
    name.to_string()
}

fn main() {
    let pool = greet::options(ExecutionMode::Thread, (), 1).init().unwrap();
    println!("{}", pool.call("Ada").result().unwrap());
}
