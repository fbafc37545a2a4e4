//! The folder of a run: opened before anything is trained, marked as finished after all.

use std::path::PathBuf;
use std::sync::atomic::Ordering;

use anyhow::{Context, Result, bail};
use variata_datasets::CIFAR_CORRUPTIONS;
use variata_models::tch::Device;
use variata_models::train::CheckpointStore;
use variata_report::{
    DataSource, Machine, Manifest, Metrics, OutputDir, Previous, Replace, Report, RunTimes,
};

use super::Session;
use crate::Preset;
use crate::digest::{sha256_of, sha256_of_files};
use crate::run_data::RunData;
use crate::shard::Part;

impl<D: RunData> Session<D> {
    /// The manifest of a run, and its folder.
    ///
    /// # Errors
    /// The folder holds an unfinished run and neither `--resume` nor `--restart` was given, or a run of other
    /// settings without `--restart`; or a file operation fails. A finished run keeps its models: they are measured again.
    pub fn open<C: serde::de::DeserializeOwned + serde::Serialize>(
        &self,
        paper: &str,
        preset: &Preset<C>,
        seeds: &[u64],
    ) -> Result<(Manifest, OutputDir)> {
        let mut manifest = Manifest {
            program: "variata".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            // Of what was built: the checkout may have gone on.
            commit: option_env!("VARIATA_COMMIT").map(str::to_owned),
            paper: paper.to_owned(),
            // Runs on other data lie beside those on the embedded ones.
            preset: if self.embedded {
                preset.name.clone()
            } else {
                format!("{}-{}", preset.name, self.data.name())
            },
            config: preset.to_toml()?,
            seeds: seeds.to_vec(),
            data: DataSource {
                name: self.data.name().to_owned(),
                sha256: self.data.checksum().to_string(),
                description: match self.left_out {
                    0 => self.data.description(),
                    n => format!(
                        "{}; files left out because they cannot be read: {n}",
                        self.data.description()
                    ),
                },
            },
            machine: Machine::detect(),
            device: match self.device {
                Device::Cpu => "cpu".to_owned(),
                // Of which number is no setting: shares of a run may be trained on several.
                Device::Cuda(_) => "cuda".to_owned(),
                other => format!("{other:?}").to_lowercase(),
            },
            libtorch: Some(variata_torch_bridge::libtorch_version().to_owned()),
            threads: self.threads,
            workers: self.workers().size(),
            inputs: self.inputs()?,
            run: None,
        };
        let replace = if self.options.restart { Replace::OtherSettings } else { Replace::Never };
        let out = match &self.scratch {
            Some(scratch) => scratch.path().to_owned(),
            None => self.options.part.folder(&self.options.out),
        };
        let folder = OutputDir::for_run(&out, &manifest, replace).map_err(|error| {
            let others = matches!(error, variata_report::Error::OtherSettings { .. });
            let error = anyhow::Error::new(error);
            if others {
                error.context("--restart replaces the run, --out puts this one elsewhere")
            } else {
                error
            }
        })?;
        let goes_on = self.options.resume || self.options.part == Part::Merge;
        // A merge that finds no model leaves nothing to go on with.
        let begun = ["checkpoints", "log.jsonl"].iter().any(|name| folder.path().join(name).exists());
        if folder.previous() == Previous::Unfinished && begun && !goes_on && !self.options.restart {
            bail!(
                "{} holds an interrupted run of these settings: --resume goes on with it, --restart begins anew",
                folder.path().display()
            );
        }
        if folder.previous() == Previous::Finished && !goes_on && !self.options.restart {
            let rest =
                if matches!(self.options.part, Part::Shard(_)) { "none is left" } else { "measuring again" };
            eprintln!("{} holds its trained models: {rest}; --restart trains anew", folder.path().display());
        }
        if self.options.restart && !self.options.resume {
            folder.begin_again()?;
            // The log would go on from that of other trainings.
            let log = folder.path().join("log.jsonl");
            if log.exists() {
                std::fs::remove_file(&log).with_context(|| format!("cannot remove {}", log.display()))?;
            }
            let old = folder.path().join("checkpoints");
            if old.exists() {
                std::fs::remove_dir_all(&old).with_context(|| format!("cannot remove {}", old.display()))?;
            }
        }
        manifest.workers = self.trained_by(&folder);
        Ok((manifest, folder))
    }

    /// How many processes train the models of a run, or have trained them.
    fn trained_by(&self, folder: &OutputDir) -> usize {
        let own = self.workers().size();
        let stores = std::fs::read_dir(folder.path().join("checkpoints")).into_iter().flatten().flatten();
        // What cannot be read the trainer says.
        let states = stores.filter_map(|store| CheckpointStore::new(store.path()).latest().ok().flatten());
        let earlier = states.filter(|(_, state)| state.completed).map(|(_, state)| state.workers).max();
        match earlier {
            Some(earlier) if folder.previous() == Previous::Finished => earlier,
            Some(earlier) => earlier.max(own),
            None => own,
        }
    }

    /// What else a report rests on: files that the command line names.
    fn inputs(&self) -> Result<Vec<String>> {
        let mut inputs = Vec::new();
        if let Some(path) = &self.options.features {
            inputs.push(format!("features of a network with SHA-256 {}", sha256_of(path)?));
        }
        if let Some(folder) = &self.options.corrupted {
            let images = CIFAR_CORRUPTIONS.iter().map(|name| format!("{name}.npy"));
            let files: Vec<_> = images.chain(["labels.npy".to_owned()]).collect();
            let digest = sha256_of_files(folder, &files)?;
            inputs.push(format!("corrupted images of files with SHA-256 {digest}"));
        }
        Ok(inputs)
    }

    /// Writes the numbers and the page, and marks the run as finished; gives the page's path.
    ///
    /// # Errors
    /// A file cannot be written.
    pub fn publish(&self, folder: OutputDir, report: &Report, mut metrics: Metrics) -> Result<PathBuf> {
        metrics.insert_claims(&report.claims);
        folder.write_metrics(&metrics)?;
        let page = report.write(&folder)?;
        self.finish(folder, &report.manifest)?;
        Ok(page)
    }

    /// What a run without a report leaves: that of a share is finished, one that was stopped is not.
    ///
    /// # Errors
    /// As [`finish`](Self::finish).
    pub fn leave(&self, folder: OutputDir, manifest: &Manifest) -> Result<Option<PathBuf>> {
        if matches!(self.options.part, Part::Shard(_)) && self.trained.load(Ordering::Relaxed) {
            self.finish(folder, manifest)?;
        }
        Ok(None)
    }

    /// Marks the run as finished.
    ///
    /// # Errors
    /// The manifest cannot be written.
    pub fn finish(&self, folder: OutputDir, manifest: &Manifest) -> Result<()> {
        let manifest = Manifest { run: Some(RunTimes::since(self.started)), ..manifest.clone() };
        folder.finish(&manifest)?;
        Ok(())
    }
}
