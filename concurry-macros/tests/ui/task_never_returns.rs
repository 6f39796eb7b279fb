use concurry::prelude::*;

#[task]
fn forever(text: String) -> ! {
    panic!("{text}")
}

fn main() {
    let forever = forever::options(ExecutionMode::Thread, (), 1).init().unwrap();
    println!("{:?}", forever.call("Ada".to_owned()).result());
}
