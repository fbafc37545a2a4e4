//! `cargo xtask setup`: libtorch and an MPI library of the pinned versions, fetched once per user and linked into the workspace.
//!
//! The order is what makes it safe to interrupt: everything happens in a folder of another name, the marker
//! is written and synced last, and one rename makes it the real folder. What has no marker does not exist.

mod error;
mod fetch;
mod host;
mod own;
#[cfg(test)]
mod tests;

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail};

use crate::lock::Lock;
use crate::pins::{Kit, Pins, Platform};
use crate::{places, process};
pub(crate) use error::SetupError;
pub(crate) use host::{compiler, python};
pub(crate) use own::libraries;

/// Name of the file that a complete folder has; its text is the requirements it was made from.
const MARKER: &str = "variata-complete";

/// What NVIDIA's driver makes.
const NVIDIA: &str = "/dev/nvidiactl";

/// Makes all that builds of the whole workspace need available.
pub(crate) fn workspace(cuda: bool) -> Result<()> {
    ensure(cuda)?;
    ensure_mpi()
}

/// Makes libtorch available to builds of this workspace, or says precisely why it cannot.
pub(crate) fn ensure(cuda: bool) -> Result<()> {
    compiler()?;
    if let Some(line) = own::libtorch()? {
        eprintln!("{line}");
        return Ok(());
    }
    let root = places::root();
    if let Some(line) = own::folder(&root.join(Kit::Libtorch.link()))? {
        eprintln!("{line}");
        return Ok(());
    }
    let platform = Platform::current().ok_or(SetupError::Platform)?;
    let pins = platform.pins(cuda).ok_or(SetupError::NoCuda)?;
    let richer = if cuda { None } else { platform.pins(true) };
    let setup = Setup { root, cache: places::cache()?, pins, richer, pip_env: Vec::new() };
    eprintln!("{}", setup.run()?);
    if setup.leaves_idle(Path::new(NVIDIA)) {
        eprintln!(
            "   an NVIDIA GPU is here, which stays idle: `cargo xtask setup --cuda` fetches what it needs"
        );
    }
    Ok(())
}

/// Makes what the binding to MPI is built from available: a library and libclang. A library of the user's own, whose `mpicc` the
/// variable MPICC names, comes before it.
pub(crate) fn ensure_mpi() -> Result<()> {
    if own::mpi()? {
        eprintln!("MPI: that of your MPICC, bound with your LIBCLANG_PATH");
        return Ok(());
    }
    let root = places::root();
    // The wheel's compiler wrapper says its own path without quotes, and what reads it splits at spaces.
    if root.to_string_lossy().contains(|c: char| c.is_whitespace() || "'\"\\".contains(c)) {
        bail!(
            "MPI cannot be bound in {}: move the checkout to a path without spaces and quotes, or name an MPI of yours by MPICC",
            root.display()
        );
    }
    let link = root.join(".mpi");
    if link.is_dir() && !link.is_symlink() {
        bail!("{} is a folder: an MPI of yours is named by MPICC; move the folder away", link.display());
    }
    let pins = Platform::current().ok_or(SetupError::Platform)?.mpi();
    let setup = Setup { root, cache: places::cache()?, pins, richer: None, pip_env: Vec::new() };
    eprintln!("{}", setup.run()?);
    Ok(())
}

/// One set-up, with everything it depends on given: the tests give other folders and pins.
#[derive(Debug)]
struct Setup {
    root: PathBuf,
    cache: PathBuf,
    pins: Pins,
    /// Pins that contain `pins`: a folder made from them serves as well.
    richer: Option<Pins>,
    /// Further variables for pip.
    pip_env: Vec<(&'static str, String)>,
}

impl Setup {
    /// Returns the line that says what was done.
    fn run(&self) -> Result<String> {
        if let Some(line) = self.already()? {
            return Ok(line);
        }
        let _lock = Lock::take(&self.cache.join(format!("{}.lock", self.pins.folder())))
            .map_err(|_| SetupError::ReadOnly { path: self.cache.clone() })?;
        // Whoever held the lock may have done it all.
        if let Some(line) = self.already()? {
            return Ok(line);
        }
        let start = Instant::now();
        self.remove_stale()?;
        let made = self.make()?;
        self.link(&made)?;
        Ok(format!("{} is ready ({})", self.pins.label(), process::elapsed(start)))
    }

    /// The line for a library that is there already, after linking it if need be.
    fn already(&self) -> Result<Option<String>> {
        for pins in std::iter::once(&self.pins).chain(&self.richer).rev() {
            let folder = self.cache.join(pins.folder());
            if !is_complete(&folder, pins) {
                continue;
            }
            let label = pins.label();
            if fs::read_link(self.root.join(pins.kit.link())).is_ok_and(|target| target == folder) {
                return Ok(Some(format!("{label} is set up")));
            }
            self.link(&folder)?;
            return Ok(Some(format!("{label} was in the cache; linked it")));
        }
        Ok(None)
    }

    /// Fetches and unpacks into a folder that no later run would take for a complete one, then renames it.
    fn make(&self) -> Result<PathBuf> {
        let folder = self.cache.join(self.pins.folder());
        let unique = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |t| t.as_nanos());
        let work = self.sibling(&format!("partial-{}-{unique}", std::process::id()));
        let result = fs::create_dir(&work)
            .map_err(|_| SetupError::ReadOnly { path: self.cache.clone() }.into())
            .and_then(|()| self.fill(&work));
        let site = match result {
            Ok(site) => site,
            Err(error) => {
                // The reason for the failure is worth more than a failure to clean up.
                let _ = fs::remove_dir_all(&work);
                return Err(error);
            }
        };
        let mut marker = File::create(site.join(MARKER))?;
        marker.write_all(self.pins.requirements().as_bytes())?;
        marker.sync_all()?;
        File::open(&site)?.sync_all()?;
        if folder.exists() {
            // Of other pins, or damaged: `is_complete` has refused it.
            fs::rename(&folder, self.sibling(&format!("partial-old-{unique}")))?;
        }
        fs::rename(&site, &folder).with_context(|| format!("cannot rename to {}", folder.display()))?;
        File::open(&self.cache)?.sync_all()?;
        self.remove_stale()?;
        Ok(folder)
    }

    /// Downloads to `work/wheels`, unpacks to `work/site`, and checks the version of the result.
    fn fill(&self, work: &Path) -> Result<PathBuf> {
        let python = host::python()?;
        host::pip(&python)?;
        host::space(work, self.pins.needed_mb)?;
        let (wheels, site) = (work.join("wheels"), work.join("site"));
        fs::create_dir(&wheels)?;
        fs::write(work.join("requirements.txt"), self.pins.requirements())?;
        eprintln!("── fetching {}: about {} MB", self.pins.label(), self.pins.download_mb);
        fetch::download(&python, &self.pins, work, &wheels, &self.pip_env)?;
        eprintln!("── unpacking");
        fetch::unpack(&python, &self.pins, work, &wheels, &site)?;
        // The binding stands for one version of libtorch, which only its files declare.
        if self.pins.kit == Kit::Libtorch {
            let found = own::version_of(&site.join("torch"));
            if found.as_deref() != Some(self.pins.version.as_str()) {
                return Err(SetupError::Version {
                    place: "the downloaded wheel".to_owned(),
                    found,
                    wanted: self.pins.version.clone(),
                }
                .into());
            }
        }
        Ok(site)
    }

    fn sibling(&self, suffix: &str) -> PathBuf {
        self.cache.join(format!("{}.{suffix}", self.pins.folder()))
    }

    /// Removes what interrupted runs left; only under the lock.
    ///
    /// The pip of a killed run may still be writing there for a moment. What then resists stays for the next
    /// run: it is only rubbish, never taken for a library.
    fn remove_stale(&self) -> Result<()> {
        let prefix = format!("{}.partial-", self.pins.folder());
        for entry in fs::read_dir(&self.cache)? {
            let entry = entry?;
            if entry.file_name().to_string_lossy().starts_with(&prefix) {
                let gone = (0..5).any(|attempt| {
                    std::thread::sleep(Duration::from_millis(100 * attempt));
                    fs::remove_dir_all(entry.path()).is_ok()
                });
                if !gone {
                    eprintln!("   left over from an interrupted run: {}", entry.path().display());
                }
            }
        }
        Ok(())
    }

    /// Whether a GPU, whose driver makes the file `driver`, has no use for what is linked.
    fn leaves_idle(&self, driver: &Path) -> bool {
        let Some(richer) = &self.richer else { return false };
        let linked = fs::read_link(self.root.join(self.pins.kit.link()));
        driver.exists() && linked.is_ok_and(|folder| folder != self.cache.join(richer.folder()))
    }

    /// Points the workspace's link at `folder` in one step: a build never sees it missing.
    fn link(&self, folder: &Path) -> Result<()> {
        let read_only = |_| SetupError::ReadOnly { path: self.root.clone() };
        let link = self.pins.kit.link();
        let fresh = self.root.join(format!("{link}.{}.tmp", std::process::id()));
        let _ = fs::remove_file(&fresh); // left by a process of the same number, long gone
        symlink(folder, &fresh).map_err(read_only)?;
        fs::rename(&fresh, self.root.join(link)).map_err(read_only)?;
        Ok(())
    }
}

/// Whether `folder` was made completely, from these pins, and still has its library.
fn is_complete(folder: &Path, pins: &Pins) -> bool {
    fs::read_to_string(folder.join(MARKER)).is_ok_and(|text| text == pins.requirements())
        && match pins.kit {
            Kit::Libtorch => own::has_library(&folder.join("torch")),
            Kit::Mpi => {
                let has = |place: &str, start| own::has_file(&folder.join(place), start);
                has("bin", "mpicc")
                    && has("bin", "mpiexec")
                    && has("lib", "libmpi.")
                    && has("clang", "libclang.")
            }
        }
}
