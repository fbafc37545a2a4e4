//! Digests of files that a report rests on.

use std::fmt::Write;
use std::path::Path;

use anyhow::{Context, Result};
use variata_report::{sha256, sha256_reader};

/// Digest of a file.
///
/// # Errors
/// It cannot be read.
pub(crate) fn sha256_of(path: &Path) -> Result<String> {
    let file = std::fs::File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
    sha256_reader(file).with_context(|| format!("cannot read {}", path.display()))
}

/// Digest of the names, sizes and contents of some files of a folder, in the given order.
///
/// # Errors
/// One cannot be read.
pub(crate) fn sha256_of_files(folder: &Path, names: &[String]) -> Result<String> {
    let mut lines = String::new();
    for name in names {
        let path = folder.join(name);
        let found = std::fs::metadata(&path).with_context(|| format!("cannot read {}", path.display()))?;
        // Nothing fails that writes to a text.
        let _ = writeln!(lines, "{name} {} {}", found.len(), sha256_of(&path)?);
    }
    Ok(sha256(lines.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::sha256_of_files;

    #[test]
    fn another_content_or_name_gives_another_digest() {
        let folder = tempfile::tempdir().unwrap();
        let digest = |names: [&str; 2], contents: [&str; 2]| {
            for (name, content) in names.iter().zip(contents) {
                std::fs::write(folder.path().join(name), content).unwrap();
            }
            sha256_of_files(folder.path(), &names.map(str::to_owned)).unwrap()
        };
        let one = digest(["a.npy", "b.npy"], ["x", "yz"]);
        assert_eq!(digest(["a.npy", "b.npy"], ["x", "yz"]), one);
        assert_ne!(digest(["a.npy", "b.npy"], ["xy", "z"]), one);
        assert_ne!(digest(["a.npy", "c.npy"], ["x", "yz"]), one);
        let missing = sha256_of_files(folder.path(), &["none.npy".to_owned()]).unwrap_err();
        assert!(format!("{missing:#}").contains("none.npy"), "{missing:#}");
    }
}
