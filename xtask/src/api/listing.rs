//! The public items of one crate, a line each, in an order that does not depend on the source's.

use serde_json::Value;

use super::types::{self, flag, list, only, text};

/// Version of rustdoc's JSON that this reads: that of Rust 1.95.
pub(super) const FORMAT: u64 = 57;

/// One crate's JSON.
struct Listing<'a> {
    index: &'a Value,
    lines: Vec<String>,
    /// Modules that are being listed: a re-export of one of them would go on for ever.
    open: Vec<String>,
}

/// The lines of a crate.
pub(super) fn lines(mut json: Value) -> Vec<String> {
    let paths = json["paths"].take();
    name_paths(&mut json, &paths);
    let mut listing = Listing { index: &json["index"], lines: Vec::new(), open: Vec::new() };
    let root = json["root"].to_string();
    if let Some(item) = listing.item(&root) {
        let name = text(&item["name"]).to_owned();
        listing.module(&root, item, &name);
    }
    listing.lines
}

/// Replaces how the source happens to write a path by what it names.
fn name_paths(value: &mut Value, paths: &Value) {
    if let Value::Object(entries) = value {
        let id = entries.get("id").map(Value::to_string).unwrap_or_default();
        if let (true, Some(Value::String(path))) = (entries.contains_key("args"), entries.get_mut("path")) {
            // The trait of `S::Item` is written as nothing.
            if !path.is_empty() {
                *path = named(path, &paths[id]);
            }
        }
        for value in entries.values_mut() {
            name_paths(value, paths);
        }
    } else if let Value::Array(values) = value {
        for value in values {
            name_paths(value, paths);
        }
    }
}

/// The crate's own things and the standard library's by their name, others with their crate before it. Modules are left out: they
/// may be private.
fn named(written: &str, known: &Value) -> String {
    let name = written.rsplit("::").next().unwrap_or(written);
    let path: Vec<&str> = list(&known["path"]).iter().map(text).collect();
    let (Some(home), Some(name)) = (path.first(), path.last()) else { return name.to_owned() };
    match *home {
        _ if known["crate_id"] == 0 => (*name).to_owned(),
        // There are several of this name.
        "std" | "core" | "alloc" if *name == "Error" => path.join("::"),
        "std" | "core" | "alloc" => (*name).to_owned(),
        home => format!("{home}::{name}"),
    }
}

impl<'a> Listing<'a> {
    /// An item of this crate.
    fn item(&self, id: &str) -> Option<&'a Value> {
        Some(&self.index[id]).filter(|item| !item.is_null())
    }

    /// The items of a list of ids, with their names.
    fn items(&self, ids: &Value) -> Vec<(String, &'a Value)> {
        list(ids)
            .iter()
            .map(Value::to_string)
            .filter_map(|id| self.item(&id).map(|item| (id, item)))
            .collect()
    }

    fn module(&mut self, id: &str, item: &'a Value, path: &str) {
        if self.open.iter().any(|open| open == id) {
            return;
        }
        self.open.push(id.to_owned());
        self.lines.push(format!("mod {path}"));
        self.children(&item["inner"]["module"]["items"], path);
        self.open.pop();
    }

    /// The items of a module or a glob import, by name; what has no name of its own comes last.
    fn children(&mut self, ids: &Value, path: &str) {
        let mut found = self.items(ids);
        found.sort_by_key(|(_, item)| {
            let name = item["inner"]["use"]["name"].as_str().unwrap_or(text(&item["name"]));
            (flag(&item["inner"]["use"]["is_glob"]), name, only(&item["inner"]).map_or("", |(kind, _)| kind))
        });
        for (id, item) in found {
            self.listed(&id, item, &format!("{path}::{}", text(&item["name"])), path);
        }
    }

    /// An item under this path, in the module `parent`.
    fn listed(&mut self, id: &str, item: &'a Value, path: &str, parent: &str) {
        let Some((kind, inner)) = only(&item["inner"]) else { return };
        let (params, conditions) = types::generics(&inner["generics"]);
        let conditions = types::conditions(&conditions);
        let open = if has(item, "non_exhaustive") { "non_exhaustive " } else { "" };
        match kind {
            "module" => self.module(id, item, path),
            "use" => self.reexport(inner, parent),
            "function" => self.lines.push(types::function(inner, path, &[])),
            "struct" | "union" => {
                let tuple = list(&inner["kind"]["tuple"]).iter().map(|field| {
                    let field = self.item(&field.to_string());
                    field.map_or("_".to_owned(), |field| types::ty(&field["inner"]["struct_field"]))
                });
                let tuple: Vec<String> = tuple.collect();
                let tuple = if tuple.is_empty() { String::new() } else { format!("({})", tuple.join(", ")) };
                self.lines.push(format!("{open}{kind} {path}{params}{tuple}{conditions}"));
                let plain = &inner["kind"]["plain"];
                self.fields(if plain.is_null() { &inner["fields"] } else { &plain["fields"] }, path);
                if flag(&plain["has_stripped_fields"]) {
                    self.lines.push(format!("field {path}: others are private"));
                }
                self.implementations(inner, path);
            }
            "enum" => {
                self.lines.push(format!("{open}enum {path}{params}{conditions}"));
                for (_, variant) in self.items(&inner["variants"]) {
                    self.variant(variant, path);
                }
                self.implementations(inner, path);
            }
            "trait" => self.declared_trait(item, inner, path),
            "type_alias" => {
                self.lines.push(format!("type {path}{params} = {}{conditions}", types::ty(&inner["type"])));
            }
            "constant" => {
                let value = text(&inner["const"]["expr"]);
                self.lines.push(format!("const {path}: {} = {value}", types::ty(&inner["type"])));
            }
            "static" => self.lines.push(format!("static {path}: {}", types::ty(&inner["type"]))),
            "macro" => self.lines.push(format!("macro {path}!")),
            "variant" => self.variant(item, parent),
            _ => self.lines.push(format!("{kind} {path}")),
        }
    }

    /// What is re-exported is listed where it can be used from; what belongs to other crates by its source.
    fn reexport(&mut self, inner: &'a Value, parent: &str) {
        let id = inner["id"].to_string();
        let (source, name) = (text(&inner["source"]), text(&inner["name"]));
        let glob = flag(&inner["is_glob"]);
        match self.item(&id) {
            Some(item) if glob && !self.open.contains(&id) => {
                let inside = only(&item["inner"]);
                let items =
                    inside.map(|(kind, inner)| &inner[if kind == "enum" { "variants" } else { "items" }]);
                self.open.push(id);
                self.children(items.unwrap_or(&Value::Null), parent);
                self.open.pop();
            }
            Some(item) if !glob => self.listed(&id, item, &format!("{parent}::{name}"), parent),
            Some(_) => {}
            None if glob => self.lines.push(format!("use {parent}::* = {source}::*")),
            None => self.lines.push(format!("use {parent}::{name} = {source}")),
        }
    }

    fn fields(&mut self, ids: &Value, path: &str) {
        for (_, field) in self.items(ids) {
            let kind = types::ty(&field["inner"]["struct_field"]);
            self.lines.push(format!("field {path}.{}: {kind}", text(&field["name"])));
        }
    }

    fn variant(&mut self, item: &'a Value, path: &str) {
        let path = format!("{path}::{}", text(&item["name"]));
        let inner = &item["inner"]["variant"];
        let tuple = self.items(&inner["kind"]["tuple"]);
        let tuple: Vec<String> =
            tuple.iter().map(|(_, field)| types::ty(&field["inner"]["struct_field"])).collect();
        let tuple = if tuple.is_empty() { String::new() } else { format!("({})", tuple.join(", ")) };
        let open = if has(item, "non_exhaustive") { "non_exhaustive " } else { "" };
        let value = inner["discriminant"]["expr"].as_str().map(|value| format!(" = {value}"));
        self.lines.push(format!("{open}variant {path}{tuple}{}", value.unwrap_or_default()));
        self.fields(&inner["kind"]["struct"]["fields"], &path);
    }

    fn declared_trait(&mut self, item: &'a Value, inner: &'a Value, path: &str) {
        let (params, conditions) = types::generics(&inner["generics"]);
        let above = types::bounds(&inner["bounds"]);
        let above = if above.is_empty() { above } else { format!(": {above}") };
        let unsafety = if flag(&inner["is_unsafe"]) { "unsafe " } else { "" };
        let open = if has(item, "non_exhaustive") { "non_exhaustive " } else { "" };
        self.lines
            .push(format!("{open}{unsafety}trait {path}{params}{above}{}", types::conditions(&conditions)));
        self.members(&inner["items"], path, &[], true);
        // Those of the crate's own types stand with the types.
        let foreign = self.items(&inner["implementations"]).into_iter().filter(|(_, item)| {
            let of = &item["inner"]["impl"]["for"]["resolved_path"]["id"];
            of.is_null() || self.item(&of.to_string()).is_none()
        });
        let mut lines: Vec<String> =
            foreign.filter_map(|(_, item)| implementation(&item["inner"]["impl"])).collect();
        lines.sort();
        lines.dedup();
        self.lines.extend(lines);
    }

    /// Methods, constants and types of a trait or an `impl`, by name; methods that a trait provides have a body.
    fn members(&mut self, ids: &Value, path: &str, outer: &[String], in_trait: bool) {
        let mut found = self.items(ids);
        found.sort_by_key(|(_, item)| text(&item["name"]));
        for (_, item) in found {
            let name = format!("{path}::{}", text(&item["name"]));
            let Some((kind, inner)) = only(&item["inner"]) else { continue };
            let line = match kind {
                "function" => types::function(inner, &name, outer),
                "assoc_const" => {
                    let value =
                        inner["value"].as_str().map(|value| format!(" = {value}")).unwrap_or_default();
                    format!("const {name}: {}{value}", types::ty(&inner["type"]))
                }
                "assoc_type" => {
                    let bounds = types::bounds(&inner["bounds"]);
                    let bounds = if bounds.is_empty() { bounds } else { format!(": {bounds}") };
                    let default = &inner["type"];
                    let default =
                        if default.is_null() { String::new() } else { format!(" = {}", types::ty(default)) };
                    format!("type {name}{bounds}{default}")
                }
                _ => format!("{kind} {name}"),
            };
            let provided = in_trait && kind == "function" && flag(&inner["has_body"]);
            self.lines.push(if provided { format!("{line} {{ … }}") } else { line });
        }
    }

    /// What a type has of its own, then the traits that it implements; not what every type gets.
    fn implementations(&mut self, inner: &'a Value, path: &str) {
        let parent = path.rsplit_once("::").map_or("", |(parent, _)| parent);
        let mut own = Vec::new();
        let mut traits = Vec::new();
        for (_, item) in self.items(&inner["impls"]) {
            let inner = &item["inner"]["impl"];
            if inner["trait"].is_null() {
                own.push((types::ty(&inner["for"]), types::generics(&inner["generics"]).1, inner));
            } else {
                traits.extend(implementation(inner));
            }
        }
        let start = self.lines.len();
        for (of, conditions, inner) in own {
            self.members(&inner["items"], &format!("{parent}::{of}"), &conditions, false);
        }
        self.lines[start..].sort();
        traits.sort();
        self.lines.extend(traits);
    }
}

/// The line of an implemented trait; `None` for what the compiler adds by itself and for implementations for every type.
fn implementation(inner: &Value) -> Option<String> {
    let name = text(&inner["trait"]["path"]);
    let hidden =
        flag(&inner["is_synthetic"]) || !inner["blanket_impl"].is_null() || name == "StructuralPartialEq";
    let (params, conditions) = types::generics(&inner["generics"]);
    let negative = if flag(&inner["is_negative"]) { "!" } else { "" };
    (!hidden).then(|| {
        let (of, conditions) = (types::ty(&inner["for"]), types::conditions(&conditions));
        format!("impl{params} {negative}{} for {of}{conditions}", types::path(&inner["trait"]))
    })
}

/// Whether an item has this attribute.
fn has(item: &Value, name: &str) -> bool {
    list(&item["attrs"]).iter().any(|attribute| only(attribute).is_some_and(|(known, _)| known == name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// A crate `a` with a private module's struct re-exported, its method, a derive, an enum and a trait.
    fn a_crate() -> Value {
        let item = |name: &str, inner: Value| json!({"name": name, "attrs": [], "inner": inner});
        let none = json!({"params": [], "where_predicates": []});
        let header = json!({"is_const": false, "is_unsafe": false, "is_async": false, "abi": "Rust"});
        let function = json!({"sig": {"inputs": [], "output": null}, "generics": none, "header": header, "has_body": true});
        let of = json!({"resolved_path": {"path": "crate::m::S", "id": 2, "args": null}});
        let implement = |name: Value, synthetic: bool, items: Value| {
            json!({"impl": {"trait": name, "for": of, "items": items, "generics": none, "is_synthetic": synthetic,
                            "is_negative": false, "blanket_impl": null}})
        };
        json!({"root": 0, "index": {
            "0": item("a", json!({"module": {"items": [1, 3, 8, 9]}})),
            "1": item("", json!({"use": {"source": "m::S", "name": "T", "id": 2, "is_glob": false}})),
            "2": {"name": "S", "attrs": ["non_exhaustive"], "inner": {"struct": {
                "kind": {"plain": {"fields": [4], "has_stripped_fields": true}}, "generics": none, "impls": [5, 6, 7]}}},
            "3": item("f", json!({"function": function})),
            "4": item("x", json!({"struct_field": {"primitive": "f64"}})),
            "5": item("", implement(Value::Null, false, json!([3]))),
            "6": item("", implement(json!({"path": "Clone", "args": null}), false, json!([]))),
            "7": item("", implement(json!({"path": "Send", "args": null}), true, json!([]))),
            "8": item("G", json!({"trait": {"items": [3], "generics": none, "bounds": [], "is_unsafe": false,
                                            "implementations": [6]}})),
            "9": item("", json!({"use": {"source": "other::Other", "name": "Other", "id": 99, "is_glob": false}}))
        }, "paths": {"2": {"crate_id": 0, "path": ["a", "m", "S"]}}})
    }

    #[test]
    fn items_stand_where_they_can_be_used_from() {
        let expect = [
            "mod a",
            "trait a::G",
            "fn a::G::f() { … }",
            "use a::Other = other::Other",
            "non_exhaustive struct a::T",
            "field a::T.x: f64",
            "field a::T: others are private",
            "fn a::S::f()",
            "impl Clone for S",
            "fn a::f()",
        ];
        assert_eq!(lines(a_crate()), expect);
    }

    #[test]
    fn paths_are_named_by_what_they_name() {
        let known = |home: u64, path: &[&str]| json!({"crate_id": home, "path": path});
        let named = |written: &str, known: Value| named(written, &known);
        assert_eq!(named("crate::m::S", known(0, &["a", "m", "S"])), "S");
        assert_eq!(named("$crate::clone::Clone", known(1, &["core", "clone", "Clone"])), "Clone");
        assert_eq!(named("io::Error", known(2, &["std", "io", "error", "Error"])), "std::io::error::Error");
        assert_eq!(named("Array2", known(3, &["ndarray", "aliases", "Array2"])), "ndarray::Array2");
        assert_eq!(named("m::Unknown", Value::Null), "Unknown");
    }

    #[test]
    fn a_module_that_exports_itself_ends() {
        let mut json = a_crate();
        json["index"]["1"]["inner"]["use"] = json!({"source": "a", "name": "a", "id": 0, "is_glob": true});
        assert!(lines(json).len() < 10);
    }
}
