//! Builds the tiny guest and prints where it is: `cargo run -p image --example build_tiny`.
#![allow(clippy::print_stdout)]

use image::{Cache, Step, tiny};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let image = tiny::build(&Cache::open()?, &|step: Step<'_>| println!("{step:?}"))?;
    println!("{image:#?}");
    Ok(())
}
