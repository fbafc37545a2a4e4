//! What set-up needs of the machine: a compiler, Python with pip, space.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::Result;

use super::SetupError;

/// Whether the command starts and succeeds.
fn works(program: &str, args: &[&str]) -> bool {
    let status = Command::new(program).args(args).stdout(Stdio::null()).stderr(Stdio::null()).status();
    status.is_ok_and(|status| status.success())
}

/// The C++ compiler that the `cc` crate will take: `CXX`, or `c++`.
pub(crate) fn compiler() -> Result<(), SetupError> {
    let set = std::env::var("CXX").unwrap_or_default();
    let set = if set.trim().is_empty() { "c++".to_owned() } else { set };
    // CXX may carry a wrapper or flags, as in "ccache g++".
    let words: Vec<&str> = set.split_whitespace().chain(["--version"]).collect();
    if works(words[0], &words[1..]) { Ok(()) } else { Err(SetupError::NoCompiler { tried: set }) }
}

/// Name of a working Python 3.
pub(crate) fn python() -> Result<String, SetupError> {
    let is_three = ["-c", "import sys; sys.exit(sys.version_info < (3, 9))"];
    let found = ["python3", "python"].into_iter().find(|program| works(program, &is_three));
    found.map(str::to_owned).ok_or(SetupError::NoPython)
}

/// Checks that Python has pip.
pub(super) fn pip(python: &str) -> Result<(), SetupError> {
    let works = works(python, &["-m", "pip", "--version"]);
    if works { Ok(()) } else { Err(SetupError::NoPip { python: python.to_owned() }) }
}

/// Checks the free space of the disk that holds `path`. Where `df` does not answer, pip will tell.
pub(super) fn space(path: &Path, needed_mb: u64) -> Result<(), SetupError> {
    let Ok(output) = Command::new("df").arg("-Pk").arg(path).output() else { return Ok(()) };
    match free_mb(&String::from_utf8_lossy(&output.stdout)) {
        Some(free) if free < needed_mb => {
            let path = path.parent().unwrap_or(path).to_path_buf();
            Err(SetupError::NoSpace { path, free_mb: Some(free), needed_mb })
        }
        _ => Ok(()),
    }
}

/// The "Available" column of POSIX `df -Pk`, in MB.
fn free_mb(df: &str) -> Option<u64> {
    let line = df.lines().nth(1)?;
    // The first column, a device, may contain spaces; the numbers are counted from the percentage.
    let words: Vec<&str> = line.split_whitespace().collect();
    let percent = words.iter().position(|word| word.ends_with('%'))?;
    Some(words.get(percent.checked_sub(1)?)?.parse::<u64>().ok()? * 1024 / 1_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn df_is_read_with_and_without_spaces_in_the_device() {
        let head = "Filesystem 1024-blocks Used Available Capacity Mounted on\n";
        assert_eq!(free_mb(&format!("{head}/dev/vda 264212084 14376208 80909680 16% /\n")), Some(82_851));
        assert_eq!(free_mb(&format!("{head}map auto home 5000000 0 1000000 0% /home of me\n")), Some(1_024));
        assert_eq!(free_mb("df: no such file"), None);
    }
}
