//! Rules for manifests and for what the crates depend on.

use anyhow::Result;

use super::Doc;
use crate::{places, process};

/// Shared fields come from the root.
pub(super) fn inherited(files: &[Doc]) -> Vec<String> {
    // A crate that ships data under a further licence adds it to the workspace's.
    const FIELDS: [&[&str]; 5] = [
        &["version.workspace"],
        &["edition.workspace"],
        &["rust-version.workspace"],
        &["license.workspace", "license = \"(MIT OR Apache-2.0) AND "],
        &["[lints]"],
    ];
    let mut breaches = Vec::new();
    for file in members(files) {
        let missing = FIELDS
            .iter()
            .filter(|forms| !file.text.lines().any(|line| forms.iter().any(|form| line.starts_with(form))));
        breaches.extend(missing.map(|forms| format!("{}: no `{}`", file.path, forms[0])));
    }
    breaches
}

/// A published crate may not need an unpublished version of its neighbour for its tests: a path alone is
/// dropped on publishing.
pub(super) fn internal_dev_dependencies(files: &[Doc]) -> Vec<String> {
    let mut breaches = Vec::new();
    for file in members(files).filter(|file| !file.text.contains("publish = false")) {
        let mut section = "";
        for (number, line) in (1..).zip(file.text.lines()) {
            if line.starts_with('[') {
                section = line;
            }
            let internal = section == "[dev-dependencies]" && line.starts_with("variata-");
            if internal && (!line.contains("path = ") || line.contains("version")) {
                breaches.push(format!("{}:{number}: must be a path without a version", file.path));
            }
        }
    }
    breaches
}

/// The default members are the crates that need no libtorch, asked of cargo: `cargo test` right after a clone
/// builds all of them and nothing else.
pub(super) fn torch_in_default_members() -> Result<Vec<String>> {
    let root = std::fs::read_to_string(places::root().join("Cargo.toml"))?;
    let members = root.split("default-members = [").nth(1).and_then(|rest| rest.split(']').next());
    let members = members.unwrap_or_default();
    let mut breaches = Vec::new();
    for name in &places::crates()? {
        let package = format!("variata-{name}");
        let args = ["tree", "--package", &package, "--edges", "normal,build", "--prefix", "none"];
        let tree = process::capture(&mut process::cargo(args))?;
        let torch = tree.lines().find(|line| line.starts_with("tch ") || line.starts_with("torch-sys "));
        match (torch, members.contains(&format!("\"crates/{name}\""))) {
            (Some(line), true) => breaches.push(format!("crates/{name}: a default member depends on {line}")),
            (None, false) => {
                breaches.push(format!("crates/{name}: needs no libtorch, but is no default member"));
            }
            _ => {}
        }
    }
    Ok(breaches)
}

fn members(files: &[Doc]) -> impl Iterator<Item = &Doc> {
    files.iter().filter(|file| file.ends_with("/Cargo.toml"))
}

#[cfg(test)]
mod tests {
    use super::super::tests::check;
    use super::*;

    #[test]
    fn fields_written_out_are_found() {
        let good = "version.workspace = true\nedition.workspace = true\nrust-version.workspace = true\n\
                    license.workspace = true\n[lints]\n";
        check(inherited, "crates/a/Cargo.toml", good, &[]);
        let bad = good.replace("edition.workspace = true", "edition = \"2024\"");
        check(inherited, "crates/a/Cargo.toml", &bad, &["crates/a/Cargo.toml: no `edition.workspace`"]);
    }

    #[test]
    fn internal_dev_dependencies_with_a_version_are_found() {
        let with =
            |line: &str| format!("[dependencies]\nvariata-x.workspace = true\n[dev-dependencies]\n{line}\n");
        let breach = "crates/a/Cargo.toml:4: must be a path without a version";
        check(
            internal_dev_dependencies,
            "crates/a/Cargo.toml",
            &with("variata-t = { path = \"../t\" }"),
            &[],
        );
        check(
            internal_dev_dependencies,
            "crates/a/Cargo.toml",
            &with("variata-t.workspace = true"),
            &[breach],
        );
        let both = with("variata-t = { path = \"../t\", version = \"1\" }");
        check(internal_dev_dependencies, "crates/a/Cargo.toml", &both, &[breach]);
    }
}
