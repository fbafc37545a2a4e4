//! Bundles: made up, or from a folder; their parts, and their coordinates in [−1, 1].

use std::sync::Arc;

use anyhow::{Context, Result, bail};
use ndarray::{Array3, Axis};
use variata_datasets::{ArrayDataset, Checksum, Loader, LoaderOptions, permutation};
use variata_streamlines::{
    Folder, FolderOptions, GroupOptions, Groups, Normalization, Phantom, Streamlines, Tract, ungroup,
};

use super::VqDiffConfig;
use super::config::{NormalizeBy, SplitBy};
use crate::run_data::RunData;
use crate::session::Parts;
use crate::subset::mixed;

/// Name of the made-up bundles.
pub(super) const PHANTOM: &str = "phantom";

/// All data with what they are and which part they belong to.
#[derive(Debug)]
pub(super) struct Bundles {
    name: String,
    /// What a folder gave and what it did not; empty for made-up bundles.
    pub(super) found: String,
    /// [n, 3, streamlines, points].
    pub(super) data: Arc<ArrayDataset>,
    /// Of each datum; names in the same order.
    pub(super) subjects: Vec<usize>,
    pub(super) tracts: Vec<String>,
    /// Which were left out for balance.
    train: Vec<usize>,
    pub(super) validation: Vec<usize>,
    pub(super) test: Vec<usize>,
    pub(super) scale: Normalization,
    /// Subjects in each part; of a split by data, the same ones may be in several.
    pub(super) split: [usize; 3],
}

impl RunData for Bundles {
    fn name(&self) -> &str {
        &self.name
    }

    fn checksum(&self) -> Checksum {
        self.data.checksum()
    }

    fn description(&self) -> String {
        let (n, _, streamlines, points) = self.data.array().dim();
        format!(
            "{n} data of {streamlines} streamlines of {points} points, {} tracts; subjects: {} in training, {} in validation, {} in tests",
            self.tracts.len(),
            self.split[0],
            self.split[1],
            self.split[2],
        )
    }
}

/// The streamlines of data in normalised coordinates, [3, streamlines, points].
pub(super) fn lines(datum: &ndarray::ArrayRef3<f32>) -> Result<Streamlines<f32>> {
    let turned: Array3<f32> = datum.view().permuted_axes([1, 0, 2]).as_standard_layout().into_owned();
    Ok(ungroup(&turned)?)
}

/// The data of a name: `phantom`, or a folder of TRK and TCK files.
pub(super) fn load(name: &str, config: &VqDiffConfig) -> Result<Bundles> {
    let d = &config.data;
    if name == PHANTOM {
        let tracts = d.tracts.iter().map(|name| name.parse::<Tract>()).collect::<Result<Vec<_>, _>>();
        let tracts = tracts.context("`data.tracts` of made-up bundles")?;
        let phantom = Phantom { seed: d.cohort, streamlines: d.streamlines, ..Phantom::default() };
        let groups = phantom.groups(0..d.subjects, &tracts, GroupOptions::default())?;
        return divide(PHANTOM, String::new(), &groups, config);
    }
    let folder = Folder::open(name).with_context(|| {
        format!("`--data {name}` is neither `{PHANTOM}` nor a folder of TRK and TCK files")
    })?;
    let wanted: Vec<&str> = d.tracts.iter().map(String::as_str).collect();
    let (groups, summary) = folder
        .groups(&wanted, GroupOptions::default(), FolderOptions::default())
        .context("`data.tracts` of a folder")?;
    let found = format!("{summary}; {} left over, too few for a datum", groups.dropped());
    eprintln!("{name}: {found}");
    let path = std::path::Path::new(name);
    let base = path.canonicalize().ok().and_then(|p| p.file_name().map(|f| f.to_string_lossy().into_owned()));
    if groups.classes().is_empty() {
        bail!(
            "{name} gives no datum of {} streamlines of the tracts {}: {found}",
            GroupOptions::default().streamlines,
            wanted.join(", ")
        );
    }
    divide(base.as_deref().unwrap_or("folder"), found, &groups, config)
}

/// Sorted without repetition.
fn distinct(mut items: Vec<usize>) -> Vec<usize> {
    items.sort_unstable();
    items.dedup();
    items
}

/// A shuffled list in three parts: the rest, the validation's share and the test's, none of them empty.
fn thirds(items: &[usize], config: &VqDiffConfig, what: &str) -> Result<[Vec<usize>; 3]> {
    let d = &config.data;
    if items.len() < 3 {
        bail!(
            "the data have {} {what}, must have at least 3: for training, validation and tests",
            items.len()
        );
    }
    let shuffled: Vec<usize> =
        permutation(items.len(), d.split_seed, 0).into_iter().map(|k| items[k]).collect();
    let share = |f: f64| ((f * items.len() as f64).round() as usize).clamp(1, items.len() - 2);
    let test = share(d.test);
    let validation = share(d.validation).min(items.len() - test - 1);
    let (test, rest) = shuffled.split_at(test);
    let (validation, train) = rest.split_at(validation);
    Ok([train.to_vec(), validation.to_vec(), test.to_vec()])
}

/// As many of each class as the smallest has, chosen by chance, in order.
fn balanced(indices: &[usize], classes: &[usize], seed: u64) -> Vec<usize> {
    let order = permutation(indices.len(), seed, 1);
    let most = classes.iter().max().map_or(0, |c| c + 1);
    let mut by_class = vec![Vec::new(); most];
    for k in order {
        by_class[classes[indices[k]]].push(indices[k]);
    }
    let each = by_class.iter().map(Vec::len).filter(|&n| n > 0).min().unwrap_or(0);
    let mut kept: Vec<usize> = by_class.iter().flat_map(|all| all.iter().take(each).copied()).collect();
    kept.sort_unstable();
    kept
}

fn divide(name: &str, found: String, groups: &Groups<f32>, config: &VqDiffConfig) -> Result<Bundles> {
    let (classes, subjects) = (groups.classes(), groups.subjects());
    let all: Vec<usize> = (0..classes.len()).collect();
    let [train, validation, test] = match config.data.split {
        SplitBy::Chunks => thirds(&all, config, "data")?,
        SplitBy::Subjects => {
            let parts = thirds(&distinct(subjects.to_vec()), config, "subjects")?;
            parts.map(|part| all.iter().copied().filter(|&i| part.contains(&subjects[i])).collect())
        }
    };
    if test.len() < 3 {
        bail!(
            "`data.test` is {}: {} data are left to test on, at least 3 are needed",
            config.data.test,
            test.len()
        );
    }
    let tracts = &config.data.tracts;
    if let Some(empty) = (0..tracts.len()).find(|&tract| !train.iter().any(|&i| classes[i] == tract)) {
        bail!(
            "no datum of the tract {}, which `data.tracts` names, is left to train on{}{found}",
            tracts[empty],
            if found.is_empty() { "" } else { ": " },
        );
    }
    let train = balanced(&train, classes, config.data.split_seed);
    let fitted = match config.data.normalize {
        NormalizeBy::Training => groups.select(&train)?,
        NormalizeBy::All => groups.clone(),
    };
    let scale = Normalization::fit(&fitted.data())?;
    drop(fitted);
    let values = scale.apply(&groups.data()).permuted_axes([0, 2, 1, 3]);
    let labels: Vec<u8> = classes.iter().map(|&c| u8::try_from(c).unwrap_or(u8::MAX)).collect();
    let count = |part: &[usize]| distinct(part.iter().map(|&i| subjects[i]).collect()).len();
    Ok(Bundles {
        name: name.to_owned(),
        found,
        split: [count(&train), count(&validation), count(&test)],
        data: Arc::new(ArrayDataset::new(name, values, labels)?),
        subjects: subjects.to_vec(),
        tracts: config.data.tracts.clone(),
        train,
        validation,
        test,
        scale,
    })
}

impl Bundles {
    /// Loaders for a seed. Data are gathered when they are needed: they are in memory already.
    pub(super) fn parts(&self, batch_size: usize, seed: u64) -> Result<Parts> {
        let options = LoaderOptions { batch_size, seed, ..LoaderOptions::default() };
        let in_order = LoaderOptions { shuffle: false, batch_size: batch_size.min(64), ..options.clone() };
        Ok(Parts {
            train: Loader::new(self.data.clone(), self.train.clone(), options)?,
            validation: Loader::new(self.data.clone(), self.validation.clone(), in_order)?,
            test: self.test.clone(),
        })
    }

    /// Which tract a datum is of.
    pub(super) fn tract(&self, index: usize) -> usize {
        usize::from(self.data.labels()[index])
    }

    /// At most so many of each tract, chosen by chance, the same each time; in order.
    pub(super) fn some(&self, part: &[usize], per_tract: usize) -> Vec<usize> {
        let mut taken = vec![0; self.tracts.len()];
        let mut some = mixed(part, self.data.labels());
        some.retain(|&i| {
            let n = &mut taken[self.tract(i)];
            *n += 1;
            *n <= per_tract
        });
        some.sort_unstable();
        some
    }

    /// The test datum of the same tract that follows.
    pub(super) fn next(&self, index: usize) -> Option<usize> {
        let after = |&i: &usize| i > index && self.tract(i) == self.tract(index);
        self.test.iter().copied().filter(after).min()
    }

    /// The streamlines of a datum, normalised.
    pub(super) fn lines(&self, index: usize) -> Result<Streamlines<f32>> {
        lines(&self.data.array().index_axis(Axis(0), index))
    }

    /// Millimetres of one unit of the normalised coordinates.
    pub(super) fn millimetres(&self) -> f64 {
        1.0 / self.scale.scale()
    }
}
