//! Set-up and automation of the workspace: `cargo xtask --help`.
//!
//! Thin on purpose: it starts other programs. Whatever computes lives in the crates, the benches or the
//! Python files that it runs; it never links libtorch and builds in seconds.

mod api;
mod bench;
mod docs;
mod flags;
mod golden;
mod lock;
mod metadata;
mod package;
mod pins;
mod places;
mod process;
mod program;
mod setup;
mod test;
mod tidy;
mod venv;

use std::io::Write;
use std::process::ExitCode;

use flags::Command;

fn main() -> ExitCode {
    let command = match flags::parse(std::env::args_os().skip(1)) {
        Ok(command) => command,
        Err(error) => {
            eprintln!("error: {error}");
            return ExitCode::from(2);
        }
    };
    let result = match command {
        Command::Help(topic) => {
            // Who reads no further has read enough.
            match std::io::stdout().write_all(flags::help(topic).as_bytes()) {
                Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(error.into()),
                _ => Ok(()),
            }
        }
        Command::Setup { cuda } => setup::workspace(cuda),
        Command::Program { command, args } => program::run(command, &args),
        Command::Test { long } => test::run(long),
        Command::BenchPage => bench::write_page(),
        Command::Bench { krate, peers, rounds, rows } => {
            bench::run(krate.as_deref(), peers, rounds, rows.as_deref())
        }
        Command::Docs { no_book } => docs::run(no_book),
        Command::Golden { check, krate } => golden::run(check, krate.as_deref()),
        Command::Api { check } => api::run(check),
        Command::Package { long } => package::run(long),
        Command::Tidy => tidy::run(),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            // A failed command's own code is passed on: scripts around `reproduce` rely on it.
            let code = error.downcast_ref::<process::Failed>().and_then(|failed| failed.code);
            ExitCode::from(code.and_then(|code| u8::try_from(code).ok()).unwrap_or(1))
        }
    }
}
