//! What cargo knows about the workspace's packages and about all that they depend on.

use std::path::PathBuf;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::process;

/// One package of the workspace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Package {
    /// As cargo knows it: `variata-sliced`.
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) folder: PathBuf,
    pub(crate) publishable: bool,
    /// Sorted; `default` is one of them.
    pub(crate) features: Vec<String>,
    /// Dependencies but those of tests alone, optional ones included.
    pub(crate) dependencies: Vec<Dependency>,
    /// Fields that a registry asks for or shows, with whether they are there.
    pub(crate) described: Vec<(&'static str, bool)>,
}

/// One line of a manifest's dependencies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Dependency {
    pub(crate) name: String,
    pub(crate) optional: bool,
    pub(crate) requirement: String,
}

impl Package {
    /// The name without the workspace's prefix.
    pub(crate) fn short(&self) -> &str {
        self.name.strip_prefix("variata-").unwrap_or(&self.name)
    }

    /// Whether a build with the default features has libtorch in it: by a dependency that is not optional, its own or that of
    /// one of the `members` it depends on.
    pub(crate) fn needs_torch(&self, members: &[Self]) -> bool {
        self.dependencies.iter().filter(|dependency| !dependency.optional).any(|dependency| {
            dependency.name == "tch"
                || members.iter().any(|other| other.name == dependency.name && other.needs_torch(members))
        })
    }
}

/// Where cargo builds: absolute, whatever the variables and settings that say so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Folders {
    /// What is meant for people: programs, documentation.
    pub(crate) target: PathBuf,
    /// What is between; the same folder unless the user set another.
    pub(crate) build: PathBuf,
}

/// Cargo's folders for this workspace.
pub(crate) fn folders() -> Result<Folders> {
    let metadata = read(&["--no-deps"])?;
    let target = metadata["target_directory"].as_str().context("`cargo metadata` names no target folder")?;
    let build = metadata["build_directory"].as_str().unwrap_or(target);
    Ok(Folders { target: target.into(), build: build.into() })
}

/// The packages of the workspace, sorted by name.
pub(crate) fn members() -> Result<Vec<Package>> {
    Ok(parse_members(&read(&["--no-deps"])?))
}

fn read(flags: &[&str]) -> Result<Value> {
    let args = ["metadata", "--format-version", "1"].into_iter().chain(flags.iter().copied());
    let text = process::capture(&mut process::cargo(args))?;
    serde_json::from_str(&text).context("`cargo metadata` printed no JSON")
}

fn parse_members(metadata: &Value) -> Vec<Package> {
    let mut members: Vec<Package> = list(&metadata["packages"]).map(package).collect();
    members.sort_by(|a, b| a.name.cmp(&b.name));
    members
}

fn package(value: &Value) -> Package {
    let features = value["features"].as_object().map(|table| table.keys().cloned().collect());
    let mut features: Vec<String> = features.unwrap_or_default();
    features.sort();
    let kept = list(&value["dependencies"]).filter(|dependency| dependency["kind"].as_str() != Some("dev"));
    let dependencies = kept.map(|dependency| Dependency {
        name: text(&dependency["name"]),
        optional: dependency["optional"].as_bool() == Some(true),
        requirement: text(&dependency["req"]),
    });
    let described = ["description", "license", "readme", "repository", "rust_version"];
    Package {
        name: text(&value["name"]),
        version: text(&value["version"]),
        folder: PathBuf::from(text(&value["manifest_path"])).parent().map(PathBuf::from).unwrap_or_default(),
        publishable: value["publish"].as_array().is_none_or(|registries| !registries.is_empty()),
        features,
        dependencies: dependencies.collect(),
        described: described.map(|field| (field, value[field].is_string())).to_vec(),
    }
}

/// Name, version and least Rust version of every package that the workspace can build with, those without one left out.
pub(crate) fn rust_versions() -> Result<Vec<(String, String, String)>> {
    let metadata = read(&[])?;
    let packages = list(&metadata["packages"]).filter(|package| package["rust_version"].is_string());
    let versions = packages
        .map(|package| (text(&package["name"]), text(&package["version"]), text(&package["rust_version"])));
    Ok(versions.collect())
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_read_and_libtorch_is_found_behind_neighbours() {
        let text = r#"{"packages": [
            {"name": "variata-b", "version": "0.1.0", "manifest_path": "/w/crates/b/Cargo.toml", "publish": null,
             "features": {"torch": [], "default": []}, "license": "MIT",
             "dependencies": [{"name": "tch", "optional": true, "req": "^1", "kind": null},
                              {"name": "proptest", "optional": false, "req": "^1", "kind": "dev"}]},
            {"name": "variata-a", "version": "0.1.0", "manifest_path": "/w/crates/a/Cargo.toml", "publish": [],
             "features": {}, "dependencies": [{"name": "tch", "optional": false, "req": "^1", "kind": null}]},
            {"name": "variata-c", "version": "0.1.0", "manifest_path": "/w/crates/c/Cargo.toml", "publish": null,
             "features": {}, "dependencies": [{"name": "variata-a", "optional": false, "req": "^0.1", "kind": null}]}
        ]}"#;
        let members = parse_members(&serde_json::from_str(text).unwrap());
        let names: Vec<&str> = members.iter().map(Package::short).collect();
        assert_eq!(names, ["a", "b", "c"]);
        assert_eq!(members.iter().map(|m| m.publishable).collect::<Vec<_>>(), [false, true, true]);
        assert_eq!(members.iter().map(|m| m.needs_torch(&members)).collect::<Vec<_>>(), [true, false, true]);
        assert_eq!(members[1].features, ["default", "torch"]);
        assert_eq!(members[1].dependencies.len(), 1);
        assert_eq!(members[1].folder, PathBuf::from("/w/crates/b"));
        assert!(members[1].described.contains(&("license", true)));
        assert!(members[1].described.contains(&("description", false)));
    }
}
