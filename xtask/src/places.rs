//! Where things are: the workspace and the user's cache folder.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// The root of the workspace.
pub(crate) fn root() -> PathBuf {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    own.parent().unwrap_or(own).to_path_buf()
}

/// The workspace's folder in the user's cache; made if absent.
pub(crate) fn cache() -> Result<PathBuf> {
    let set = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let base = match (set("XDG_CACHE_HOME"), set("HOME")) {
        (Some(cache), _) => cache,
        (None, Some(home)) if cfg!(target_os = "macos") => home.join("Library/Caches"),
        (None, Some(home)) => home.join(".cache"),
        (None, None) => {
            anyhow::bail!("neither XDG_CACHE_HOME nor HOME is set: no cache folder to unpack into")
        }
    };
    let cache = base.join("variata");
    std::fs::create_dir_all(&cache).with_context(|| {
        format!("cannot make {}: XDG_CACHE_HOME can name another cache folder", cache.display())
    })?;
    Ok(cache)
}

/// The folder, made if absent, without what an earlier run left in it.
pub(crate) fn emptied(folder: PathBuf) -> Result<PathBuf> {
    if folder.exists() {
        std::fs::remove_dir_all(&folder).with_context(|| format!("cannot empty {}", folder.display()))?;
    }
    std::fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    Ok(folder)
}

/// Short names of the crates, sorted.
pub(crate) fn crates() -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(root().join("crates"))? {
        let entry = entry?;
        if entry.path().join("Cargo.toml").is_file() {
            names.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    names.sort();
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::emptied;

    #[test]
    fn a_folder_is_emptied_and_made() {
        let name = format!("variata-places-{}", std::process::id());
        let folder = emptied(std::env::temp_dir().join(name)).unwrap();
        std::fs::write(folder.join("left"), "").unwrap();
        assert_eq!(emptied(folder.clone()).unwrap(), folder);
        assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 0);
        std::fs::remove_dir(&folder).unwrap();
    }
}
