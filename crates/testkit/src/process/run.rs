//! One run of a child process, to its end or to its death, never longer than the watchdog allows.

use std::fmt;
use std::io::{self, BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// How often the child is looked at.
const POLL: Duration = Duration::from_millis(1);

/// When to kill.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KillAt {
    /// This long after the start.
    Delay(Duration),
    /// As soon as this file exists. Remove it before the run.
    File(PathBuf),
    /// As soon as a line with this text appears on standard output.
    Line(String),
}

/// A run that ended.
#[derive(Debug, Clone)]
pub struct Finished {
    /// Exit status; of a killed program, that of the signal.
    pub status: ExitStatus,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl fmt::Display for Finished {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\nstdout:\n{}\nstderr:\n{}", self.status, self.stdout, self.stderr)
    }
}

/// Whether the kill met the program.
#[derive(Debug, Clone)]
pub enum Killed {
    /// It was running and is dead.
    Running(Finished),
    /// It had ended by itself.
    TooLate(Finished),
}

/// Why a run could not be judged.
#[derive(Debug)]
#[non_exhaustive]
pub enum ProcessError {
    /// The program could not be started or watched.
    Io {
        /// The command.
        command: String,
        /// The error of the system.
        source: io::Error,
    },
    /// The watchdog killed it.
    Timeout {
        /// The command.
        command: String,
        /// The limit.
        limit: Duration,
        /// What it had written.
        output: Finished,
    },
}

impl fmt::Display for ProcessError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io { command, source } => write!(f, "{command}: {source}"),
            Self::Timeout { command, limit, output } => {
                write!(f, "{command}: still running after {limit:?}, killed: {output}")
            }
        }
    }
}

impl std::error::Error for ProcessError {}

/// Runs `command` to its end. Its output is captured and its input empty.
///
/// # Errors
/// [`ProcessError`], also if it lasts longer than `watchdog`. A bad exit status is not an error here.
pub fn run_to_end(command: &mut Command, watchdog: Duration) -> Result<Finished, ProcessError> {
    match watch(command, None, watchdog)? {
        Killed::Running(finished) | Killed::TooLate(finished) => Ok(finished),
    }
}

/// Runs `command` and kills it (SIGKILL on Unix: it cannot clean up) at the given moment.
///
/// # Errors
/// [`ProcessError`], also if neither the moment nor the end comes before `watchdog`.
pub fn run_and_kill(command: &mut Command, at: &KillAt, watchdog: Duration) -> Result<Killed, ProcessError> {
    watch(command, Some(at), watchdog)
}

fn watch(command: &mut Command, at: Option<&KillAt>, watchdog: Duration) -> Result<Killed, ProcessError> {
    let name = format!("{command:?}");
    let failed = |source| ProcessError::Io { command: name.clone(), source };
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let start = Instant::now();
    let mut child = Running::start(command).map_err(failed)?;
    loop {
        if let Some(status) = child.process.try_wait().map_err(failed)? {
            return Ok(Killed::TooLate(child.finish(status)));
        }
        if at.is_some_and(|at| child.reached(at, start)) {
            let status = child.kill().map_err(failed)?;
            // It may have ended between the look and the kill; then it has an exit code and no signal.
            let finished = child.finish(status);
            return Ok(if status.code().is_some() && cfg!(unix) {
                Killed::TooLate(finished)
            } else {
                Killed::Running(finished)
            });
        }
        if start.elapsed() > watchdog {
            let status = child.kill().map_err(failed)?;
            let output = child.finish(status);
            return Err(ProcessError::Timeout { command: name, limit: watchdog, output });
        }
        thread::sleep(POLL);
    }
}

/// A child whose output is read by two threads, so that it never waits for us.
struct Running {
    process: Child,
    lines: Receiver<String>,
    stdout: String,
    stderr: Option<JoinHandle<String>>,
}

impl Running {
    fn start(command: &mut Command) -> io::Result<Self> {
        let mut process = command.spawn()?;
        let (send, lines) = mpsc::channel();
        if let Some(stdout) = process.stdout.take() {
            thread::spawn(move || {
                let mut reader = BufReader::new(stdout);
                let mut line = Vec::new();
                // Ends at the end of the pipe, or when nobody listens any more.
                while reader.read_until(b'\n', &mut line).is_ok_and(|n| n > 0) {
                    if send.send(String::from_utf8_lossy(&line).into_owned()).is_err() {
                        break;
                    }
                    line.clear();
                }
            });
        }
        let stderr = process.stderr.take().map(|mut pipe| {
            thread::spawn(move || {
                let mut bytes = Vec::new();
                // What was read before an error is worth showing.
                let _ = pipe.read_to_end(&mut bytes);
                String::from_utf8_lossy(&bytes).into_owned()
            })
        });
        Ok(Self { process, lines, stdout: String::new(), stderr })
    }

    fn reached(&mut self, at: &KillAt, start: Instant) -> bool {
        let mut seen = false;
        while let Ok(line) = self.lines.try_recv() {
            seen |= matches!(at, KillAt::Line(text) if line.contains(text.as_str()));
            self.stdout.push_str(&line);
        }
        match at {
            KillAt::Delay(delay) => start.elapsed() >= *delay,
            KillAt::File(path) => path.exists(),
            KillAt::Line(_) => seen,
        }
    }

    fn kill(&mut self) -> io::Result<ExitStatus> {
        self.process.kill()?;
        self.process.wait()
    }

    fn finish(mut self, status: ExitStatus) -> Finished {
        let mut stdout = std::mem::take(&mut self.stdout);
        // A grandchild that holds the pipe open must not hold the test: half a second after the last line is enough.
        while let Ok(line) = self.lines.recv_timeout(Duration::from_millis(500)) {
            stdout.push_str(&line);
        }
        let deadline = Instant::now() + Duration::from_millis(500);
        let stderr = self.stderr.take().map_or_else(String::new, |reader| {
            while !reader.is_finished() && Instant::now() < deadline {
                thread::sleep(POLL);
            }
            if reader.is_finished() { reader.join().unwrap_or_default() } else { String::new() }
        });
        Finished { status, stdout, stderr }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Whatever goes wrong above, no child outlives the test. One that has ended is not there to be killed.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
