//! Undo and redo against a model that keeps every picture.

use proptest::prelude::*;
use serde_json::{Value, json};

use crate::Running;
use crate::faces::SIZE;

#[derive(Debug, Clone)]
enum Step {
    Do(Value),
    Undo,
    Redo,
}

fn step() -> impl Strategy<Value = Step> {
    let pixel = 0..SIZE * SIZE;
    let shade = 0u8..4;
    prop_oneof![
        3 => (prop::collection::vec(pixel.clone(), 0..5), shade).prop_map(|(pixels, v)| {
            let v = f64::from(v) / 3.0;
            Step::Do(json!({ "do": "paint", "pixels": pixels, "color": [v, v, 0.5] }))
        }),
        1 => prop::collection::vec(pixel, 0..3).prop_map(|p| Step::Do(json!({ "do": "erase", "pixels": p }))),
        1 => (0..12usize, -3i8..4).prop_map(|(k, v)| Step::Do(json!({ "do": "scale", "component": k, "value": v }))),
        1 => (0..3u64).prop_map(|n| Step::Do(json!({ "do": "noise", "noise": { "kind": "sample", "number": n } }))),
        1 => (0..3u64).prop_map(|n| Step::Do(json!({ "do": "latent", "number": n }))),
        1 => prop::sample::select(vec!["lock", "unlock", "clear", "reset_scales"]).prop_map(|d| Step::Do(json!({ "do": d }))),
        4 => Just(Step::Undo),
        2 => Just(Step::Redo),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    #[test]
    fn undo_and_redo_go_through_the_pictures_that_there_were(steps in prop::collection::vec(step(), 1..25)) {
        let running = Running::new(2);
        let (begun, first) = running.begin("");
        let (mut pictures, mut at) = (vec![first], 0usize);
        for step in steps {
            let action = match &step {
                Step::Do(action) => action.clone(),
                Step::Undo => json!({ "do": "undo" }),
                Step::Redo => json!({ "do": "redo" }),
            };
            let (report, picture) = running.act(&begun["session"], &json!({ "action": action }));
            match step {
                Step::Do(_) => {
                    pictures.truncate(at + 1);
                    pictures.push(picture.clone());
                    at += 1;
                }
                Step::Undo => at = at.saturating_sub(1),
                Step::Redo => at = (at + 1).min(pictures.len() - 1),
            }
            prop_assert_eq!(&picture, &pictures[at]);
            prop_assert_eq!(&report["undo"], &json!(at));
            prop_assert_eq!(&report["redo"], &json!(pictures.len() - 1 - at));
            // The link says the same.
            let (_, again) = running.begin(report["link"].as_str().unwrap());
            prop_assert_eq!(&again, &picture);
        }
    }
}

/// What a gesture is sent in is one step.
#[test]
fn a_stroke_is_undone_whole() {
    let running = Running::new(2);
    let (begun, first) = running.begin("");
    let paint = |at: usize, more: bool| json!({ "action": { "do": "paint", "pixels": [at], "color": [1.0, 1.0, 1.0] }, "more": more });
    running.act(&begun["session"], &paint(3, false));
    running.act(&begun["session"], &paint(4, true));
    let (report, whole) = running.act(&begun["session"], &paint(5, true));
    assert_eq!((&report["painted"], &report["undo"]), (&json!(3), &json!(1)));
    let (_, undone) = running.act(&begun["session"], &json!({ "action": { "do": "undo" } }));
    assert_eq!(undone, first);
    let (_, redone) = running.act(&begun["session"], &json!({ "action": { "do": "redo" } }));
    assert_eq!(redone, whole);
}
