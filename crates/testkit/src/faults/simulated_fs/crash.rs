//! The states that a crash may leave behind.

use std::collections::{BTreeMap, BTreeSet};

use super::state::{File, Node, State};

/// Up to here every subset of the changes of names is tried.
const ALL_SUBSETS: usize = 6;

/// What becomes of data that was not synced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Kept,
    Old,
    Empty,
    Half,
    Zeros,
}

const FATES: [Fate; 5] = [Fate::Kept, Fate::Old, Fate::Empty, Fate::Half, Fate::Zeros];

impl Fate {
    fn of(self, file: &File) -> Vec<u8> {
        let File { memory, disk } = file;
        // What was synced and merely appended to is on disk for good; rewritten contents are all new.
        let safe = if memory.starts_with(disk) { disk.len() } else { 0 };
        let new = memory.len() - safe;
        match self {
            Self::Kept => memory.clone(),
            Self::Old => disk.clone(),
            Self::Empty => memory[..safe].to_vec(),
            Self::Half => memory[..safe + new / 2].to_vec(),
            Self::Zeros => {
                let mut data = memory[..safe].to_vec();
                data.resize(memory.len(), 0);
                data
            }
        }
    }
}

/// Every state with a word on how it came about, without duplicates.
pub(super) fn enumerate(state: &State) -> Vec<(State, String)> {
    let dirty: Vec<Node> =
        state.files.iter().filter(|(_, file)| file.memory != file.disk).map(|(&node, _)| node).collect();
    let mut seen = BTreeSet::new();
    let mut states = Vec::new();
    for kept in subsets(state.pending.len()) {
        let mut names = state.disk_names.clone();
        for (pending, _) in state.pending.iter().zip(&kept).filter(|(_, kept)| **kept) {
            pending.change.apply(&mut names);
        }
        for (fates, how) in all_fates(&dirty) {
            let contents = state
                .files
                .iter()
                .map(|(node, file)| (*node, fates.get(node).unwrap_or(&Fate::Old).of(file)))
                .collect();
            let crashed = state.rebooted(&names, &contents);
            if seen.insert(crashed.tree()) {
                let changes: String = kept.iter().map(|&kept| if kept { '1' } else { '0' }).collect();
                states
                    .push((crashed, format!("changes of names on disk: [{changes}]; unsynced data: {how}")));
            }
        }
    }
    states
}

/// Which of `count` changes are on disk.
fn subsets(count: usize) -> Vec<Vec<bool>> {
    if count <= ALL_SUBSETS {
        return (0..1_usize << count).map(|bits| (0..count).map(|i| bits >> i & 1 == 1).collect()).collect();
    }
    let prefixes = (0..=count).map(|end| (0..count).map(|i| i < end).collect());
    let alone = (0..count).map(|one| (0..count).map(|i| i == one).collect());
    let left_out = (0..count).map(|one| (0..count).map(|i| i != one).collect());
    prefixes.chain(alone).chain(left_out).collect()
}

/// All files alike, then one file damaged and the others kept, then one kept and the others lost.
fn all_fates(dirty: &[Node]) -> Vec<(BTreeMap<Node, Fate>, String)> {
    let mut all: Vec<_> = FATES
        .iter()
        .map(|&fate| (dirty.iter().map(|&node| (node, fate)).collect(), format!("all {fate:?}")))
        .collect();
    if dirty.len() > 1 {
        for (i, &one) in dirty.iter().enumerate() {
            for &fate in &FATES {
                let others = if fate == Fate::Kept { Fate::Old } else { Fate::Kept };
                let fates =
                    dirty.iter().map(|&node| (node, if node == one { fate } else { others })).collect();
                all.push((fates, format!("file {i} {fate:?}, others {others:?}")));
            }
        }
    }
    all
}
