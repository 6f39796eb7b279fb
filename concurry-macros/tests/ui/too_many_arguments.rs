use concurry::prelude::*;

#[worker]
pub struct Greeter {
    key: u8,
}

#[worker]
impl Greeter {
    pub fn new(key: u8) -> Self {
        Self { key }
    }

    #[allow(clippy::too_many_arguments)]
    pub fn sum(
        &self,
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
        n: u8,
        o: u8,
        p: u8,
        q: u8,
    ) -> u8 {
        self.key + a + b + c + d + e + f + g + h + i + j + k + l + m + n + o + p + q
    }
}

fn main() {
    let greeter = Greeter::options(ExecutionMode::Thread, (), 1).init(1).unwrap();
    let call = greeter.sum(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16);
    println!("{}", call.result().unwrap());
}
