//! Pinned Python environments in the cache folder, for golden tables and for the peers of the benches.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::lock::Lock;
use crate::{places, process, setup};

/// File that a complete environment has; its text is what the environment was made from.
const MARKER: &str = "variata-complete";

/// Makes the environment unless it is there already, and returns its Python, with what keeps a checkout of other requirements from making it
/// anew meanwhile.
///
/// Without dependencies: the requirements file names every package, so that torch comes without its CUDA set.
pub(crate) fn ensure(name: &str, requirements: &Path) -> Result<(PathBuf, Lock)> {
    let text = fs::read_to_string(requirements)
        .with_context(|| format!("cannot read {}", requirements.display()))?;
    let python = setup::python()?;
    let version = process::capture(Command::new(&python).arg("--version"))?;
    let recipe = format!("{}\n{text}", version.trim());

    let cache = places::cache()?;
    let lock = Lock::take(&cache.join(format!("{name}.lock")))?;
    let folder = cache.join(name);
    let inside = folder.join("bin/python");
    if fs::read_to_string(folder.join(MARKER)).is_ok_and(|made| made == recipe) && inside.exists() {
        return Ok((inside, lock));
    }
    if folder.exists() {
        fs::remove_dir_all(&folder).with_context(|| format!("cannot remove {}", folder.display()))?;
    }
    let mut make = Command::new(&python);
    make.args(["-m", "venv"]).arg(&folder);
    process::run(make).context(
        "cannot make a Python environment (Debian, Ubuntu: `apt install python3-venv`; the error is above)",
    )?;
    let mut install = Command::new(&inside);
    install.args(["-m", "pip", "install", "--no-deps", "--disable-pip-version-check", "--no-input"]);
    install.arg("--requirement").arg(requirements);
    process::run(install)?;
    fs::write(folder.join(MARKER), recipe)?;
    Ok((inside, lock))
}
