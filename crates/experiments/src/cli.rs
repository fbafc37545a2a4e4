//! The command line.

use std::path::PathBuf;

use anyhow::{Result, bail};
use clap::{Args, Parser, Subcommand, ValueEnum};
use variata_models::DeviceChoice;

use crate::papers::vae;
use crate::session::{Session, SessionOptions};

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
    /// Prints every setting of a preset, as a TOML file to copy and edit.
    Preset {
        /// Which paper.
        paper: Paper,
        /// quick, full, or a .toml file.
        #[arg(default_value = "quick")]
        preset: String,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Paper {
    /// VAE and conditional VAE (tutorial).
    Vae,
}

#[derive(Debug, Args)]
struct Reproduce {
    /// Which paper.
    paper: Paper,
    /// digits, fashion-mnist, fashion-mnist:FOLDER, mnist:FOLDER, or a folder of IDX files.
    #[arg(long, default_value = "digits")]
    data: String,
    /// quick, full, or a .toml file.
    #[arg(long, default_value = "quick")]
    preset: String,
    /// auto, cpu or cuda.
    #[arg(long, default_value = "auto")]
    device: DeviceChoice,
    /// The first seed; the preset says how many follow.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Threads; 0 for one per core. Up to the number of seeds the result is the same to the last bit; beyond it, only
    /// with as many.
    #[arg(long, default_value_t = 0)]
    threads: usize,
    /// Folder of all runs.
    #[arg(long, default_value = "runs")]
    out: PathBuf,
    /// Go on from the checkpoints of an interrupted run.
    #[arg(long, conflicts_with = "restart")]
    resume: bool,
    /// Begin an interrupted run anew, and replace a run of other settings in the same folder.
    #[arg(long)]
    restart: bool,
}

impl Command {
    /// Does what the command line says.
    ///
    /// # Errors
    /// Settings, data, device or files are not as they must be, or the run was stopped before its end.
    pub fn run(self) -> Result<()> {
        match self.action {
            Action::Preset { paper: Paper::Vae, preset } => {
                print_out(&vae::preset(&preset)?.to_toml()?);
                Ok(())
            }
            Action::Reproduce(args) => {
                let options = SessionOptions {
                    data: args.data,
                    device: args.device,
                    seed: args.seed,
                    threads: args.threads,
                    out: args.out,
                    resume: args.resume,
                    restart: args.restart,
                };
                let page = match args.paper {
                    Paper::Vae => vae::reproduce(&args.preset, &Session::begin(options)?)?,
                };
                match page {
                    Some(page) => print_out(&format!("{}\n", page.display())),
                    None => bail!("stopped; the same command with --resume goes on"),
                }
                Ok(())
            }
        }
    }
}

/// Writes to standard output; a reader that went away (`| head`) does not matter.
fn print_out(text: &str) {
    use std::io::Write;
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}
