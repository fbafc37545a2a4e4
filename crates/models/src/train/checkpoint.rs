//! Checkpoints: one safetensors file each, whole or not there at all, and refused when a single bit is wrong.

use std::path::{Path, PathBuf};

use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tch::{Kind, Tensor};

use super::history::Means;
use super::{EpochRecord, FileSystem, Multipliers, RealFileSystem};
use crate::{Error, Parameters};

/// What the names of a model's tensors begin with in a file.
pub(crate) const MODEL: &str = "model/";

/// What the names of the copies of a model's tensors begin with, of its best validation.
pub(crate) const BEST: &str = "best/";

/// Version of the layout; a file of another version is refused.
pub const FORMAT_VERSION: u32 = 1;

/// Generations kept: the newest, and the one before in case the newest is damaged. Those set aside are not counted.
const GENERATIONS: usize = 2;

/// Name of the tensor that holds [`RunState`] as JSON bytes.
const STATE: &str = "run_state";

/// Everything of a run that is not a tensor.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunState {
    /// What the run is: settings and data, as the caller names them. A checkpoint of another run is refused.
    pub identity: String,
    /// The model's own description, from which it can be made again: [`Trainable::description`](super::Trainable::description).
    #[serde(default)]
    pub model: String,
    /// Steps taken.
    pub step: u64,
    /// Current epoch, counted from 0.
    pub epoch: u64,
    /// Batches of the current epoch already used.
    pub batch: u64,
    /// Batches of a whole epoch; 0 in files that do not say.
    #[serde(default)]
    pub batches_per_epoch: u64,
    /// Whether all epochs were run.
    pub completed: bool,
    /// Intra-operation threads: a resumed run is bit-exact only with as many.
    pub threads: usize,
    /// Workers that shared each batch: likewise.
    #[serde(default = "one")]
    pub workers: usize,
    /// Means of the current epoch so far.
    pub(crate) means: Means,
    /// Multipliers of held terms.
    #[serde(default)]
    pub multipliers: Multipliers,
    /// Finished epochs.
    pub history: Vec<EpochRecord>,
    /// The best validation so far, of a run that keeps it.
    #[serde(default)]
    pub best: Option<Best>,
}

fn one() -> usize {
    1
}

/// The best validation of a run.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Best {
    /// Steps taken before it.
    pub step: u64,
    /// The metric.
    #[serde(with = "super::history::number")]
    pub value: f64,
}

/// A folder of checkpoints named by their step.
#[derive(Debug)]
pub struct CheckpointStore<F = RealFileSystem> {
    folder: PathBuf,
    files: F,
}

/// Tensors by name, found whole in a file.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub(crate) path: PathBuf,
    pub(crate) state: RunState,
    tensors: Vec<(String, Tensor)>,
}

fn io<'a>(
    action: &'static str,
    path: &'a Path,
    bytes: Option<usize>,
) -> impl FnOnce(std::io::Error) -> Error + use<'a> {
    move |source| Error::Io { action, path: path.to_owned(), bytes, source }
}

impl CheckpointStore {
    /// The checkpoints in `folder`, which is made when the first one is written.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self::on(RealFileSystem, folder)
    }
}

impl<F: FileSystem> CheckpointStore<F> {
    /// The same on another file system.
    pub fn on(files: F, folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into(), files }
    }

    /// Writes a checkpoint and removes those older than the one before it.
    ///
    /// Order: temporary file, fsync, rename, fsync of the folder, then removal. After a crash between any two of
    /// these, this checkpoint or the one before is whole.
    ///
    /// # Errors
    /// A file operation fails; the checkpoints that were there stay.
    pub fn save(&self, tensors: &[(String, Tensor)], state: &RunState) -> Result<PathBuf, Error> {
        let path = self.path_of(state);
        let bytes = encode(tensors, state, &path)?;
        self.put(&path, &bytes)?;
        Ok(path)
    }

    /// Takes a checkpoint over from another folder, written as [`save`](Self::save) writes one of its own.
    ///
    /// # Errors
    /// The file is no whole checkpoint, or a file operation fails; the checkpoints that were there stay.
    pub fn adopt(&self, file: impl AsRef<Path>) -> Result<PathBuf, Error> {
        let file = file.as_ref();
        let bytes = self.files.read(file).map_err(io("read", file, None))?;
        let state = decode(&bytes, file)?.state;
        let path = self.path_of(&state);
        self.put(&path, &bytes)?;
        Ok(path)
    }

    fn path_of(&self, state: &RunState) -> PathBuf {
        self.folder.join(format!("step-{:010}.safetensors", state.step))
    }

    fn put(&self, path: &Path, bytes: &[u8]) -> Result<(), Error> {
        let temporary = path.with_extension("tmp");
        let n = Some(bytes.len());
        self.files.create_dir_all(&self.folder).map_err(io("create", &self.folder, None))?;
        let put = || {
            self.files.write(&temporary, bytes).map_err(io("write", &temporary, n))?;
            self.files.sync_file(&temporary).map_err(io("sync", &temporary, n))?;
            self.files.rename(&temporary, path).map_err(io("rename to", path, None))
        };
        put().inspect_err(|_| {
            // On a full disk the part that was written takes the room that others need. It may not be there.
            let _ = self.files.remove_file(&temporary);
        })?;
        self.files.sync_dir(&self.folder).map_err(io("sync", &self.folder, None))?;
        // Not the one just written: its step may be earlier than those of the others.
        let old = self.paths()?.into_iter().rev().skip(GENERATIONS).filter(|old| old != path);
        // A process that was killed while it wrote has left one of the others.
        for old in old.chain(self.named("tmp")?) {
            self.files.remove_file(&old).map_err(io("remove", &old, None))?;
        }
        Ok(())
    }

    /// The files of steps with this ending, in any order.
    fn named(&self, ending: &str) -> Result<Vec<PathBuf>, Error> {
        let mut all = self.files.list(&self.folder).map_err(io("list", &self.folder, None))?;
        all.retain(|p| {
            p.extension().is_some_and(|e| e == ending)
                && p.file_name().is_some_and(|n| n.to_string_lossy().starts_with("step-"))
        });
        Ok(all)
    }

    /// Checkpoint files, oldest first.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub fn paths(&self) -> Result<Vec<PathBuf>, Error> {
        let mut all = self.named("safetensors")?;
        // The number has ten digits, so that the order of names is the order of steps.
        all.sort();
        Ok(all)
    }

    /// File and state of the newest whole checkpoint; `None` where there is none.
    ///
    /// # Errors
    /// The folder or a file cannot be read; there are checkpoints, but none is whole.
    pub fn latest(&self) -> Result<Option<(PathBuf, RunState)>, Error> {
        Ok(self.load_latest()?.0.map(|loaded| (loaded.path, loaded.state)))
    }

    /// The newest whole checkpoint, and what was wrong with newer ones.
    pub(crate) fn load_latest(&self) -> Result<(Option<Loaded>, Vec<Error>), Error> {
        let mut damaged = Vec::new();
        for path in self.paths()?.into_iter().rev() {
            match self.load(&path) {
                Ok(loaded) => return Ok((Some(loaded), damaged)),
                Err(error @ Error::Corrupt { .. }) => damaged.push(error),
                Err(other) => return Err(other),
            }
        }
        if damaged.is_empty() {
            Ok((None, damaged))
        } else {
            // Starting afresh over the user's damaged files would destroy what may still be saved by hand.
            Err(damaged.remove(0))
        }
    }

    /// Renames a damaged file, which may still be of use by hand: so that it counts as no generation, and the run's own next one does not
    /// replace it.
    pub(crate) fn set_aside(&self, path: &Path) -> Result<(), Error> {
        let there = self.files.list(&self.folder).map_err(io("list", &self.folder, None))?;
        let name = |k: u32| {
            let mut name = path.as_os_str().to_owned();
            name.push(if k == 1 { ".damaged".to_owned() } else { format!(".{k}.damaged") });
            PathBuf::from(name)
        };
        // An earlier one of the same step stays.
        let Some(to) = (1..=u32::MAX).map(name).find(|to| !there.contains(to)) else { return Ok(()) };
        self.files.rename(path, &to).map_err(io("rename to", &to, None))?;
        self.files.sync_dir(&self.folder).map_err(io("sync", &self.folder, None))
    }

    /// Reads and checks one file.
    pub(crate) fn load(&self, path: &Path) -> Result<Loaded, Error> {
        let bytes = self.files.read(path).map_err(io("read", path, None))?;
        decode(&bytes, path)
    }
}

/// Reads and checks the newest whole checkpoint of a folder, or one file.
pub(crate) fn read(path: &Path) -> Result<Loaded, Error> {
    if !path.is_dir() {
        return CheckpointStore::new(path).load(path);
    }
    let (found, mut damaged) = CheckpointStore::new(path).load_latest()?;
    match found {
        Some(loaded) => Ok(loaded),
        None if damaged.is_empty() => {
            let problem = "it holds no checkpoint".to_owned();
            Err(Error::Mismatch { path: path.to_owned(), problem })
        }
        None => Err(damaged.remove(0)),
    }
}

impl Loaded {
    /// What the file says of its model, of a kind that is named for the error.
    pub(crate) fn description<T: serde::de::DeserializeOwned>(&self, kind: &str) -> Result<T, Error> {
        serde_json::from_str(&self.state.model).map_err(|error| Error::Mismatch {
            path: self.path.clone(),
            problem: format!("it does not describe {kind}: {error}"),
        })
    }

    /// Copies the model's part into parameters, which must be exactly its tensors: those of the best validation of a run that
    /// keeps it, else the last.
    pub(crate) fn restore_model(&self, parameters: &Parameters) -> Result<(), Error> {
        let prefix = if self.state.best.is_some() { BEST } else { MODEL };
        let targets: Vec<_> =
            parameters.iter().map(|(name, t)| (format!("{prefix}{name}"), t.shallow_clone())).collect();
        self.restore_some(&targets, &|name| name.starts_with(prefix))
    }

    /// Copies into `targets`, which must be exactly the tensors of the file; nothing is written unless all fit.
    pub(crate) fn restore(&self, targets: &[(String, Tensor)]) -> Result<(), Error> {
        self.restore_some(targets, &|_| true)
    }

    /// The same for the tensors of the file that are `wanted`.
    fn restore_some(&self, targets: &[(String, Tensor)], wanted: &dyn Fn(&str) -> bool) -> Result<(), Error> {
        let mismatch = |problem: String| Error::Mismatch { path: self.path.clone(), problem };
        for (name, _) in self.tensors.iter().filter(|(name, _)| wanted(name)) {
            if !targets.iter().any(|(n, _)| n == name) {
                return Err(mismatch(format!("tensor `{name}` is not in the model")));
            }
        }
        let mut pairs = Vec::with_capacity(targets.len());
        for (name, target) in targets {
            let Some((_, source)) = self.tensors.iter().find(|(n, _)| n == name) else {
                return Err(mismatch(format!("tensor `{name}` is missing")));
            };
            if source.size() != target.size() || source.kind() != target.kind() {
                return Err(mismatch(format!(
                    "tensor `{name}` is {:?} {:?}, the model's is {:?} {:?}",
                    source.kind(),
                    source.size(),
                    target.kind(),
                    target.size()
                )));
            }
            pairs.push((target.shallow_clone(), source));
        }
        variata_torch_bridge::no_grad(|| {
            for (mut target, source) in pairs {
                target.f_copy_(source)?;
            }
            Ok(())
        })
    }
}

/// The types that tensors are saved in.
const TYPES: [(Kind, Dtype); 10] = [
    (Kind::Float, Dtype::F32),
    (Kind::Double, Dtype::F64),
    (Kind::Half, Dtype::F16),
    (Kind::BFloat16, Dtype::BF16),
    (Kind::Int64, Dtype::I64),
    (Kind::Int, Dtype::I32),
    (Kind::Int16, Dtype::I16),
    (Kind::Int8, Dtype::I8),
    (Kind::Uint8, Dtype::U8),
    (Kind::Bool, Dtype::BOOL),
];

/// The type that tensors of a kind are saved in, if they can be.
pub(crate) fn dtype(kind: Kind) -> Option<Dtype> {
    TYPES.into_iter().find_map(|(of, dtype)| (of == kind).then_some(dtype))
}

/// Digest of names, types, shapes and contents, independent of the order in the file.
fn digest<'a>(tensors: impl IntoIterator<Item = (&'a str, Dtype, &'a [usize], &'a [u8])>) -> String {
    let mut all: Vec<_> = tensors.into_iter().collect();
    all.sort_by_key(|t| t.0);
    let mut hash = Sha256::new();
    for (name, dtype, shape, data) in all {
        hash.update((name.len() as u64).to_le_bytes());
        hash.update(name.as_bytes());
        hash.update(format!("{dtype:?}{shape:?}").as_bytes());
        hash.update((data.len() as u64).to_le_bytes());
        hash.update(data);
    }
    variata_files::hex(&hash.finalize())
}

/// The numbers of a tensor as bytes, row after row.
pub(super) fn bytes_of(x: &Tensor) -> Result<Vec<u8>, Error> {
    let host = x.detach().to_device(tch::Device::Cpu).contiguous();
    let mut bytes = vec![0u8; host.numel() * host.kind().elt_size_in_bytes()];
    host.f_copy_data_u8(&mut bytes, host.numel())?;
    Ok(bytes)
}

/// A tensor of bytes that fill its shape, or tch would read past them.
pub(super) fn tensor_of(bytes: &[u8], size: &[i64], kind: Kind) -> Result<Tensor, Error> {
    Ok(Tensor::f_from_data_size(bytes, size, kind)?)
}

fn encode(tensors: &[(String, Tensor)], state: &RunState, path: &Path) -> Result<Vec<u8>, Error> {
    let unfit = |problem: String| Error::Mismatch { path: path.to_owned(), problem };
    let mut raw: Vec<(String, Dtype, Vec<usize>, Vec<u8>)> = Vec::with_capacity(tensors.len() + 1);
    for (name, tensor) in tensors {
        if name == STATE || raw.iter().any(|(other, ..)| other == name) {
            return Err(unfit(format!("two tensors are called `{name}`")));
        }
        let kind = tensor.f_kind()?;
        let dtype = dtype(kind).ok_or_else(|| unfit(format!("tensor `{name}` has kind {kind:?}")))?;
        let size = tensor.size().iter().map(|&n| n as usize).collect();
        raw.push((name.clone(), dtype, size, bytes_of(tensor)?));
    }
    let json = serde_json::to_vec(state).map_err(|e| unfit(e.to_string()))?;
    raw.push((STATE.to_owned(), Dtype::U8, vec![json.len()], json));
    let sum = digest(raw.iter().map(|(n, d, s, b)| (n.as_str(), *d, s.as_slice(), b.as_slice())));
    let views = raw
        .iter()
        .map(|(name, dtype, shape, data)| Ok((name, TensorView::new(*dtype, shape.clone(), data)?)))
        .collect::<Result<Vec<_>, safetensors::SafeTensorError>>()
        .map_err(|e| unfit(e.to_string()))?;
    // One entry only: the order of several would change from run to run.
    let metadata = [("variata".to_owned(), format!("{FORMAT_VERSION} {sum}"))].into();
    safetensors::serialize(views, Some(metadata)).map_err(|e| unfit(e.to_string()))
}

fn decode(bytes: &[u8], path: &Path) -> Result<Loaded, Error> {
    let corrupt = |problem: String| Error::Corrupt { path: path.to_owned(), problem };
    let file = SafeTensors::deserialize(bytes).map_err(|e| corrupt(e.to_string()))?;
    let (_, header) = SafeTensors::read_metadata(bytes).map_err(|e| corrupt(e.to_string()))?;
    let stamp = header
        .metadata()
        .as_ref()
        .and_then(|m| m.get("variata"))
        .ok_or_else(|| corrupt("it has no `variata` entry".to_owned()))?;
    let (version, sum) =
        stamp.split_once(' ').ok_or_else(|| corrupt("its stamp is unreadable".to_owned()))?;
    let all = file.tensors();
    let found = digest(all.iter().map(|(n, v)| (n.as_str(), v.dtype(), v.shape(), v.data())));
    if version != FORMAT_VERSION.to_string() {
        // A whole file of a newer program says so; anything else that claims another version is damage.
        return match version.parse::<u32>() {
            Ok(v) if found == sum => Err(Error::Mismatch {
                path: path.to_owned(),
                problem: format!("its format is version {v}, this program reads {FORMAT_VERSION}"),
            }),
            _ => Err(corrupt(format!("its format version is `{version}`"))),
        };
    }
    if found != sum {
        return Err(corrupt(format!("its digest is {found}, should be {sum}")));
    }
    let mut tensors = Vec::with_capacity(all.len());
    let mut state = None;
    for (name, view) in all {
        let kind = match view.dtype() {
            Dtype::U8 if name == STATE => {
                state = Some(serde_json::from_slice(view.data()).map_err(|e| corrupt(e.to_string()))?);
                continue;
            }
            other => TYPES
                .into_iter()
                .find_map(|(kind, of)| (of == other).then_some(kind))
                .ok_or_else(|| corrupt(format!("tensor `{name}` has type {other:?}")))?,
        };
        let size: Vec<i64> = view.shape().iter().map(|&n| n as i64).collect();
        // safetensors has checked that the data fills the shape.
        tensors.push((name, tensor_of(view.data(), &size, kind)?));
    }
    let state = state.ok_or_else(|| corrupt(format!("it has no `{STATE}`")))?;
    Ok(Loaded { path: path.to_owned(), state, tensors })
}
