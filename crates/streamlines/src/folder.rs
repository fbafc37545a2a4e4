//! Folders of real bundles, named as TractoInferno names them.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use crate::resample::arc_length;
use crate::{Coordinate, Error, Format, GroupOptions, Groups, ReadOptions, Streamlines, Tractogram};

/// Folders inside folders are followed this far; TractoInferno needs three.
const DEEPEST: usize = 8;

/// A file named `sub-1001__AF_L.trk`: the bundle of one tract of one subject.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct BundleFile {
    /// The subject, as in "sub-1001".
    pub subject: String,
    /// The tract, as in "AF_L".
    pub tract: String,
    /// The file.
    pub path: PathBuf,
}

impl BundleFile {
    /// Subject and tract from a file's name, if it is named so; `.trk` and `.tck`, with or without `.gz`.
    ///
    /// ```
    /// use variata_streamlines::BundleFile;
    ///
    /// let file = BundleFile::parse("data/sub-1001__CC_Fr_1.trk.gz").unwrap();
    /// assert_eq!((&file.subject[..], &file.tract[..]), ("sub-1001", "CC_Fr_1"));
    /// assert_eq!(BundleFile::parse("data/whole-brain.trk"), None);
    /// ```
    pub fn parse(path: impl AsRef<Path>) -> Option<Self> {
        let path = path.as_ref();
        Format::of(path)?;
        let name = path.file_name()?.to_str()?;
        let lower = name.to_ascii_lowercase();
        let stem = &name[..lower.strip_suffix(".gz").unwrap_or(&lower).rfind('.')?];
        let (subject, tract) = stem.split_once("__")?;
        let named = subject.strip_prefix("sub-").is_some_and(|id| !id.is_empty()) && !tract.is_empty();
        named.then(|| Self { subject: subject.to_owned(), tract: tract.to_owned(), path: path.to_path_buf() })
    }

    /// Reads the file in world coordinates, and counts in `summary`; None if it cannot be read. A NaN `min_length` disables the
    /// length test.
    pub fn read(&self, options: FolderOptions, summary: &mut FolderSummary) -> Option<Streamlines<f32>> {
        match Tractogram::read_with(&self.path, ReadOptions { keep_non_finite: true }) {
            Ok(tractogram) => {
                summary.files += 1;
                Some(sifted(&tractogram.world(), options, summary))
            }
            Err(error) => {
                summary.unreadable.push((self.path.clone(), error));
                None
            }
        }
    }
}

/// Which streamlines of a file are left out.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FolderOptions {
    /// Streamlines of fewer points are short; at least 2.
    pub min_points: usize,
    /// Streamlines that are not longer, in mm, are short.
    pub min_length: f64,
}

impl Default for FolderOptions {
    fn default() -> Self {
        Self { min_points: 2, min_length: 0.0 }
    }
}

/// What a folder gave, and what it did not.
#[derive(Debug, Default)]
pub struct FolderSummary {
    /// Files that were read.
    pub files: usize,
    /// Files that cannot be read, and why.
    pub unreadable: Vec<(PathBuf, Error)>,
    /// TRK and TCK files that are not named after subject and tract, or were not asked for by tract.
    pub left_out: Vec<PathBuf>,
    /// Streamlines that were kept.
    pub kept: usize,
    /// Streamlines that were left out because they are short.
    pub short: usize,
    /// Streamlines that were left out because a coordinate is not finite, or beyond 10¹⁸, where squares are not.
    pub non_finite: usize,
}

/// Errors that a summary shows.
const SHOWN: usize = 10;

impl fmt::Display for FolderSummary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} files read, {} unreadable, {} left out; {} streamlines kept, {} short, {} not finite",
            self.files,
            self.unreadable.len(),
            self.left_out.len(),
            self.kept,
            self.short,
            self.non_finite
        )?;
        for (_, error) in self.unreadable.iter().take(SHOWN) {
            write!(f, "\n  {error}")?;
        }
        if self.unreadable.len() > SHOWN {
            write!(f, "\n  and {} more", self.unreadable.len() - SHOWN)?;
        }
        Ok(())
    }
}

/// The bundles in a folder and the folders inside it, found by name and read one at a time.
///
/// ```
/// use variata_streamlines::{Folder, FolderOptions, Phantom, Tract, Tractogram};
///
/// # let dir = tempfile::tempdir()?;
/// # let dir = dir.path();
/// let bundle = Phantom::default().bundle(1, Tract::IlfL)?;
/// let count = bundle.len();
/// Tractogram::new(bundle).write(dir.join("sub-1001__ILF_L.trk"))?;
/// std::fs::write(dir.join("sub-1002__ILF_L.trk"), "no streamlines")?;
///
/// let folder = Folder::open(dir)?;
/// assert_eq!(folder.subjects(), ["sub-1001", "sub-1002"]);
/// let (bundles, summary) = folder.load(FolderOptions::default());
/// assert_eq!((bundles.len(), bundles[0].1.len()), (1, count));
/// assert_eq!((summary.files, summary.unreadable.len()), (1, 1));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folder {
    files: Vec<BundleFile>,
    unnamed: Vec<PathBuf>,
}

impl Folder {
    /// Lists the files, sorted by subject, tract and path. Links to folders are not followed.
    ///
    /// # Errors
    /// [`Error::Io`] when a folder cannot be listed; [`Error::NoBundles`] when no file is named like a bundle.
    pub fn open(dir: impl AsRef<Path>) -> Result<Self, Error> {
        let dir = dir.as_ref();
        let mut folder = Self { files: Vec::new(), unnamed: Vec::new() };
        folder.list(dir, DEEPEST)?;
        if folder.files.is_empty() {
            return Err(Error::NoBundles { folder: dir.to_path_buf() });
        }
        folder.files.sort();
        folder.unnamed.sort();
        Ok(folder)
    }

    fn list(&mut self, dir: &Path, deeper: usize) -> Result<(), Error> {
        let io = |action| move |source| Error::Io { file: dir.to_path_buf(), action, source };
        for entry in fs::read_dir(dir).map_err(io("list"))? {
            let entry = entry.map_err(io("list"))?;
            let path = entry.path();
            if entry.file_type().map_err(io("list"))?.is_dir() {
                if deeper > 0 {
                    self.list(&path, deeper - 1)?;
                }
            } else if Format::of(&path).is_some() && fs::metadata(&path).is_ok_and(|found| !found.is_file()) {
                // A pipe would be waited for.
                self.unnamed.push(path);
            } else if Format::of(&path).is_some() {
                match BundleFile::parse(&path) {
                    Some(file) => self.files.push(file),
                    None => self.unnamed.push(path),
                }
            }
        }
        Ok(())
    }

    /// The files that are named like bundles.
    pub fn files(&self) -> &[BundleFile] {
        &self.files
    }

    /// TRK and TCK files with other names, and what has such a name and is no file.
    pub fn unnamed(&self) -> &[PathBuf] {
        &self.unnamed
    }

    /// Names of the subjects, sorted.
    pub fn subjects(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.files.iter().map(|file| &file.subject[..]).collect();
        names.dedup();
        names
    }

    /// Names of the tracts, sorted.
    pub fn tracts(&self) -> Vec<&str> {
        let mut names: Vec<&str> = self.files.iter().map(|file| &file.tract[..]).collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// Reads all files. Those that cannot be read are in the summary with their errors.
    pub fn load(&self, options: FolderOptions) -> (Vec<(BundleFile, Streamlines<f32>)>, FolderSummary) {
        let mut summary = FolderSummary { left_out: self.unnamed.clone(), ..FolderSummary::default() };
        let mut bundles = Vec::new();
        for file in &self.files {
            if let Some(lines) = file.read(options, &mut summary) {
                bundles.push((file.clone(), lines));
            }
        }
        (bundles, summary)
    }

    /// The bundles of some tracts as data of equal size. The class of a datum is its tract's index in `tracts`, its subject
    /// the index in [`subjects`](Self::subjects); one file is in memory at a time.
    ///
    /// # Errors
    /// [`Error::UnknownTract`] for a tract of which the folder has no file, and as [`Groups::new`] and [`Groups::add`].
    pub fn groups(
        &self,
        tracts: &[&str],
        group: GroupOptions,
        options: FolderOptions,
    ) -> Result<(Groups<f32>, FolderSummary), Error> {
        let mut summary = FolderSummary { left_out: self.unnamed.clone(), ..FolderSummary::default() };
        let mut groups = Groups::new(group)?;
        let known = self.tracts();
        if let Some(&missing) = tracts.iter().find(|tract| known.binary_search(tract).is_err()) {
            return Err(Error::UnknownTract { name: missing.to_owned(), known: known.join(", ") });
        }
        let subjects = self.subjects();
        for file in &self.files {
            let Some(class) = tracts.iter().position(|&tract| tract == file.tract) else {
                summary.left_out.push(file.path.clone());
                continue;
            };
            if let Some(lines) = file.read(options, &mut summary) {
                let subject = subjects.binary_search(&&file.subject[..]).unwrap_or_default();
                groups.add(class, subject, &lines)?;
            }
        }
        Ok((groups, summary))
    }
}

/// The streamlines that are long enough and finite.
fn sifted(lines: &Streamlines<f32>, options: FolderOptions, summary: &mut FolderSummary) -> Streamlines<f32> {
    let mut kept = Streamlines::new();
    for line in lines.slices() {
        // Also false for a NaN. What is larger, lengths and sizes could not hold.
        if !line.as_flattened().iter().all(|x| f64::from(x.abs()) <= f32::LARGEST) {
            summary.non_finite += 1;
        } else if line.len() < options.min_points.max(2) || arc_length(line) <= options.min_length {
            summary.short += 1;
        } else {
            summary.kept += 1;
            for &point in line {
                kept.point(point);
            }
            kept.end();
        }
    }
    kept
}
