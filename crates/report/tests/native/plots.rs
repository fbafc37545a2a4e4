//! Plots: the same bytes for the same data, well formed and free of NaN for any data.

use ndarray::Array2;
use proptest::prelude::*;
use variata_report::{
    Axis, BarGroup, BarPlot, ColorMap, Heatmap, Histogram, LinePlot, LineSeries, Plot, Reference, Sample,
    ScatterClass, ScatterPlot, Size,
};

use crate::xml::elements;

fn check(svg: &str) {
    assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>"));
    elements(svg).unwrap_or_else(|e| panic!("{e}\n{svg}"));
    for (at, _) in
        svg.match_indices(" d=\"").chain(svg.match_indices(" x=\"")).chain(svg.match_indices(" y=\""))
    {
        let value = svg[at + 4..].split('"').next().unwrap();
        assert!(!value.contains("NaN") && !value.contains("inf"), "{value:.80}");
        for number in value.split(|c: char| !(c.is_ascii_digit() || c == '.')).filter(|n| n.contains('.')) {
            assert!(number.split_once('.').unwrap().1.len() <= 2, "{number} in {value:.80}");
        }
    }
}

fn line(points: Vec<(f64, f64)>, log: bool) -> LinePlot {
    let axis = |label: &str| if log { Axis::new(label).log() } else { Axis::new(label) };
    LinePlot {
        x: axis("x"),
        y: axis("y"),
        series: vec![LineSeries {
            band: points.iter().map(|&(x, y)| (x, y, y * 2.0)).collect(),
            ..LineSeries::new("a", points)
        }],
        references: vec![Reference { value: 1.0, label: "one".to_owned() }],
        ..LinePlot::default()
    }
}

fn all(values: &[f64]) -> Vec<String> {
    let points: Vec<(f64, f64)> = values.iter().zip(values.iter().rev()).map(|(&x, &y)| (x, y)).collect();
    let scatter = |equal_aspect| ScatterPlot {
        classes: vec![ScatterClass { name: "c".to_owned(), points: points.clone() }, ScatterClass::default()],
        equal_aspect,
        ..ScatterPlot::default()
    };
    let heatmap = |map| Heatmap {
        values: Array2::from_shape_vec((1, values.len()), values.to_vec()).unwrap(),
        annotate: true,
        map,
        column_names: vec!["column".to_owned(); values.len()],
        ..Heatmap::default()
    };
    vec![
        line(points.clone(), false).to_svg(),
        line(points.clone(), true).to_svg(),
        scatter(false).to_svg(),
        scatter(true).to_svg(),
        BarPlot {
            groups: vec![BarGroup { ranges: points.clone(), ..BarGroup::new("g", values.to_vec()) }],
            ..BarPlot::default()
        }
        .to_svg(),
        Histogram {
            samples: vec![Sample { name: "s".to_owned(), values: values.to_vec() }],
            ..Histogram::default()
        }
        .to_svg(),
        heatmap(ColorMap::Sequential).to_svg(),
        heatmap(ColorMap::Diverging).to_svg(),
    ]
}

#[test]
fn broken_data_gives_a_plot() {
    let cases: [&[f64]; 10] = [
        &[],
        &[f64::NAN],
        &[f64::NAN, f64::INFINITY, f64::NEG_INFINITY],
        &[3.0],
        &[3.0, 3.0, 3.0],
        &[0.0, -0.0],
        &[f64::MIN, f64::MAX],
        &[5e-324, 0.0, -5e-324],
        &[1.0, f64::NAN, 2.0, f64::INFINITY, 3.0],
        &[1e16, 1e16 + 2.0],
    ];
    for values in cases {
        for (i, svg) in all(values).iter().enumerate() {
            check(svg);
            if values.is_empty() {
                assert!(svg.contains("no data"), "{i}");
            }
        }
    }
}

#[test]
fn what_cannot_be_shown_is_counted() {
    let plot = line(vec![(1.0, 1.0), (2.0, f64::NAN), (3.0, f64::INFINITY), (4.0, 2.0)], false);
    assert!(plot.to_svg().contains("2 values not shown"));
    let plot = line(vec![(1.0, 1.0), (2.0, -1.0), (4.0, 2.0)], true);
    assert!(plot.to_svg().contains("1 value not shown"));
    assert!(!line(vec![(1.0, 1.0), (4.0, 2.0)], true).to_svg().contains("not shown"));
}

#[test]
fn a_hole_breaks_the_line() {
    let count = |points: Vec<(f64, f64)>| {
        let svg = LinePlot { series: vec![LineSeries::new("", points)], ..LinePlot::default() }.to_svg();
        svg.matches("stroke-width:1.9").count()
    };
    assert_eq!(count(vec![(0.0, 1.0), (1.0, 2.0), (2.0, 3.0), (3.0, 4.0)]), 1);
    assert_eq!(count(vec![(0.0, 1.0), (1.0, 2.0), (2.0, f64::NAN), (3.0, 4.0), (4.0, 5.0)]), 2);
}

#[test]
fn text_is_escaped() {
    let name = "<script>\"a\" & 'b'</script>\u{1}";
    let mut plot = line(vec![(0.0, 1.0), (1.0, 2.0)], false);
    plot.x.label = name.to_owned();
    plot.series[0].name = name.to_owned();
    plot.references[0].label = name.to_owned();
    let svg = plot.to_svg();
    check(&svg);
    assert!(!svg.contains("<script>"));
    assert_eq!(
        svg.matches("&lt;script&gt;&quot;a&quot; &amp; &#39;b&#39;&lt;/script&gt;\u{fffd}").count(),
        5
    );
}

#[test]
fn over_seeds_is_mean_and_range() {
    for value in [0.1, 1e308] {
        let runs = vec![vec![value]; 3];
        assert_eq!(LineSeries::over_seeds("a", &[0.0], &runs).unwrap().points, [(0.0, value)]);
    }
    let runs = [vec![1.0, f64::NAN], vec![3.0, 2.0], vec![8.0, 4.0]];
    let series = LineSeries::over_seeds("s", &[0.0, 1.0], &runs).unwrap();
    assert_eq!(series.points[0], (0.0, 4.0));
    assert_eq!(series.band[0], (0.0, 1.0, 8.0));
    assert!(series.points[1].1.is_nan() && series.band[1].1.is_nan());
    assert!(LineSeries::over_seeds("s", &[0.0], &runs).is_err());
    assert!(LineSeries::over_seeds("s", &[0.0], &[]).unwrap().points.is_empty());
}

#[test]
fn a_long_curve_is_a_small_file() {
    let points = (0..200_000).map(|i| (f64::from(i), (f64::from(i) * 0.01).sin())).collect();
    let svg = LinePlot { series: vec![LineSeries::new("", points)], ..LinePlot::default() }.to_svg();
    // Four points for each of at most 640 units, 15 bytes each.
    assert!(svg.len() < 640 * 4 * 15 + 10_000, "{}", svg.len());
}

#[test]
fn a_size_is_kept_in_its_limits() {
    for size in [Size::new(f64::NAN, -1.0), Size::new(f64::INFINITY, 1e9), Size::new(0.0, 0.0)] {
        check(&LinePlot { size, ..line(vec![(0.0, 1.0), (1.0, 2.0)], false) }.to_svg());
        check(&Heatmap { size, values: Array2::ones((40, 40)), ..Heatmap::default() }.to_svg());
    }
}

fn any_value() -> impl Strategy<Value = f64> {
    prop_oneof![
        8 => -1e3..1e3,
        1 => any::<f64>(),
        1 => prop::sample::select(vec![0.0, -0.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY, f64::MAX, f64::MIN_POSITIVE]),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(64) })]

    #[test]
    fn any_data_gives_the_same_well_formed_text_twice(values in prop::collection::vec(any_value(), 0..40)) {
        let first = all(&values);
        for svg in &first {
            check(svg);
        }
        prop_assert_eq!(first, all(&values));
    }
}

/// A class that is smaller than its name has the name above it, a larger one in its middle.
#[test]
fn names_do_not_hide_small_classes() {
    let class = |name: &str, points| variata_report::ScatterClass { name: name.into(), points };
    let wide = (-10..=10).map(|i| (f64::from(i) * 8.0, f64::from(i) * 5.0)).collect();
    let plot = ScatterPlot {
        classes: vec![class("wide", wide), class("small", vec![(100.0, 0.0); 9])],
        diameter: Some(8.0),
        ..ScatterPlot::default()
    };
    let svg = plot.to_svg();
    // The names' lines follow those of the legend.
    let y = |name: &str| -> f64 {
        let line = svg.rsplit("<text").find(|text| text.contains(&format!(">{name}</text>"))).unwrap();
        line.split("y=\"").nth(1).unwrap().split('"').next().unwrap().parse().unwrap()
    };
    // Both medians are at y = 0: six pixels below it, and a radius and eight above.
    assert!((y("wide") - y("small") - 18.0).abs() < 0.2, "{} {}", y("wide"), y("small"));
}

#[test]
fn values_beyond_all_axes_are_shown_at_their_ends() {
    let svg = line(vec![(0.0, 1e305), (1.0, 2e305)], false).to_svg();
    check(&svg);
    assert!(svg.contains(">1.0×10³⁰⁰</text>"), "{svg}");
}

#[test]
fn a_heatmap_of_very_many_rows_is_one_small_picture() {
    let values = Array2::from_shape_fn((16_385, 10), |(i, j)| (i + j) as f64);
    let svg = Heatmap { values, ..Heatmap::default() }.to_svg();
    check(&svg);
    assert!(svg.len() < 100_000, "{}", svg.len());
}

#[test]
fn diameters_that_are_none_and_very_many_classes_are_not_taken() {
    let classes = ScatterPlot::classes(&[(0.0, 1.0)], &[3], usize::MAX);
    assert_eq!((classes.len(), classes[3].points.len()), (1 << 16, 1));
    for diameter in [f64::NAN, f64::INFINITY, -1.0] {
        let plot = ScatterPlot {
            diameter: Some(diameter),
            classes: classes[..4].to_vec(),
            ..ScatterPlot::default()
        };
        let without = ScatterPlot { diameter: None, ..plot.clone() };
        assert_eq!(plot.to_svg(), without.to_svg());
    }
}
