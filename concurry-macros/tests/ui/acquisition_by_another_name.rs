use concurry::LimitSetAcquisition as Permit;
use concurry::prelude::*;

#[worker]
#[derive(Default)]
pub struct Model;

#[worker]
impl Model {
    #[limited(tokens = 1)]
    pub fn complete(&self, prompt: String, permit: &mut Permit) -> usize {
        permit.update([("tokens", 1)]).unwrap();
        prompt.len()
    }
}

fn main() {
    let model = Model::options(ExecutionMode::Thread, (), 1).init().unwrap();
    println!("{}", model.complete(String::new()).result().unwrap());
}
