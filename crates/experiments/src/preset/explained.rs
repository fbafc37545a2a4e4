//! What settings mean, from the documentation of their types: comments in a preset, and a JSON Schema of preset files.

use std::collections::HashSet;

use anyhow::{Context, Result};
use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde::Serialize;
use serde_json::{Map, Value, json};
use toml_edit::{DocumentMut, Item, Table};

/// Columns of a comment.
const WIDTH: usize = 110;

/// The JSON Schema of preset files, which may leave out any setting.
pub(super) fn schema<C: JsonSchema>() -> Value {
    let settings = SchemaSettings::draft2020_12().with(|s| s.inline_subschemas = true);
    let mut schema = settings.into_generator().into_root_schema_for::<C>().to_value();
    adapt(&mut schema);
    if let Some(properties) = schema.get_mut("properties").and_then(Value::as_object_mut) {
        let about = "The preset that has what this one leaves out: one of the paper's, or a file, relative to this one.";
        properties.insert("extends".to_owned(), json!({ "description": about, "type": "string" }));
    }
    schema
}

/// A table without its `kind` has that of the preset before it, and then fits several of the choices. Links are for the
/// documentation of the code.
fn adapt(schema: &mut Value) {
    match schema {
        Value::Object(object) => {
            if let Some(Value::String(text)) = object.get_mut("description") {
                *text = text.replace("[`", "`").replace("`]", "`");
            }
            object.remove("required");
            if let Some(choices) = object.remove("oneOf") {
                object.insert("anyOf".to_owned(), choices);
            }
            object.values_mut().for_each(adapt);
        }
        Value::Array(all) => all.iter_mut().for_each(adapt),
        _ => {}
    }
}

/// The settings in `text` with comments.
///
/// # Errors
/// The text is not TOML.
pub(super) fn explained<C: Default + Serialize + JsonSchema>(text: &str) -> Result<String> {
    let mut document: DocumentMut = text.parse().context("settings as TOML")?;
    let defaults: DocumentMut =
        toml::to_string(&C::default())?.parse().context("default settings as TOML")?;
    let schema = schema::<C>();
    explain(document.as_table_mut(), &schema, defaults.as_item(), &mut HashSet::new());
    let head = [
        description(&schema),
        "A preset of your own holds what differs, after a line such as extends = \"quick\".",
        "What it leaves out is as there, or else has the default.",
    ];
    Ok(format!("{}\n{document}", head.map(comment).concat()))
}

/// Choices that were `shown` once are not explained again.
fn explain(table: &mut Table, schema: &Value, defaults: &Item, shown: &mut HashSet<String>) {
    let kind = table.get("kind").and_then(Item::as_str).map(str::to_owned);
    let known = properties(schema, kind.as_deref());
    let unset = known.iter().filter(|(name, _)| !table.contains_key(name) && *name != "extends");
    let unset =
        unset.map(|(name, about)| comment(&format!("{name}, which is not set: {}", description(about))));
    let mut unset = unset.collect::<String>();
    if !unset.is_empty() {
        unset = format!("\n{}", unset.trim_end());
    }
    let same_kind = defaults.get("kind").and_then(Item::as_str) == kind.as_deref();
    let mut last = None;
    for (mut name, item) in table.iter_mut() {
        let Some((_, about)) = known.iter().find(|(known, _)| *known == name.get()) else { continue };
        // Another kind of table has other settings, if of the same name.
        let default = defaults.get(name.get()).filter(|_| same_kind || name.get() == "kind");
        let own = comment(description(about));
        match item {
            Item::Table(inner) => {
                inner.decor_mut().set_prefix(format!("\n{own}"));
                explain(inner, about, default.unwrap_or(&Item::None), shown);
            }
            Item::Value(value) => {
                let may = choices(if name.get() == "kind" { schema } else { about }, shown);
                name.leaf_decor_mut().set_prefix(own + &may);
                let default = default.map(|default| default.to_string().trim().to_owned());
                let other = default.filter(|default| default != value.to_string().trim());
                let other = other.map_or_else(String::new, |default| format!(" # default: {default}"));
                value.decor_mut().set_suffix(&other);
                last = Some((value, other));
            }
            _ => {}
        }
    }
    if let Some((value, other)) = last {
        value.decor_mut().set_suffix(other + &unset);
    }
}

/// The settings of a table, of all choices those of its kind.
fn properties<'a>(schema: &'a Value, kind: Option<&str>) -> Vec<(&'a str, &'a Value)> {
    let own = schema.get("properties").and_then(Value::as_object);
    let other = |own: &Map<String, Value>| {
        own.get("kind").is_some_and(|of| of.get("const").and_then(Value::as_str) != kind)
    };
    if own.is_some_and(other) {
        return Vec::new();
    }
    let own = own.into_iter().flatten().map(|(name, about)| (name.as_str(), about));
    own.chain(alternatives(schema).flat_map(|choice| properties(choice, kind))).collect()
}

fn alternatives(schema: &Value) -> impl Iterator<Item = &Value> {
    schema.get("anyOf").and_then(Value::as_array).into_iter().flatten()
}

fn description(schema: &Value) -> &str {
    schema.get("description").and_then(Value::as_str).unwrap_or_default()
}

/// What may stand there: values, or kinds of a table with their settings.
fn choices(schema: &Value, shown: &mut HashSet<String>) -> String {
    let (mut names, mut all) = (Vec::new(), String::new());
    for choice in alternatives(schema) {
        let settings = choice.get("properties").and_then(Value::as_object);
        let value = settings.and_then(|all| all.get("kind")).unwrap_or(choice);
        let Some(name) = value.get("const").and_then(Value::as_str) else { continue };
        names.push(name);
        let settings = settings.into_iter().flatten().map(|(name, _)| name.as_str());
        let settings = settings.filter(|name| *name != "kind").collect::<Vec<_>>().join(", ");
        let of = if settings.is_empty() { settings } else { format!(" ({settings})") };
        all += &comment(&format!("- {name}{of}: {}", description(choice)));
    }
    if all.is_empty() || shown.insert(all.clone()) {
        return all;
    }
    comment(&format!("One of {}.", names.join(", ")))
}

/// A text as lines of comment.
fn comment(text: &str) -> String {
    let mut lines = String::new();
    let mut width = 0;
    for word in text.split_whitespace() {
        let more = word.chars().count() + 1;
        if width == 0 || width + more > WIDTH {
            lines += if width == 0 { "#" } else { "\n#" };
            width = 0;
        }
        lines += " ";
        lines += word;
        width += more;
    }
    if width > 0 {
        lines += "\n";
    }
    lines
}
