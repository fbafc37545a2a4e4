//! A run in several processes, on one machine or many: each trains a share of the models, a last one collects them.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use anyhow::{Context, Result, bail};
use variata_models::train::{CheckpointStore, FileSystem, RealFileSystem, RunState};

/// Folder of the shares, beside the papers'.
const SHARDS: &str = "shards";

/// What a process does of a run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Part {
    /// Everything.
    #[default]
    Whole,
    /// Trains a share of the models, in a folder of its own.
    Shard(Shard),
    /// Collects the models that the shares have trained, measures them and writes the report.
    Merge,
}

/// One of `count` equal shares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shard {
    /// Which, from 1 on.
    index: usize,
    count: usize,
}

impl Shard {
    /// Whether the share has model `i`. Models in turn: seeds and kinds of models, which differ in their cost, are spread evenly.
    fn has(self, i: usize) -> bool {
        i % self.count == self.index - 1
    }
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let numbers = text.split_once('/').and_then(|(i, n)| Some((i.parse().ok()?, n.parse().ok()?)));
        match numbers {
            Some((index, count)) if (1..=count).contains(&index) => Ok(Self { index, count }),
            _ => Err(format!("\"{text}\" must be i/n with 1 ≤ i ≤ n, as in 2/4")),
        }
    }
}

impl std::fmt::Display for Shard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.index, self.count)
    }
}

impl Part {
    /// The models of `count` that the process trains.
    pub(crate) fn models(self, count: usize) -> Vec<usize> {
        (0..count)
            .filter(|&i| match self {
                Self::Shard(shard) => shard.has(i),
                Self::Whole | Self::Merge => true,
            })
            .collect()
    }

    /// Where the runs of the process lie, of those in `out`.
    pub(crate) fn folder(self, out: &Path) -> PathBuf {
        match self {
            Self::Shard(Shard { index, count }) => out.join(SHARDS).join(format!("{index}-of-{count}")),
            Self::Whole | Self::Merge => out.to_owned(),
        }
    }
}

/// Finds the trained model `name` of `identity` for the run in `run`, a folder of `out`: there, or with a share, from which it is then
/// copied; `false` where none has trained it to the end.
///
/// # Errors
/// Shares have it with other settings alone; a checkpoint is damaged; a file operation fails.
pub(crate) fn collect(out: &Path, run: &Path, name: &str, identity: &str) -> Result<bool> {
    let place = Path::new("checkpoints").join(name);
    let own = run.join(&place);
    if trained(&own)?.is_some() {
        return Ok(true);
    }
    let of_run = run.strip_prefix(out).unwrap_or(run);
    let shards = out.join(SHARDS);
    let mut shards =
        RealFileSystem.list(&shards).with_context(|| format!("cannot list {}", shards.display()))?;
    // What else lies there, such as the output of a job, is none.
    shards.retain(|shard| shard.is_dir());
    // The same one each time, where two have it.
    shards.sort();
    let mut stale = None;
    for shard in shards {
        let from = shard.join(of_run).join(&place);
        let Some((file, state)) = trained(&from)? else { continue };
        if state.identity != identity {
            // Of an earlier division, for one: another share may have the right one.
            stale.get_or_insert(shard);
            continue;
        }
        CheckpointStore::new(own).adopt(&file)?;
        return Ok(true);
    }
    match stale {
        Some(shard) => bail!(
            "{name} in {} was trained with other settings or data than this run has, and no other share has it: remove that folder",
            shard.join(of_run).display()
        ),
        None => Ok(false),
    }
}

/// The newest checkpoint in a folder, where its training came to its end.
fn trained(folder: &Path) -> Result<Option<(PathBuf, RunState)>> {
    let found = CheckpointStore::new(folder).latest()?;
    Ok(found.filter(|(_, state)| state.completed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_model_is_in_one_share() {
        for count in 1..6 {
            let shares = (1..=count).map(|index| Part::Shard(Shard { index, count }).models(17));
            let mut all: Vec<_> = shares.flatten().collect();
            all.sort_unstable();
            assert_eq!(all, Part::Whole.models(17), "{count}");
        }
    }

    #[test]
    fn a_share_is_written_as_it_is_read_and_a_wrong_one_is_refused() {
        assert_eq!("2/4".parse::<Shard>().unwrap().to_string(), "2/4");
        for wrong in ["0/4", "5/4", "1/0", "2", "a/b", "1/-1", "", "1/2/3"] {
            let message = wrong.parse::<Shard>().unwrap_err();
            assert!(message.contains(&format!("\"{wrong}\"")), "{message}");
        }
    }
}
