//! The embedded digits are the published ones.

use variata_datasets::digits;

#[test]
fn content_is_pinned() {
    let digits = digits();
    assert_eq!(digits.images().shape(), [1797, 1, 8, 8]);
    assert_eq!((digits.name(), digits.classes(), digits.max_value()), ("digits", 10, 16));
    assert_eq!(digits.official_test(), None);
    // Computed by hashlib over the same canonical bytes.
    assert_eq!(
        digits.checksum().to_string(),
        "bec5fb5ceb40d34ee15c8e881c53e171d1b657a261273098f130ec00c4c9b0f0"
    );
}

#[test]
fn class_counts_are_those_of_the_repository() {
    let mut counts = [0; 10];
    digits().labels().iter().for_each(|&label| counts[label as usize] += 1);
    // optdigits.names, section 10, test part.
    assert_eq!(counts, [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]);
}

#[test]
fn grey_levels_are_sixteenths() {
    let digits = digits();
    let scaled = digits.to_f32();
    assert!(scaled.iter().zip(digits.images()).all(|(&x, &grey)| x * 16.0 == f32::from(grey)));
    assert_eq!(scaled.iter().copied().fold(0.0, f32::max), 1.0);
    // The first line of the published file.
    let first: Vec<u8> = digits.images().iter().take(16).copied().collect();
    assert_eq!(first, [0, 0, 5, 13, 9, 1, 0, 0, 0, 0, 13, 15, 10, 15, 5, 0]);
}
