//! Two folders, byte for byte.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::{fmt, fs, io};

/// How two folders differ.
#[derive(Debug)]
#[non_exhaustive]
pub enum FolderError {
    /// There is no file to compare.
    Empty(PathBuf),
    /// A name is in one folder only, relative to it.
    Missing {
        /// The folder that lacks it.
        folder: PathBuf,
        /// The name.
        name: PathBuf,
    },
    /// One is a file and the other a folder.
    Kind(PathBuf),
    /// Contents differ.
    Bytes {
        /// The file, relative to both folders.
        name: PathBuf,
        /// The first position that differs.
        offset: usize,
        /// Length in the first folder.
        got: usize,
        /// Length in the second folder.
        want: usize,
    },
    /// A file or folder cannot be read.
    Io(PathBuf, io::Error),
}

impl fmt::Display for FolderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty(folder) => write!(f, "{}: nothing compared", folder.display()),
            Self::Missing { folder, name } => {
                write!(f, "{} is missing from {}", name.display(), folder.display())
            }
            Self::Kind(name) => {
                write!(f, "{} is a file in one folder, a folder in the other", name.display())
            }
            Self::Bytes { name, offset, got, want } => {
                write!(f, "{} differs from byte {offset} on (lengths {got} and {want})", name.display())
            }
            Self::Io(path, error) => write!(f, "{}: {error}", path.display()),
        }
    }
}

impl std::error::Error for FolderError {}

/// Every file of `got` and `want` has the same name and the same bytes; returns how many. Files and folders whose name is in
/// `ignored` are left out wherever they are.
///
/// # Errors
/// The first difference in order of names; [`FolderError::Empty`] if there is no file.
pub fn compare_folders(got: &Path, want: &Path, ignored: &[&str]) -> Result<usize, FolderError> {
    let files = compare(got, want, Path::new(""), ignored)?;
    if files == 0 { Err(FolderError::Empty(got.to_owned())) } else { Ok(files) }
}

fn compare(got: &Path, want: &Path, below: &Path, ignored: &[&str]) -> Result<usize, FolderError> {
    let (ours, theirs) = (names(&got.join(below), ignored)?, names(&want.join(below), ignored)?);
    if let Some(name) = ours.symmetric_difference(&theirs).next() {
        let folder = if ours.contains(name) { want } else { got };
        return Err(FolderError::Missing { folder: folder.to_owned(), name: below.join(name) });
    }
    let mut files = 0;
    for name in ours {
        let name = below.join(name);
        let (a, b) = (got.join(&name), want.join(&name));
        match (a.is_dir(), b.is_dir()) {
            (true, true) => files += compare(got, want, &name, ignored)?,
            (false, false) => {
                let (a, b) = (read(&a)?, read(&b)?);
                if a != b {
                    let equal = a.iter().zip(&b).take_while(|(a, b)| a == b).count();
                    return Err(FolderError::Bytes { name, offset: equal, got: a.len(), want: b.len() });
                }
                files += 1;
            }
            _ => return Err(FolderError::Kind(name)),
        }
    }
    Ok(files)
}

fn names(folder: &Path, ignored: &[&str]) -> Result<BTreeSet<PathBuf>, FolderError> {
    let failed = |error| FolderError::Io(folder.to_owned(), error);
    let mut names = BTreeSet::new();
    for entry in fs::read_dir(folder).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name();
        if !ignored.iter().any(|&ignored| name == *ignored) {
            names.insert(PathBuf::from(name));
        }
    }
    Ok(names)
}

fn read(path: &Path) -> Result<Vec<u8>, FolderError> {
    fs::read(path).map_err(|error| FolderError::Io(path.to_owned(), error))
}
