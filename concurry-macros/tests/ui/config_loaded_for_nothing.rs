#![deny(unused_must_use)]

use concurry::prelude::*;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    Config::load()?;
    Ok(())
}
