//! What a package must say and hold, and what has no place in it.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use crate::metadata::Package;

/// Most bytes of all files of a package.
const LARGEST: u64 = 1 << 20;

/// What the manifests of the published crates lack.
pub(super) fn manifests(members: &[Package]) -> Vec<String> {
    let mut breaches = Vec::new();
    for package in members.iter().filter(|member| member.publishable) {
        let missing = package.described.iter().filter(|(_, there)| !there);
        breaches.extend(missing.map(|(field, _)| format!("{}: no `{field}`", package.name)));
        for dependency in &package.dependencies {
            match members.iter().find(|member| member.name == dependency.name) {
                Some(member) if !member.publishable => {
                    breaches
                        .push(format!("{} depends on {}, which is not published", package.name, member.name));
                }
                Some(_) if dependency.requirement == "*" => {
                    breaches.push(format!("{}: no version of {}", package.name, dependency.name));
                }
                _ => {}
            }
        }
    }
    breaches
}

/// What is wrong with the files of an unpacked package.
pub(super) fn packed(package: &Package, folder: &Path) -> Result<Vec<String>> {
    let mut files = Vec::new();
    files_below(folder, "", &mut files)?;
    let mut breaches = missing_and_surplus(&files);
    breaches.extend(licences_and_tests(&files));
    for (path, _) in files.iter().filter(|(path, _)| path.starts_with("examples/")) {
        let text = fs::read_to_string(folder.join(path))?;
        let unpublished = ["variata_report", "variata_testkit"].into_iter().find(|name| text.contains(name));
        breaches.extend(unpublished.map(|name| format!("{path} uses {name}, which is not published")));
    }
    Ok(breaches.into_iter().map(|breach| format!("{}: {breach}", package.name)).collect())
}

fn missing_and_surplus(files: &[(String, u64)]) -> Vec<String> {
    let mut breaches = Vec::new();
    if !files.iter().any(|(path, _)| path == "README.md") {
        breaches.push("no README.md in the package".to_owned());
    }
    let bytes: u64 = files.iter().map(|(_, bytes)| bytes).sum();
    if bytes > LARGEST {
        breaches.push(format!("{bytes} bytes in the package, more than {LARGEST}"));
    }
    breaches
}

fn licences_and_tests(files: &[(String, u64)]) -> Vec<String> {
    let missing = |name: &&str| !files.iter().any(|(path, _)| path == name);
    let missing = ["LICENSE-APACHE", "LICENSE-MIT"].into_iter().filter(missing);
    let mut breaches: Vec<String> = missing.map(|name| format!("no {name} in the package")).collect();
    // They stand on the test kit, which is not published.
    if files.iter().any(|(path, _)| path.starts_with("tests/")) {
        breaches.push("tests/ in the package".to_owned());
    }
    breaches
}

fn files_below(root: &Path, below: &str, found: &mut Vec<(String, u64)>) -> Result<()> {
    let folder = root.join(below);
    for entry in fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = if below.is_empty() { name } else { format!("{below}/{name}") };
        if entry.file_type()?.is_dir() {
            files_below(root, &path, found)?;
        } else {
            found.push((path, entry.metadata()?.len()));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metadata::Dependency;

    #[test]
    fn packages_without_licence_with_tests_or_too_large_are_found() {
        let file = |path: &str| (path.to_owned(), 100);
        let mut files = ["README.md", "LICENSE-APACHE", "LICENSE-MIT", "src/lib.rs"].map(file).to_vec();
        assert_eq!(missing_and_surplus(&files), Vec::<String>::new());
        assert_eq!(licences_and_tests(&files), Vec::<String>::new());
        files.retain(|(path, _)| !matches!(path.as_str(), "LICENSE-MIT" | "README.md"));
        files.push(file("tests/native/main.rs"));
        files.push(("data/large.bin".to_owned(), LARGEST));
        let large = format!("{} bytes in the package, more than {LARGEST}", LARGEST + 300);
        assert_eq!(missing_and_surplus(&files), ["no README.md in the package".to_owned(), large]);
        assert_eq!(licences_and_tests(&files), ["no LICENSE-MIT in the package", "tests/ in the package"]);
    }

    #[test]
    fn manifests_that_no_registry_would_take_are_found() {
        let depends = |name: &str, requirement: &str| Dependency {
            name: name.to_owned(),
            optional: false,
            requirement: requirement.to_owned(),
        };
        let package = |name: &str, publishable, dependencies| Package {
            name: name.to_owned(),
            version: "0.1.0".to_owned(),
            folder: name.into(),
            publishable,
            features: Vec::new(),
            dependencies,
            described: vec![("description", name != "a")],
        };
        let a = package("a", true, vec![depends("b", "*"), depends("c", "^0.1"), depends("elsewhere", "*")]);
        let members =
            [a, package("b", true, vec![depends("a", "^0.1")]), package("c", false, vec![depends("b", "*")])];
        let expect = ["a: no `description`", "a: no version of b", "a depends on c, which is not published"];
        assert_eq!(manifests(&members), expect);
    }
}
