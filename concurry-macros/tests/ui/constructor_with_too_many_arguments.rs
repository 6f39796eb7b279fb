use concurry::prelude::*;

#[worker]
pub struct Greeter {
    sum: u8,
}

#[worker]
impl Greeter {
    pub fn new(
        a: u8,
        b: u8,
        c: u8,
        d: u8,
        e: u8,
        f: u8,
        g: u8,
        h: u8,
        i: u8,
        j: u8,
        k: u8,
        l: u8,
        m: u8,
    ) -> Self {
        Self { sum: a + b + c + d + e + f + g + h + i + j + k + l + m }
    }

    pub fn sum(&self) -> u8 {
        self.sum
    }
}

fn main() {
    let greeter = Greeter::options(ExecutionMode::Thread, (), 1)
        .init(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12)
        .unwrap();
    println!("{}", greeter.sum().result().unwrap());
}
