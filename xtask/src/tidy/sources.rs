//! Rules for source text.

use super::Doc;

/// Most production lines of a Rust file; what has good reason to be longer is listed with it.
const LONGEST: usize = 500;
const LONGER: &[(&str, &str)] = &[];
/// Most gates on the feature `torch` in one crate, and the files that may have them.
const GATES: usize = 2;
const GATED: [&str; 2] = ["lib.rs", "error.rs"];

/// Every module says what it is.
pub(super) fn module_docs(files: &[Doc]) -> Vec<String> {
    let silent = files.iter().filter(|file| file.is_rust() && !file.text.starts_with("//!"));
    // An example or doc page may be included as the text of a crate.
    let silent = silent.filter(|file| !file.text.starts_with("#![doc = include_str!"));
    silent.map(|file| format!("{}: does not start with `//!`", file.path)).collect()
}

/// Files stay short enough to read at once.
pub(super) fn file_sizes(files: &[Doc]) -> Vec<String> {
    let mut breaches = Vec::new();
    for file in files.iter().filter(|file| file.is_rust()) {
        let lines = file.production().count();
        if lines > LONGEST && !LONGER.iter().any(|(path, _)| *path == file.path) {
            breaches.push(format!("{}: {lines} lines, more than {LONGEST}", file.path));
        }
    }
    for (path, _) in LONGER.iter().filter(|(path, _)| !files.iter().any(|file| file.path == *path)) {
        breaches.push(format!("{path}: listed as a long file, but not there"));
    }
    breaches
}

/// Nothing is left for later, and no test is switched off or says only that something panics.
pub(super) fn unfinished(files: &[Doc]) -> Vec<String> {
    // In pieces, so that this file does not break the rule it states.
    let macros = ["todo", "unimplemented", "dbg"].map(|name| format!("{name}!("));
    let attributes = ["ignore", "should_panic"].map(|name| format!("#[{name}"));
    let words = [["TO", "DO"].concat(), ["FIX", "ME"].concat()];
    let mut breaches = Vec::new();
    for file in files {
        for (number, line) in (1..).zip(file.text.lines()) {
            let found = |needle: &String| {
                line.match_indices(needle.as_str()).any(|(at, _)| !line[..at].ends_with(is_word))
            };
            let words = words.iter().filter(|word| found(word) && !line.contains(&format!("{word}S")));
            let code = macros.iter().chain(&attributes).filter(|text| file.is_rust() && found(text));
            breaches.extend(words.chain(code).map(|text| format!("{}:{number}: `{text}`", file.path)));
        }
    }
    breaches
}

/// The feature `torch` is one gate on one module, plus at most the error variant that goes with it.
pub(super) fn torch_gates(files: &[Doc]) -> Vec<String> {
    let mut breaches = Vec::new();
    let mut counts: Vec<(&str, usize)> = Vec::new();
    let feature = ["feature = ", "\"torch\""].concat();
    let gates = |line: &str| line.contains("cfg") && line.contains(&feature);
    for file in files.iter().filter(|file| file.is_rust() && file.path.contains("/src/")) {
        let krate = file.path.split("/src/").next().unwrap_or_default();
        let name = file.path.rsplit('/').next().unwrap_or_default();
        for (number, _) in (1..).zip(file.text.lines()).filter(|(_, line)| gates(line)) {
            if !GATED.contains(&name) {
                let allowed = GATED.join(" or ");
                breaches.push(format!("{}:{number}: gate on `torch` outside {allowed}", file.path));
            }
            match counts.iter_mut().find(|(known, _)| *known == krate) {
                Some((_, count)) => *count += 1,
                None => counts.push((krate, 1)),
            }
        }
    }
    let many = counts.iter().filter(|(_, count)| *count > GATES);
    breaches.extend(many.map(|(krate, n)| format!("{krate}: {n} gates on `torch`, more than {GATES}")));
    breaches
}

/// What ends a program that goes wrong.
const PANICS: [&str; 7] =
    [".unwrap()", ".expect(", ".unwrap_err()", ".expect_err(", "unreachable!(", "panic!(", "process::abort("];

/// A line without its comment and without what its strings say.
fn bare(line: &str) -> String {
    let code = &line[..comment(line).unwrap_or(line.len())];
    // Every second piece between quotes is text; an escaped quote or a quote as a character ends none.
    let code = code.replace("\\\\", "").replace("\\\"", "").replace("'\"'", "");
    code.split('"').step_by(2).collect::<Vec<_>>().join("\"\"")
}

/// Where the comment of a line begins: outside of strings, whose ends an even number of quotes before it has seen.
fn comment(line: &str) -> Option<usize> {
    let quotes = |text: &str| {
        let text = text.replace("\\\\", "").replace("\\\"", "").replace("'\"'", "");
        text.matches('"').count()
    };
    line.match_indices("//").map(|(at, _)| at).find(|&at| quotes(&line[..at]) % 2 == 0)
}

/// Outside tests, what cannot fail says why, in a comment beside it.
pub(super) fn unexplained_panics(files: &[Doc]) -> Vec<String> {
    let mut breaches = Vec::new();
    // The test kit exists to stop tests with a message.
    let library = |file: &&Doc| {
        let tests = file.ends_with("/tests.rs") || file.path.starts_with("crates/testkit/");
        file.is_rust() && file.path.contains("src/") && !tests
    };
    for file in files.iter().filter(library) {
        let mut above: [&str; 2] = ["", ""];
        for (number, line) in file.production() {
            let panics = PANICS.iter().any(|panic| bare(line).contains(panic));
            let said = [line, above[0], above[1]];
            let said = said.iter().any(|text| comment(text).is_some() || text.contains("reason = "));
            if panics && !said {
                breaches.push(format!("{}:{number}: may panic, and no comment says why not", file.path));
            }
            above = [line, above[0]];
        }
    }
    breaches
}

/// No space at the ends of lines, and a newline at the end of the file.
pub(super) fn trailing_space(files: &[Doc]) -> Vec<String> {
    let mut breaches = Vec::new();
    let written = |file: &&Doc| !file.ends_with(".svg") && file.path != "Cargo.lock";
    for file in files.iter().filter(written) {
        let lines = (1..).zip(file.text.lines());
        // Two spaces are a line break in Markdown, but a backslash says it visibly. Tables may end in a tab.
        let spaced = lines.filter(|(_, line)| line.ends_with(char::is_whitespace));
        breaches.extend(spaced.map(|(number, _)| format!("{}:{number}: trailing space", file.path)));
        if !file.text.is_empty() && !file.text.ends_with('\n') {
            breaches.push(format!("{}: no newline at the end", file.path));
        }
    }
    breaches
}

/// No folder of the machine it was written on, and no package registry's address.
pub(super) fn private_names(files: &[Doc]) -> Vec<String> {
    let folders = ["root", "work", "home"].map(|name| format!("/{name}/"));
    let hosts = [["py", "pi.org"], ["python", "hosted.org"], ["crates", ".io/"], ["npm", "js.org"]];
    let hosts = hosts.map(|pieces| pieces.concat());
    let mut breaches = Vec::new();
    // Cargo.lock names the registry on every line, and is cargo's.
    for file in files.iter().filter(|file| file.path != "Cargo.lock") {
        for (number, line) in (1..).zip(file.text.lines()) {
            let folder = folders.iter().find(|folder| {
                // As the start of a path, not in the middle of one.
                let starts = |at: usize| !line[..at].ends_with(|c: char| is_word(c) || "./}*$-".contains(c));
                line.match_indices(folder.as_str()).any(|(at, _)| starts(at))
            });
            let host = hosts.iter().find(|host| line.contains(host.as_str()));
            let found = folder.into_iter().chain(host);
            breaches.extend(found.map(|text| format!("{}:{number}: names `{text}`", file.path)));
        }
    }
    breaches
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

#[cfg(test)]
mod tests {
    use super::super::tests::check;
    use super::*;

    #[test]
    fn modules_without_a_word_are_found() {
        check(module_docs, "a.rs", "//! Says.\n", &[]);
        check(module_docs, "a.rs", "use b;\n", &["a.rs: does not start with `//!`"]);
        check(module_docs, "a.py", "import b\n", &[]);
    }

    #[test]
    fn production_lines_are_counted_and_tests_are_not() {
        let long = "x\n".repeat(501);
        check(file_sizes, "a.rs", &long, &["a.rs: 501 lines, more than 500"]);
        check(file_sizes, "a.rs", &format!("x\n#[cfg(test)]\n{long}"), &[]);
    }

    #[test]
    fn unfinished_work_is_found() {
        let text =
            format!("{}!()\n// {}: later\n#[{}]\nlet my{}!(x);\n", "todo", "FIX\u{4d}E", "ignore", "dbg");
        let expect = ["a.rs:1: `tod\u{6f}!(`", "a.rs:2: `FIX\u{4d}E`", "a.rs:3: `#\u{5b}ignore`"];
        check(unfinished, "a.rs", &text, &expect);
    }

    #[test]
    fn gates_elsewhere_or_too_many_are_found() {
        let gate = format!("#[cfg(feature = {:?})]\n", "torch");
        check(torch_gates, "crates/a/src/lib.rs", &gate, &[]);
        check(
            torch_gates,
            "crates/a/src/b.rs",
            &gate,
            &["crates/a/src/b.rs:1: gate on `torch` outside lib.rs or error.rs"],
        );
        check(
            torch_gates,
            "crates/a/src/lib.rs",
            &gate.repeat(3),
            &["crates/a: 3 gates on `torch`, more than 2"],
        );
    }

    #[test]
    fn panics_need_their_reason() {
        let breach = "crates/a/src/b.rs:1: may panic, and no comment says why not";
        check(unexplained_panics, "crates/a/src/b.rs", "x.unwrap();\n", &[breach]);
        check(unexplained_panics, "crates/a/src/b.rs", "// Checked above.\nx.expect(\"y\");\n", &[]);
        check(unexplained_panics, "crates/a/src/b.rs", "#[cfg(test)]\nx.unwrap();\n", &[]);
        check(unexplained_panics, "crates/a/src/b.rs", "/// x.unwrap();\n", &[]);
        check(unexplained_panics, "crates/a/tests/b.rs", "x.unwrap();\n", &[]);
        let named = r#"f("a//b").unwrap();"#;
        check(unexplained_panics, "crates/a/src/b.rs", &format!("{named}\n"), &[breach]);
        check(unexplained_panics, "crates/a/src/b.rs", "f(\"x.unwrap()\");\n", &[]);
        check(unexplained_panics, "crates/a/src/b.rs", "unreachable!()\n", &[breach]);
        let third = "crates/a/src/b.rs:3: may panic, and no comment says why not";
        check(unexplained_panics, "crates/a/src/b.rs", "#[cfg(test)]\nmod tests;\nx.unwrap();\n", &[third]);
    }

    #[test]
    fn space_at_the_end_is_found() {
        check(trailing_space, "a.md", "b \nc", &["a.md:1: trailing space", "a.md: no newline at the end"]);
    }

    #[test]
    fn folders_of_one_machine_and_registries_are_found() {
        let (folder, host) = (format!("/{}/x", "root"), format!("https://{}.org/simple", "pypi"));
        let expect = ["a.md:1: names `/ro\u{6f}t/`", "a.md:2: names `pyp\u{69}.org`"];
        check(private_names, "a.md", &format!("in {folder}\nfrom {host}\n"), &expect);
        check(private_names, "a.md", &format!("in target{folder} and ${{ROOT}}{folder}\n"), &[]);
    }
}
