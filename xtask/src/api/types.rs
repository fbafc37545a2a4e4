//! Types, bounds and signatures of rustdoc's JSON as one would write them in Rust.
//!
//! What this does not know is shown as the JSON that it is, so that a change of it is seen all the same.

use serde_json::Value;

/// A type.
pub(super) fn ty(value: &Value) -> String {
    let Some((kind, inner)) = only(value) else { return unknown(value) };
    match kind {
        "resolved_path" => path(inner),
        "generic" | "primitive" => text(inner).to_owned(),
        "tuple" => match list(inner) {
            [one] => format!("({},)", ty(one)),
            many => format!("({})", joined(many, ", ", ty)),
        },
        "slice" => format!("[{}]", ty(inner)),
        "array" => format!("[{}; {}]", ty(&inner["type"]), text(&inner["len"])),
        "impl_trait" => format!("impl {}", bounds(inner)),
        "infer" => "_".to_owned(),
        "raw_pointer" => {
            let kind = if flag(&inner["is_mutable"]) { "mut" } else { "const" };
            format!("*{kind} {}", ty(&inner["type"]))
        }
        "borrowed_ref" => {
            let lifetime = inner["lifetime"].as_str().map(|name| format!("{name} ")).unwrap_or_default();
            let mutable = if flag(&inner["is_mutable"]) { "mut " } else { "" };
            // `&(dyn A + B)`, since `&dyn A + B` means something else.
            let target = match ty(&inner["type"]) {
                several if several.starts_with("dyn ") && several.contains(" + ") => format!("({several})"),
                one => one,
            };
            format!("&{lifetime}{mutable}{target}")
        }
        "dyn_trait" => {
            let traits = joined(list(&inner["traits"]), " + ", |bound| {
                format!("{}{}", for_all(&bound["generic_params"]), path(&bound["trait"]))
            });
            let lifetime = inner["lifetime"].as_str().map(|name| format!(" + {name}")).unwrap_or_default();
            format!("dyn {traits}{lifetime}")
        }
        "qualified_path" => {
            let of = ty(&inner["self_type"]);
            let name = format!("{}{}", text(&inner["name"]), arguments(&inner["args"]));
            match text(&inner["trait"]["path"]) {
                "" => format!("{of}::{name}"),
                _ => format!("<{of} as {}>::{name}", path(&inner["trait"])),
            }
        }
        "function_pointer" => {
            let forall = for_all(&inner["generic_params"]);
            let inputs = joined(list(&inner["sig"]["inputs"]), ", ", |input| ty(&input[1]));
            format!("{forall}{}fn({inputs}){}", qualifiers(&inner["header"]), output(&inner["sig"]["output"]))
        }
        _ => unknown(value),
    }
}

/// A path with its arguments, as in `Result<T, Error>`.
pub(super) fn path(value: &Value) -> String {
    format!("{}{}", text(&value["path"]), arguments(&value["args"]))
}

fn arguments(value: &Value) -> String {
    let Some((kind, inner)) = only(value) else {
        return if value.is_null() { String::new() } else { unknown(value) };
    };
    match kind {
        "angle_bracketed" => {
            let args = list(&inner["args"]).iter().map(argument);
            let constraints = list(&inner["constraints"]).iter().map(constraint);
            let all: Vec<String> = args.chain(constraints).collect();
            if all.is_empty() { String::new() } else { format!("<{}>", all.join(", ")) }
        }
        "parenthesized" => {
            format!("({}){}", joined(list(&inner["inputs"]), ", ", ty), output(&inner["output"]))
        }
        _ => unknown(value),
    }
}

fn argument(value: &Value) -> String {
    match only(value) {
        Some(("type", inner)) => ty(inner),
        Some(("lifetime", inner)) => text(inner).to_owned(),
        Some(("const", inner)) => text(&inner["expr"]).to_owned(),
        _ => unknown(value),
    }
}

fn constraint(value: &Value) -> String {
    let name = format!("{}{}", text(&value["name"]), arguments(&value["args"]));
    match only(&value["binding"]) {
        Some(("equality", inner)) => match only(inner) {
            Some(("type", inner)) => format!("{name} = {}", ty(inner)),
            Some(("constant", inner)) => format!("{name} = {}", text(&inner["expr"])),
            _ => unknown(value),
        },
        Some(("constraint", inner)) => format!("{name}: {}", bounds(inner)),
        _ => unknown(value),
    }
}

/// Bounds, as in `Clone + ?Sized + 'a`.
pub(super) fn bounds(value: &Value) -> String {
    let bound = |bound: &Value| match only(bound) {
        Some(("trait_bound", inner)) => {
            let maybe = if text(&inner["modifier"]) == "maybe" { "?" } else { "" };
            format!("{maybe}{}{}", for_all(&inner["generic_params"]), path(&inner["trait"]))
        }
        Some(("outlives", inner)) => text(inner).to_owned(),
        Some(("use", inner)) => {
            let captured =
                joined(list(inner), ", ", |name| only(name).map_or("", |(_, name)| text(name)).to_owned());
            format!("use<{captured}>")
        }
        _ => unknown(bound),
    };
    let mut bounds: Vec<String> = list(value).iter().map(bound).collect();
    // rustdoc's order is not that of the source, nor said to be any.
    bounds.sort();
    bounds.join(" + ")
}

fn for_all(params: &Value) -> String {
    let names = joined(list(params), ", ", |param| text(&param["name"]).to_owned());
    if names.is_empty() { names } else { format!("for<{names}> ") }
}

/// Parameters, as in `<'a, T: Clone, const N: usize>`, and the conditions of their `where`.
pub(super) fn generics(value: &Value) -> (String, Vec<String>) {
    let named = |param: &&Value| !flag(&param["kind"]["type"]["is_synthetic"]);
    let params = list(&value["params"]).iter().filter(named).map(|param| {
        let name = text(&param["name"]);
        let with = |mark: &str, rest: String| if rest.is_empty() { rest } else { format!("{mark}{rest}") };
        match only(&param["kind"]) {
            Some(("lifetime", kind)) => {
                let outlived = joined(list(&kind["outlives"]), " + ", |name| text(name).to_owned());
                format!("{name}{}", with(": ", outlived))
            }
            Some(("type", kind)) => {
                let default = if kind["default"].is_null() { String::new() } else { ty(&kind["default"]) };
                format!("{name}{}{}", with(": ", bounds(&kind["bounds"])), with(" = ", default))
            }
            Some(("const", kind)) => {
                format!(
                    "const {name}: {}{}",
                    ty(&kind["type"]),
                    with(" = ", text(&kind["default"]).to_owned())
                )
            }
            _ => unknown(param),
        }
    });
    let params: Vec<String> = params.collect();
    let shown = if params.is_empty() { String::new() } else { format!("<{}>", params.join(", ")) };
    let mut conditions: Vec<String> = list(&value["where_predicates"]).iter().map(condition).collect();
    conditions.sort();
    (shown, conditions)
}

fn condition(value: &Value) -> String {
    match only(value) {
        Some(("bound_predicate", inner)) => {
            format!(
                "{}{}: {}",
                for_all(&inner["generic_params"]),
                ty(&inner["type"]),
                bounds(&inner["bounds"])
            )
        }
        Some(("lifetime_predicate", inner)) => {
            let outlived = joined(list(&inner["outlives"]), " + ", |name| text(name).to_owned());
            format!("{}: {outlived}", text(&inner["lifetime"]))
        }
        _ => unknown(value),
    }
}

/// A `where` with these conditions, or nothing.
pub(super) fn conditions(all: &[String]) -> String {
    if all.is_empty() { String::new() } else { format!(" where {}", all.join(", ")) }
}

/// A function under this name, with further conditions before its own.
pub(super) fn function(value: &Value, name: &str, outer: &[String]) -> String {
    let (params, own) = generics(&value["generics"]);
    let inputs = joined(list(&value["sig"]["inputs"]), ", ", |input| {
        let (name, kind) = (text(&input[0]), ty(&input[1]));
        match (name, kind.as_str()) {
            ("self", "Self") => "self".to_owned(),
            ("self", "&Self") => "&self".to_owned(),
            ("self", "&mut Self") => "&mut self".to_owned(),
            _ => format!("{name}: {kind}"),
        }
    });
    let all: Vec<String> = outer.iter().cloned().chain(own).collect();
    let head = qualifiers(&value["header"]);
    format!("{head}fn {name}{params}({inputs}){}{}", output(&value["sig"]["output"]), conditions(&all))
}

fn qualifiers(header: &Value) -> String {
    let words = [("is_const", "const "), ("is_async", "async "), ("is_unsafe", "unsafe ")];
    let mut said: String =
        words.iter().filter(|(name, _)| flag(&header[*name])).map(|(_, word)| *word).collect();
    if let Some((abi, _)) = only(&header["abi"]).filter(|(abi, _)| *abi != "Rust") {
        said.extend(["extern \"", abi, "\" "]);
    }
    said
}

fn output(value: &Value) -> String {
    if value.is_null() { String::new() } else { format!(" -> {}", ty(value)) }
}

/// Key and value of a JSON object with one entry, which is how variants with contents are written; a text is a variant without.
pub(super) fn only(value: &Value) -> Option<(&str, &Value)> {
    match value {
        Value::String(name) => Some((name, &Value::Null)),
        Value::Object(entries) if entries.len() == 1 => {
            entries.iter().next().map(|(key, value)| (key.as_str(), value))
        }
        _ => None,
    }
}

pub(super) fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

pub(super) fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

pub(super) fn flag(value: &Value) -> bool {
    value.as_bool() == Some(true)
}

fn joined(values: &[Value], between: &str, show: impl Fn(&Value) -> String) -> String {
    values.iter().map(show).collect::<Vec<_>>().join(between)
}

fn unknown(value: &Value) -> String {
    value.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[track_caller]
    #[expect(clippy::needless_pass_by_value, reason = "the calls are a table of literals")]
    fn check(value: Value, expect: &str) {
        assert_eq!(ty(&value), expect);
    }

    #[test]
    fn types_read_as_rust() {
        let generic = json!({"generic": "T"});
        let vec = json!({"resolved_path": {"path": "Vec", "id": 1, "args": {"angle_bracketed":
            {"args": [{"type": generic}, {"lifetime": "'a"}], "constraints": []}}}});
        check(vec, "Vec<T, 'a>");
        check(json!({"tuple": [generic]}), "(T,)");
        check(json!({"tuple": [generic, {"slice": {"primitive": "u8"}}]}), "(T, [u8])");
        check(json!({"array": {"type": generic, "len": "3"}}), "[T; 3]");
        check(
            json!({"borrowed_ref": {"lifetime": "'a", "is_mutable": true, "type": {"dyn_trait":
                {"traits": [{"trait": {"path": "A", "args": null}, "generic_params": []}], "lifetime": "'a"}}}}),
            "&'a mut (dyn A + 'a)",
        );
        let of = json!({"qualified_path": {"name": "Item", "args": null, "self_type": generic,
            "trait": {"path": "Iterator", "args": null}}});
        check(of, "<T as Iterator>::Item");
        check(json!({"something new": 3}), r#"{"something new":3}"#);
    }

    #[test]
    fn functions_read_as_rust() {
        let bound = |name: &str, modifier: &str| json!({"trait_bound": {"trait": {"path": name, "args": null}, "generic_params": [], "modifier": modifier}});
        let value = json!({
            "sig": {"inputs": [["self", {"borrowed_ref": {"lifetime": null, "is_mutable": false,
                                                           "type": {"generic": "Self"}}}],
                               ["x", {"impl_trait": [{"trait_bound": {"modifier": "none", "generic_params": [],
                                  "trait": {"path": "Fn", "args": {"parenthesized": {"inputs": [{"primitive": "u8"}],
                                                                                     "output": {"primitive": "bool"}}}}}}]}]],
                    "output": {"generic": "T"}},
            "generics": {"params": [{"name": "T", "kind": {"type": {"bounds": [bound("Sized", "maybe"), bound("Clone", "none")],
                                                                     "default": null, "is_synthetic": false}}},
                                    {"name": "impl Fn", "kind": {"type": {"bounds": [], "is_synthetic": true}}},
                                    {"name": "N", "kind": {"const": {"type": {"primitive": "usize"}, "default": null}}}],
                         "where_predicates": [{"lifetime_predicate": {"lifetime": "'a", "outlives": ["'b"]}}]},
            "header": {"is_const": true, "is_unsafe": false, "is_async": false, "abi": "Rust"}
        });
        let shown = function(&value, "f", &["S: Real".to_owned()]);
        let expect = "const fn f<T: ?Sized + Clone, const N: usize>(&self, x: impl Fn(u8) -> bool) -> T where S: Real, 'a: 'b";
        assert_eq!(shown, expect);
    }
}
