//! `variata`: the papers' experiments. `cargo xtask reproduce` sets libtorch up and calls it.

use std::process::ExitCode;

use variata_experiments::cli::{Command, message};

fn main() -> ExitCode {
    match Command::of_process().run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {}", message(&error));
            ExitCode::FAILURE
        }
    }
}
