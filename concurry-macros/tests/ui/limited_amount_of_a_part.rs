use concurry::prelude::*;

pub struct Prompt {
    text: String,
    tokens: u64,
}

#[worker]
#[derive(Default)]
pub struct Model;

#[worker]
impl Model {
    #[limited(tokens = tokens + 1)]
    pub fn complete(&self, Prompt { text, tokens }: Prompt) -> usize {
        text.len() + tokens as usize
    }
}

fn main() {
    let model = Model::options(ExecutionMode::Thread, (), 1).init().unwrap();
    let prompt = Prompt { text: String::new(), tokens: 1 };
    println!("{}", model.complete(prompt).result().unwrap());
}
