//! Metrics: sorted, exact, readable again.

use proptest::prelude::*;
use variata_report::{Claim, Criterion, Error, Metric, Metrics};

#[test]
fn the_file_as_written() {
    let mut metrics = Metrics::new();
    metrics.insert("z", 1_u64);
    metrics.insert("a/\"b\"", 0.1);
    metrics.insert("curve", vec![1.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -0.0]);
    metrics.insert("word", "held");
    let claim = Claim::new("c", "", "").judge(Criterion::Above(0.0), &[(3, 1e-300)]);
    metrics.insert_claims(&[claim]);
    let want = "{\n  \"a/\\\"b\\\"\": 0.1,\n  \"claim/c/seed-3\": 1e-300,\n  \"claim/c/verdict\": \"held\",\n  \
                \"curve\": [1.0, \"NaN\", \"Infinity\", \"-Infinity\", -0.0],\n  \"word\": \"held\",\n  \"z\": 1\n}\n";
    assert_eq!(metrics.to_json(), want);
    assert_eq!(Metrics::new().to_json(), "{}\n");
}

#[test]
fn the_order_of_insertion_does_not_matter() {
    let names = ["b", "a", "c", "a/b", "a-b"];
    let write = |names: &mut dyn Iterator<Item = &&str>| {
        let mut metrics = Metrics::new();
        names.for_each(|n| metrics.insert(*n, n.len()));
        metrics.to_json()
    };
    assert_eq!(write(&mut names.iter()), write(&mut names.iter().rev()));
}

#[test]
fn other_files_are_refused() {
    for text in
        ["", "[]", "{\"a\": null}", "{\"a\": {\"b\": 1}}", "{\"a\": [\"x\"]}", "{\"a\": 1", "{\"a\": true}"]
    {
        let error = Metrics::parse(text).unwrap_err();
        assert!(matches!(error, Error::Metrics { .. }), "{text}");
    }
    assert!(Metrics::parse("{\"a\": null}").unwrap_err().to_string().contains("`a`"));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(256) })]

    #[test]
    fn floats_read_back_bit_for_bit(bits in prop::collection::vec(any::<u64>(), 1..20), count in any::<u64>()) {
        let mut metrics = Metrics::new();
        let values: Vec<f64> = bits.iter().map(|&b| f64::from_bits(b)).collect();
        metrics.insert("number", values[0]);
        metrics.insert("series", values.clone());
        metrics.insert("count", count);
        let text = metrics.to_json();
        let read = Metrics::parse(&text).unwrap();
        prop_assert_eq!(read.get("count"), Some(&Metric::Count(count)));
        let Some(Metric::Series(series)) = read.get("series") else { panic!("{text}") };
        for (a, b) in series.iter().zip(&values) {
            prop_assert!(a.to_bits() == b.to_bits() || a.is_nan() && b.is_nan(), "{a:?} {b:?}");
        }
        prop_assert_eq!(read.to_json(), text);
    }
}
