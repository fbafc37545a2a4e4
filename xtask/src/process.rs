//! Running a command: say what runs, show its output, name it when it fails.

use std::fmt;
use std::io::{BufRead, BufReader, IsTerminal, Write};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use crate::places;

/// A command that ran and did not succeed. Its own output has already said why.
#[derive(Debug)]
pub(crate) struct Failed {
    pub(crate) command: String,
    /// Exit code; `None` when a signal ended it.
    pub(crate) code: Option<i32>,
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.code {
            Some(code) => write!(f, "`{}` failed with exit code {code}", self.command),
            None => write!(f, "`{}` was ended by a signal", self.command),
        }
    }
}

impl std::error::Error for Failed {}

/// `cargo` with these arguments, at the root of the workspace.
pub(crate) fn cargo<'a>(args: impl IntoIterator<Item = &'a str>) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(args).current_dir(places::root());
    // `cargo run` has set these from .cargo/config.toml. The inner cargo sets the same again, and must be
    // the one to do so: bindings are rebuilt whenever the string changes.
    for (name, place) in [LIBTORCH, MPICC, LIBCLANG] {
        if own(name, place).is_none() {
            command.env_remove(name);
        }
    }
    command
}

/// Variables and what `.cargo/config.toml` makes of them.
const LIBTORCH: (&str, &str) = ("LIBTORCH", ".libtorch/torch");
const MPICC: (&str, &str) = ("MPICC", ".mpi/bin/mpicc");
const LIBCLANG: (&str, &str) = ("LIBCLANG_PATH", ".mpi/clang");

/// What the compiler that cargo uses prints.
pub(crate) fn rustc(args: &[&str]) -> Result<String> {
    capture(Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into())).args(args))
}

/// The user's LIBTORCH, as opposed to the one that `.cargo/config.toml` gives every build.
pub(crate) fn own_libtorch() -> Option<std::path::PathBuf> {
    own(LIBTORCH.0, LIBTORCH.1)
}

/// The user's MPICC and LIBCLANG_PATH, as opposed to those that `.cargo/config.toml` gives every build.
pub(crate) fn own_mpi() -> [Option<std::path::PathBuf>; 2] {
    [MPICC, LIBCLANG].map(|(name, place)| own(name, place))
}

/// A variable that the user has set, and to another place of the workspace than this.
fn own(name: &str, place: &str) -> Option<std::path::PathBuf> {
    let set = std::env::var_os(name).filter(|value| !value.is_empty())?;
    let path = std::path::PathBuf::from(set);
    (path != places::root().join(place)).then_some(path)
}

/// Runs a command with its output going where ours goes.
pub(crate) fn run(mut command: Command) -> Result<()> {
    let shown = announce(&command);
    let status = command.status().with_context(|| format!("cannot start `{shown}`"))?;
    if status.success() { Ok(()) } else { Err(Failed { command: shown, code: status.code() }.into()) }
}

/// As [`run`], where nothing is left to do after the command: on Unix it takes this process's place, so that Ctrl-C reaches it alone,
/// and it is the one that is waited for.
pub(crate) fn become_it(command: Command) -> Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::process::CommandExt;

        let mut command = command;
        let shown = announce(&command);
        Err(command.exec()).with_context(|| format!("cannot start `{shown}`"))
    }
    #[cfg(not(unix))]
    run(command)
}

/// Runs a command and returns what it printed, silently.
pub(crate) fn capture(command: &mut Command) -> Result<String> {
    let shown = describe(command);
    let output = command.output().with_context(|| format!("cannot start `{shown}`"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    eprint!("{}", String::from_utf8_lossy(&output.stderr));
    Err(Failed { command: shown, code: output.status.code() }.into())
}

/// What the `test result:` lines of a run of `cargo test` add up to.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    pub(crate) ignored: u64,
}

impl Tally {
    /// Adds one line of output, if it is a result line.
    fn add_line(&mut self, line: &str) {
        let Some(at) = line.find("test result: ") else { return };
        for part in line[at..].split(['.', ';']) {
            let mut words = part.split_whitespace();
            let (Some(number), Some(what)) = (words.next(), words.next()) else { continue };
            let Ok(number) = number.parse::<u64>() else { continue };
            match what {
                "passed" => self.passed += number,
                "failed" => self.failed += number,
                "ignored" => self.ignored += number,
                _ => {}
            }
        }
    }
}

impl std::ops::AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.ignored += other.ignored;
    }
}

/// Runs a `cargo test`, passing its output on and counting what it reports.
pub(crate) fn run_tests(mut command: Command) -> Result<Tally> {
    let shown = announce(&command);
    if std::io::stdout().is_terminal() {
        command.env("CARGO_TERM_COLOR", "always");
    }
    let mut child =
        command.stdout(Stdio::piped()).spawn().with_context(|| format!("cannot start `{shown}`"))?;
    let mut tally = Tally::default();
    if let Some(output) = child.stdout.take() {
        let mut stdout = std::io::stdout().lock();
        for line in BufReader::new(output).split(b'\n') {
            let line = line?;
            stdout.write_all(&line)?;
            stdout.write_all(b"\n")?;
            tally.add_line(&String::from_utf8_lossy(&line));
        }
    }
    let status = child.wait()?;
    if status.success() { Ok(tally) } else { Err(Failed { command: shown, code: status.code() }.into()) }
}

/// Prints the line that says what runs now.
fn announce(command: &Command) -> String {
    let shown = describe(command);
    eprintln!("── {shown}");
    shown
}

/// The command as one would type it, without the folders of the programs.
fn describe(command: &Command) -> String {
    let program = std::path::Path::new(command.get_program());
    let mut words = vec![program.file_name().unwrap_or(program.as_os_str()).to_string_lossy().into_owned()];
    for arg in command.get_args() {
        let arg = arg.to_string_lossy();
        words.push(if arg.contains(' ') { format!("'{arg}'") } else { arg.into_owned() });
    }
    words.join(" ")
}

/// As in "4.2 s" or "3 min 07 s".
pub(crate) fn elapsed(since: Instant) -> String {
    show(since.elapsed())
}

fn show(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0..60 => format!("{:.1} s", time.as_secs_f64()),
        _ => format!("{} min {:02} s", seconds / 60, seconds % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn result_lines_add_up_and_others_do_not_count() {
        let mut tally = Tally::default();
        tally.add_line("running 3 tests");
        tally
            .add_line("test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 7 filtered out; finished");
        tally.add_line("test result: \u{1b}[31mFAILED\u{1b}[0m. 39 passed; 2 failed; 0 ignored; 0 measured");
        assert_eq!(tally, Tally { passed: 42, failed: 2, ignored: 1 });
    }

    #[test]
    fn a_failing_command_is_named_with_its_code() {
        let mut command = Command::new("sh");
        command.args(["-c", "exit 7"]);
        let error = run(command).unwrap_err();
        assert_eq!(error.to_string(), "`sh -c 'exit 7'` failed with exit code 7");
        assert_eq!(error.downcast_ref::<Failed>().and_then(|failed| failed.code), Some(7));
    }

    #[test]
    fn durations_read_as_people_say_them() {
        assert_eq!(show(Duration::from_millis(4_230)), "4.2 s");
        assert_eq!(show(Duration::from_secs(187)), "3 min 07 s");
    }
}
