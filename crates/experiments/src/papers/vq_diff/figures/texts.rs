//! Sentences that depend on the settings.

use variata_models::train::EpochRecord;

use crate::settings::counted;
use crate::tsne::EARLY;

/// The steps that were taken, by the last record: whole epochs, and so not always those of the settings.
pub(super) fn training(last: Option<&EpochRecord>, batch: usize) -> String {
    let steps = last.map_or(0, |record| record.step as usize);
    format!("{} of at most {}", counted(steps, "step"), counted(batch, "bundle"))
}

/// A number with two decimals at the most.
pub(super) fn rounded(value: f64) -> String {
    let text = format!("{value:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// The steps of t-SNE.
pub(super) fn of_map(steps: usize) -> String {
    match steps {
        ..=EARLY => format!("{} with the affinities times 12", counted(steps, "step")),
        _ => format!("{steps} steps, the first {EARLY} of them with the affinities times 12"),
    }
}

/// A whole number with a comma at each thousand.
pub(super) fn with_commas(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (k, digit) in digits.char_indices() {
        if k > 0 && (digits.len() - k).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Which codes compress nothing: models with the bits of their codes, and the bits of the datum itself.
pub(super) fn compression(stored: &[(&str, f64)], datum: usize) -> String {
    let names: Vec<&str> =
        stored.iter().filter(|(_, bits)| *bits >= datum as f64).map(|(name, _)| *name).collect();
    match &names[..] {
        [] => "Each of the codes takes fewer bits than the datum.".to_owned(),
        [one] => format!(
            "The code of {one} takes as many bits as the datum, or more: that it reconstructs well is no compression."
        ),
        [first @ .., last] => format!(
            "The codes of {} and {last} take as many bits as the datum, or more: that they reconstruct well is no compression.",
            first.join(", ")
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_the_digits_that_they_need() {
        let numbers = [7.0 / 3.0, 20.0, 2.5, 30.004];
        assert_eq!(numbers.map(rounded), ["2.33", "20", "2.5", "30"]);
        let numbers = [0, 999, 1000, 393_216, 1_048_576];
        assert_eq!(numbers.map(with_commas), ["0", "999", "1,000", "393,216", "1,048,576"]);
    }

    #[test]
    fn the_steps_are_those_that_were_taken() {
        let record = EpochRecord { epoch: 2, step: 36, train: Vec::new(), validation: Vec::new() };
        assert_eq!(training(Some(&record), 8), "36 steps of at most 8 bundles");
        let record = EpochRecord { step: 1, ..record };
        assert_eq!(training(Some(&record), 1), "1 step of at most 1 bundle");
    }

    #[test]
    fn exaggerated_steps_are_no_more_than_all() {
        for (steps, want) in [
            (1, "1 step with the"),
            (30, "30 steps with the"),
            (250, "250 steps with the"),
            (251, "251 steps, the first 250 of them with the"),
        ] {
            assert!(of_map(steps).starts_with(want), "{}", of_map(steps));
        }
    }

    #[test]
    fn only_codes_that_are_as_large_as_the_datum_compress_nothing() {
        let of = |ae: f64, vae: f64, vq: f64| compression(&[("AE", ae), ("VAE", vae), ("VQ", vq)], 100);
        assert_eq!(of(99.0, 50.0, 9.0), "Each of the codes takes fewer bits than the datum.");
        assert!(of(100.0, 50.0, 9.0).starts_with("The code of AE takes as many bits"));
        assert!(of(120.0, 500.0, 9.0).starts_with("The codes of AE and VAE take as many bits"));
        assert!(of(120.0, 500.0, 190.0).starts_with("The codes of AE, VAE and VQ take as many bits"));
    }
}
