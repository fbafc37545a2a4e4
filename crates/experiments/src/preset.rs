//! Presets: TOML files that override documented defaults.

mod explained;

use std::path::Path;

use anyhow::{Context, Result, bail};
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use toml::{Spanned, Table, Value};

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
    /// the preset that its key `extends` names (a relative path is looked up beside the file), or else as in `C::default()`, but
    /// for a table whose `kind` it changes: that has the defaults of its kind, where there are any, and else all of its settings to give.
    ///
    /// # Errors
    /// There is no such preset or file, it extends itself, or it has a key that does not exist or a value of the wrong type; the
    /// message names the line.
    pub fn load(name: &str, embedded: PresetSource) -> Result<Self> {
        let mut all = Table::try_from(C::default()).context("default settings as TOML")?;
        let config = apply(&mut all, name, embedded, &mut Vec::new())?;
        let stem = is_file(name).then(|| Path::new(name).file_stem()).flatten();
        Ok(Self { name: stem.map_or_else(|| name.to_owned(), |s| s.to_string_lossy().into_owned()), config })
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

impl<C: Default + Serialize + JsonSchema> Preset<C> {
    /// Every setting as TOML, under comments that say what it means.
    ///
    /// # Errors
    /// As [`to_toml`](Self::to_toml).
    pub fn explained(&self) -> Result<String> {
        explained::explained::<C>(&self.to_toml()?)
    }
}

impl<C: JsonSchema> Preset<C> {
    /// The JSON Schema of preset files, for editors that complete and check them.
    pub fn schema() -> String {
        format!("{:#}\n", explained::schema::<C>())
    }
}

fn is_file(name: &str) -> bool {
    Path::new(name).extension().is_some_and(|ending| ending == "toml")
}

/// The preset `name` over the settings `all`, those that it extends before it. `above` are the presets that extend it.
fn apply<C: DeserializeOwned>(
    all: &mut Table,
    name: &str,
    embedded: PresetSource,
    above: &mut Vec<String>,
) -> Result<C> {
    // However its path is spelled, a file is known by its real one.
    let real = if is_file(name) { std::fs::canonicalize(name).ok() } else { None };
    let known = real.map_or_else(|| name.to_owned(), |path| path.to_string_lossy().into_owned());
    if above.contains(&known) {
        bail!("a preset extends itself: {} → {known}", above.join(" → "));
    }
    above.push(known);
    let (text, what) = match embedded.iter().find(|(n, _)| *n == name) {
        Some((_, text)) => ((*text).to_owned(), format!("embedded preset `{name}`")),
        None if is_file(name) => {
            let text = std::fs::read_to_string(name);
            (text.with_context(|| format!("cannot read the preset {name}"))?, format!("preset {name}"))
        }
        None => {
            let names: Vec<&str> = embedded.iter().map(|(n, _)| *n).collect();
            bail!("preset `{name}` is not one of {}, nor a .toml file", names.join(", "));
        }
    };
    let (text, base) = without_base(text).with_context(|| what.clone())?;
    if let Some(mut base) = base {
        if is_file(&base) {
            base = Path::new(name).with_file_name(base).to_string_lossy().into_owned();
        }
        apply::<C>(all, &base, embedded, above).with_context(|| format!("{what} extends `{base}`"))?;
    }
    over(all, &text).context(what)
}

/// The text with blanks for its key `extends`, so that the lines of what is left keep their numbers, and the key's value.
fn without_base(mut text: String) -> Result<(String, Option<String>)> {
    #[derive(Deserialize)]
    struct Head {
        extends: Option<Spanned<String>>,
    }
    let Some(base) = toml::from_str::<Head>(&text)?.extends else { return Ok((text, None)) };
    // A key outside of all tables begins its line.
    let start = text[..base.span().start].rfind('\n').map_or(0, |at| at + 1);
    let blanks: String =
        text[start..base.span().end].chars().map(|c| if c == '\n' { c } else { ' ' }).collect();
    text.replace_range(start..base.span().end, &blanks);
    Ok((text, Some(base.into_inner())))
}

/// Sets in `all` what the text sets.
fn over<C: DeserializeOwned>(all: &mut Table, text: &str) -> Result<C> {
    merge(all, text.parse()?);
    all.clone().try_into().map_err(|error| match toml::from_str::<C>(text) {
        // Read alone, the text has lines to name; what it lacks there, those before it have.
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
