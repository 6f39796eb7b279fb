use concurry::prelude::*;

#[task]
pub fn send(text: String, limits: &mut LimitPool) -> bool {
    limits.try_acquire(()).is_ok() && text.is_empty()
}

fn main() {
    let pool = send::options(ExecutionMode::Thread, (), 1).init().unwrap();
    println!("{}", pool.call(String::new()).result().unwrap());
}
