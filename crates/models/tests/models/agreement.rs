//! What workers must have alike, and what only the first one needs.

use variata_models::Error;
use variata_models::train::{Better, TrainConfig, Trainer};

use crate::workers::with;
use crate::{loader, tiny};

#[test]
fn what_differs_is_refused_on_every_worker() {
    for found in with(3, |workers| workers.same(&5)) {
        assert!(found.is_ok());
    }
    let found = with(3, |workers| workers.same(&if workers.rank() == 1 { 6 } else { 5 }));
    assert!(found.iter().all(|found| matches!(found, Err(Error::WorkersDiffer { rank: 1 }))), "{found:?}");
}

/// The metric that the best is kept by may be one that the first worker alone measures.
#[test]
fn the_first_workers_measurement_is_every_ones() {
    let train = loader(40, 20);
    let outcomes = with(2, |workers| {
        let model = tiny(1);
        let mut measure = |step: u64| Ok(vec![("m".to_owned(), step as f64)]);
        let config = TrainConfig { epochs: 2, ..TrainConfig::default() };
        let mut trainer = Trainer::new(&model, &train, config, 3).keep_best("m", Better::Higher);
        if workers.is_first() {
            trainer = trainer.measure(&mut measure);
        }
        trainer.workers(workers.clone()).run()
    });
    assert!(outcomes.iter().all(|outcome| outcome.as_ref().is_ok_and(|o| o.completed)), "{outcomes:?}");
}
