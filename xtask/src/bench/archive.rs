//! The runs of `bench --peers` that `benches/runs` keeps, and what the issues asked of their rows.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use serde_json::Value;

/// One archived run.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Run {
    /// Below `benches/runs`, without its ending.
    pub(super) place: String,
    /// The file of benches.
    pub(super) krate: String,
    /// Day, or day and time.
    pub(super) time: String,
    /// The crate's own name, or longer for a choice of its rows.
    pub(super) file: String,
    pub(super) machine: String,
    pub(super) rounds: u64,
    pub(super) rows: Vec<Row>,
}

/// One row of a run; times in nanoseconds.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Row {
    pub(super) id: String,
    pub(super) ours: f64,
    /// Sorted by name; a peer that lacks the row has no time.
    pub(super) peers: Vec<(String, Option<f64>)>,
    pub(super) bound: f64,
    pub(super) bound_by: String,
}

impl Run {
    /// Runs sort from the oldest to the newest. Of two of one day without a time of day, the one of chosen rows is taken for the
    /// newer: it repeats a part of the other. The place, which no two runs share, decides last.
    pub(super) fn age(&self) -> (&str, usize, &str, &str) {
        (&self.time, self.file.len(), &self.file, &self.place)
    }

    pub(super) fn day(&self) -> &str {
        self.time.split('T').next().unwrap_or_default()
    }

    /// Whether this run is a better measurement than `other`, whichever is newer: more rounds on the same machine and day. A run
    /// that is stopped has fewer than it was asked for.
    pub(super) fn surpasses(&self, other: &Self) -> bool {
        self.machine == other.machine && self.day() == other.day() && self.rounds > other.rounds
    }

    fn parse(folder: &str, file: &str, text: &str) -> Result<Self> {
        let value: Value = serde_json::from_str(text)?;
        let day = string(&value["date"])?;
        let versions = value["versions"].as_object().context("no `versions`")?;
        let versions = versions.iter().map(|(name, version)| Ok(format!("{name} {}", string(version)?)));
        let versions = versions.collect::<Result<Vec<_>>>()?.join(", ");
        let threads = value["threads"].as_u64().context("no `threads`")?;
        let rows = value["rows"].as_array().context("no `rows`")?;
        Ok(Self {
            place: format!("{folder}/{file}"),
            krate: string(&value["crate"])?,
            time: string(&value["time"]).unwrap_or(day),
            file: file.to_owned(),
            machine: format!("{}, {threads} threads; {versions}", string(&value["processor"])?),
            rounds: value["rounds"].as_u64().context("no `rounds`")?,
            rows: rows.iter().map(Row::parse).collect::<Result<_>>()?,
        })
    }
}

impl Row {
    fn parse(value: &Value) -> Result<Self> {
        let number = |name: &str| value[name].as_f64().with_context(|| format!("a row without `{name}`"));
        let peers = value["peers_ns"].as_object().context("a row without `peers_ns`")?;
        let peers = peers.iter().map(|(name, time)| (name.clone(), time.as_f64()));
        Ok(Self {
            id: string(&value["id"])?,
            ours: number("ours_ns")?,
            peers: peers.collect(),
            bound: number("bound_ns")?,
            bound_by: string(&value["bound_by"])?,
        })
    }

    /// The time of a peer, or of the best among several, by the names that `targets.tsv` has for them.
    pub(super) fn peer(&self, name: &str) -> Option<f64> {
        let meant = |peer: &str| match name {
            "torch" => matches!(peer, "torch eager" | "torch.compile"),
            "best" => true,
            _ => peer == name,
        };
        let times = self.peers.iter().filter(|(peer, _)| meant(peer)).filter_map(|(_, time)| *time);
        times.min_by(f64::total_cmp)
    }
}

fn string(value: &Value) -> Result<String> {
    value.as_str().map(str::to_owned).context("a text is missing")
}

/// All archived runs, from the oldest to the newest.
pub(super) fn runs(folder: &Path) -> Result<Vec<Run>> {
    let mut runs = Vec::new();
    for day in fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))? {
        let day = day?.path();
        if !day.is_dir() {
            continue;
        }
        let name = day.file_name().unwrap_or_default().to_string_lossy().into_owned();
        for file in fs::read_dir(&day)? {
            let path = file?.path();
            if path.extension().is_some_and(|ending| ending == "json") {
                let file = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
                let run = Run::parse(&name, &file, &fs::read_to_string(&path)?);
                runs.push(run.with_context(|| format!("{} is no archived run", path.display()))?);
            }
        }
    }
    runs.sort_by(|a, b| a.age().cmp(&b.age()));
    Ok(runs)
}

/// What an issue asked of the rows that match a pattern.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Target {
    /// `*` stands for any text.
    pub(super) rows: String,
    /// Peer, several of them, or a row of ours.
    pub(super) peer: String,
    /// Least time of the peer over ours.
    pub(super) least: f64,
    pub(super) issue: String,
}

impl Target {
    pub(super) fn matches(&self, id: &str) -> bool {
        glob(&self.rows, id)
    }
}

/// Reads `targets.tsv`.
pub(super) fn targets(text: &str) -> Result<Vec<Target>> {
    let mut lines = text.lines().filter(|line| !line.starts_with('#'));
    if lines.next() != Some("row\tpeer\tleast\tissue") {
        bail!("the first line is not `row, peer, least, issue`, with tabs between");
    }
    let target = |line: &str| {
        let fields: Vec<&str> = line.split('\t').collect();
        let [rows, peer, least, issue] = fields[..] else { bail!("`{line}` has not four fields") };
        let number = least.parse().ok().filter(|least: &f64| *least > 0.0);
        let Some(least) = number else { bail!("`{least}` in `{line}` is no positive number") };
        Ok(Target { rows: rows.to_owned(), peer: peer.to_owned(), least, issue: issue.to_owned() })
    };
    lines.map(target).collect()
}

/// Whether `text` is `pattern`, each `*` of which stands for any text.
fn glob(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((head, rest)) => text.strip_prefix(head).is_some_and(|tail| {
            let ends = (0..=tail.len()).filter(|&at| tail.is_char_boundary(at));
            ends.into_iter().any(|at| glob(rest, &tail[at..]))
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RUN: &str = r#"{"crate": "a", "date": "2026-01-02", "processor": "P", "threads": 2, "rounds": 3,
        "versions": {"torch": "2", "python": "3"}, "rows": [{"id": "a/b", "ours_ns": 2.0, "bound_ns": 1.0,
        "bound_by": "flops", "peers_ns": {"torch eager": 8.0, "torch.compile": 4.0, "other": 3.0, "none": null}}]}"#;

    #[test]
    fn a_run_is_read_with_its_peers_and_what_is_absent_is_named() {
        let run = Run::parse("day", "a-b", RUN).unwrap();
        assert_eq!(
            (run.place.as_str(), run.machine.as_str()),
            ("day/a-b", "P, 2 threads; python 3, torch 2")
        );
        let peers = ["torch", "best", "torch eager", "none", "unknown"].map(|name| run.rows[0].peer(name));
        assert_eq!(peers, [Some(4.0), Some(3.0), Some(8.0), None, None]);
        let error = Run::parse("day", "a", &RUN.replace("bound_ns", "bounds")).unwrap_err();
        assert_eq!(error.to_string(), "a row without `bound_ns`");
    }

    #[test]
    fn later_days_times_and_choices_are_newer() {
        let run = |time: &str, file: &str| Run {
            time: time.to_owned(),
            file: file.to_owned(),
            ..Run::parse("day", "a", RUN).unwrap()
        };
        let ordered = [
            run("2026-01-02", "a"),
            run("2026-01-02", "a-rows"),
            run("2026-01-02T10:00:00", "a-rows"),
            run("2026-01-02T11:00:00", "a"),
            run("2026-01-03", "a"),
            Run { place: "other/a".to_owned(), ..run("2026-01-03", "a") },
        ];
        assert!(ordered.windows(2).all(|pair| pair[0].age() < pair[1].age()));
    }

    #[test]
    fn more_rounds_count_for_more_on_the_same_machine_and_day_only() {
        let run = |time: &str, machine: &str, rounds| Run {
            time: time.to_owned(),
            machine: machine.to_owned(),
            rounds,
            ..Run::parse("day", "a", RUN).unwrap()
        };
        let many = run("2026-01-02", "M", 5);
        let surpassed = [
            run("2026-01-02T11:00:00", "M", 1),
            run("2026-01-02T11:00:00", "M", 5),
            run("2026-01-02T11:00:00", "N", 1),
            run("2026-01-03", "M", 1),
        ];
        assert_eq!(surpassed.map(|other| many.surpasses(&other)), [true, false, false, false]);
    }

    #[test]
    fn targets_are_read_and_mistakes_in_them_named() {
        let text = "# said\nrow\tpeer\tleast\tissue\na/*/c\ttorch\t1.5\t3\n";
        let read = targets(text).unwrap();
        assert_eq!((read[0].peer.as_str(), read[0].least, read[0].issue.as_str()), ("torch", 1.5, "3"));
        let matched = ["a/b/c", "a/b/d/c", "a//c", "a/c", "a/b/cd"].map(|id| read[0].matches(id));
        assert_eq!(matched, [true, true, true, false, false]);
        for bad in ["a\tb\t0\t1", "a\tb\tmuch\t1", "a\tb\t1"] {
            assert!(targets(&format!("row\tpeer\tleast\tissue\n{bad}\n")).is_err(), "{bad}");
        }
        assert!(targets("a\tb\t1\t1\n").is_err());
    }
}
