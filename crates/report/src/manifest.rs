//! What produced a run: everything needed to do it again, and to see on what it was done.

use std::process::Command;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::Serialize;

/// Where the data of a run came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DataSource {
    /// Name, as given on the command line.
    pub name: String,
    /// SHA-256 of what was read, in hexadecimal.
    pub sha256: String,
    /// How much it is, as in "1,797 images of 8 × 8".
    pub description: String,
}

/// The machine, as far as it can change a number or explain a duration. Never its name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Machine {
    /// Model of the processor.
    pub cpu: String,
    /// Hardware threads that this process may use.
    pub cores: usize,
    /// Main memory in MiB; `None` where the system does not tell.
    pub memory_mib: Option<u64>,
    /// Operating system and architecture, as in "linux x86_64".
    pub system: String,
    /// Widest vector instructions, as in "AVX-512".
    pub isa: String,
}

impl Machine {
    /// Asks the system. What it does not tell is "unknown".
    #[must_use]
    pub fn detect() -> Self {
        let cpu = field("/proc/cpuinfo", "model name")
            .or_else(|| output("sysctl", &["-n", "machdep.cpu.brand_string"]));
        let memory_mib = field("/proc/meminfo", "MemTotal")
            .and_then(|v| v.split_whitespace().next()?.parse::<u64>().ok())
            .map(|kib| kib / 1024)
            .or_else(|| Some(output("sysctl", &["-n", "hw.memsize"])?.parse::<u64>().ok()? >> 20));
        Self {
            cpu: cpu.unwrap_or_else(|| "unknown".to_owned()),
            cores: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            memory_mib,
            system: format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
            isa: isa().to_owned(),
        }
    }
}

/// When a run took place. It is written to manifest.json only, under `run`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RunTimes {
    /// Start, UTC, as in "2026-11-20T22:16:04Z".
    pub started: String,
    /// End, likewise.
    pub finished: String,
    /// Seconds between the two.
    pub seconds: f64,
}

impl RunTimes {
    /// From the start of a run to now.
    #[must_use]
    pub fn since(started: SystemTime) -> Self {
        let finished = SystemTime::now();
        Self {
            started: utc(started),
            finished: utc(finished),
            // A clock that was set back in between makes it 0.
            seconds: finished.duration_since(started).unwrap_or_default().as_secs_f64(),
        }
    }
}

/// What produced a run.
///
/// All but [`run`](Self::run) is a function of program, settings, data and machine: two runs of the same
/// have the same report, byte for byte.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Manifest {
    /// Name of the program.
    pub program: String,
    /// Its version.
    pub version: String,
    /// The commit of its source folder when it ran, if known.
    pub commit: Option<String>,
    /// Short name of the paper.
    pub paper: String,
    /// Name of the preset.
    pub preset: String,
    /// Every setting, resolved, as TOML.
    pub config: String,
    /// The seeds.
    pub seeds: Vec<u64>,
    /// The data.
    pub data: DataSource,
    /// The machine.
    pub machine: Machine,
    /// Where tensors lived, as in "cpu" or "cuda".
    pub device: String,
    /// Version of libtorch, where it was used.
    pub libtorch: Option<String>,
    /// Threads that libtorch and rayon used.
    pub threads: usize,
    /// Processes that trained each model together, each with so many threads.
    pub workers: usize,
    /// What else the measurements rest on, a line each; not among the settings that decide what is trained.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub inputs: Vec<String>,
    /// When it ran; set at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run: Option<RunTimes>,
}

impl Manifest {
    /// The settings that decide a run's numbers: two runs with the same text may share a folder.
    #[must_use]
    pub fn settings(&self) -> String {
        let seeds: Vec<String> = self.seeds.iter().map(u64::to_string).collect();
        format!(
            "# The settings of this run; a run of other settings does not overwrite it.\n\
             # program: {} {}\n# paper: {}\n# preset: {}\n# seeds: {}\n# data: {} (sha256 {})\n# device: {}\n\n{}\n",
            self.program,
            self.version,
            self.paper,
            self.preset,
            seeds.join(", "),
            self.data.name,
            self.data.sha256,
            self.device,
            self.config.trim_end(),
        )
    }

    /// The manifest as JSON, one key a line, in the order of the fields.
    #[must_use]
    pub fn to_json(&self) -> String {
        // Serialising cannot fail: every key is a string and a map has no other source of failure.
        let mut text = serde_json::to_string_pretty(self).unwrap_or_default();
        text.push('\n');
        text
    }

    /// Label and value of each line of the report's last section: all but the times.
    #[must_use]
    pub fn rows(&self) -> Vec<(&'static str, String)> {
        let seeds: Vec<String> = self.seeds.iter().map(u64::to_string).collect();
        let memory = self.machine.memory_mib.map(|m| format!(", {:.1} GiB", m as f64 / 1024.0));
        let mut rows = vec![
            ("Program", format!("{} {}", self.program, self.version)),
            ("Preset", format!("{} / {}", self.paper, self.preset)),
            ("Seeds", seeds.join(", ")),
            ("Data", format!("{}: {}", self.data.name, self.data.description)),
            ("Data SHA-256", self.data.sha256.clone()),
            ("Device", self.device.clone()),
            (
                "Machine",
                format!("{}, {} threads{}", self.machine.cpu, self.machine.cores, memory.unwrap_or_default()),
            ),
            ("System", format!("{}, {}", self.machine.system, self.machine.isa)),
            ("Threads used", self.threads.to_string()),
        ];
        if self.workers > 1 {
            rows.push(("Workers", self.workers.to_string()));
        }
        if let Some(commit) = &self.commit {
            rows.insert(1, ("Commit", commit.clone()));
        }
        if let Some(libtorch) = &self.libtorch {
            rows.push(("libtorch", libtorch.clone()));
        }
        rows.extend(self.inputs.iter().map(|input| ("Given", input.clone())));
        rows
    }
}

fn field(path: &str, key: &str) -> Option<String> {
    let text = std::fs::read_to_string(path).ok()?;
    let line = text.lines().find(|line| line.starts_with(key))?;
    Some(line.split_once(':')?.1.split_whitespace().collect::<Vec<_>>().join(" "))
}

fn output(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    (output.status.success() && !text.is_empty()).then_some(text)
}

#[cfg(target_arch = "x86_64")]
fn isa() -> &'static str {
    if std::arch::is_x86_feature_detected!("avx512f") {
        "AVX-512"
    } else if std::arch::is_x86_feature_detected!("avx2") && std::arch::is_x86_feature_detected!("fma") {
        "AVX2"
    } else {
        "SSE2"
    }
}

#[cfg(not(target_arch = "x86_64"))]
fn isa() -> &'static str {
    if cfg!(target_arch = "aarch64") { "NEON" } else { "scalar" }
}

/// Calendar time in UTC. Days to dates by counting from 1 March of year 0 in eras of 400 years, where
/// leap days come last in a year.
fn utc(time: SystemTime) -> String {
    let seconds = time.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO).as_secs();
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    let days = days + 719_468; // from 0000-03-01 to 1970-01-01
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (month, carry) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    let year = year + era * 400 + carry;
    format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z", second / 3600, second / 60 % 60, second % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calendar_dates() {
        for (seconds, want) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_399, "2000-02-28T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (951_868_800, "2000-03-01T00:00:00Z"),
            (1_798_761_599, "2026-12-31T23:59:59Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
        ] {
            assert_eq!(utc(UNIX_EPOCH + Duration::from_secs(seconds)), want);
        }
    }
}
