//! What asks a run to stop: Ctrl-C, SIGTERM, and the end of the process that has started this one.
//!
//! A process that starts another holds its standard input open, and lets go of it to stop it. Where the first is killed, the system does
//! the same. A launcher of MPI hands the input on to the first worker. No signal is passed on: those of a terminal reach all.

use std::io;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::{Handle, Signals};

/// Set in a process whose standard input is open for as long as it is to run.
const HELD: &str = "VARIATA_HELD";

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asked {
    /// A signal.
    Signal {
        /// Its number.
        number: i32,
        /// Whether it is not the first one.
        again: bool,
    },
    /// The process that has started this one.
    LetGo,
}

impl Asked {
    /// The number of the signal, or of the one that it is like.
    pub(crate) fn signal(self) -> i32 {
        match self {
            Self::Signal { number, .. } => number,
            Self::LetGo => SIGTERM,
        }
    }
}

/// Listens until it is dropped; signals have no other effect from then on.
#[derive(Debug)]
pub(crate) struct Listener(Handle);

impl Listener {
    /// Calls `heard` whenever somebody asks. Of several workers `held` is the first: the others have no standard input.
    ///
    /// # Errors
    /// The system has no thread, or no file, left.
    pub(crate) fn new(held: bool, heard: impl Fn(Asked) + Send + Sync + 'static) -> Result<Self> {
        let heard = Arc::new(heard);
        let mut signals = Signals::new([SIGINT, SIGTERM]).context("cannot listen to signals")?;
        let handle = signals.handle();
        let by_signal = heard.clone();
        spawn("signals", move || {
            let mut again = false;
            for number in signals.forever() {
                by_signal(Asked::Signal { number, again });
                again = true;
            }
        })?;
        if held && std::env::var_os(HELD).is_some() {
            spawn("held", move || {
                // Nothing is written to it. What cannot be read is not held.
                let _ = io::copy(&mut io::stdin().lock(), &mut io::sink());
                heard(Asked::LetGo);
            })?;
        }
        Ok(Self(handle))
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.0.close();
    }
}

fn spawn(name: &str, job: impl FnOnce() + Send + 'static) -> Result<()> {
    let thread = std::thread::Builder::new().name(name.to_owned()).spawn(job);
    thread.context("cannot start a thread that listens")?;
    Ok(())
}

/// Holds what this process starts, one process at a time.
#[derive(Debug, Clone, Default)]
pub(crate) struct Hold(Arc<Mutex<Held>>);

#[derive(Debug, Default)]
struct Held {
    input: Option<ChildStdin>,
    over: bool,
}

impl Hold {
    /// Lets go at whatever asks this process to stop.
    ///
    /// # Errors
    /// As [`Listener::new`].
    pub(crate) fn until_asked(&self) -> Result<Listener> {
        let hold = self.clone();
        Listener::new(true, move |_| hold.let_go())
    }

    /// Starts a process that stops, with a checkpoint, once it is let go.
    ///
    /// # Errors
    /// It cannot be started.
    pub(crate) fn start(&self, command: &mut Command) -> io::Result<Child> {
        let mut child = command.stdin(Stdio::piped()).env(HELD, "1").spawn()?;
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        held.input = child.stdin.take().filter(|_| !held.over);
        Ok(child)
    }

    /// Lets go of what runs and of what will be started.
    fn let_go(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Held { input: None, over: true };
    }

    /// Whether it was let go.
    pub(crate) fn is_over(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).over
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `cat` runs until nobody can write to it.
    #[test]
    fn a_process_is_held_until_it_is_let_go() {
        let hold = Hold::default();
        let mut first = hold.start(&mut Command::new("cat")).unwrap();
        assert!(first.try_wait().unwrap().is_none() && !hold.is_over());
        hold.let_go();
        assert!(first.wait().unwrap().success());
        let mut later = hold.start(&mut Command::new("cat")).unwrap();
        assert!(later.wait().unwrap().success() && hold.is_over());
    }
}
