use concurry::prelude::*;

#[worker]
pub enum Greeter {
    Polite,
    Rude,
}

fn main() {
    let _both = [Greeter::Polite, Greeter::Rude];
}
