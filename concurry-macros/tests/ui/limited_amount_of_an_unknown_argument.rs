use concurry::prelude::*;

#[worker]
#[derive(Default)]
pub struct Llm {}

#[worker]
impl Llm {
    #[limited(tokens = prompts.len() as u64)]
    pub fn complete(&self, prompt: String, _acquired: &mut LimitSetAcquisition) -> String {
        prompt
    }
}

fn main() {
    let llm = Llm::options(ExecutionMode::Thread, (), 1).init().unwrap();
    llm.complete("hello".to_owned()).result().unwrap();
}
