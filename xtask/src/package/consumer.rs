//! A project outside the workspace that depends on one crate alone and runs the examples of its README.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};

use super::{readme, unpacked_name};
use crate::metadata::Package;
use crate::{places, process};

/// Builds and runs the examples of `package` from what was `packed`, in a project below `outside` with cargo's folder at
/// `target`; returns how many there were.
pub(super) fn run(
    package: &Package,
    published: &[&Package],
    packed: &Path,
    outside: &Path,
    target: &Path,
) -> Result<usize> {
    let text = fs::read_to_string(package.folder.join("README.md"))
        .with_context(|| format!("{} has no README.md", package.name))?;
    let examples = readme::examples(&text);
    if examples.is_empty() {
        bail!("{}: its README has no example", package.name);
    }
    let project = outside.join(format!("consumer-of-{}", package.short()));
    fs::create_dir_all(project.join("src/bin"))?;
    for (number, example) in (1..).zip(&examples) {
        fs::write(project.join(format!("src/bin/example-{number}.rs")), &example.program)?;
    }
    let root = fs::read_to_string(places::root().join("Cargo.toml"))?;
    let programs: String = examples.iter().map(|example| example.program.as_str()).collect();
    fs::write(project.join("Cargo.toml"), manifest(package, published, packed, &root, &programs))?;
    // The versions that everything else here was tested with.
    fs::copy(places::root().join("Cargo.lock"), project.join("Cargo.lock"))?;

    eprintln!("── {} from its package, without libtorch: {} examples", package.name, examples.len());
    let cargo = |args: &[&str]| {
        let mut command = process::cargo(args.iter().copied());
        command.current_dir(&project).env("CARGO_TARGET_DIR", target);
        command
    };
    let tree =
        process::capture(&mut cargo(&["tree", "--quiet", "--edges", "normal,build", "--prefix", "none"]))?;
    if let Some(line) = torch(&tree) {
        bail!("{} with default features depends on {line}", package.name);
    }
    let verb = if examples.iter().any(|example| example.runs) { "build" } else { "check" };
    process::run(cargo(&[verb, "--quiet", "--bins"]))?;
    for (number, _) in (1..).zip(&examples).filter(|(_, example)| example.runs) {
        process::run(cargo(&["run", "--quiet", "--bin", &format!("example-{number}")]))?;
    }
    Ok(examples.len())
}

/// The line of a dependency tree that names libtorch's bindings.
fn torch(tree: &str) -> Option<&str> {
    tree.lines().find(|line| line.starts_with("tch ") || line.starts_with("torch-sys "))
}

/// The manifest of the consumer, a workspace of its own wherever it lies: the crate by its path, whatever else the examples name at the workspace's versions, and the
/// crate's neighbours from their packages, since no registry has them.
fn manifest(package: &Package, published: &[&Package], packed: &Path, root: &str, programs: &str) -> String {
    let path = |package: &Package| packed.join(unpacked_name(package)).display().to_string();
    let mut text = format!(
        "[package]\nname = \"consumer-of-{}\"\nversion = \"0.0.0\"\nedition = \"2024\"\npublish = false\n\n\
         [workspace]\n\n[dependencies]\n{} = {{ path = \"{}\" }}\n",
        package.short(),
        package.name,
        path(package)
    );
    let shared = root.split("[workspace.dependencies]").nth(1).unwrap_or_default();
    let shared = shared.split("\n[").next().unwrap_or_default();
    for line in shared.lines().filter(|line| !line.starts_with("variata-")) {
        let name = line.split([' ', '=']).next().unwrap_or_default().replace('-', "_");
        if !name.is_empty() && !name.starts_with('#') && programs.contains(&format!("{name}::")) {
            text.extend([line, "\n"]);
        }
    }
    // Nobody steps through them.
    text += "\n[profile.dev]\ndebug = false\nincremental = false\n\n[patch.crates-io]\n";
    for other in neighbours(package, published) {
        text.extend([other.name.as_str(), " = { path = \"", &path(other), "\" }\n"]);
    }
    text
}

/// The published crates that a crate depends on, directly or not, optional ones included.
fn neighbours<'a>(package: &Package, published: &[&'a Package]) -> Vec<&'a Package> {
    let mut found: Vec<&Package> = Vec::new();
    let mut open = vec![package];
    while let Some(next) = open.pop() {
        for other in published {
            let wanted = next.dependencies.iter().any(|dependency| dependency.name == other.name);
            if wanted && !found.contains(other) {
                found.push(other);
                open.push(other);
            }
        }
    }
    found.sort_by(|a, b| a.name.cmp(&b.name));
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metadata::Dependency;

    fn package(name: &str, dependencies: &[&str]) -> Package {
        let dependency = |name: &&str| Dependency {
            name: (*name).to_owned(),
            optional: true,
            requirement: "^0.1.0".to_owned(),
        };
        Package {
            name: name.to_owned(),
            version: "0.1.0".to_owned(),
            folder: name.into(),
            publishable: true,
            features: Vec::new(),
            dependencies: dependencies.iter().map(dependency).collect(),
            described: Vec::new(),
        }
    }

    #[test]
    fn a_consumer_names_its_crate_what_its_examples_use_and_the_neighbours() {
        let (a, b, c, d) = (
            package("variata-a", &["variata-b", "ndarray"]),
            package("variata-b", &["variata-c"]),
            package("variata-c", &[]),
            package("variata-d", &[]),
        );
        let root = "[workspace.dependencies]\n# Ours.\nvariata-b = { path = \"b\" }\nndarray = \"0.17\"\nrand = \"0.10\"\n\
                    rand_chacha = \"0.10\"\n\n[workspace.lints.rust]\nrayon = \"1\"\n";
        let text =
            manifest(&a, &[&a, &b, &c, &d], Path::new("/p"), root, "use ndarray::array;\nrand_chacha::A;");
        let (head, rest) = text.split_once("[dependencies]\n").unwrap();
        assert!(head.ends_with("\n[workspace]\n\n"), "{head}");
        assert_eq!(
            rest,
            "variata-a = { path = \"/p/variata-a-0.1.0\" }\nndarray = \"0.17\"\nrand_chacha = \"0.10\"\n\n\
             [profile.dev]\ndebug = false\nincremental = false\n\n[patch.crates-io]\nvariata-b = { path = \"/p/variata-b-0.1.0\" }\n\
             variata-c = { path = \"/p/variata-c-0.1.0\" }\n"
        );
    }

    #[test]
    fn libtorch_in_a_tree_is_found() {
        assert_eq!(torch("a v1\ntorch-sys v0.24.0\n"), Some("torch-sys v0.24.0"));
        assert_eq!(torch("a v1\nvariata-torch-bridge v0.1.0\n"), None);
    }
}
