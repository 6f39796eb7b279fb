use concurry::prelude::*;

#[task]
pub struct Greeter {
    pub name: String,
}

fn main() {
    println!("{}", Greeter { name: "Ada".to_owned() }.name);
}
