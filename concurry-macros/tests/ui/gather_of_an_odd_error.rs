use concurry::prelude::*;

pub struct Odd;

#[worker]
#[derive(Default)]
pub struct Fetcher;

#[worker]
impl Fetcher {
    pub fn text(&self) -> Result<String, String> {
        Ok(String::new())
    }

    pub fn odd(&self) -> Result<String, Odd> {
        Err(Odd)
    }
}

fn main() {
    let fetcher = Fetcher::options(ExecutionMode::Thread, (), 1).init().unwrap();
    let (_text, _odd) = gather((fetcher.text(), fetcher.odd())).outcomes();
    let both = gather((fetcher.text(), fetcher.odd())).result();
    println!("{}", both.is_ok());
}
