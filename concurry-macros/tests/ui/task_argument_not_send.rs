use concurry::prelude::*;

use std::rc::Rc;

#[task]
pub fn count(text: Rc<str>) -> usize {
    text.len()
}

fn main() {
    let pool = count::options(ExecutionMode::Thread, (), 1).init().unwrap();
    println!("{}", pool.call("text".into()).result().unwrap());
}
