//! A libtorch that the user brings: LIBTORCH, LIBTORCH_USE_PYTORCH=1, or a real folder at `.libtorch`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::SetupError;
use crate::pins::TORCH;
use crate::{places, process};

/// The line to print when the environment names a libtorch of the right version; `None` when it names none.
///
/// torch-sys looks at LIBTORCH_USE_PYTORCH first, so this does too. With LIBTORCH it checks no version at all.
pub(super) fn libtorch() -> Result<Option<String>, SetupError> {
    if std::env::var_os("LIBTORCH_USE_PYTORCH").is_some() {
        let found = pytorch()?;
        check("the torch of python3 (LIBTORCH_USE_PYTORCH)", Some(found))?;
        return Ok(Some(format!("libtorch {TORCH}: that of python3's torch (LIBTORCH_USE_PYTORCH)")));
    }
    match process::own_libtorch() {
        Some(path) => {
            // The binding is built in a folder of its own.
            if path.is_relative() {
                return Err(SetupError::Relative { name: "LIBTORCH", path });
            }
            if !has_library(&path) {
                return Err(SetupError::NoLibrary { path });
            }
            check(&format!("LIBTORCH={}", path.display()), version_of(&path))?;
            Ok(Some(format!("libtorch {TORCH}: {} (LIBTORCH)", path.display())))
        }
        None => Ok(None),
    }
}

/// The line to print when `link` is a real folder that the user made; `None` when it is a link or absent.
pub(super) fn folder(link: &Path) -> Result<Option<String>, SetupError> {
    if !fs::symlink_metadata(link).is_ok_and(|meta| meta.is_dir()) {
        return Ok(None);
    }
    let torch = link.join("torch");
    if !has_library(&torch) {
        return Err(SetupError::NoLibrary { path: torch });
    }
    check(&format!("the folder {}", link.display()), version_of(&torch))?;
    Ok(Some(format!("libtorch {TORCH}: your own folder {}", link.display())))
}

/// The version that a libtorch folder declares, without its local part (`+cu130`).
///
/// The wheel has `version.py`; the zip archives of libtorch have `build-version`.
pub(super) fn version_of(libtorch: &Path) -> Option<String> {
    if let Ok(text) = fs::read_to_string(libtorch.join("version.py")) {
        let line = text.lines().find(|line| line.starts_with("__version__"))?;
        return line.split(['\'', '"']).nth(1).map(public_part);
    }
    fs::read_to_string(libtorch.join("build-version")).ok().map(|text| public_part(text.trim()))
}

/// Whether the folder has the library that everything links.
pub(super) fn has_library(libtorch: &Path) -> bool {
    ["so", "dylib", "a"].iter().any(|end| libtorch.join(format!("lib/libtorch_cpu.{end}")).is_file())
}

/// Whether the folder has a file whose name starts so, and that is not empty.
pub(super) fn has_file(folder: &Path, start: &str) -> bool {
    let mut entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.any(|entry| {
        let named = entry.file_name().to_string_lossy().starts_with(start);
        named && fs::metadata(entry.path()).is_ok_and(|meta| meta.is_file() && meta.len() > 0)
    })
}

/// Whether all that the binding to MPI is built from is the user's; what is, works.
pub(super) fn mpi() -> Result<bool, SetupError> {
    let [mpicc, libclang] = process::own_mpi();
    if let Some(mpicc) = &mpicc {
        let runs = Command::new(mpicc).arg("-show").output();
        let detail = match runs {
            Ok(output) if output.status.success() => None,
            Ok(output) => Some(format!("`-show` ends with {}", output.status)),
            Err(error) => Some(error.to_string()),
        };
        if let Some(detail) = detail {
            return Err(SetupError::Mpicc { path: mpicc.clone(), detail });
        }
    }
    // It may name the library itself.
    if let Some(path) = libclang.as_ref().filter(|path| !path.is_file() && !has_file(path, "libclang")) {
        return Err(SetupError::NoLibclang { path: path.clone() });
    }
    Ok(mpicc.is_some() && libclang.is_some())
}

fn public_part(version: &str) -> String {
    version.split('+').next().unwrap_or(version).to_owned()
}

fn check(place: &str, found: Option<String>) -> Result<(), SetupError> {
    if found.as_deref() == Some(TORCH) {
        return Ok(());
    }
    Err(SetupError::Version { place: place.to_owned(), found, wanted: TORCH.to_owned() })
}

fn pytorch() -> Result<String, SetupError> {
    Ok(public_part(&of_pytorch("torch.__version__")?))
}

/// The folder of the libraries that programs are linked with: the user's, or the one that set-up has linked.
pub(crate) fn libraries() -> Result<PathBuf, SetupError> {
    if std::env::var_os("LIBTORCH_USE_PYTORCH").is_some() {
        return Ok(PathBuf::from(of_pytorch("torch.__path__[0]")?).join("lib"));
    }
    Ok(process::own_libtorch().unwrap_or_else(|| places::root().join(".libtorch/torch")).join("lib"))
}

/// What python3 prints of its torch.
fn of_pytorch(expression: &str) -> Result<String, SetupError> {
    let output = Command::new("python3")
        .args(["-c", &format!("import torch; print({expression})")])
        .output()
        .map_err(|_| SetupError::NoPython)?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned());
    }
    let text = String::from_utf8_lossy(&output.stderr);
    let detail = text.lines().last().unwrap_or("no message").to_owned();
    Err(SetupError::NoTorchInPython { detail })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_version_is_refused_with_both_numbers() {
        let text = check("LIBTORCH=x", Some("2.4.1".to_owned())).unwrap_err().to_string();
        assert!(text.contains("LIBTORCH=x is version 2.4.1") && text.contains(TORCH), "{text}");
        assert!(check("LIBTORCH=x", None).unwrap_err().to_string().contains("does not say its version"));
        assert_eq!(check("LIBTORCH=x", Some(public_part("2.11.0+cu130"))), Ok(()));
    }

    #[test]
    fn a_real_folder_is_respected_and_a_link_is_not_looked_at() {
        let place = std::env::temp_dir().join(format!("variata-own-test-{}", std::process::id()));
        let (link, torch) = (place.join(".libtorch"), place.join(".libtorch/torch"));
        assert_eq!(folder(&link), Ok(None), "absent");
        fs::create_dir_all(torch.join("lib")).unwrap();
        assert_eq!(folder(&link), Err(SetupError::NoLibrary { path: torch.clone() }));
        fs::write(torch.join("lib/libtorch_cpu.so"), "").unwrap();
        fs::write(torch.join("build-version"), format!("{TORCH}+cpu\n")).unwrap();
        assert!(folder(&link).unwrap().is_some_and(|line| line.contains("your own folder")));
        // The wheel's file is the one that counts where there are both.
        fs::write(torch.join("version.py"), "__version__ = '2.4.1'\n").unwrap();
        let error = folder(&link).unwrap_err();
        assert!(matches!(&error, SetupError::Version { found: Some(f), .. } if f == "2.4.1"), "{error:?}");
        let other = place.join("link");
        std::os::unix::fs::symlink(&link, &other).unwrap();
        assert_eq!(folder(&other), Ok(None), "a link is set-up's own");
        fs::remove_dir_all(&place).unwrap();
    }
}
