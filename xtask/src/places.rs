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
    std::fs::create_dir_all(&cache)
        .with_context(|| format!("cannot make the cache folder {}", cache.display()))?;
    Ok(cache)
}

/// Short names of the crates that link libtorch whatever their features, sorted.
pub(crate) fn torch_crates() -> Result<Vec<String>> {
    let mut names = crates()?;
    let mut unread = Ok(());
    names.retain(|name| match std::fs::read_to_string(root().join("crates").join(name).join("Cargo.toml")) {
        Ok(manifest) => manifest.lines().any(|line| line.starts_with("tch.")),
        Err(error) => {
            unread = Err(error);
            false
        }
    });
    unread?;
    Ok(names)
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
