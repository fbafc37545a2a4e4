//! `docs/benchmarks.md`: the newest measurement of every row, made from the archives alone.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use super::archive::{self, Row, Run, Target};
use crate::places;

const PAGE: &str = "docs/benchmarks.md";

/// Writes the page.
pub(crate) fn write() -> Result<()> {
    let root = places::root();
    fs::write(root.join(PAGE), from_archives(&root)?).with_context(|| format!("cannot write {PAGE}"))?;
    println!("written: {PAGE}");
    Ok(())
}

/// The breach of a page that is not what the archives give.
pub(crate) fn stale(root: &Path) -> Result<Option<String>> {
    let fresh = from_archives(root)?;
    let kept = fs::read_to_string(root.join(PAGE)).unwrap_or_default();
    Ok((fresh != kept).then(|| format!("{PAGE}: not what benches/runs gives: cargo xtask bench --page")))
}

fn from_archives(root: &Path) -> Result<String> {
    let file: PathBuf = root.join("benches/targets.tsv");
    let targets = fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
    let targets = archive::targets(&targets).with_context(|| format!("in {}", file.display()))?;
    let runs = archive::runs(&root.join("benches/runs"))?;
    if runs.is_empty() {
        bail!("benches/runs has no run: `cargo xtask bench --peers` makes them");
    }
    let mut compared = super::names("benches/peers", ".py")?;
    compared.retain(|name| !matches!(name.as_str(), "compare" | "worker"));
    Ok(page(&runs, &targets, &compared))
}

/// The newest measurement of one row.
struct Newest<'a> {
    row: &'a Row,
    run: &'a Run,
}

/// The page of these runs, oldest first; `compared` are the names of the benches that have peers.
fn page(runs: &[Run], targets: &[Target], compared: &[String]) -> String {
    let mut newest: Vec<Newest<'_>> = Vec::new();
    for run in runs {
        for row in &run.rows {
            let better =
                |other: &&Run| other.surpasses(run) && other.rows.iter().any(|same| same.id == row.id);
            if runs.iter().any(|other| better(&other)) {
                continue;
            }
            match newest.iter_mut().find(|kept| kept.row.id == row.id) {
                Some(kept) => *kept = Newest { row, run },
                None => newest.push(Newest { row, run }),
            }
        }
    }
    let mut used: Vec<&Run> = Vec::new();
    for run in runs.iter().rev() {
        if newest.iter().any(|kept| kept.run.place == run.place) {
            used.push(run);
        }
    }
    let answers = newest.iter().flat_map(|kept| answers(kept, targets));
    let (met, missed): (Vec<Answer>, Vec<Answer>) = answers.partition(Answer::met);

    let mut text = format!(
        "# Benchmarks\n\n\
         <!-- Written by `cargo xtask bench --page` from benches/runs and benches/targets.tsv. Do not edit. -->\n\n\
         The newest archived measurement of every row; of those of one day and machine, one with the most rounds. Behind the time of a peer stands\n\
         how many times as long as ours it takes; above 1 ours is faster. The bound is the time that the bytes or the operations of the row take at the rate of a copy or of a matrix\n\
         product on the same machine in the same run. *Asked* is the target set before the work, as a least ratio to a peer (`torch` is\n\
         the better of eager and compiled, `best` the best of all) or to another row, with what was reached; **missed** marks those that\n\
         fall short. Runs of different days may be of different machines, which *run* tells apart. How all is measured: `benches/README.md`; how to measure again: `cargo xtask bench --peers`.\n\n\
         {} rows; {} figures asked for, {} reached, {} missed.\n",
        newest.len(),
        met.len() + missed.len(),
        met.len(),
        missed.len(),
    );
    for name in compared {
        let rows: Vec<&Newest<'_>> = newest.iter().filter(|kept| kept.run.krate == *name).collect();
        let _ = write!(text, "\n## {name}\n\n");
        if rows.is_empty() {
            text += "No archived run.\n";
        } else {
            text += &table(&rows, targets, &used);
        }
    }
    let measured = |target: &&Target| newest.iter().any(|kept| target.matches(&kept.row.id));
    let open: Vec<&Target> = targets.iter().filter(|target| !measured(target)).collect();
    if !open.is_empty() {
        text += "\n## Asked for, and not measured\n\n| row | asked | issue |\n| --- | --- | ---: |\n";
        for Target { rows, peer, least, issue } in open {
            let _ = writeln!(text, "| `{rows}` | {least} × {peer} | {issue} |");
        }
    }
    text += "\n## Runs\n\n";
    for (number, run) in (1..).zip(&used) {
        let Run { place, machine, rounds, .. } = run;
        let day = run.day();
        let rounds = if *rounds == 1 { "one round".to_owned() } else { format!("median of {rounds} rounds") };
        let _ = writeln!(text, "{number}. {day}, {machine}; {rounds}; `benches/runs/{place}.json`");
    }
    text
}

/// The table of one crate.
fn table(rows: &[&Newest<'_>], targets: &[Target], used: &[&Run]) -> String {
    let mut peers: Vec<&str> = Vec::new();
    for (peer, _) in rows.iter().flat_map(|kept| &kept.row.peers) {
        if !peers.contains(&peer.as_str()) {
            peers.push(peer);
        }
    }
    let mut head = vec!["row".to_owned(), "ours".to_owned()];
    head.extend(peers.iter().map(|peer| (*peer).to_owned()));
    head.extend(["bound", "ours ÷ bound", "asked", "run"].map(str::to_owned));
    let rule = (0..head.len()).map(|column| if column == 0 { "---" } else { "---:" }.to_owned());
    let mut lines = vec![head.clone(), rule.collect()];
    for kept in rows {
        let Row { id, ours, bound, bound_by, .. } = kept.row;
        let mut line = vec![format!("`{id}`"), time(*ours)];
        line.extend(peers.iter().map(|peer| match kept.row.peer(peer) {
            Some(theirs) => format!("{} ({:.2})", time(theirs), theirs / ours),
            None => "–".to_owned(),
        }));
        line.push(format!("{} ({bound_by})", time(*bound)));
        line.push(format!("{:.2}", ours / bound));
        let asked: Vec<String> = answers(kept, targets).map(|answer| answer.show()).collect();
        line.push(if asked.is_empty() { "–".to_owned() } else { asked.join("; ") });
        let number = used.iter().position(|run| run.place == kept.run.place).map_or(0, |at| at + 1);
        line.push(number.to_string());
        lines.push(line);
    }
    lines.iter().flat_map(|line| ["| ".to_owned(), line.join(" | "), " |\n".to_owned()]).collect()
}

/// What was asked of a row, and what was reached.
struct Answer {
    least: f64,
    peer: String,
    /// `None` where the peer was not measured, or another row not in the same run.
    reached: Option<f64>,
}

impl Answer {
    fn met(&self) -> bool {
        self.reached.is_some_and(|reached| reached >= self.least)
    }

    fn show(&self) -> String {
        let name = if self.peer.contains('/') { format!("`{}`", self.peer) } else { self.peer.clone() };
        let asked = format!("{} × {name}", self.least);
        match self.reached {
            None => format!("{asked}: **missed**, no such time"),
            Some(reached) if self.met() => format!("{asked}: {reached:.2}"),
            Some(reached) => format!("{asked}: {reached:.2}, **missed**"),
        }
    }
}

fn answers<'a>(kept: &'a Newest<'a>, targets: &'a [Target]) -> impl Iterator<Item = Answer> + 'a {
    let Newest { row, run } = kept;
    targets.iter().filter(|target| target.matches(&row.id)).map(|target| {
        let other = run.rows.iter().find(|other| other.id == target.peer).map(|other| other.ours);
        let theirs = other.or_else(|| row.peer(&target.peer));
        Answer {
            least: target.least,
            peer: target.peer.clone(),
            reached: theirs.map(|theirs| theirs / row.ours),
        }
    })
}

/// A time with three digits and its unit.
fn time(nanoseconds: f64) -> String {
    let units = [("s", 1e9), ("ms", 1e6), ("µs", 1e3), ("ns", 1.0)];
    let (unit, size) = units.into_iter().find(|(_, size)| nanoseconds >= *size).unwrap_or(("ns", 1.0));
    let number = nanoseconds / size;
    let places = usize::from(number < 9.995) + usize::from(number < 99.95);
    let mut digits = format!("{number:.places$}");
    if places > 0 {
        digits.truncate(digits.trim_end_matches('0').trim_end_matches('.').len());
    }
    format!("{digits} {unit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(place: &str, krate: &str, rows: &[(&str, f64, &[(&str, Option<f64>)])]) -> Run {
        let row = |(id, ours, peers): &(&str, f64, &[(&str, Option<f64>)])| Row {
            id: (*id).to_owned(),
            ours: *ours,
            peers: peers.iter().map(|(name, time)| ((*name).to_owned(), *time)).collect(),
            bound: 500.0,
            bound_by: "bytes".to_owned(),
        };
        Run {
            place: place.to_owned(),
            krate: krate.to_owned(),
            time: place.to_owned(),
            file: krate.to_owned(),
            machine: "M".to_owned(),
            rounds: 2,
            rows: rows.iter().map(row).collect(),
        }
    }

    #[test]
    fn the_newest_time_of_a_row_counts_and_what_misses_its_target_is_marked() {
        let peers: &[(&str, Option<f64>)] =
            &[("torch eager", Some(4e3)), ("torch.compile", Some(3e3)), ("faiss", None)];
        let runs = [
            run("old", "a", &[("a/x", 5e3, peers), ("a/y", 2e3, peers)]),
            run("unused", "a", &[("a/x", 7e3, peers)]),
            run("new", "a", &[("a/x", 1e3, peers)]),
        ];
        let text =
            "row\tpeer\tleast\tissue\na/*\ttorch\t2\t3\na/y\ta/x\t1\t3\na/x\tfaiss\t1\t3\nb/*\tbest\t4\t5\n";
        let targets = archive::targets(text).unwrap();
        let page = page(&runs, &targets, &["a".to_owned(), "b".to_owned()]);
        let line = |start: &str| page.lines().find(|line| line.starts_with(start)).unwrap_or_default();
        assert_eq!(
            line("| `a/x` |"),
            "| `a/x` | 1 µs | 4 µs (4.00) | 3 µs (3.00) | – | 500 ns (bytes) | 2.00 | 2 × torch: 3.00; \
             1 × faiss: **missed**, no such time | 1 |"
        );
        assert_eq!(
            line("| `a/y` |"),
            "| `a/y` | 2 µs | 4 µs (2.00) | 3 µs (1.50) | – | 500 ns (bytes) | 4.00 | 2 × torch: 1.50, **missed**; \
             1 × `a/x`: 2.50 | 2 |"
        );
        assert_eq!(line("2 rows"), "2 rows; 4 figures asked for, 2 reached, 2 missed.");
        assert!(page.contains("## b\n\nNo archived run.\n"), "{page}");
        assert_eq!(line("| `b/*` |"), "| `b/*` | 4 × best | 5 |");
        assert_eq!(line("1. "), "1. new, M; median of 2 rounds; `benches/runs/new.json`");
        assert_eq!(line("2. "), "2. old, M; median of 2 rounds; `benches/runs/old.json`");
        assert!(!page.contains("unused"));
    }

    #[test]
    fn a_stopped_run_does_not_replace_a_median_of_the_same_day() {
        let rows: &[(&str, f64, &[(&str, Option<f64>)])] = &[("a/x", 1e3, &[])];
        let timed =
            |place: &str, time: &str, rounds| Run { time: time.to_owned(), rounds, ..run(place, "a", rows) };
        let median = timed("median", "2026-01-02T10:00:00", 5);
        let stopped = Run {
            rows: run("", "a", &[("a/x", 9e3, &[]), ("a/y", 2e3, &[])]).rows,
            ..timed("stopped", "2026-01-02T11:00:00", 1)
        };
        let next_day = timed("next", "2026-01-03T09:00:00", 1);
        let names = ["a".to_owned()];
        let row = |page: &str, id: &str| -> String {
            let start = format!("| `{id}` |");
            page.lines().find(|line| line.starts_with(&start)).unwrap_or_default().to_owned()
        };
        let shown = page(&[median.clone(), stopped.clone()], &[], &names);
        assert_eq!(row(&shown, "a/x"), "| `a/x` | 1 µs | 500 ns (bytes) | 2.00 | – | 2 |");
        // What the stopped run alone has is kept.
        assert_eq!(row(&shown, "a/y"), "| `a/y` | 2 µs | 500 ns (bytes) | 4.00 | – | 1 |");
        assert!(
            shown.contains(
                "\n1. 2026-01-02, M; one round; `benches/runs/stopped.json`\n2. 2026-01-02, M; median of 5"
            ),
            "{shown}"
        );
        let later = page(&[median, stopped, next_day], &[], &names);
        assert!(later.contains("1. 2026-01-03, M; one round; `benches/runs/next.json`"), "{later}");
        assert!(!later.contains("median.json"), "{later}");
    }

    #[test]
    fn times_have_three_digits() {
        let shown = [0.5, 12.34, 586_000.0, 4.76e6, 99.94e6, 1e7, 9.999e8, 2.2e9].map(time);
        let expect = ["0.5 ns", "12.3 ns", "586 µs", "4.76 ms", "99.9 ms", "10 ms", "1000 ms", "2.2 s"];
        assert_eq!(shown, expect);
    }
}
