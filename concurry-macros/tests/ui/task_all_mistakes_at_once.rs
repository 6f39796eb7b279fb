use concurry::prelude::*;

#[task]
pub const unsafe fn count(text: &str, number: &mut u64) -> usize {
    text.len() + (*number > 0) as usize
}

fn main() {
    let pool = count::options(ExecutionMode::Thread, (), 1).init().unwrap();
    println!("{}", pool.call("text", 1).result().unwrap());
}
