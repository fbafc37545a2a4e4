//! The few file operations that a checkpoint needs, so that tests can crash between any two of them.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// File operations with the durability that POSIX gives them: a write is safe after `sync_file`, a rename or removal
/// after `sync_dir` of its folder.
pub trait FileSystem {
    /// Creates a folder and its parents.
    ///
    /// # Errors
    /// As the operating system says; so for all operations below.
    fn create_dir_all(&self, path: &Path) -> io::Result<()>;
    /// Creates or replaces a file.
    ///
    /// # Errors
    /// See above.
    fn write(&self, path: &Path, bytes: &[u8]) -> io::Result<()>;
    /// Makes a file's content durable.
    ///
    /// # Errors
    /// See above.
    fn sync_file(&self, path: &Path) -> io::Result<()>;
    /// Replaces `to` by `from`, atomically.
    ///
    /// # Errors
    /// See above.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Makes a folder's entries durable.
    ///
    /// # Errors
    /// See above.
    fn sync_dir(&self, path: &Path) -> io::Result<()>;
    /// Removes a file.
    ///
    /// # Errors
    /// See above.
    fn remove_file(&self, path: &Path) -> io::Result<()>;
    /// The files of a folder; empty when there is no such folder.
    ///
    /// # Errors
    /// See above.
    fn list(&self, path: &Path) -> io::Result<Vec<PathBuf>>;
    /// A file's content.
    ///
    /// # Errors
    /// See above.
    fn read(&self, path: &Path) -> io::Result<Vec<u8>>;
}

/// The machine's own file system.
#[derive(Debug, Clone, Copy, Default)]
pub struct RealFileSystem;

impl FileSystem for RealFileSystem {
    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        fs::create_dir_all(path)
    }

    fn write(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        File::create(path)?.write_all(bytes)
    }

    fn sync_file(&self, path: &Path) -> io::Result<()> {
        File::open(path)?.sync_all()
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        File::open(path)?.sync_all()
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn list(&self, path: &Path) -> io::Result<Vec<PathBuf>> {
        match fs::read_dir(path) {
            Ok(entries) => entries.map(|e| e.map(|e| e.path())).collect(),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(e) => Err(e),
        }
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        fs::read(path)
    }
}
