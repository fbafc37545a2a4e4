//! The command line.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::{Args, Parser, Subcommand, ValueEnum};
use schemars::JsonSchema;
use serde::Serialize;
use variata_datasets::{ImageFolderOptions, Source, Unreadable};
use variata_models::DeviceChoice;
use variata_models::train::StopFlag;

use crate::Preset;
use crate::everything;
use crate::papers::{fourier_aug, sliced, sos_vae, vae, vq_diff};
use crate::session::{Session, SessionOptions};
use crate::shard::{Part, Shard};
use crate::studio::StudioArgs;
use crate::workers::{self, Joined};

/// Reproduces the experiments of five papers on generative models and augmentations.
#[derive(Debug, Parser)]
#[command(name = "variata", version, arg_required_else_help = true)]
pub struct Command {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Trains the models of a paper, tests its claims and writes a report.
    Reproduce(Reproduce),
    /// Serves a page on which images of a trained SOS-VAE are edited by conditioning.
    Studio(StudioArgs),
    /// Prints every setting of a preset and what it means, as a TOML file to copy and edit.
    Preset {
        /// Which paper.
        paper: Paper,
        /// quick, full, another of the paper's presets, or a .toml file.
        #[arg(default_value = "quick")]
        preset: String,
        /// Prints the JSON Schema of the paper's presets instead, for editors that complete and check them.
        #[arg(long, conflicts_with = "preset")]
        schema: bool,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Paper {
    /// VAE and conditional VAE (tutorial).
    Vae,
    /// The low-rank normal over pixels: SOS-VAE.
    SosVae,
    /// Sliced generative models: SWAE, SCFWAE, SCWAE, SCvMAE, SKSAE and their relatives.
    Sliced,
    /// Differentiable vector quantisation of bundles of streamlines: VQ-Diff.
    VqDiff,
    /// Plane waves in AugMix: robust and calibrated classifiers.
    FourierAug,
}

#[derive(Debug, Args)]
struct Reproduce {
    /// Which paper; all of them, each on its own data, where none is named.
    paper: Option<Paper>,
    /// digits, digits:SIZE, faces, faces:SIZE, fashion-mnist, fashion-mnist:FOLDER, mnist:FOLDER, cifar10:FOLDER, cifar100:FOLDER, or a folder
    /// of IDX files or of JPEG and PNG images [default: digits; digits:16 for fourier-aug, faces for sos-vae]. For vq-diff a folder of TRK and TCK files named as in
    /// sub-1001__AF_L.trk [default: made-up bundles].
    #[arg(long)]
    data: Option<String>,
    /// Pixels along a side, or HEIGHTxWIDTH, of a folder's images [default: 64].
    #[arg(long, value_parser = parse_size)]
    size: Option<[usize; 2]>,
    /// Read a folder's images as grey.
    #[arg(long)]
    grayscale: bool,
    /// Leave out files of a folder that cannot be read, and say how many.
    #[arg(long)]
    skip_unreadable: bool,
    /// For fourier-aug on CIFAR: the folder of CIFAR-10-C or CIFAR-100-C [default: corrupted images are made].
    #[arg(long)]
    corrupted: Option<PathBuf>,
    /// For vae, sos-vae and sliced: a feature network in TorchScript for Fréchet distances, which are then called FID: images [n, 3, h, w] in [0, 1] to
    /// [n, features] [default: a classifier that is trained on the data].
    #[arg(long)]
    features: Option<PathBuf>,
    /// quick, full, another of the paper's presets, or a .toml file.
    #[arg(long, default_value = "quick")]
    preset: String,
    /// auto, cpu, cuda, or a GPU by its number: cuda:1.
    #[arg(long, default_value = "auto")]
    device: DeviceChoice,
    /// The first seed; the preset says how many follow.
    #[arg(long, default_value_t = 0, allow_negative_numbers = true, value_parser = parse_whole::<u64>)]
    seed: u64,
    /// Threads; 0 for one per core. Up to the number of seeds the result is the same to the last bit; beyond it, only
    /// with as many.
    #[arg(long, default_value_t = 0, allow_negative_numbers = true, value_parser = parse_whole::<usize>)]
    threads: usize,
    /// Folder of all runs.
    #[arg(long, default_value = "runs")]
    out: PathBuf,
    /// Go on from the checkpoints of an interrupted run.
    #[arg(long, conflicts_with = "restart")]
    resume: bool,
    /// Train anew what was interrupted or is there, and replace a run of other settings in the same folder; with --merge, collect anew.
    #[arg(long)]
    restart: bool,
    /// i/n: trains the i-th of n shares of the models, for runs on several machines or a job array. The shares lie in the folder
    /// `shards` of --out.
    #[arg(long)]
    shard: Option<Shard>,
    /// Collects the models that shares have trained, measures them and writes the report, or names those that are missing.
    #[arg(long, conflicts_with = "shard")]
    merge: bool,
    /// So many processes train each model together, each on its rows of every batch; --threads is that of each. The result is that
    /// of one process, but for round-off. They are started by mpiexec; a launcher such as srun can start them as well.
    #[arg(long, conflicts_with_all = ["shard", "merge"], allow_negative_numbers = true, value_parser = clap::value_parser!(u32).range(1..))]
    workers: Option<u32>,
}

impl Command {
    /// What the arguments of this process say. Where they say nothing that can be done it ends, and with it the processes that were
    /// launched with it, which would wait for it; so it does where they ask for help.
    pub fn of_process() -> Self {
        Self::try_parse().unwrap_or_else(|error| {
            if error.use_stderr()
                && let Ok(joined) = workers::join(None)
            {
                joined.workers.abort(&error.to_string());
            }
            error.exit()
        })
    }
}

impl Paper {
    /// The names on the command line, in the order of the papers.
    fn names() -> Vec<String> {
        Self::value_variants()
            .iter()
            .filter_map(Self::to_possible_value)
            .map(|v| v.get_name().to_owned())
            .collect()
    }

    /// Whether every paper has the preset.
    ///
    /// # Errors
    /// A paper has no such preset; the message names those that have it.
    fn all_have(preset: &str) -> Result<()> {
        let papers = || Self::value_variants().iter().zip(Self::names());
        let (have, lack): (Vec<_>, Vec<_>) = papers().partition(|(paper, _)| paper.settings(preset).is_ok());
        let Some((first, _)) = lack.first() else { return Ok(()) };
        if have.is_empty() {
            first.settings(preset)?;
        }
        let names: Vec<String> = have.into_iter().map(|(_, name)| name).collect();
        bail!("of all papers, only these have a preset `{preset}`: {}; name one", names.join(", "));
    }

    /// The JSON Schema of its presets.
    fn schema(self) -> String {
        match self {
            Self::Vae => Preset::<vae::VaeConfig>::schema(),
            Self::SosVae => Preset::<sos_vae::SosVaeConfig>::schema(),
            Self::Sliced => Preset::<sliced::SlicedConfig>::schema(),
            Self::VqDiff => Preset::<vq_diff::VqDiffConfig>::schema(),
            Self::FourierAug => Preset::<fourier_aug::FourierAugConfig>::schema(),
        }
    }

    /// Every setting of a preset as TOML, with comments.
    ///
    /// # Errors
    /// There is no such preset, or a setting is outside its range.
    fn settings(self, preset: &str) -> Result<String> {
        match self {
            Self::Vae => checked(&vae::preset(preset)?, vae::VaeConfig::check),
            Self::SosVae => checked(&sos_vae::preset(preset)?, sos_vae::SosVaeConfig::check),
            Self::Sliced => checked(&sliced::preset(preset)?, sliced::SlicedConfig::check),
            Self::VqDiff => checked(&vq_diff::preset(preset)?, vq_diff::VqDiffConfig::check),
            Self::FourierAug => checked(&fourier_aug::preset(preset)?, fourier_aug::FourierAugConfig::check),
        }
    }
}

fn checked<C: Default + Serialize + JsonSchema>(
    preset: &Preset<C>,
    check: impl Fn(&C) -> Result<()>,
) -> Result<String> {
    check(&preset.config)?;
    preset.explained()
}

impl Reproduce {
    /// Runs what they say: in this process, in one for each paper, or in several for one paper.
    fn run(self) -> Result<()> {
        let Some(paper) = self.paper else {
            if workers::are_launched() {
                bail!("several processes train the models of one paper: name it");
            }
            let shared = self.shared()?;
            // Before the first is begun.
            Paper::all_have(&self.preset)?;
            let program = std::env::current_exe().context("cannot find this program")?;
            if self.shard.is_some() {
                return everything::train(&program, &Paper::names(), &shared);
            }
            let page = everything::run(&program, &Paper::names(), &shared, &self.out)?;
            return print_out(&format!("{}\n", page.display()));
        };
        let launched = workers::are_launched();
        if !launched {
            self.check(paper)?;
            if let Some(count) = self.workers.filter(|count| *count > 1) {
                return workers::launch(count);
            }
        }
        let joined = workers::join(self.workers)?;
        // Those who are launched join first: the others would wait for one that is refused before.
        let checked = if launched { self.check(paper) } else { Ok(()) };
        let result = checked.and_then(|()| self.one(paper, joined.clone()));
        match &result {
            Ok(()) => joined.workers.leave(),
            Err(error) => joined.workers.abort(&message(error)),
        }
        result
    }

    /// Refuses options that the paper or its data would not notice, and settings outside their range.
    ///
    /// # Errors
    /// One is given; the message names it.
    fn check(&self, paper: Paper) -> Result<()> {
        if self.features.is_some() && !matches!(paper, Paper::Vae | Paper::SosVae | Paper::Sliced) {
            bail!("--features: this paper measures no Fréchet distance; vae, sos-vae and sliced do");
        }
        if self.corrupted.is_some() && paper != Paper::FourierAug {
            bail!("--corrupted belongs to fourier-aug");
        }
        // Before the data are read.
        paper.settings(&self.preset)?;
        let of_folder = [
            ("--size", self.size.is_some()),
            ("--grayscale", self.grayscale),
            ("--skip-unreadable", self.skip_unreadable),
        ];
        if let Some((name, _)) = of_folder.iter().find(|(_, given)| *given) {
            let folder = match &self.data {
                Some(data) if paper != Paper::VqDiff => matches!(Source::parse(data)?, Source::Folder(_)),
                _ => false,
            };
            if !folder {
                bail!("{name} belongs to a folder of images: --data FOLDER");
            }
        }
        Ok(())
    }

    /// Runs one paper, with those who have joined.
    fn one(self, paper: Paper, workers: Joined) -> Result<()> {
        let part = match self.shard {
            Some(shard) => Part::Shard(shard),
            None if self.merge => Part::Merge,
            None => Part::Whole,
        };
        let (stop, is_first) = (StopFlag::default(), workers.workers.is_first());
        let [height, width] = self.size.unwrap_or([64; 2]);
        let options = SessionOptions {
            data: self.data,
            images: ImageFolderOptions {
                height,
                width,
                grayscale: self.grayscale,
                unreadable: if self.skip_unreadable { Unreadable::Skip } else { Unreadable::Refuse },
            },
            corrupted: self.corrupted,
            features: self.features,
            device: self.device,
            seed: self.seed,
            threads: self.threads,
            out: self.out,
            resume: self.resume,
            restart: self.restart,
            part,
            stop: stop.clone(),
            workers,
        };
        let preset = &self.preset;
        let page = match paper {
            Paper::Vae => vae::reproduce(preset, &Session::begin(options, vae::DATA)?)?,
            Paper::SosVae => sos_vae::reproduce(preset, &Session::begin(options, sos_vae::DATA)?)?,
            Paper::Sliced => sliced::reproduce(preset, &Session::begin(options, sliced::DATA)?)?,
            Paper::VqDiff => vq_diff::reproduce(preset, options)?,
            Paper::FourierAug => {
                fourier_aug::reproduce(preset, &Session::begin(options, fourier_aug::DATA)?)?
            }
        };
        match page {
            Some(page) => {
                print_out(&format!("{}\n", page.display()))?;
                workers::done().context("cannot tell the launcher that the report is written")?;
            }
            // Its part is done, or the first one says that it is not.
            None if !is_first => {}
            None if self.shard.is_some() && !stop.is_requested() => {
                eprintln!("this share is trained; --merge reports when all are");
            }
            None => bail!("stopped; the same command with --resume goes on"),
        }
        Ok(())
    }

    /// The arguments that mean the same for every paper.
    ///
    /// # Errors
    /// One was given that belongs to one paper.
    fn shared(&self) -> Result<Vec<OsString>> {
        let of_one = [
            ("--data", self.data.is_some()),
            ("--size", self.size.is_some()),
            ("--grayscale", self.grayscale),
            ("--skip-unreadable", self.skip_unreadable),
            ("--corrupted", self.corrupted.is_some()),
            ("--features", self.features.is_some()),
            ("--preset with a file", Path::new(&self.preset).extension().is_some()),
        ];
        if let Some((name, _)) = of_one.iter().find(|(_, given)| *given) {
            bail!("{name} belongs to one paper: name the paper, or leave {name} out");
        }
        let texts = [
            format!("--preset={}", self.preset),
            format!("--device={}", self.device),
            format!("--seed={}", self.seed),
            format!("--threads={}", self.threads),
        ];
        let mut all: Vec<OsString> = texts.map(OsString::from).to_vec();
        all.extend(["--out".into(), self.out.clone().into_os_string()]);
        all.extend(self.resume.then(|| "--resume".into()));
        all.extend(self.restart.then(|| "--restart".into()));
        all.extend(self.shard.map(|shard| format!("--shard={shard}").into()));
        all.extend(self.merge.then(|| "--merge".into()));
        all.extend(self.workers.map(|workers| format!("--workers={workers}").into()));
        Ok(all)
    }
}

impl Command {
    /// Does what the command line says.
    ///
    /// # Errors
    /// Settings, data, device or files are not as they must be, or the run was stopped before its end.
    pub fn run(self) -> Result<()> {
        match self.action {
            Action::Preset { paper, schema: true, .. } => print_out(&paper.schema()),
            Action::Preset { paper, preset, .. } => print_out(&paper.settings(&preset)?),
            Action::Studio(args) => args.run(print_out),
            Action::Reproduce(args) => args.run(),
        }
    }
}

/// An error with what caused it. Errors of many crates say their cause themselves: that is not said twice.
pub fn message(error: &anyhow::Error) -> String {
    let mut text = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if !text.ends_with(&cause) {
            text += if text.is_empty() { "" } else { ": " };
            text += &cause;
        }
    }
    text
}

/// `64` or `218x178`.
fn parse_size(text: &str) -> Result<[usize; 2], String> {
    let (height, width) = text.split_once('x').unwrap_or((text, text));
    match (height.parse(), width.parse()) {
        (Ok(height), Ok(width)) => Ok([height, width]),
        _ => Err("must be a number of pixels, or HEIGHTxWIDTH".to_owned()),
    }
}

fn parse_whole<T: std::str::FromStr>(text: &str) -> Result<T, String> {
    text.parse().map_err(|_| format!("must be a whole number, from 0 to {}", u64::MAX))
}

/// Writes to standard output; a reader that went away (`| head`) does not matter.
///
/// # Errors
/// It cannot be written, as on a full disk.
fn print_out(text: &str) -> Result<()> {
    use std::io::Write;
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(error).context("cannot write to standard output")
        }
        _ => Ok(()),
    }
}
