//! The folder of a run: every file whole or absent, and no run overwritten by another.

use std::fs::{self, File, TryLockError};
use std::io::{self, Write};
use std::path::{Component, Path, PathBuf};

use crate::{Error, Manifest, Metrics};

const SETTINGS: &str = "settings.toml";
const MANIFEST: &str = "manifest.json";
const LOCK: &str = ".lock";

/// What a run folder held when it was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Previous {
    /// Nothing.
    Nothing,
    /// A run of the same settings that did not reach its end.
    Unfinished,
    /// A run of the same settings that reached its end.
    Finished,
}

/// What to do with a run of other settings in the same folder.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Replace {
    /// Refuse.
    #[default]
    Never,
    /// Delete it and begin anew.
    OtherSettings,
}

/// The folder of one run, locked while it is open.
///
/// A file is written beside its place under a temporary name, flushed to the disk and renamed, and then
/// the folder is flushed: after a crash there is the old file or the new one, never a part. The manifest
/// comes last and marks the run as finished.
#[derive(Debug)]
pub struct OutputDir {
    path: PathBuf,
    previous: Previous,
    /// Held for its lock, which ends with it.
    _lock: File,
}

impl OutputDir {
    /// Opens `<root>/<paper>/<preset>-<seed>`, with the first of the manifest's seeds.
    ///
    /// # Errors
    /// As [`open`](Self::open); [`Error::Name`] where paper or preset is no file name.
    pub fn for_run(root: &Path, manifest: &Manifest, replace: Replace) -> Result<Self, Error> {
        let run = match manifest.seeds.first() {
            Some(seed) => format!("{}-{seed}", manifest.preset),
            None => manifest.preset.clone(),
        };
        Self::open(&inside(&inside(root, &manifest.paper)?, &run)?, &manifest.settings(), replace)
    }

    /// Opens `path` for a run of `settings`, making it where it does not exist.
    ///
    /// A run of the same settings may be continued or done again: [`previous`](Self::previous) tells. A finished one stays so until a file has been
    /// written, or [`begin_again`](Self::begin_again).
    ///
    /// # Errors
    /// - [`Error::OtherSettings`]: it holds a run of other settings, and `replace` does not allow to delete it.
    /// - [`Error::ForeignFolder`]: it holds files but no run; these are never deleted.
    /// - [`Error::InUse`]: another process has it open.
    /// - [`Error::File`]: the system refused something.
    pub fn open(path: &Path, settings: &str, replace: Replace) -> Result<Self, Error> {
        fs::create_dir_all(path).map_err(at("make the folder", path))?;
        // A foreign folder gets no lock. What else is there is read behind it: another process may end its run before.
        settings_of(path)?;
        let lock = lock(path)?;
        let found = settings_of(path)?;
        remove_partial(path)?;
        let finished = path.join(MANIFEST).exists();
        let previous = match &found {
            None => Previous::Nothing,
            Some(found) if found == settings => {
                if finished {
                    Previous::Finished
                } else {
                    Previous::Unfinished
                }
            }
            Some(_) if replace == Replace::OtherSettings => {
                clear(path)?;
                Previous::Nothing
            }
            Some(found) => {
                return Err(Error::OtherSettings {
                    path: path.to_owned(),
                    state: if finished { "a finished" } else { "an unfinished" },
                    difference: difference(found, settings),
                });
            }
        };
        let dir = Self { path: path.to_owned(), previous, _lock: lock };
        if previous == Previous::Nothing {
            write_whole(&path.join(SETTINGS), |file| file.write_all(settings.as_bytes()))?;
        }
        Ok(dir)
    }

    /// The folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What the folder held when it was opened.
    #[must_use]
    pub fn previous(&self) -> Previous {
        self.previous
    }

    /// Makes a finished run one in progress again, as the first file that is written does: before what it rests on is removed.
    ///
    /// # Errors
    /// [`Error::File`] where the manifest cannot be removed.
    pub fn begin_again(&self) -> Result<(), Error> {
        let manifest = self.path.join(MANIFEST);
        match fs::remove_file(&manifest) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(at("remove", &manifest)(error)),
            _ => Ok(()),
        }
    }

    /// Writes a file whole. `name` is relative and may name folders, which are made.
    ///
    /// # Errors
    /// As [`write_with`](Self::write_with).
    pub fn write(&self, name: &str, bytes: &[u8]) -> Result<PathBuf, Error> {
        self.write_with(name, |file| file.write_all(bytes))
    }

    /// Writes a file whole, from what `content` writes. Where that fails, an earlier file of that name
    /// stays as it was and nothing else is left but folders that `name` names; a finished run stays one, but where the last step fails, to put a
    /// whole file into its place.
    ///
    /// # Errors
    /// [`Error::Name`] for a name that leads out of the folder, names a folder, or is one of those that the folder needs for itself;
    /// [`Error::File`] for a failed operation, of the system or of `content`.
    pub fn write_with(
        &self,
        name: &str,
        content: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> Result<PathBuf, Error> {
        let target = inside(&self.path, name)?;
        let why = match name {
            SETTINGS => "it tells whose run the folder holds",
            _ if target.is_dir() => "it is a folder",
            _ => "",
        };
        if !why.is_empty() {
            return Err(Error::Name { name: name.to_owned(), why });
        }
        let again = self.previous == Previous::Finished && target != self.path.join(MANIFEST);
        write_whole(&target, |file| {
            content(file)?;
            // Before the file is in its place, and not where there will be none.
            if again { self.begin_again().map_err(io::Error::other) } else { Ok(()) }
        })?;
        Ok(target)
    }

    /// Writes metrics.json.
    ///
    /// # Errors
    /// As [`write_with`](Self::write_with).
    pub fn write_metrics(&self, metrics: &Metrics) -> Result<PathBuf, Error> {
        self.write("metrics.json", metrics.to_json().as_bytes())
    }

    /// Writes manifest.json, which marks the run as finished.
    ///
    /// # Errors
    /// As [`write_with`](Self::write_with).
    pub fn finish(self, manifest: &Manifest) -> Result<PathBuf, Error> {
        self.write(MANIFEST, manifest.to_json().as_bytes())
    }
}

fn at<'a>(action: &'static str, path: &'a Path) -> impl FnOnce(io::Error) -> Error + 'a {
    move |source| Error::File { action, path: path.to_owned(), source }
}

fn inside(root: &Path, name: &str) -> Result<PathBuf, Error> {
    let own = |c: Component<'_>| {
        let part = c.as_os_str().to_string_lossy();
        part == LOCK || part.starts_with(variata_files::PARTIAL)
    };
    let why = if name.is_empty() {
        "it is empty"
    } else if name.trim_end_matches('.').ends_with(std::path::is_separator) {
        "it must not end like a folder"
    } else if Path::new(name).components().any(own) {
        "files of that name are the folder's own"
    } else if !Path::new(name).components().all(|c| matches!(c, Component::Normal(_))) {
        "it must be relative, without `.` and `..`"
    } else {
        return Ok(root.join(name));
    };
    Err(Error::Name { name: name.to_owned(), why })
}

fn entries(path: &Path) -> Result<Vec<fs::DirEntry>, Error> {
    fs::read_dir(path).and_then(Iterator::collect).map_err(at("list", path))
}

/// The settings of the run that a folder holds.
fn settings_of(path: &Path) -> Result<Option<String>, Error> {
    let settings = path.join(SETTINGS);
    match fs::read(&settings) {
        Ok(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(at("read", &settings)(e)),
        Err(_) if is_empty(path)? => Ok(None),
        Err(_) => Err(Error::ForeignFolder { path: path.to_owned(), marker: SETTINGS }),
    }
}

/// Whether there is nothing of anyone else's: a first open that was interrupted leaves such files.
fn is_empty(path: &Path) -> Result<bool, Error> {
    Ok(entries(path)?.iter().all(|entry| {
        let name = entry.file_name();
        // Another process may be at its first open.
        name == LOCK || name == SETTINGS || name.to_string_lossy().starts_with(variata_files::PARTIAL)
    }))
}

/// Removes what a process left that was killed while it wrote, here and in the folders of figures and the like.
fn remove_partial(path: &Path) -> Result<(), Error> {
    for entry in entries(path)? {
        let (name, entry_path) = (entry.file_name(), entry.path());
        if entry.file_type().map_err(at("look at", &entry_path))?.is_dir() {
            remove_partial(&entry_path)?;
        } else if name.to_string_lossy().starts_with(variata_files::PARTIAL) {
            fs::remove_file(&entry_path).map_err(at("remove", &entry_path))?;
        }
    }
    Ok(())
}

fn lock(path: &Path) -> Result<File, Error> {
    let lock_path = path.join(LOCK);
    let file = File::options().create(true).truncate(false).write(true).open(&lock_path);
    let file = file.map_err(at("open", &lock_path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(Error::InUse { path: path.to_owned() }),
        // A file system without locks: work without.
        Err(TryLockError::Error(e)) if e.kind() == io::ErrorKind::Unsupported => Ok(file),
        Err(TryLockError::Error(e)) => Err(at("lock", &lock_path)(e)),
    }
}

/// Deletes what a run left. The settings go last, so that an interrupted deletion can be done again.
fn clear(path: &Path) -> Result<(), Error> {
    for entry in entries(path)? {
        if entry.file_name() == LOCK || entry.file_name() == SETTINGS {
            continue;
        }
        let entry_path = entry.path();
        let is_dir = entry.file_type().map_err(at("look at", &entry_path))?.is_dir();
        let removed = if is_dir { fs::remove_dir_all(&entry_path) } else { fs::remove_file(&entry_path) };
        removed.map_err(at("remove", &entry_path))?;
    }
    let settings = path.join(SETTINGS);
    fs::remove_file(&settings).map_err(at("remove", &settings))
}

fn difference(found: &str, wanted: &str) -> String {
    let (mut found, mut wanted) = (found.lines(), wanted.lines());
    loop {
        match (found.next(), wanted.next()) {
            (Some(a), Some(b)) if a == b => {}
            (Some(a), Some(b)) => return format!("there `{a}`, now `{b}`"),
            (Some(a), None) => return format!("there also `{a}`"),
            (None, Some(b)) => return format!("now also `{b}`"),
            (None, None) => return "in line ends".to_owned(),
        }
    }
}

/// Writes a file under another name, then renames it.
pub(crate) fn write_whole(
    target: &Path,
    content: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> Result<(), Error> {
    let folder = target.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder).map_err(at("make the folder", folder))?;
    variata_files::replace(target, |file| content(file))
        .map_err(|error| at(error.action, target)(error.source))
}
