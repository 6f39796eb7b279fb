use concurry::prelude::*;

#[worker]
pub fn greet(name: String) -> String {
    format!("Hello, {name}")
}

fn main() {
    println!("{}", greet("Ada".to_owned()));
}
