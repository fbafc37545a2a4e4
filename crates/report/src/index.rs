//! One page over the reports of several experiments.

use std::path::{Path, PathBuf};

use minijinja::value::{Serde, Value};
use minijinja::{Environment, context};
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::claim::outcome;
use crate::markup::inline;
use crate::output::write_whole;
use crate::report::class;

/// Name of the file beside a report that says what an index shows of it.
pub(crate) const CLAIMS: &str = "claims.json";

/// A claim and what came out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ClaimSummary {
    pub(crate) id: String,
    pub(crate) sentence: String,
    pub(crate) verdict: String,
}

/// What an index shows of a report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ReportSummary {
    pub(crate) title: String,
    pub(crate) paper: String,
    pub(crate) claims: Vec<ClaimSummary>,
}

impl ReportSummary {
    pub(crate) fn to_json(&self) -> String {
        // Text and nothing else: it can always be written.
        serde_json::to_string_pretty(self).unwrap_or_default() + "\n"
    }
}

/// An experiment in an [`Index`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexEntry {
    name: String,
    page: Option<String>,
    content: Result<ReportSummary, String>,
}

impl IndexEntry {
    /// The experiment whose report is `report`, below the folder `root` of the index.
    ///
    /// # Errors
    /// [`Error::File`] if what the report says of its claims cannot be read, or the report is not below `root`.
    pub fn of_report(name: impl Into<String>, root: &Path, report: &Path) -> Result<Self, Error> {
        let file = report.with_file_name(CLAIMS);
        let at = |action, path: &Path, source| Error::File { action, path: path.to_owned(), source };
        let text = std::fs::read_to_string(&file).map_err(|source| at("read", &file, source))?;
        let claims = serde_json::from_str(&text).map_err(|e| at("read", &file, std::io::Error::other(e)))?;
        let below = report.strip_prefix(root).map_err(|e| at("link to", report, std::io::Error::other(e)))?;
        let parts: Vec<_> = below.iter().map(|part| in_address(&part.to_string_lossy())).collect();
        Ok(Self { name: name.into(), page: Some(parts.join("/")), content: Ok(claims) })
    }

    /// An experiment that failed, and why.
    #[must_use]
    pub fn failed(name: impl Into<String>, problem: impl Into<String>) -> Self {
        Self { name: name.into(), page: None, content: Err(problem.into()) }
    }
}

/// A page over several experiments: what was claimed and what held, with links to their reports and to `more`.
///
/// ```
/// use variata_report::{Index, IndexEntry};
/// let index = Index {
///     title: "Experiments".to_owned(),
///     entries: vec![IndexEntry::failed("vae", "the disk is full")],
///     more: vec![("The book".to_owned(), "docs/index.html".to_owned())],
/// };
/// assert!(index.to_html()?.contains("the disk is full"));
/// # Ok::<(), variata_report::Error>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Index {
    /// Title.
    pub title: String,
    /// The experiments, in the order shown.
    pub entries: Vec<IndexEntry>,
    /// Names and addresses, or commands, of what else there is.
    pub more: Vec<(String, String)>,
}

#[derive(Serialize)]
struct EntryView<'a> {
    name: &'a str,
    page: Option<&'a str>,
    title: &'a str,
    paper: String,
    problem: Option<&'a str>,
    outcome: String,
    claims: Vec<ClaimView<'a>>,
}

#[derive(Serialize)]
struct ClaimView<'a> {
    id: &'a str,
    sentence: String,
    label: &'a str,
    class: &'static str,
}

impl Index {
    /// The page.
    ///
    /// # Errors
    /// [`Error::Template`], which a test of the template excludes.
    pub fn to_html(&self) -> Result<String, Error> {
        let mut environment = Environment::new();
        let text = include_str!("../templates/index.html");
        environment.add_template("index.html", text).map_err(Error::Template)?;
        let entries: Vec<EntryView<'_>> = self.entries.iter().map(view).collect();
        let context = context! {
            style => include_str!("../templates/report.css"),
            title => self.title.as_str(),
            outcome => outcome_of(entries.iter().flat_map(|e| &e.claims)),
            entries => Value::from(Serde(entries)),
            more => &self.more,
        };
        let template = environment.get_template("index.html").map_err(Error::Template)?;
        template.render(context).map_err(Error::Template)
    }

    /// Writes `index.html` into the folder `root`, whole or not at all.
    ///
    /// # Errors
    /// As [`to_html`](Self::to_html); [`Error::File`].
    pub fn write(&self, root: &Path) -> Result<PathBuf, Error> {
        let (target, html) = (root.join("index.html"), self.to_html()?);
        write_whole(&target, |file| file.write_all(html.as_bytes()))?;
        Ok(target)
    }
}

/// A part of a path as an address has it.
fn in_address(part: &str) -> String {
    let one = |byte: u8| match byte {
        b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        _ if byte.is_ascii_alphanumeric() => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    part.bytes().map(one).collect()
}

fn view(entry: &IndexEntry) -> EntryView<'_> {
    let (title, paper, claims) = match &entry.content {
        Ok(found) => (found.title.as_str(), inline(&found.paper), found.claims.as_slice()),
        Err(_) => (entry.name.as_str(), String::new(), &[][..]),
    };
    let claims: Vec<_> = claims
        .iter()
        .map(|c| ClaimView {
            id: &c.id,
            sentence: inline(&c.sentence),
            label: &c.verdict,
            class: class(&c.verdict),
        })
        .collect();
    EntryView {
        name: &entry.name,
        page: entry.page.as_deref(),
        title,
        paper,
        problem: entry.content.as_ref().err().map(String::as_str),
        outcome: outcome_of(&claims),
        claims,
    }
}

fn outcome_of<'a>(claims: impl IntoIterator<Item = &'a ClaimView<'a>>) -> String {
    let (mut held, mut failed, mut open) = (0, 0, 0);
    for claim in claims {
        *match claim.class {
            "held" => &mut held,
            "failed" => &mut failed,
            _ => &mut open,
        } += 1;
    }
    outcome(held, held + failed, open)
}
