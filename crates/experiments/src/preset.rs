//! Presets: TOML files that override documented defaults.

use std::path::Path;

use anyhow::{Context, Result, bail};
use serde::Serialize;
use serde::de::DeserializeOwned;
use toml::{Table, Value};

/// Settings of a paper's experiment, by name or from a file.
#[derive(Debug, Clone, PartialEq)]
pub struct Preset<C> {
    /// Name: of the embedded preset, or of the file without its ending.
    pub name: String,
    /// The settings, defaults filled in.
    pub config: C,
}

/// The presets that come with a paper.
pub type PresetSource = &'static [(&'static str, &'static str)];

impl<C: Default + DeserializeOwned + Serialize> Preset<C> {
    /// The embedded preset `name`, or the file of that path when it ends in `.toml`. What it leaves out, in tables too, is as in
    /// `C::default()`, but for a table whose `kind` it changes: that starts from the defaults of its kind.
    ///
    /// # Errors
    /// There is no such preset or file, or it has a key that does not exist or a value of the wrong type; the message
    /// names the line.
    pub fn load(name: &str, embedded: PresetSource) -> Result<Self> {
        if let Some((name, text)) = embedded.iter().find(|(n, _)| *n == name) {
            let config = over_defaults(text).with_context(|| format!("embedded preset `{name}`"))?;
            return Ok(Self { name: (*name).to_owned(), config });
        }
        if Path::new(name).extension().is_none_or(|e| e != "toml") {
            let names: Vec<&str> = embedded.iter().map(|(n, _)| *n).collect();
            bail!("preset `{name}` is not one of {}, nor a .toml file", names.join(", "));
        }
        let text = std::fs::read_to_string(name).with_context(|| format!("cannot read the preset {name}"))?;
        let config = over_defaults(&text).with_context(|| format!("preset {name}"))?;
        let stem = Path::new(name).file_stem().map(|s| s.to_string_lossy().into_owned());
        Ok(Self { name: stem.unwrap_or_else(|| "custom".to_owned()), config })
    }
}

impl<C: Serialize> Preset<C> {
    /// Every setting as TOML.
    ///
    /// # Errors
    /// A value that TOML cannot write (a number beyond i64).
    pub fn to_toml(&self) -> Result<String> {
        toml::to_string(&self.config).context("settings as TOML")
    }
}

fn over_defaults<C: Default + DeserializeOwned + Serialize>(text: &str) -> Result<C> {
    let mut all = Table::try_from(C::default()).context("default settings as TOML")?;
    merge(&mut all, text.parse()?);
    all.try_into().map_err(|error| match toml::from_str::<C>(text) {
        // Read alone, the text has lines to name; what it lacks there, the defaults have.
        Err(named) if !named.message().starts_with("missing field") => named.into(),
        _ => error.into(),
    })
}

/// Entries of `changes` take the place of those of `all`; tables are merged.
fn merge(all: &mut Table, changes: Table) {
    for (key, change) in changes {
        match (all.get_mut(&key), change) {
            (Some(Value::Table(old)), Value::Table(new))
                if new.get("kind").is_none_or(|kind| old.get("kind") == Some(kind)) =>
            {
                merge(old, new);
            }
            (_, change) => {
                all.insert(key, change);
            }
        }
    }
}
