//! The Markdown files of a folder; a part of docs/build.rs, too.

use std::fs;
use std::io::Result;
use std::path::{Path, PathBuf};

/// The Markdown files in a folder and the folders in it, sorted.
pub(crate) fn below(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(below(&path)?);
        } else if path.extension().is_some_and(|ending| ending == "md") {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}
