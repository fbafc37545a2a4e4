//! `cargo xtask golden`: the tables that tests compare with, recomputed by the generators beside them.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Result, bail};

use crate::{metadata, places, process, venv};

/// Runs the generators and rewrites the tables, or with `check` compares them byte for byte.
pub(crate) fn run(check: bool, krate: Option<&str>) -> Result<()> {
    let crates = places::crates()?;
    if let Some(name) = krate.filter(|name| !crates.iter().any(|known| known == name)) {
        bail!("no crate `{name}`; there are {}", crates.join(", "));
    }
    let (python, _lock) =
        venv::ensure("golden-python", &places::root().join("xtask/golden-requirements.txt"))?;
    let target = metadata::folders()?.target.join("golden");
    let mut differing = Vec::new();
    let mut tables = 0;
    for name in crates.iter().filter(|name| krate.is_none_or(|wanted| *name == wanted)) {
        let golden = places::root().join("crates").join(name).join("tests/golden");
        let generators = named(&golden, |file| file.starts_with("generate") && is_python(file))?;
        if generators.is_empty() {
            continue;
        }
        let out = places::emptied(target.join(name))?;
        for generator in &generators {
            let mut command = Command::new(&python);
            command.arg(golden.join(generator)).arg("--out").arg(&out).current_dir(places::root());
            process::run(command)?;
        }
        let (made, kept) = (named(&out, |_| true)?, named(&golden, |file| !is_python(file))?);
        tables += made.len();
        for file in made.union(&kept) {
            let (fresh, old) = (fs::read(out.join(file)), fs::read(golden.join(file)));
            let trouble = match (fresh, old) {
                (Err(_), _) => "no generator makes it".to_owned(),
                (Ok(fresh), Ok(old)) if fresh == old => continue,
                (Ok(fresh), old) if !check => {
                    fs::write(golden.join(file), fresh)?;
                    let verb = if old.is_ok() { "rewrote" } else { "made" };
                    println!("{verb} crates/{name}/tests/golden/{file}");
                    continue;
                }
                (Ok(_), Err(_)) => "not committed".to_owned(),
                (Ok(fresh), Ok(old)) => format!("line {} differs", first_difference(&fresh, &old)),
            };
            differing.push(format!("crates/{name}/tests/golden/{file}: {trouble}"));
        }
        fs::remove_dir_all(&out)?;
    }
    if !differing.is_empty() {
        bail!("golden tables are not what their generators make:\n  {}", differing.join("\n  "));
    }
    println!(
        "golden: {tables} tables {}",
        if check { "are what their generators make" } else { "up to date" }
    );
    Ok(())
}

/// Names of the plain files in a folder, sorted; none if there is no folder.
fn named(folder: &Path, keep: impl Fn(&str) -> bool) -> Result<BTreeSet<String>> {
    let mut names = BTreeSet::new();
    if folder.is_dir() {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if entry.file_type()?.is_file() && keep(&name) {
                names.insert(name);
            }
        }
    }
    Ok(names)
}

fn is_python(file: &str) -> bool {
    Path::new(file).extension().is_some_and(|ending| ending == "py")
}

/// Number of the first line in which two texts differ, from 1.
fn first_difference(a: &[u8], b: &[u8]) -> usize {
    let same = a.iter().zip(b).take_while(|(x, y)| x == y).count();
    a[..same].split(|byte| *byte == b'\n').count()
}

#[cfg(test)]
mod tests {
    use super::first_difference;

    #[test]
    fn the_first_differing_line_is_counted_from_one() {
        assert_eq!(first_difference(b"a\nb\nc", b"a\nb\nd"), 3);
        assert_eq!(first_difference(b"x", b"y"), 1);
        assert_eq!(first_difference(b"a\n", b"a\nmore"), 2);
    }
}
