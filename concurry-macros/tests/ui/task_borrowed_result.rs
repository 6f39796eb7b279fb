use concurry::prelude::*;

#[task]
pub fn longest(limits: &LimitPool) -> &LimitPool {
    limits
}

fn main() {
    let pool = longest::options(ExecutionMode::Thread, (), 1).init().unwrap();
    drop(pool.call().result());
}
