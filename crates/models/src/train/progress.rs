//! Listeners: a progress bar and a log file.

use std::fs::File;
use std::io::Write;
use std::path::Path;

use indicatif::{MultiProgress, ProgressBar as Bar, ProgressStyle};

use super::{Control, Event, Listener};
use crate::Error;

/// A progress bar on standard error with the current objective; silent when that is no terminal.
#[derive(Debug)]
pub struct ProgressBar {
    label: String,
    group: ProgressGroup,
    bar: Option<Bar>,
}

impl ProgressBar {
    /// A bar that starts with the run.
    pub fn new(label: impl Into<String>) -> Self {
        Self::within(&ProgressGroup::default(), label)
    }

    /// A bar below those of the group that run at the same time.
    pub fn within(group: &ProgressGroup, label: impl Into<String>) -> Self {
        Self { label: label.into(), group: group.clone(), bar: None }
    }
}

/// The bars of runs that go on at the same time, on threads of their own.
#[derive(Debug, Clone, Default)]
pub struct ProgressGroup(MultiProgress);

impl Listener for ProgressBar {
    fn on_event(&mut self, event: &Event) -> Control {
        match event {
            Event::Started { step, total_steps, .. } => {
                let bar = self.group.0.add(Bar::new(*total_steps));
                // The template is a constant; a broken one falls back to the default look.
                if let Ok(style) =
                    ProgressStyle::with_template("{prefix:>18} {wide_bar} {pos}/{len} {per_sec} {eta} {msg}")
                {
                    bar.set_style(style);
                }
                bar.set_prefix(self.label.clone());
                bar.set_position(*step);
                self.bar = Some(bar);
            }
            Event::Step { step, loss, .. } => {
                if let Some(bar) = &self.bar {
                    bar.set_position(step + 1);
                    // Formatting each step would cost more than a step of a small model.
                    if step % 16 == 0 {
                        bar.set_message(format!("loss {loss:.4}"));
                    }
                }
            }
            Event::Warning { message } => {
                self.group.0.suspend(|| eprintln!("warning: {}: {message}", self.label));
            }
            Event::Finished { .. } => {
                if let Some(bar) = self.bar.take() {
                    bar.finish_and_clear();
                }
            }
            Event::Epoch(_) | Event::Checkpoint { .. } => {}
        }
        Control::Continue
    }
}

/// One JSON line per epoch, checkpoint and warning, each with the name of the run, appended; for following a long run with `tail -f`. The numbers of
/// record are in the checkpoint and in the run's metrics: a line that cannot be written does not stop a run.
#[derive(Debug)]
pub struct LogFile {
    run: String,
    out: File,
}

impl LogFile {
    /// Appends to `path`, also while other runs do.
    ///
    /// # Errors
    /// The file cannot be opened.
    pub fn append(path: impl AsRef<Path>, run: impl Into<String>) -> Result<Self, Error> {
        let path = path.as_ref();
        let file = File::options().create(true).append(true).open(path).map_err(|source| Error::Io {
            action: "open",
            path: path.to_owned(),
            bytes: None,
            source,
        })?;
        Ok(Self { run: run.into(), out: file })
    }
}

impl Listener for LogFile {
    fn on_event(&mut self, event: &Event) -> Control {
        let mut line = match event {
            Event::Started { step, total_steps, epochs, resumed_from } => serde_json::json!({
                "event": "started", "step": step, "total_steps": total_steps, "epochs": epochs,
                "resumed_from": resumed_from.as_ref().map(|path| path.display().to_string()),
            }),
            Event::Epoch(record) => serde_json::json!({"event": "epoch", "record": record}),
            Event::Checkpoint { step, path } => {
                // A path need not be text, which a JSON string has to be.
                serde_json::json!({"event": "checkpoint", "step": step, "path": path.display().to_string()})
            }
            Event::Warning { message } => serde_json::json!({"event": "warning", "message": message}),
            Event::Finished { step, completed, waited, elapsed } => serde_json::json!({
                "event": "finished", "step": step, "completed": completed,
                "waited_for_data_s": waited.as_secs_f64(), "elapsed_s": elapsed.as_secs_f64(),
            }),
            Event::Step { .. } => return Control::Continue,
        };
        line["run"] = self.run.as_str().into();
        // One write to a file opened for appending: lines of several runs do not mix.
        let _ = self.out.write_all(format!("{line}\n").as_bytes());
        Control::Continue
    }
}
