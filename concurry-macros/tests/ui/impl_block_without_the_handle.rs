use concurry::prelude::*;

mod item {
    #[concurry::worker]
    #[derive(Default)]
    pub struct Greeter {
        name: String,
    }
}

mod block {
    use super::item::Greeter;

    #[concurry::worker]
    impl Greeter {
        pub fn length(&self) -> usize {
            1
        }
    }
}

fn main() {
    let greeter = item::Greeter::options(ExecutionMode::Thread, (), 1).init().unwrap();
    println!("{:?}", greeter.length().result());
}
