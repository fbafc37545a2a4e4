//! The loop.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::{Duration, Instant};

use tch::Tensor;
use variata_datasets::{Batch, Loader, Position};

use super::best::Kept;
use super::checkpoint::{Loaded, MODEL};
use super::history::Means;
use super::{
    Control, EpochRecord, Event, FileSystem, Multipliers, Optimizer, Outcome, RunState, StepContext,
    Trainable, Trainer,
};
use crate::noise::fnv1a;
use crate::{Error, Term};

impl<M: Trainable, F: FileSystem> Trainer<'_, M, F> {
    fn emit(&mut self, event: &Event) -> bool {
        // Every listener hears every event, also after one of them asked to stop.
        let mut go_on = true;
        for listener in &mut self.listeners {
            go_on &= listener.on_event(event) == Control::Continue;
        }
        go_on && !self.stop.is_requested()
    }

    fn tensors(&self, optimizer: &Optimizer) -> Vec<(String, Tensor)> {
        let parameters = self.model.parameters().iter();
        let mut all: Vec<_> = parameters.map(|(n, t)| (format!("{MODEL}{n}"), t.shallow_clone())).collect();
        all.extend(optimizer.state());
        all.extend(self.kept.iter().flat_map(Kept::tensors));
        all
    }

    /// Trains to the end or to a stop.
    ///
    /// # Errors
    /// A setting, the data or the model refuses; a term, the gradient or a parameter is not finite ([`Error::NonFinite`], with what and
    /// step); libtorch fails; the checkpoint found is damaged or another run's; the last checkpoint cannot be written (an
    /// earlier one that cannot is a [`Event::Warning`], and training goes on); the workers differ or cannot reach each other. A
    /// worker that fails ends the others.
    pub fn run(self) -> Result<Outcome, Error> {
        let workers = self.workers.clone();
        let result = catch_unwind(AssertUnwindSafe(|| self.train()));
        workers.hear(&result);
        result.unwrap_or_else(|panic| resume_unwind(panic))
    }

    fn train(mut self) -> Result<Outcome, Error> {
        self.config.schedule.check()?;
        // The first worker's measurement is every one's.
        let measured = self.workers.tell(|| Ok(self.measurement.is_some()))?;
        if self.kept.is_some() && self.validation.is_none() && !measured {
            return Err(Error::config("keep_best", "asked for", "with validation data or a measurement"));
        }
        let train = self.train.share(self.workers.rank(), self.workers.size())?;
        let per_epoch = train.batches_per_epoch() as u64;
        let total = self.config.epochs.saturating_mul(per_epoch);
        let every = self.config.validate_epochs.max(1);
        let mut optimizer = Optimizer::new(self.config.optimizer, self.model.parameters())?;
        let threads = tch::get_num_threads() as usize;
        let mut state = RunState {
            identity: self.identity.clone(),
            model: self.model.description(),
            step: 0,
            epoch: 0,
            batch: 0,
            batches_per_epoch: per_epoch,
            completed: self.config.epochs == 0,
            threads,
            workers: self.workers.size(),
            means: Means::default(),
            multipliers: Multipliers::default(),
            history: Vec::new(),
            best: None,
        };
        self.agree(&optimizer, total)?;
        let mut resumed_from = None;
        let mut go_on = true;
        if let Some(store) = self.store.filter(|_| self.workers.is_first()) {
            let (found, damaged) = store.load_latest()?;
            for error in damaged {
                go_on &= self.emit(&Event::Warning { message: format!("{error}; using the one before") });
                if let Error::Corrupt { path, .. } = &error
                    && let Err(error) = store.set_aside(path)
                {
                    go_on &= self.emit(&Event::Warning { message: error.to_string() });
                }
            }
            if let Some(loaded) = found {
                self.resume(&loaded, &optimizer, &mut state)?;
                resumed_from = Some(loaded.path);
            }
        }
        state = self.workers.tell(|| Ok(state))?;
        self.align(&optimizer)?;
        go_on &= self.emit(&Event::Started {
            step: state.step,
            total_steps: total,
            epochs: self.config.epochs,
            resumed_from,
        });
        let workers = self.workers.size();
        for (had, have, what) in
            [(&mut state.threads, threads, "threads"), (&mut state.workers, workers, "workers")]
        {
            // A training that is over was made with what it was made with.
            if *had != have && state.epoch < self.config.epochs {
                let message = format!(
                    "the checkpoint was made with {had} {what}, this run has {have}: the result is not bit-equal"
                );
                *had = have;
                go_on &= self.emit(&Event::Warning { message });
            }
        }
        go_on = self.workers.all(go_on)?;
        let (start, mut waited) = (Instant::now(), Duration::ZERO);
        while go_on && state.epoch < self.config.epochs {
            if state.batch < per_epoch {
                let position = Position { epoch: state.epoch, batch: state.batch };
                let mut batches = train.epoch(position)?;
                loop {
                    let asked = Instant::now();
                    let next = batches.next();
                    waited += asked.elapsed();
                    let Some(batch) = next else { break };
                    let event = self.step(&mut optimizer, &batch?, &mut state, total)?;
                    go_on = self.emit(&event);
                    let due = self.config.checkpoint_steps;
                    // An epoch's last step waits for the record of its epoch.
                    if due > 0 && state.step.is_multiple_of(due) && state.batch < per_epoch {
                        // All workers look, also one that is to stop.
                        self.refuse_nonfinite(&optimizer, state.step)?;
                        if go_on {
                            go_on = self.save(&optimizer, &state, false)?;
                        }
                    }
                    go_on = self.workers.all(go_on)?;
                    if !go_on {
                        break;
                    }
                }
            }
            if state.batch >= per_epoch {
                let last = state.epoch + 1 == self.config.epochs;
                let due = last || (state.epoch + 1).is_multiple_of(every);
                let steps = self.config.checkpoint_steps;
                let kept = due || steps > 0 && state.step.is_multiple_of(steps);
                // Processors of other kinds round otherwise.
                self.align(&optimizer)?;
                if kept {
                    self.refuse_nonfinite(&optimizer, state.step)?;
                }
                let record = EpochRecord {
                    epoch: state.epoch,
                    step: state.step,
                    train: state.means.take(),
                    validation: if due { self.validate(state.step)? } else { Vec::new() },
                };
                if let Some(kept) = &mut self.kept {
                    kept.hear(&record, self.model, &mut state)?;
                }
                state.history.push(record.clone());
                state.epoch += 1;
                state.batch = 0;
                state.completed = last;
                go_on &= self.emit(&Event::Epoch(record));
                // What is to stop writes one below.
                if kept && (go_on || due) {
                    go_on &= self.save(&optimizer, &state, last)?;
                }
                go_on = self.workers.all(go_on)?;
            }
        }
        if !state.completed {
            self.refuse_nonfinite(&optimizer, state.step)?;
            self.save(&optimizer, &state, true)?;
        }
        if let (true, Some(_), Some(kept)) = (state.completed, state.best, &self.kept) {
            kept.restore(self.model)?;
        }
        let (completed, elapsed) = (state.completed, start.elapsed());
        self.emit(&Event::Finished { step: state.step, completed, waited, elapsed });
        Ok(Outcome { completed: state.completed, step: state.step, history: state.history })
    }

    /// The workers make the same run.
    fn agree(&self, optimizer: &Optimizer, steps: u64) -> Result<(), Error> {
        if self.workers.is_alone() {
            return Ok(());
        }
        let shapes: Vec<_> = self.tensors(optimizer).iter().map(|(n, t)| (n.clone(), t.size())).collect();
        let indices = |loader: &Loader| fnv1a(loader.indices().iter().map(|&i| i as u64));
        let data = |loader: &Loader| (format!("{:?}", loader.options()), indices(loader));
        let seeds = (self.noise.seed(), self.model.description());
        let data = (data(self.train), self.validation.map(data), self.kept.is_some());
        self.workers.same(&(format!("{:?}", self.config), seeds, data, steps, shapes))
    }

    /// The first worker's tensors, on every one.
    fn align(&self, optimizer: &Optimizer) -> Result<(), Error> {
        let tensors = self.tensors(optimizer);
        self.workers.align(tensors.iter().map(|(_, t)| t))
    }

    fn resume(&self, loaded: &Loaded, optimizer: &Optimizer, state: &mut RunState) -> Result<(), Error> {
        if loaded.state.identity != self.identity {
            return Err(Error::Mismatch {
                path: loaded.path.clone(),
                problem: format!(
                    "it belongs to the run `{}`, not to `{}`",
                    loaded.state.identity, self.identity
                ),
            });
        }
        let (found, wanted) = (loaded.state.batches_per_epoch, state.batches_per_epoch);
        if found != 0 && found != wanted {
            let problem = format!("its epochs have {found} batches, this run's {wanted}");
            return Err(Error::Mismatch { path: loaded.path.clone(), problem });
        }
        loaded.restore(&self.tensors(optimizer))?;
        *state = loaded.state.clone();
        state.batches_per_epoch = wanted;
        // The file's run may have had other epochs to go.
        state.completed = state.epoch >= self.config.epochs;
        Ok(())
    }

    fn save(&mut self, optimizer: &Optimizer, state: &RunState, must: bool) -> Result<bool, Error> {
        let Some(store) = self.store.filter(|_| self.workers.is_first()) else { return Ok(true) };
        match store.save(&self.tensors(optimizer), state) {
            Ok(path) => Ok(self.emit(&Event::Checkpoint { step: state.step, path })),
            Err(error) if !must => Ok(self.emit(&Event::Warning { message: error.to_string() })),
            Err(error) => Err(error),
        }
    }

    fn step(
        &self,
        optimizer: &mut Optimizer,
        batch: &Batch,
        state: &mut RunState,
        total: u64,
    ) -> Result<Event, Error> {
        let step = state.step;
        let context = StepContext {
            first_row: batch.first_row as u64,
            workers: self.workers.clone(),
            ..StepContext::new(step, step, self.noise)
        };
        // A GPU reports the faults of its kernels where it is waited for.
        let made = || self.model.objective(batch, &context).map(|objective| (objective.values(), objective));
        let (mut values, objective) = guard(step, made)?;
        // A mean over rows is the sum of what the shares give to it, a term of the whole batch is the same everywhere.
        let part = batch.len() as f64 / batch.whole_len as f64;
        let share = |term: &Term| if term.whole { 1.0 / self.workers.size() as f64 } else { part };
        for (value, term) in values.iter_mut().zip(&objective.terms) {
            *value *= share(term);
        }
        self.workers.sum_numbers(&mut values)?;
        let terms: Vec<(&'static str, f64)> = objective.terms.iter().map(|t| t.name).zip(values).collect();
        if let Some(&(name, value)) = terms.iter().find(|(_, v)| !v.is_finite()) {
            // The term may only show what the step before has done; its gradients are still there.
            self.refuse_nonfinite(optimizer, step)?;
            return Err(Error::NonFinite { term: name.to_owned(), step, value });
        }
        let weights: Vec<f64> =
            objective.terms.iter().zip(&terms).map(|(t, (_, v))| state.multipliers.weight(t, *v)).collect();
        let loss = weights.iter().zip(&terms).map(|(w, (_, v))| w * v).sum::<f64>();
        let factor = self.config.schedule.factor(step, total);
        let own: Vec<f64> = objective.terms.iter().zip(&weights).map(|(t, w)| w * share(t)).collect();
        guard(step, || {
            optimizer.zero_grad()?;
            let Some(sum) = objective.loss(&own) else { return Ok(()) };
            sum.f_backward()?;
            optimizer.step_with(factor, &self.workers)
        })?;
        let weight = batch.whole_len as f64;
        state.means.add("loss", loss, weight);
        for (term, (name, value)) in objective.terms.iter().zip(&terms) {
            state.means.add(name, *value, weight);
            if let Some(constraint) = &term.constraint {
                state.multipliers.ascend(name, *value, constraint);
                let (term, value) = (format!("{name}_multiplier"), state.multipliers.get(name));
                if !value.is_finite() {
                    return Err(Error::NonFinite { term, step, value });
                }
                state.means.add(&term, value, weight);
            }
        }
        state.step += 1;
        state.batch += 1;
        let learning_rate = self.config.optimizer.learning_rate() * factor;
        Ok(Event::Step { step, epoch: state.epoch, loss, terms, learning_rate })
    }

    /// The gradient of the last of so many steps is finite, and so is what it has left of the parameters.
    ///
    /// Asked before a checkpoint, a validation and the end, and where a term shows it. At every step it would cost several percent of a
    /// small model's; and nothing is lost: a gradient that is not finite spoils parameters, which spoil every step that uses them.
    fn refuse_nonfinite(&self, optimizer: &Optimizer, steps: u64) -> Result<(), Error> {
        // The first one's answer is every one's: all of them end here, or none.
        let found = self.workers.tell(|| {
            let found = guard(steps, || optimizer.nonfinite())?;
            Ok(found.map(|(name, value)| (name, value.to_bits())))
        })?;
        match found {
            None => Ok(()),
            Some((term, bits)) => {
                Err(Error::NonFinite { term, step: steps.saturating_sub(1), value: f64::from_bits(bits) })
            }
        }
    }

    fn validate(&mut self, step: u64) -> Result<Vec<(String, f64)>, Error> {
        let mut all = self.means(step)?;
        let found: Bits = self.workers.tell(|| {
            let Some(measurement) = &mut self.measurement else { return Ok(Vec::new()) };
            let found = guard(step, || {
                variata_torch_bridge::no_grad(|| measurement(step))
                    .map_err(|source| Error::Measurement { step, source })
            })?;
            Ok(found.into_iter().map(|(name, value)| (name, value.to_bits())).collect())
        })?;
        all.extend(found.into_iter().map(|(name, bits)| (name, f64::from_bits(bits))));
        Ok(all)
    }

    fn means(&self, step: u64) -> Result<Vec<(String, f64)>, Error> {
        let Some(data) = self.validation else { return Ok(Vec::new()) };
        let mut found: Vec<(Bits, f64)> = Vec::new();
        for (i, batch) in data.epoch(Position::epoch(0))?.enumerate() {
            let batch = batch?;
            if i % self.workers.size() != self.workers.rank() {
                continue;
            }
            let context = StepContext::new(step, i as u64, self.noise);
            let metrics =
                guard(step, || variata_torch_bridge::no_grad(|| self.model.validate(&batch, &context)))?;
            let bits = metrics.into_iter().map(|(name, value)| (name.to_owned(), value.to_bits()));
            found.push((bits.collect(), batch.len() as f64));
        }
        // In the order of the batches: the same sums as those of one process.
        let mut means = Means::default();
        let mut dealt: Vec<_> = self.workers.collect(found)?.into_iter().map(Vec::into_iter).collect();
        while dealt.iter().any(|rest| rest.len() > 0) {
            for (metrics, weight) in dealt.iter_mut().filter_map(Iterator::next) {
                for (name, bits) in metrics {
                    means.add(&name, f64::from_bits(bits), weight);
                }
            }
        }
        Ok(means.take())
    }
}

/// Values by name as workers tell them: text has no NaN.
type Bits = Vec<(String, u64)>;

/// Turns a panic of libtorch's operators (out of memory, a lost device) into an error that names the step.
fn guard<R>(step: u64, f: impl FnOnce() -> Result<R, Error>) -> Result<R, Error> {
    catch_unwind(AssertUnwindSafe(f)).unwrap_or_else(|panic| {
        let text = panic
            .downcast_ref::<String>()
            .map(String::as_str)
            .or_else(|| panic.downcast_ref::<&str>().copied())
            .unwrap_or("panic without a message");
        Err(Error::Torch { step, message: text.lines().next().unwrap_or("").to_owned() })
    })
}
