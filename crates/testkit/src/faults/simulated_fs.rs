//! A file system in memory that can crash.

mod crash;
mod state;

use std::fmt;
use std::io;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use state::{State, split};

/// A file system in memory that records its operations and can show what a crash after any of them may leave behind.
///
/// It promises what POSIX promises and no more:
/// - what a file holds survives only after [`sync_file`](Self::sync_file); before that a crash may leave the old contents,
///   nothing, a half, or zeros of the new length;
/// - a name (created, renamed, removed) survives only after [`sync_dir`](Self::sync_dir) of its folder; before that each
///   change may or may not have reached the disk, in any combination;
/// - a rename takes effect as a whole or not at all.
///
/// Paths are relative to one root; `/a` and `a` are the same. Every change counts as one operation, a failed one as
/// none, and [`remove_dir_all`](Self::remove_dir_all) and [`create_dir_all`](Self::create_dir_all) as one per name.
///
/// ```
/// use variata_testkit::faults::SimulatedFs;
///
/// let fs = SimulatedFs::new();
/// fs.write("new", b"data")?;
/// fs.rename("new", "file")?; // no sync: the name may survive without the data
/// let crashes = fs.crash_states(fs.operation_count());
/// assert!(crashes.iter().any(|crash| crash.read("file").is_ok_and(|data| data.is_empty())));
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct SimulatedFs {
    inner: Mutex<Inner>,
}

#[derive(Clone)]
struct Inner {
    initial: State,
    state: State,
    log: Vec<Operation>,
    failure: Option<(usize, io::ErrorKind)>,
    origin: String,
}

/// One recorded change.
#[derive(Debug, Clone)]
enum Operation {
    CreateDir(String),
    Write(String, Vec<u8>),
    Append(String, Vec<u8>),
    SyncFile(String),
    Rename(String, String),
    SyncDir(String),
    RemoveFile(String),
    RemoveDir(String),
}

impl Operation {
    fn apply(&self, state: &mut State) -> io::Result<()> {
        match self {
            Self::CreateDir(path) => state.create_dir(path),
            Self::Write(path, data) => state.write(path, data, true),
            Self::Append(path, data) => state.write(path, data, false),
            Self::SyncFile(path) => state.sync_file(path),
            Self::Rename(from, to) => state.rename(from, to),
            Self::SyncDir(path) => state.sync_dir(path),
            Self::RemoveFile(path) => state.remove(path, false),
            Self::RemoveDir(path) => state.remove(path, true),
        }
    }

    /// What remains of it when it fails half way: half of the data for a write.
    fn half(&self) -> Option<Self> {
        match self {
            Self::Write(path, data) => Some(Self::Write(path.clone(), data[..data.len() / 2].to_vec())),
            Self::Append(path, data) => Some(Self::Append(path.clone(), data[..data.len() / 2].to_vec())),
            _ => None,
        }
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CreateDir(path) => write!(f, "create_dir {path}"),
            Self::Write(path, data) => write!(f, "write {path} ({} bytes)", data.len()),
            Self::Append(path, data) => write!(f, "append {path} ({} bytes)", data.len()),
            Self::SyncFile(path) => write!(f, "sync_file {path}"),
            Self::Rename(from, to) => write!(f, "rename {from} to {to}"),
            Self::SyncDir(path) => write!(f, "sync_dir {path}"),
            Self::RemoveFile(path) => write!(f, "remove_file {path}"),
            Self::RemoveDir(path) => write!(f, "remove_dir {path}"),
        }
    }
}

impl SimulatedFs {
    /// An empty file system.
    pub fn new() -> Self {
        Self::from_state(State::default(), String::new())
    }

    fn from_state(state: State, origin: String) -> Self {
        let inner = Inner { initial: state.clone(), state, log: Vec::new(), failure: None, origin };
        Self { inner: Mutex::new(inner) }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // A test that panicked elsewhere leaves whole operations behind.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn perform(&self, operation: Operation) -> io::Result<()> {
        let mut inner = self.lock();
        let at = inner.log.len();
        if let Some((_, kind)) = inner.failure.filter(|&(from, _)| at >= from) {
            if let Some(half) = operation.half()
                && half.apply(&mut inner.state).is_ok()
            {
                inner.log.push(half);
            }
            return Err(io::Error::new(kind, format!("injected at operation {at} ({operation})")));
        }
        operation.apply(&mut inner.state)?;
        inner.log.push(operation);
        Ok(())
    }

    /// From operation `at` (counting from 0) on, every change fails with `kind`; a write leaves half of its data.
    pub fn fail_from(&self, at: usize, kind: io::ErrorKind) {
        self.lock().failure = Some((at, kind));
    }

    /// Creates a folder and its parents; existing folders are left alone.
    ///
    /// # Errors
    /// As `std::fs::create_dir_all`.
    pub fn create_dir_all(&self, path: impl AsRef<Path>) -> io::Result<()> {
        let parts = split(path.as_ref())?;
        for end in 1..=parts.len() {
            let prefix = parts[..end].join("/");
            if !self.lock().state.is_dir(&prefix) {
                self.perform(Operation::CreateDir(prefix))?;
            }
        }
        Ok(())
    }

    /// Creates or empties the file and writes `data`.
    ///
    /// # Errors
    /// As `std::fs::write`.
    pub fn write(&self, path: impl AsRef<Path>, data: &[u8]) -> io::Result<()> {
        self.perform(Operation::Write(key(path.as_ref())?, data.to_vec()))
    }

    /// Writes `data` at the end of the file, which is created if there is none.
    ///
    /// # Errors
    /// As opening with `append` and `create`.
    pub fn append(&self, path: impl AsRef<Path>, data: &[u8]) -> io::Result<()> {
        self.perform(Operation::Append(key(path.as_ref())?, data.to_vec()))
    }

    /// The contents of the file survive a crash from now on; its name is another matter.
    ///
    /// # Errors
    /// If there is no such file.
    pub fn sync_file(&self, path: impl AsRef<Path>) -> io::Result<()> {
        self.perform(Operation::SyncFile(key(path.as_ref())?))
    }

    /// Renames a file or folder; replaces a file, or an empty folder by a folder.
    ///
    /// # Errors
    /// As `std::fs::rename`.
    pub fn rename(&self, from: impl AsRef<Path>, to: impl AsRef<Path>) -> io::Result<()> {
        self.perform(Operation::Rename(key(from.as_ref())?, key(to.as_ref())?))
    }

    /// The names in the folder survive a crash from now on; what its subfolders hold is another matter.
    ///
    /// # Errors
    /// If there is no such folder.
    pub fn sync_dir(&self, path: impl AsRef<Path>) -> io::Result<()> {
        self.perform(Operation::SyncDir(key(path.as_ref())?))
    }

    /// Removes a file.
    ///
    /// # Errors
    /// As `std::fs::remove_file`.
    pub fn remove_file(&self, path: impl AsRef<Path>) -> io::Result<()> {
        self.perform(Operation::RemoveFile(key(path.as_ref())?))
    }

    /// Removes a folder with everything in it, name by name.
    ///
    /// # Errors
    /// As `std::fs::remove_dir_all`; the root cannot be removed.
    pub fn remove_dir_all(&self, path: impl AsRef<Path>) -> io::Result<()> {
        let path = key(path.as_ref())?;
        if path.is_empty() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "the root cannot be removed"));
        }
        let names = self.lock().state.list(&path)?;
        for name in names {
            let child = format!("{path}/{name}");
            let is_dir = self.lock().state.is_dir(&child);
            if is_dir {
                self.remove_dir_all(&child)?;
            } else {
                self.perform(Operation::RemoveFile(child))?;
            }
        }
        self.perform(Operation::RemoveDir(path))
    }

    /// The names in a folder, sorted.
    ///
    /// # Errors
    /// If there is no such folder.
    pub fn list(&self, path: impl AsRef<Path>) -> io::Result<Vec<String>> {
        self.lock().state.list(&key(path.as_ref())?)
    }

    /// The contents of a file, as a running program sees them.
    ///
    /// # Errors
    /// If there is no such file.
    pub fn read(&self, path: impl AsRef<Path>) -> io::Result<Vec<u8>> {
        self.lock().state.read(&key(path.as_ref())?)
    }

    /// Whether there is a file or folder of this name.
    pub fn exists(&self, path: impl AsRef<Path>) -> bool {
        key(path.as_ref()).is_ok_and(|path| self.lock().state.exists(&path))
    }

    /// Whether there is a folder of this name.
    pub fn is_dir(&self, path: impl AsRef<Path>) -> bool {
        key(path.as_ref()).is_ok_and(|path| self.lock().state.is_dir(&path))
    }

    /// How many operations were recorded.
    pub fn operation_count(&self) -> usize {
        self.lock().log.len()
    }

    /// The recorded operations in words.
    pub fn operations(&self) -> Vec<String> {
        self.lock().log.iter().map(ToString::to_string).collect()
    }

    /// How this state came about, if it is one of [`crash_states`](Self::crash_states): for messages. Empty otherwise.
    pub fn origin(&self) -> String {
        self.lock().origin.clone()
    }

    /// Everything that a crash right after the first `after_op` operations (all of them, if there are fewer) may leave
    /// behind, without duplicates. Each is a file system of its own, whose contents are on disk.
    ///
    /// Names: every subset of the changes that were not synced; of more than six only each prefix, each alone, and
    /// each left out. Data: all files that were not synced alike, or one of them only, keep what was written, have the old
    /// contents, are empty, have half of what is new, or zeros in its place.
    pub fn crash_states(&self, after_op: usize) -> Vec<SimulatedFs> {
        let inner = self.lock();
        let mut state = inner.initial.clone();
        let done = after_op.min(inner.log.len());
        for operation in &inner.log[..done] {
            // The log holds what succeeded, and replaying is deterministic.
            let replayed = operation.apply(&mut state);
            debug_assert!(replayed.is_ok(), "{operation}: {replayed:?}");
        }
        let last = done.checked_sub(1).map_or_else(|| "nothing".to_owned(), |i| inner.log[i].to_string());
        crash::enumerate(&state)
            .into_iter()
            .map(|(state, how)| {
                Self::from_state(
                    state,
                    format!("crash after {done} operations, the last being {last}: {how}"),
                )
            })
            .collect()
    }
}

impl Default for SimulatedFs {
    fn default() -> Self {
        Self::new()
    }
}

impl Clone for SimulatedFs {
    fn clone(&self) -> Self {
        Self { inner: Mutex::new(self.lock().clone()) }
    }
}

impl fmt::Debug for SimulatedFs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = self.lock();
        f.debug_struct("SimulatedFs")
            .field("origin", &inner.origin)
            .field("tree", &inner.state.tree())
            .field("operations", &inner.log.iter().map(ToString::to_string).collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}

fn key(path: &Path) -> io::Result<String> {
    Ok(split(path)?.join("/"))
}
