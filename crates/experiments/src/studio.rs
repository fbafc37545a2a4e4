//! `variata studio`: the page of `variata-studio` on a trained SOS-VAE.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::Args;
use ndarray::Array2;
use variata_lowrank_mvn::CovDiag;
use variata_models::train::CheckpointStore;
use variata_models::{Autoencoder, DeviceChoice};
use variata_studio::{Decoded, Generator, Options, Server};
use variata_torch_bridge::{no_grad, tensor_from_array};

use crate::Session;
use crate::papers::sos_vae;
use crate::pixels::Pixels;
use crate::session::SessionOptions;

#[derive(Debug, Args)]
pub(crate) struct StudioArgs {
    /// A checkpoint of a SOS-VAE, or a folder of checkpoints, as in runs/sos-vae/quick-0/checkpoints/sos-vae-0 [default: that
    /// one; where it is not trained to its end, a model is trained first, in minutes].
    #[arg(long)]
    checkpoint: Option<PathBuf>,
    /// Port; 0 for any that is free.
    #[arg(long, default_value_t = 8080)]
    port: u16,
    /// Address to listen on. Anything but a loopback address lets others in.
    #[arg(long, default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    host: IpAddr,
    /// auto, cpu, cuda, or a GPU by its number: cuda:1.
    #[arg(long, default_value = "auto")]
    device: DeviceChoice,
    /// Seed of codes and samples.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Folder of all runs.
    #[arg(long, default_value = "runs")]
    out: PathBuf,
}

/// Where `reproduce sos-vae` leaves its model.
const MODEL: &str = "sos-vae/quick-0/checkpoints/sos-vae-0";

/// A trained autoencoder as what the studio asks.
struct Trained {
    model: Autoencoder,
    name: String,
}

impl Trained {
    fn decoded(&self, code: &[f32]) -> Result<Decoded> {
        let z = Array2::from_shape_vec((1, code.len()), code.to_vec())?;
        let z = tensor_from_array(z)?.to_device(self.model.device());
        let pixels = Pixels::of(&no_grad(|| self.model.decode(&z, None))?)?;
        let p = pixels.low_rank().context("the model's pixels are no low-rank normal")?;
        let cov_diag = match p.cov_diag() {
            CovDiag::Scalar(d) => ndarray::Array1::from_elem(p.dim(), *d),
            CovDiag::Vector(d) => d.to_owned(),
            CovDiag::Batch(d) => d.row(0).to_owned(),
        };
        let cov_factor = p.cov_factor().index_axis(ndarray::Axis(0), 0).to_owned();
        Ok(Decoded { loc: p.loc().row(0).to_owned(), cov_factor, cov_diag })
    }
}

impl Generator for Trained {
    fn shape(&self) -> [usize; 3] {
        self.model.image().dims().map(|n| n as usize)
    }

    fn latent(&self) -> usize {
        self.model.config().latent as usize
    }

    fn description(&self) -> String {
        self.name.clone()
    }

    fn decode(&mut self, code: &[f32]) -> Result<Decoded, String> {
        self.decoded(code).map_err(|error| format!("{error:#}"))
    }
}

impl StudioArgs {
    /// Serves until Ctrl-C; `say` is told where.
    pub(crate) fn run(self, say: impl Fn(&str) -> Result<()>) -> Result<()> {
        let model = match &self.checkpoint {
            Some(path) => {
                variata_torch_bridge::configure_threads(0)?;
                load(path, self.device)?
            }
            None => self.own()?,
        };
        let options =
            Options { address: SocketAddr::new(self.host, self.port), seed: self.seed, ..Options::default() };
        let server = Server::bind(model, &options)?;
        if !self.host.is_loopback() {
            say("everybody who reaches this machine can use the studio\n")?;
        }
        say(&format!("http://{}\n", server.address()))?;
        server.run(std::future::pending())?;
        Ok(())
    }

    /// The model of the quick preset, trained where it is not there.
    fn own(&self) -> Result<Trained> {
        let path = self.out.join(MODEL);
        // One that is still being trained, or was interrupted, is no model to show.
        let latest = CheckpointStore::new(&path).latest();
        if latest.is_ok_and(|found| found.is_some_and(|(_, state)| state.completed)) {
            variata_torch_bridge::configure_threads(0)?;
            return load(&path, self.device);
        }
        let options = SessionOptions {
            device: self.device,
            // Beside the experiment's own run, whose other models are not trained here.
            out: self.out.join("studio"),
            resume: true,
            // One of other settings, of an earlier version for one, was made here and for this alone.
            restart: true,
            ..SessionOptions::default()
        };
        let folder = sos_vae::train_for_studio(&Session::begin(options, sos_vae::DATA)?)?;
        let Some(folder) = folder else { bail!("stopped; the same command goes on") };
        load(&folder, self.device)
    }
}

fn load(path: &Path, device: DeviceChoice) -> Result<Trained> {
    let model = Autoencoder::from_checkpoint(path, device.resolve()?)
        .with_context(|| format!("no model at {}", path.display()))?;
    let name = path.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    let trained = Trained { model, name };
    // A model of another kind is refused before anybody waits for it.
    let decoded = trained.decoded(&vec![0.0; trained.latent()]);
    decoded.with_context(|| format!("the studio cannot show the model at {}", path.display()))?;
    Ok(trained)
}
