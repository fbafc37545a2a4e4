//! What all experiments share: the device, the data, the output folder, and training with checkpoints.

mod folder;

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use anyhow::{Context, Result, bail};
use variata_datasets::{
    ImageDataset, ImageFolder, ImageFolderOptions, Loader, LoaderOptions, Source, Splits,
};
use variata_models::tch::{Cuda, Device};
use variata_models::train::{
    Better, CheckpointStore, EpochRecord, LogFile, Measurement, Outcome, ProgressBar, ProgressGroup,
    StopFlag, TrainConfig, Trainable, Trainer, Workers,
};
use variata_models::{Autoencoder, DeviceChoice, Error, ImageShape};
use variata_report::{OutputDir, Previous};

use crate::parallel::{self, Shares};
use crate::run_data::RunData;
use crate::settings::DataConfig;
use crate::shard::{self, Part};
use crate::stopping::{Asked, Listener};
use crate::subset;
use crate::workers::{self, Joined};

/// What the command line says about a run.
#[derive(Debug, Clone, Default)]
pub struct SessionOptions {
    /// Which data; the paper's own where none is named.
    pub data: Option<String>,
    /// What to make of the files of a folder of images.
    pub images: ImageFolderOptions,
    /// A folder of corrupted test images in the layout of CIFAR-10-C; they are made where none is named.
    pub corrupted: Option<PathBuf>,
    /// A feature network for Fréchet distances, in TorchScript.
    pub features: Option<PathBuf>,
    /// Which device.
    pub device: DeviceChoice,
    /// First seed.
    pub seed: u64,
    /// Threads; 0 for one per core.
    pub threads: usize,
    /// Folder of all runs.
    pub out: PathBuf,
    /// Go on from checkpoints.
    pub resume: bool,
    /// Begin anew; with `resume`, only where the folder holds a run of other settings.
    pub restart: bool,
    /// Which part of the run this process does.
    pub part: Part,
    /// Asks the run to stop.
    pub stop: StopFlag,
    /// Who trains the models.
    pub workers: Joined,
}

/// A process that runs an experiment: threads and device are set, the data is loaded, Ctrl-C and SIGTERM ask for a stop.
#[derive(Debug)]
pub struct Session<D = ImageDataset> {
    /// The command line.
    pub options: SessionOptions,
    /// Where tensors live.
    pub device: Device,
    /// Threads of libtorch and rayon.
    pub threads: usize,
    /// The data, images in most papers.
    pub data: Arc<D>,
    embedded: bool,
    /// Files of the data that could not be read.
    left_out: usize,
    /// Whether the trainings of this process are done.
    trained: AtomicBool,
    /// Models that a merge has not found.
    missing: Mutex<Vec<String>>,
    progress: ProgressGroup,
    started: SystemTime,
    /// Whether nothing is left that a checkpoint would keep.
    measuring: Arc<AtomicBool>,
    _listener: Listener,
    workers: Mutex<Workers>,
    /// Where a worker that is not the first puts what nobody reads.
    scratch: Option<tempfile::TempDir>,
}

/// The parts of the data as loaders.
#[derive(Debug)]
pub struct Parts {
    /// Shuffled batches for training.
    pub train: Loader,
    /// Batches in order.
    pub validation: Loader,
    /// Indices of the test part, in the order of [`Session::mixed`].
    pub test: Vec<usize>,
}

/// A trained autoencoder, with what its paper calls it.
#[derive(Debug)]
pub(crate) struct Trained<V, M = Autoencoder> {
    pub(crate) variant: V,
    pub(crate) model: M,
    pub(crate) history: Vec<EpochRecord>,
}

/// One model to train.
#[derive(Debug)]
pub struct TrainJob<'a> {
    /// Name, as in folders and on the progress bar.
    pub name: &'a str,
    /// Seed of the training.
    pub seed: u64,
    /// Settings.
    pub config: TrainConfig,
    /// The model's own settings, part of what a checkpoint must agree with.
    pub settings: String,
    /// The metric by which the model of the best validation is kept, in place of the last.
    pub keep_best: Option<(&'static str, Better)>,
}

impl Session {
    /// Sets the process up and loads the data, `default_data` where the options name none.
    ///
    /// # Errors
    /// The data cannot be read, CUDA was asked for and does not work, or the threads cannot be set.
    pub fn begin(options: SessionOptions, default_data: &str) -> Result<Self> {
        let images = options.images;
        let mut left_out = 0;
        let mut session = Self::begin_with(options, default_data, |name| {
            let ImageFolder { dataset, skipped, .. } = Source::parse(name)?.load_with(&images)?;
            if let Some((file, reason)) = skipped.first() {
                eprintln!("{} files left out, the first {}: {reason}", skipped.len(), file.display());
            }
            left_out = skipped.len();
            let channels = dataset.image_shape()[0];
            if !matches!(channels, 1 | 3) {
                bail!(
                    "the images of {name} have {channels} channels, must have 1 (grey) or 3 (red, green, blue)"
                );
            }
            Ok(dataset)
        })?;
        session.left_out = left_out;
        Ok(session)
    }

    /// Where the images are from; `default_data` as in [`begin`](Self::begin).
    ///
    /// # Errors
    /// The name is none, which `begin` has refused.
    pub fn source(&self, default_data: &str) -> Result<Source> {
        Ok(Source::parse(self.options.data.as_deref().unwrap_or(default_data))?)
    }

    /// Size of an image of the data.
    pub fn image(&self) -> ImageShape {
        let [channels, height, width] = self.data.image_shape().map(|n| n as i64);
        ImageShape { channels, height, width }
    }

    /// Number of classes of the data.
    pub fn classes(&self) -> i64 {
        self.data.classes() as i64
    }

    /// Splits the data and makes loaders; the split depends on the seed in `data`, the order of batches on `seed`.
    ///
    /// # Errors
    /// A fraction or the batch size is outside its domain, or fewer than two images are left to test or to validate on.
    pub fn parts(&self, data: &DataConfig, seed: u64) -> Result<Parts> {
        let split = data.split();
        let splits = Splits::new(&self.data, &split)?;
        // Distances between sets of images need a variance.
        for (name, share, part, purpose) in [
            ("data.test", split.test, &splits.test, "test"),
            ("data.validation", split.validation, &splits.validation, "validate"),
        ] {
            if part.len() < 2 {
                bail!(
                    "`{name}` is {share}: {} of the images to {purpose} on, at least 2 are needed",
                    part.len()
                );
            }
        }
        let options = LoaderOptions { batch_size: data.batch_size, seed, ..LoaderOptions::default() };
        let train = Loader::new(self.data.clone(), splits.train, options.clone())?;
        self.check_workers(&train)?;
        let in_order = LoaderOptions { shuffle: false, batch_size: 256, ..options };
        let validation = Loader::new(self.data.clone(), splits.validation, in_order)?;
        Ok(Parts { train, validation, test: self.mixed(&splits.test) })
    }

    /// Indices of images in an order whose first so many have the classes about in proportion.
    pub fn mixed(&self, indices: &[usize]) -> Vec<usize> {
        subset::mixed(indices, self.data.labels())
    }
}

impl<D: RunData> Session<D> {
    /// Refuses more workers than the smallest batch has rows, which a training would find out when its folder is there.
    ///
    /// # Errors
    /// They are more.
    pub(crate) fn check_workers(&self, train: &Loader) -> Result<()> {
        let workers = self.workers();
        match train.share(workers.rank(), workers.size()) {
            Err(variata_datasets::Error::Argument { must, .. }) => {
                bail!("`--workers` is {}, must be {must}", workers.size())
            }
            _ => Ok(()),
        }
    }

    /// Sets the process up and loads the data by their name, `default_data` where the options name none.
    ///
    /// # Errors
    /// As [`Session::begin`]; what `load` refuses.
    pub fn begin_with(
        options: SessionOptions,
        default_data: &str,
        load: impl FnOnce(&str) -> Result<D>,
    ) -> Result<Self> {
        let started = SystemTime::now();
        let threads = match options.threads {
            0 if options.workers.neighbours > 1 => {
                let cores = std::thread::available_parallelism().map_or(1, usize::from);
                (cores / options.workers.neighbours).max(1)
            }
            given => given,
        };
        let threads = variata_torch_bridge::configure_threads(threads)?.torch;
        // Only for speed: it may say no.
        let _ = variata_torch_bridge::keep_freed_memory();
        let device = match options.device.resolve()? {
            // Workers on one machine share its GPUs, unless one of them is named.
            Device::Cuda(_) if !matches!(options.device, DeviceChoice::CudaDevice(_)) => {
                Device::Cuda(options.workers.place % Cuda::device_count().max(1) as usize)
            }
            other => other,
        };
        let name = options.data.as_deref().unwrap_or(default_data);
        let (embedded, data) = (name == default_data, Arc::new(load(name)?));
        let measuring = Arc::<AtomicBool>::default();
        let (stop, at_once) = (options.stop.clone(), measuring.clone());
        let listener = Listener::new(options.workers.workers.is_first(), move |asked| {
            // Without the end of what other threads of libtorch still use.
            let exit = || signal_hook::low_level::exit(128 + asked.signal());
            if at_once.load(Ordering::Relaxed) {
                eprintln!("stopped while measuring; what is trained stays, and --resume measures it");
                exit();
            }
            match asked {
                Asked::Signal { again: true, .. } => exit(),
                _ if stop.request() == 0 => {
                    eprintln!("stopping after this step, with a checkpoint; once more to stop at once");
                }
                _ => {}
            }
        })?;
        let workers = Mutex::new(options.workers.workers.clone());
        let others = !options.workers.workers.is_first();
        let scratch = others.then(workers::scratch).transpose().context("cannot make a temporary folder")?;
        Ok(Self {
            options,
            device,
            threads,
            data,
            embedded,
            left_out: 0,
            trained: AtomicBool::default(),
            missing: Mutex::default(),
            progress: ProgressGroup::default(),
            started,
            measuring,
            _listener: listener,
            workers,
            scratch,
        })
    }

    /// Seeds from the first one on.
    pub fn seeds(&self, count: usize) -> Vec<u64> {
        (0..count as u64).map(|i| self.options.seed.wrapping_add(i)).collect()
    }

    /// Who trains the models; nobody else once that is done.
    fn workers(&self) -> Workers {
        self.workers.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether the run was asked to stop.
    pub fn is_stopping(&self) -> bool {
        self.options.stop.is_requested()
    }

    /// Calls `job(0)` to `job(count - 1)` and returns the results in this order; `None` when the run was asked to stop.
    /// On the CPU, jobs run side by side, each with an equal share of the threads; on a GPU, one after the other.
    ///
    /// # Errors
    /// A job fails; the others are asked to stop, with a checkpoint. In a merge: models are missing.
    pub fn side_by_side<T: Send>(
        &self,
        count: usize,
        job: impl Fn(usize) -> Result<Option<T>> + Sync,
    ) -> Result<Option<Vec<T>>> {
        let shares = match self.device {
            // Workers do the same job at a time.
            Device::Cpu if self.workers().is_alone() => Shares::new(self.threads, count),
            _ => Shares { workers: 1, threads: self.threads },
        };
        let merging = self.options.part == Part::Merge;
        let results = parallel::run(shares, count, &self.options.stop, &self.workers(), |i| {
            let result = job(i)?;
            // What a merge has not found does not keep it from looking for the others.
            Ok(if result.is_none() && !merging { None } else { Some(result) })
        })?;
        let mut missing = self.missing.lock().unwrap_or_else(PoisonError::into_inner);
        // Threads find them in any order.
        missing.sort();
        if !missing.is_empty() && !self.is_stopping() {
            bail!(
                "not trained to the end by any share: {}; \
                 --shard trains them, with --resume where it was interrupted",
                missing.join(", ")
            );
        }
        Ok(results.and_then(|results| results.into_iter().collect()))
    }

    /// [`side_by_side`](Self::side_by_side) for the trainings of a run: a shard does those of its share, and returns `None`; so do
    /// workers but the first, which goes on alone.
    ///
    /// # Errors
    /// As there.
    pub fn train_each<T: Send>(
        &self,
        count: usize,
        job: impl Fn(usize) -> Result<Option<T>> + Sync,
    ) -> Result<Option<Vec<T>>> {
        self.measuring.store(false, Ordering::Relaxed);
        let mine = self.options.part.models(count);
        let done = self.side_by_side(mine.len(), |i| job(mine[i]))?;
        self.trained.store(done.is_some(), Ordering::Relaxed);
        // All leave at the same time: none waits for another's report.
        let mut workers = self.workers.lock().unwrap_or_else(PoisonError::into_inner);
        workers.leave();
        *workers = Workers::alone();
        drop(workers);
        let done = done.filter(|_| !matches!(self.options.part, Part::Shard(_)) && self.scratch.is_none());
        self.measuring.store(done.is_some(), Ordering::Relaxed);
        Ok(done)
    }

    /// Calls `job` on each item, which it owns, and returns the results in order; `None` when the run was asked to stop. As
    /// [`side_by_side`](Self::side_by_side): a model cannot be shared between threads, but each job takes its own.
    ///
    /// # Errors
    /// A job fails.
    pub fn each<T: Send, R: Send>(
        &self,
        items: Vec<T>,
        job: impl Fn(T) -> Result<R> + Sync,
    ) -> Result<Option<Vec<R>>> {
        let items: Vec<_> = items.into_iter().map(|item| Mutex::new(Some(item))).collect();
        self.side_by_side(items.len(), |i| {
            let item = items[i].lock().unwrap_or_else(PoisonError::into_inner).take();
            item.map(&job).transpose()
        })
    }

    /// Trains a model, from its checkpoints when there are any; `None` when the run was asked to stop.
    ///
    /// # Errors
    /// As [`Trainer::run`].
    pub fn train(
        &self,
        folder: &OutputDir,
        model: &impl Trainable,
        parts: &Parts,
        job: &TrainJob<'_>,
    ) -> Result<Option<Outcome>> {
        self.train_measured(folder, model, parts, job, &mut |_| Ok(Vec::new()))
    }

    /// [`train`](Self::train), with more values at each validation, see [`Trainer::measure`].
    ///
    /// # Errors
    /// As [`Trainer::run`].
    pub fn train_measured<'a>(
        &self,
        folder: &OutputDir,
        model: &impl Trainable,
        parts: &Parts,
        job: &TrainJob<'_>,
        measurement: &'a mut Measurement<'a>,
    ) -> Result<Option<Outcome>> {
        let name = format!("{}-{}", job.name, job.seed);
        let place = folder.path().join("checkpoints").join(&name);
        let store = CheckpointStore::new(&place);
        let identity = format!(
            "{} {} {} {:?} {}",
            env!("CARGO_PKG_VERSION"),
            name,
            self.data.checksum(),
            job.config,
            job.settings
        );
        if self.options.part == Part::Merge
            && !shard::collect(&self.options.out, folder.path(), &name, &identity)?
        {
            self.missing.lock().unwrap_or_else(PoisonError::into_inner).push(name);
            return Ok(None);
        }
        // What is trained further is no part of a finished run, which a trainer does not write through the folder.
        if folder.previous() == Previous::Finished {
            // What is damaged the trainer says.
            let further = store.latest().is_ok_and(|found| !found.is_some_and(|(_, state)| state.completed));
            if further {
                folder.begin_again()?;
            }
        }
        let mut progress = ProgressBar::within(&self.progress, name.as_str());
        let mut log = LogFile::append(folder.path().join("log.jsonl"), name.as_str())?;
        let mut trainer = Trainer::new(model, &parts.train, job.config, job.seed);
        if self.scratch.is_none() {
            trainer = trainer.listen(&mut progress).listen(&mut log);
        }
        if let Some((metric, better)) = job.keep_best {
            trainer = trainer.keep_best(metric, better);
        }
        let outcome = trainer
            .validation(&parts.validation)
            .checkpoints(&store, identity)
            .measure(measurement)
            .stop_flag(self.options.stop.clone())
            .workers(self.workers())
            .run()
            .map_err(|error| {
                let unusable = matches!(error, Error::Corrupt { .. } | Error::Mismatch { .. });
                let hint = if unusable {
                    format!(
                        "; it is trained anew without the folder {}, and all of the run with --restart",
                        place.display()
                    )
                } else {
                    String::new()
                };
                anyhow::Error::new(error).context(format!("training {name}{hint}"))
            })?;
        Ok(outcome.completed.then_some(outcome))
    }
}
