//! The whole command line: one table from which parsing, help and suggestions are made.

use std::ffi::OsString;
use std::fmt;

/// What the user asked for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Command {
    Help(Option<&'static str>),
    Api {
        check: bool,
    },
    Setup {
        cuda: bool,
    },
    /// A command of the program `variata`, with its arguments.
    Program {
        command: &'static str,
        args: Vec<OsString>,
    },
    Test {
        long: bool,
    },
    Bench {
        krate: Option<String>,
        peers: bool,
        rounds: u32,
        rows: Option<String>,
    },
    BenchPage,
    Docs {
        no_book: bool,
    },
    Golden {
        check: bool,
        krate: Option<String>,
    },
    Package {
        long: bool,
    },
    Tidy,
}

/// A command line that means nothing; the program prints it and exits with code 2.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum UsageError {
    UnknownCommand { given: String, nearest: Option<&'static str> },
    UnknownFlag { command: &'static str, given: String, nearest: Option<&'static str> },
    UnexpectedArgument { command: &'static str, given: String },
    MissingValue { command: &'static str, flag: &'static str },
    BadValue { flag: &'static str, given: String, must: &'static str },
}

impl fmt::Display for UsageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let suggest = |nearest: Option<&str>| match nearest {
            Some(name) => format!("; did you mean `{name}`?"),
            None => String::new(),
        };
        match self {
            Self::UnknownCommand { given, nearest } => {
                write!(f, "no command `{given}`{}\n\nSee `cargo xtask --help`.", suggest(*nearest))
            }
            Self::UnknownFlag { command, given, nearest } => write!(
                f,
                "`{command}` has no flag `{given}`{}\n\nSee `cargo xtask {command} --help`.",
                suggest(*nearest)
            ),
            Self::UnexpectedArgument { command, given } => {
                write!(f, "`{command}` has no use for `{given}`\n\nSee `cargo xtask {command} --help`.")
            }
            Self::MissingValue { command, flag } => write!(f, "`{command} {flag}` needs a value"),
            Self::BadValue { flag, given, must } => write!(f, "`{flag}` is `{given}`, must be {must}"),
        }
    }
}

impl std::error::Error for UsageError {}

/// One flag of a command.
struct Flag {
    name: &'static str,
    /// Name of the value, for flags that take one.
    value: Option<&'static str>,
    about: &'static str,
}

/// One command: everything its help says.
struct Spec {
    name: &'static str,
    operands: &'static str,
    about: &'static str,
    details: &'static str,
    flags: &'static [Flag],
}

const COMMANDS: &[Spec] = &[
    Spec {
        name: "setup",
        operands: "",
        about: "Fetch libtorch and MPI and link them at .libtorch and .mpi",
        details: "Downloads the pinned wheels with pip, checks their hashes, unpacks them into the user's cache\n\
                  folder and links them from .libtorch and .mpi, where every build finds them. A second run does\n\
                  nothing. A LIBTORCH of your own, or LIBTORCH_USE_PYTORCH=1, is used instead if its version is\n\
                  right; MPICC and LIBCLANG_PATH of your own come before MPICH and its libclang.",
        flags: &[Flag {
            name: "--cuda",
            value: None,
            about: "also fetch what libtorch_cuda needs (2.4 GB, 4 GB unpacked)",
        }],
    },
    Spec {
        name: "reproduce",
        operands: "[paper] [arguments]",
        about: "Set up, then run a paper's experiment, or all of them, and write the report",
        details: "All arguments go to the program `variata`. Those of every experiment:\n\
                  \n  vae|sos-vae|sliced|vq-diff|fourier-aug  the paper; all where none is named\
                  \n  --data NAME               data set; one that needs no download unless given\
                  \n  --preset NAME             quick (minutes), full (the paper's setting), or a .toml file\
                  \n  --device auto|cpu|cuda|cuda:N    where to compute\
                  \n  --seed N, --out FOLDER, --resume\n\
                  \n  --workers N               N processes train each model together\n\
                  \nThe complete list: cargo xtask reproduce <paper> --help",
        flags: &[],
    },
    Spec {
        name: "studio",
        operands: "[arguments]",
        about: "Set up, then serve the page on which images are edited by conditioning",
        details: "All arguments go to the program `variata`:\n\
                  \n  --checkpoint PATH         file or folder of a SOS-VAE; one is trained in minutes unless given\
                  \n  --port N                  8080 unless given\
                  \nThe complete list: cargo xtask studio --help",
        flags: &[],
    },
    Spec {
        name: "preset",
        operands: "paper [preset]",
        about: "Set up, then print every setting of a preset and what it means, as a file to edit",
        details: "All arguments go to the program `variata`:\n\
                  \n  vae|sos-vae|sliced|vq-diff|fourier-aug  the paper\
                  \n  quick|full|..             the preset; quick unless given\
                  \n  --schema                  the JSON Schema of presets instead, for an editor\
                  \nAs in: cargo xtask preset sos-vae > mine.toml",
        flags: &[],
    },
    Spec {
        name: "test",
        operands: "",
        about: "Conventions, then every test of every crate, with libtorch and every feature",
        details: "Set-up included. Each crate that needs no libtorch is also compiled alone, so that none leans on\n\
                  another's features: from its package as `package` does, if it is published.",
        flags: &[Flag {
            name: "--long",
            value: None,
            about: "also without libtorch; release mode, 10,000 cases a property; golden; package --long",
        }],
    },
    Spec {
        name: "bench",
        operands: "[crate]",
        about: "Criterion benches, alone or against their Python peers",
        details: "With --peers, our kernel and each peer run in turn on the same input, with two threads, and the\n\
                  table of medians, ratios and distances to the bound goes to benches/runs/<date>-<machine>/, and\n\
                  docs/benchmarks.md is made from the newest of them.",
        flags: &[
            Flag { name: "--peers", value: None, about: "measure the peers of benches/peers as well" },
            Flag {
                name: "--page",
                value: None,
                about: "only write docs/benchmarks.md anew; goes with nothing else",
            },
            Flag { name: "--rounds", value: Some("N"), about: "rounds of --peers (default 5)" },
            Flag { name: "--rows", value: Some("TEXT"), about: "only rows whose id contains this" },
        ],
    },
    Spec {
        name: "docs",
        operands: "",
        about: "Build the API documentation with warnings denied, and the book",
        details: "Links inside the book are checked first, then the lists of docs/api. mdBook is installed into\n\
                  the cache folder if absent.",
        flags: &[Flag {
            name: "--no-book",
            value: None,
            about: "only check the book's links, do not build it",
        }],
    },
    Spec {
        name: "golden",
        operands: "[crate]",
        about: "Recompute the golden tables of the tests in a pinned Python environment",
        details: "Runs crates/*/tests/golden/generate*.py and rewrites the tables beside them.",
        flags: &[Flag { name: "--check", value: None, about: "compare instead, byte for byte" }],
    },
    Spec {
        name: "api",
        operands: "",
        about: "List the public items of the published crates in docs/api",
        details: "A change of them is then seen in review. `docs` compares the lists. rustdoc's JSON, from which they\n\
                  are made, goes to target/api; the pages of target/doc stay as they are.",
        flags: &[Flag { name: "--check", value: None, about: "compare instead" }],
    },
    Spec {
        name: "package",
        operands: "",
        about: "Check that each crate stands alone: packages, README examples, features, licences",
        details: "Packs every published crate, unpacks it outside the workspace and runs the examples of its README in\n\
                  a project that depends on it alone, without libtorch; compiles each without default features;\n\
                  asks cargo-deny, if there is one, about licences and sources.",
        flags: &[Flag {
            name: "--long",
            value: None,
            about: "every set of features; builds cargo-deny if there is none",
        }],
    },
    Spec {
        name: "tidy",
        operands: "",
        about: "Check the conventions of the workspace (seconds)",
        details: "But for what only cargo knows, the same checks are a test of this package: `cargo test` runs them.",
        flags: &[],
    },
];

/// Commands whose arguments the program `variata` reads.
const PROGRAM: [&str; 3] = ["reproduce", "studio", "preset"];

/// Every command's name and flags, for the check that the documents name real ones.
pub(crate) fn known(command: &str, flag: Option<&str>) -> bool {
    COMMANDS.iter().any(|spec| {
        spec.name == command
            && flag.is_none_or(|flag| {
                PROGRAM.contains(&command) || flag == "--help" || spec.flags.iter().any(|f| f.name == flag)
            })
    })
}

/// Text of `--help`, for one command or for all.
pub(crate) fn help(command: Option<&str>) -> String {
    let columns = |rows: Vec<(String, &str)>| -> Vec<String> {
        rows.into_iter().map(|(name, about)| format!("  {name:<12} {about}\n")).collect()
    };
    let Some(spec) = COMMANDS.iter().find(|spec| Some(spec.name) == command) else {
        let commands = columns(COMMANDS.iter().map(|spec| (spec.name.to_owned(), spec.about)).collect());
        return format!(
            "Set-up and automation of the workspace. Each command does the set-up it needs first.\n\n\
             Usage: cargo xtask <command> [arguments]\n\nCommands:\n{}\n\
             Start here: cargo xtask reproduce vae\nMore: cargo xtask <command> --help\n",
            commands.concat()
        );
    };
    let Spec { name, operands, about, details, flags } = spec;
    let rows = flags.iter().map(|flag| {
        (flag.value.map_or(flag.name.to_owned(), |value| format!("{} {value}", flag.name)), flag.about)
    });
    let usage = ["cargo xtask", name, operands, if flags.is_empty() { "" } else { "[flags]" }];
    let usage: Vec<&str> = usage.into_iter().filter(|word| !word.is_empty()).collect();
    let mut text = format!("{about}.\n\nUsage: {}\n\n{details}\n", usage.join(" "));
    if !flags.is_empty() {
        text += "\nFlags:\n";
        text += &columns(rows.collect()).concat();
    }
    text
}

/// Reads the arguments after `cargo xtask`.
///
/// Arguments of ours are text; those of the program `variata` need not be, as paths are not.
pub(crate) fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Command, UsageError> {
    let text = |arg: &OsString| arg.to_string_lossy().into_owned();
    let mut args = args.into_iter();
    let Some(name) = args.next().as_ref().map(text) else { return Ok(Command::Help(None)) };
    if is_help(&name) {
        let topic = args.next().map(|name| find(&text(&name))).transpose()?;
        return Ok(Command::Help(topic.map(|spec| spec.name)));
    }
    let spec = find(&name)?;
    let rest: Vec<OsString> = args.collect();
    if spec.name == "reproduce" {
        // With a paper named, `--help` is the program's own.
        let bare = rest.first().is_some_and(|arg| is_help(&text(arg)));
        return Ok(if bare {
            Command::Help(Some(spec.name))
        } else {
            Command::Program { command: spec.name, args: rest }
        });
    }
    if PROGRAM.contains(&spec.name) {
        return Ok(Command::Program { command: spec.name, args: rest });
    }
    let rest: Vec<String> = rest.iter().map(text).collect();
    if rest.iter().any(|arg| is_help(arg)) {
        return Ok(Command::Help(Some(spec.name)));
    }
    let mut given = Given::read(spec, rest)?;
    Ok(match spec.name {
        "setup" => Command::Setup { cuda: given.has("--cuda") },
        "test" => Command::Test { long: given.has("--long") },
        "bench" if given.has("--page") => {
            let other = given.flags.iter().map(|(name, _)| *name).find(|name| *name != "--page");
            if let Some(other) = given.operand.take().or_else(|| other.map(str::to_owned)) {
                return Err(UsageError::UnexpectedArgument { command: "bench --page", given: other });
            }
            Command::BenchPage
        }
        "bench" => Command::Bench {
            peers: given.has("--peers"),
            rounds: given.number("--rounds", 5)?,
            rows: given.text("--rows"),
            krate: given.operand.take(),
        },
        "docs" => Command::Docs { no_book: given.has("--no-book") },
        "api" => Command::Api { check: given.has("--check") },
        "package" => Command::Package { long: given.has("--long") },
        "golden" => Command::Golden { check: given.has("--check"), krate: given.operand.take() },
        _ => Command::Tidy,
    })
}

/// Flags and operand of one command line.
struct Given {
    flags: Vec<(&'static str, Option<String>)>,
    operand: Option<String>,
}

impl Given {
    fn read(spec: &'static Spec, args: Vec<String>) -> Result<Self, UsageError> {
        let mut given = Self { flags: Vec::new(), operand: None };
        let mut args = args.into_iter();
        while let Some(arg) = args.next() {
            if arg.starts_with('-') {
                let (name, inline) = match arg.split_once('=') {
                    Some((name, value)) => (name.to_owned(), Some(value.to_owned())),
                    None => (arg.clone(), None),
                };
                let Some(flag) =
                    spec.flags.iter().find(|f| f.name == name && (f.value.is_some() || inline.is_none()))
                else {
                    let nearest = nearest(&name, spec.flags.iter().map(|f| f.name));
                    return Err(UsageError::UnknownFlag { command: spec.name, given: arg, nearest });
                };
                let value = match flag.value {
                    Some(_) => Some(
                        inline
                            .or_else(|| args.next())
                            .ok_or(UsageError::MissingValue { command: spec.name, flag: flag.name })?,
                    ),
                    None => None,
                };
                given.flags.push((flag.name, value));
            } else if spec.operands.is_empty() || given.operand.is_some() {
                return Err(UsageError::UnexpectedArgument { command: spec.name, given: arg });
            } else {
                given.operand = Some(arg);
            }
        }
        Ok(given)
    }

    fn has(&self, flag: &str) -> bool {
        self.flags.iter().any(|(name, _)| *name == flag)
    }

    /// The last value wins, as everywhere.
    fn text(&self, flag: &str) -> Option<String> {
        self.flags.iter().rev().find(|(name, _)| *name == flag).and_then(|(_, value)| value.clone())
    }

    fn number(&self, flag: &'static str, default: u32) -> Result<u32, UsageError> {
        match self.text(flag) {
            Some(given) => match given.parse() {
                Ok(n) if n >= 1 => Ok(n),
                _ => Err(UsageError::BadValue { flag, given, must: "a whole number ≥ 1" }),
            },
            None => Ok(default),
        }
    }
}

fn is_help(arg: &str) -> bool {
    matches!(arg, "--help" | "-h" | "help")
}

fn find(name: &str) -> Result<&'static Spec, UsageError> {
    COMMANDS.iter().find(|spec| spec.name == name).ok_or_else(|| UsageError::UnknownCommand {
        given: name.to_owned(),
        nearest: nearest(name, COMMANDS.iter().map(|spec| spec.name)),
    })
}

/// The candidate at the smallest edit distance, if that is at most a third of the word.
fn nearest(word: &str, candidates: impl Iterator<Item = &'static str>) -> Option<&'static str> {
    let limit = word.chars().count().div_ceil(3);
    candidates.map(|c| (edits(word, c), c)).filter(|(d, _)| *d <= limit).min().map(|(_, c)| c)
}

/// Levenshtein distance, one row at a time.
fn edits(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.iter().enumerate() {
            let substituted = diagonal + usize::from(x != *y);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    #[expect(clippy::needless_pass_by_value, reason = "the calls are a table of literals")]
    fn check(line: &str, expect: Result<Command, UsageError>) {
        let got = parse(line.split_whitespace().map(OsString::from));
        assert!(got == expect, "{line}: {got:?}, expected {expect:?}");
    }

    #[test]
    fn every_form_of_every_command_is_read() {
        check("", Ok(Command::Help(None)));
        check("--help", Ok(Command::Help(None)));
        check("help bench", Ok(Command::Help(Some("bench"))));
        check("setup", Ok(Command::Setup { cuda: false }));
        check("setup --cuda", Ok(Command::Setup { cuda: true }));
        check("setup --cuda -h", Ok(Command::Help(Some("setup"))));
        check("test --long", Ok(Command::Test { long: true }));
        check("tidy", Ok(Command::Tidy));
        check("api --check", Ok(Command::Api { check: true }));
        check("package --long", Ok(Command::Package { long: true }));
        check("docs --no-book", Ok(Command::Docs { no_book: true }));
        check("golden --check", Ok(Command::Golden { check: true, krate: None }));
        let krate = Some("distributions".to_owned());
        check("golden distributions", Ok(Command::Golden { check: false, krate: krate.clone() }));
        check(
            "bench --peers distributions",
            Ok(Command::Bench { krate: krate.clone(), peers: true, rounds: 5, rows: None }),
        );
        check("bench --page", Ok(Command::BenchPage));
        let rows = Some("step/".to_owned());
        check(
            "bench --rounds=7 --rounds 9 --rows step/",
            Ok(Command::Bench { krate: None, peers: false, rounds: 9, rows }),
        );
    }

    #[test]
    fn commands_of_the_program_pass_everything_on() {
        let program = |command: &'static str, args: &[&str]| {
            Ok(Command::Program { command, args: args.iter().map(OsString::from).collect() })
        };
        check(
            "reproduce vae --data fashion-mnist --help",
            program("reproduce", &["vae", "--data", "fashion-mnist", "--help"]),
        );
        check("reproduce", program("reproduce", &[]));
        check("reproduce --help", Ok(Command::Help(Some("reproduce"))));
        check("studio", program("studio", &[]));
        check("studio --help", program("studio", &["--help"]));
        check("preset vae full", program("preset", &["vae", "full"]));
        check("help studio", Ok(Command::Help(Some("studio"))));
    }

    #[cfg(unix)]
    #[test]
    fn arguments_that_are_no_text_are_passed_on_or_refused() {
        use std::os::unix::ffi::OsStringExt;
        let odd = OsString::from_vec(b"/tmp/o\xff".to_vec());
        let args = vec![OsString::from("vae"), "--out".into(), odd.clone()];
        let line = [OsString::from("reproduce")].into_iter().chain(args.clone());
        assert_eq!(parse(line), Ok(Command::Program { command: "reproduce", args }));
        let refused = parse([OsString::from("tidy"), odd.clone()]).unwrap_err();
        let given = "/tmp/o\u{fffd}".to_owned();
        assert_eq!(refused, UsageError::UnexpectedArgument { command: "tidy", given });
        assert!(matches!(parse([odd]), Err(UsageError::UnknownCommand { .. })));
    }

    #[test]
    fn mistakes_name_the_mistake_and_the_nearest_thing() {
        let given = |s: &str| s.to_owned();
        check(
            "reproduse vae",
            Err(UsageError::UnknownCommand { given: given("reproduse"), nearest: Some("reproduce") }),
        );
        check("frobnicate", Err(UsageError::UnknownCommand { given: given("frobnicate"), nearest: None }));
        check(
            "setup --cuds",
            Err(UsageError::UnknownFlag {
                command: "setup",
                given: given("--cuds"),
                nearest: Some("--cuda"),
            }),
        );
        check(
            "setup --cuda=1",
            Err(UsageError::UnknownFlag {
                command: "setup",
                given: given("--cuda=1"),
                nearest: Some("--cuda"),
            }),
        );
        check("tidy up", Err(UsageError::UnexpectedArgument { command: "tidy", given: given("up") }));
        check("bench a b", Err(UsageError::UnexpectedArgument { command: "bench", given: given("b") }));
        for line in ["bench --page distributions", "bench distributions --peers --page"] {
            let given = given("distributions");
            check(line, Err(UsageError::UnexpectedArgument { command: "bench --page", given }));
        }
        check(
            "bench --page --rows x",
            Err(UsageError::UnexpectedArgument { command: "bench --page", given: given("--rows") }),
        );
        check("bench --rounds", Err(UsageError::MissingValue { command: "bench", flag: "--rounds" }));
        check(
            "bench --rounds 0",
            Err(UsageError::BadValue { flag: "--rounds", given: given("0"), must: "a whole number ≥ 1" }),
        );
        let shown = parse([given("benhc").into()]).unwrap_err().to_string();
        assert!(shown.contains("did you mean `bench`?"), "{shown}");
    }

    #[test]
    fn help_names_every_command_and_flag() {
        for spec in COMMANDS {
            assert!(help(None).contains(spec.name));
            let text = help(Some(spec.name));
            assert!(spec.flags.iter().all(|flag| text.contains(flag.name)), "{text}");
            assert!(text.lines().chain(help(None).lines()).all(|line| line.chars().count() <= 100), "{text}");
        }
    }
}
