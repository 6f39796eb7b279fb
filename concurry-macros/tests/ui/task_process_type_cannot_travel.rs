use concurry::prelude::*;

#[derive(Clone)]
pub struct Secret(pub u64);

#[task(process)]
pub fn open(secret: Secret) -> std::io::Result<u64> {
    Ok(secret.0)
}

fn main() {
    let pool = open::options(ExecutionMode::Process, (), 1).init().unwrap();
    println!("{}", pool.call(Secret(1)).result().unwrap());
}
