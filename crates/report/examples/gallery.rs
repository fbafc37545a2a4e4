//! Writes a report with every element, from made-up numbers: `cargo run -p variata-report --example gallery [folder]`.

use std::path::PathBuf;

use ndarray::{Array2, Array4};
use variata_report::{
    Axis, BarGroup, BarPlot, Best, Cell, Claim, ColorMap, Column, Criterion, DataSource, Digits, Error,
    Figure, Heatmap, Histogram, ImageGrid, LinePlot, LineSeries, Machine, Manifest, Metrics, OutputDir,
    Reference, Replace, Report, Sample, ScatterPlot, Section, Size, Table,
};

/// A small generator of uniform numbers in [0, 1) (splitmix64): the gallery needs no good one.
struct Uniform(u64);

impl Uniform {
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Box and Muller's normal numbers.
    fn normal(&mut self) -> f64 {
        (-2.0 * (1.0 - self.next()).ln()).sqrt() * (std::f64::consts::TAU * self.next()).cos()
    }
}

fn main() -> Result<(), Error> {
    let root = std::env::args().nth(1).map_or_else(|| PathBuf::from("runs"), PathBuf::from);
    let report = gallery()?;
    let output = OutputDir::for_run(&root, &report.manifest, Replace::Never)?;
    let mut metrics = Metrics::new();
    metrics.insert_claims(&report.claims);
    output.write_metrics(&metrics)?;
    let page = report.write(&output)?;
    output.finish(&report.manifest)?;
    println!("{}", page.display());
    Ok(())
}

fn gallery() -> Result<Report, Error> {
    let mut uniform = Uniform(1);
    Ok(Report {
        title: "A gallery of every element of a report".to_owned(),
        subtitle: "Made-up numbers, three seeds".to_owned(),
        paper: "After nobody, *On nothing in particular*, 2026.".to_owned(),
        summary: "Every element that a report can have is on this page. The numbers are invented, but have the \
                  shapes that real ones have.\n\nOf four claims, **two held**, one did not, and one was not tested."
            .to_owned(),
        lead: Some(
            Figure::picture(
                "samples",
                "Images drawn for each label, four of each. Every column is one label.",
                &ImageGrid { columns: 10, scale: 4, padding: 6, ..ImageGrid::default() }
                    .render(&glyphs(40, 0.0, &mut uniform))?,
            )?
            .column_labels(["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"]),
        ),
        claims: claims(),
        sections: vec![
            training(&mut uniform),
            latent(&mut uniform),
            pictures(&mut uniform)?,
            distributions(&mut uniform),
            tables()?,
            broken(),
        ],
        manifest: manifest(),
    })
}

fn claims() -> Vec<Claim> {
    vec![
        Claim::new("bound", "The importance-weighted bound is tighter than the ELBO.", "§2.3, eq. 14")
            .tested_by("Both bounds on the test images, 500 samples each", "IWAE − ELBO, nats")
            .judge(Criterion::Above(0.0), &[(0, 2.31), (1, 2.52), (2, 2.44)]),
        Claim::new("accuracy", "Images drawn for a label show that label.", "§4.1, figure 6")
            .tested_by("A classifier trained on real images names 1,000 drawn ones", "share named right")
            .paper_reports("0.97")
            .judge(Criterion::AtLeast(0.9), &[(0, 0.941), (1, 0.958), (2, 0.949)]),
        Claim::new("collapse", "No latent dimension is unused at β = 4.", "§3.2")
            .tested_by("KL term of each dimension on the test images", "smallest KL, nats")
            .paper_reports("> 0.1")
            .judge(Criterion::AtLeast(0.1), &[(0, 0.002), (1, 0.011), (2, 0.004)]),
        Claim::new("scale", "The same holds for photographs of 256 × 256 pixels.", "§5")
            .not_tested("the photographs are not on this machine; run the preset `full` with them"),
    ]
}

fn training(uniform: &mut Uniform) -> Section {
    let epochs: Vec<f64> = (1..=60).map(f64::from).collect();
    let mut runs = |start: f64, end: f64, noise: f64| -> Vec<Vec<f64>> {
        (0..3)
            .map(|_| {
                let (slow, shift) = (9.0 + 4.0 * uniform.next(), noise * uniform.normal());
                let at = |e: f64, jitter: f64| {
                    end + (start - end) * (-e / slow).exp() + shift + 0.3 * noise * jitter
                };
                epochs.iter().map(|&e| at(e, uniform.normal())).collect()
            })
            .collect()
    };
    let series = |name: &str, runs: &[Vec<f64>]| {
        LineSeries::over_seeds(name, &epochs, runs).unwrap_or_else(|_| LineSeries::new(name, Vec::new()))
    };
    let curves = LinePlot {
        x: Axis::new("epoch"),
        y: Axis::new("nats per image"),
        series: vec![
            series("training", &runs(190.0, 78.0, 1.2)),
            series("validation", &runs(192.0, 84.0, 2.4)),
            series("importance-weighted, validation", &runs(190.0, 81.5, 1.8)).dashed(),
        ],
        references: vec![Reference { value: 206.0, label: "independent pixels: 206".to_owned() }],
        ..LinePlot::default()
    };
    let rate = |slope: f64| {
        (0..60).map(|i| 10f64.powf(f64::from(i) / 15.0)).map(|n| (n, 0.4 * n.powf(slope))).collect()
    };
    let small = Size::HALF;
    let rates = LinePlot {
        x: Axis::new("samples").log(),
        y: Axis::new("error").log(),
        series: vec![LineSeries::new("plain", rate(-0.5)), LineSeries::new("stratified", rate(-1.0))],
        size: small,
        ..LinePlot::default()
    };
    let dimensions: Vec<f64> = (0..16).map(|i| 3.1 * (-f64::from(i) / 3.0).exp()).collect();
    let bars = BarPlot {
        x: Axis::new("latent dimension"),
        y: Axis::new("KL, nats"),
        groups: vec![
            BarGroup {
                ranges: dimensions.iter().map(|v| (0.9 * v, 1.12 * v)).collect(),
                ..BarGroup::new("both terms", dimensions.clone())
            },
            BarGroup::new("KL only", dimensions.iter().map(|v| 0.05 * v).collect()),
        ],
        size: small,
        ..BarPlot::default()
    };
    Section::new("Training")
        .text("The loss is the negative of the bound. Lines are means over seeds, and bands reach from the lowest to the highest seed. A point that is not finite breaks its line.")
        .formula("log p(x)  ≥  E_q[log p(x | z)] − KL(q(z | x) ‖ p(z))")
        .figure(Figure::plot("curves", "Negative bound over training, mean and range over three seeds.", &curves))
        .figures(vec![
            Figure::plot("rates", "Two rates on logarithmic axes.", &rates),
            Figure::plot("bars", "KL term of each latent dimension, largest first; whiskers reach over the seeds.", &bars),
        ])
}

fn latent(uniform: &mut Uniform) -> Section {
    let labels: Vec<usize> = (0..1800).map(|i| i % 10).collect();
    let points: Vec<(f64, f64)> = labels
        .iter()
        .map(|&c| {
            let angle = c as f64 * 0.628 + 0.25 * uniform.normal() * 0.6;
            let radius = 1.7 + 0.35 * uniform.normal() - if c % 3 == 0 { 0.9 } else { 0.0 };
            (radius * angle.cos(), radius * angle.sin())
        })
        .collect();
    let map = ScatterPlot {
        x: Axis::new("z₁"),
        y: Axis::new("z₂"),
        classes: ScatterPlot::classes(&points, &labels, 10),
        equal_aspect: true,
        ..ScatterPlot::default()
    };
    Section::new("The latent space")
        .text("Each point is the mean that the encoder gives to a test image.")
        .figure(Figure::plot("latent", "Means of 1,800 images in the latent plane, coloured by digit.", &map))
}

/// Rings of different shape: something that looks like a digit from afar.
fn glyphs(n: usize, noise: f64, uniform: &mut Uniform) -> Array4<f32> {
    let shapes: Vec<(f64, f64)> = (0..n).map(|i| ((i % 10) as f64, uniform.normal())).collect();
    Array4::from_shape_fn((n, 1, 16, 16), |(i, _, y, x)| {
        let (label, wobble) = shapes[i];
        let (dx, dy) = (x as f64 - 7.5 + 0.4 * wobble, y as f64 - 7.5);
        let angle = dy.atan2(dx);
        let radius = 4.6 + 1.1 * ((label % 5.0) * angle + wobble).cos();
        let far = ((dx * (1.0 + label / 14.0)).hypot(dy) - radius).abs();
        ((-far * far / 1.1).exp() + noise * uniform.normal()).clamp(0.0, 1.0) as f32
    })
}

fn pictures(uniform: &mut Uniform) -> Result<Section, Error> {
    let grid = ImageGrid { columns: 12, scale: 3, padding: 5, ..ImageGrid::default() };
    let (mut a, mut b) = (Uniform(7), Uniform(7));
    let clean = glyphs(12, 0.0, &mut a);
    let noisy = glyphs(12, 0.0, &mut b).mapv(|v| (0.8 * v + 0.08).clamp(0.0, 1.0));
    let mut wrong = glyphs(6, 0.2, uniform);
    wrong[[1, 0, 4, 4]] = f32::NAN;
    wrong[[2, 0, 8, 8]] = 1.7;
    let few = ImageGrid { columns: 6, scale: 4, padding: 6, inverted: true };
    Ok(Section::new("Pictures")
        .text("Pixels are shown as squares, without smoothing.")
        .figure(
            Figure::picture(
                "reconstructions",
                "Test images and their reconstructions.",
                &grid.render_rows(&[clean.view(), noisy.view()])?,
            )?
            .row_labels(["original", "reconstruction"]),
        )
        .figure(Figure::picture(
            "wrong",
            "Values that are no brightness are shown as such.",
            &few.render(&wrong)?,
        )?))
}

fn distributions(uniform: &mut Uniform) -> Section {
    let density = |x: f64| (-0.5 * x * x).exp() / std::f64::consts::TAU.sqrt();
    let sample: Vec<f64> = (0..4000).map(|_| uniform.normal()).collect();
    let narrow: Vec<f64> = sample.iter().map(|v| 0.7 * v + 0.4).collect();
    let size = Size::HALF;
    let one = Histogram {
        x: Axis::new("z₁").range(-4.0, 4.0),
        samples: vec![Sample { name: "aggregated posterior".to_owned(), values: sample.clone() }],
        size,
        ..Histogram::default()
    }
    .with_density("N(0, 1)", -4.0, 4.0, density);
    let two = Histogram {
        x: Axis::new("z₁").range(-4.0, 4.0),
        samples: vec![
            Sample { name: "β = 1".to_owned(), values: sample },
            Sample { name: "β = 4".to_owned(), values: narrow },
        ],
        size,
        ..Histogram::default()
    };
    let confusion = Array2::from_shape_fn((10, 10), |(i, j)| {
        if i == j { 0.95 } else { 0.05 * (-((i as f64) - (j as f64)).abs()).exp() }
    });
    let digits: Vec<String> = (0..10).map(|d| d.to_string()).collect();
    let matrix = Heatmap {
        values: confusion,
        x_label: "digit recognised".to_owned(),
        y_label: "digit requested".to_owned(),
        row_names: digits.clone(),
        column_names: digits,
        value_label: "share".to_owned(),
        range: Some([0.0, 1.0]),
        annotate: true,
        size: Size::new(560.0, 480.0),
        ..Heatmap::default()
    };
    let field = Heatmap {
        values: Array2::from_shape_fn((48, 64), |(i, j)| (i as f64 / 7.0).sin() * (j as f64 / 9.0).cos()),
        value_label: "difference, nats".to_owned(),
        map: ColorMap::Diverging,
        size: Size::new(560.0, 340.0),
        ..Heatmap::default()
    };
    Section::new("Distributions and matrices")
        .figures(vec![
            Figure::plot("histogram", "A sample and the density it should have.", &one),
            Figure::plot("two", "Two samples.", &two),
        ])
        .figure(Figure::plot("confusion", "Which digit was asked for, and which was recognised.", &matrix))
        .figure(Figure::plot("field", "Signed values: white is zero.", &field))
}

fn tables() -> Result<Section, Error> {
    let mut table = Table::new(
        "likelihood",
        "Test images, nats per image. Mean ± standard deviation over three seeds; the best in bold.",
        vec![
            Column::text("model"),
            Column::number("−ELBO", Digits::Decimals(2)).best(Best::Lowest),
            Column::number("−IWAE", Digits::Decimals(2)).best(Best::Lowest),
            Column::number("active units", Digits::Decimals(0)).best(Best::Highest),
            Column::number("paper’s −ELBO", Digits::Decimals(1)).of_paper(),
        ],
    );
    table.row(vec![
        "VAE".into(),
        Cell::Seeds(vec![84.1, 83.7, 84.4]),
        Cell::Seeds(vec![81.6, 81.5, 81.9]),
        14.0.into(),
        84.8.into(),
    ])?;
    table.row(vec![
        "β-VAE, β = 4".into(),
        Cell::Seeds(vec![97.0, 96.1, 97.7]),
        Cell::Seeds(vec![93.3, 92.8, 93.9]),
        6.0.into(),
        98.1.into(),
    ])?;
    table.row(vec![
        "CVAE".into(),
        Cell::Seeds(vec![80.2, 80.9, 80.4]),
        Cell::Seeds(vec![78.0, 78.4, 78.1]),
        12.0.into(),
        Cell::Missing,
    ])?;
    Ok(Section::new("Tables")
        .text("Numbers stand below each other; what the paper reports is set apart.")
        .table(table))
}

fn broken() -> Section {
    let size = Size::new(360.0, 220.0);
    let constant = LinePlot {
        x: Axis::new("epoch"),
        series: vec![LineSeries::new("constant", vec![(0.0, 3.0), (1.0, 3.0), (2.0, f64::NAN), (3.0, 3.0)])],
        size,
        ..LinePlot::default()
    };
    let empty = ScatterPlot { size, ..ScatterPlot::default() };
    Section::new("What goes wrong")
        .text("A report of a failed run must still be a report: <script>alert('escaped')</script>.")
        .figures(vec![
            Figure::plot("constant", "A constant with a hole.", &constant),
            Figure::plot("empty", "No point at all.", &empty),
        ])
}

fn manifest() -> Manifest {
    Manifest {
        program: "variata".to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        commit: None,
        paper: "gallery".to_owned(),
        preset: "made-up".to_owned(),
        config: "seed = 0\n\n[train]\nepochs = 60\nbatch = 64\nlearning_rate = 1e-3\n".to_owned(),
        seeds: vec![0, 1, 2],
        data: DataSource {
            name: "rings".to_owned(),
            sha256: variata_report::sha256(b"rings"),
            description: "40 images of 16 × 16".to_owned(),
        },
        machine: Machine::detect(),
        device: "cpu".to_owned(),
        libtorch: None,
        threads: 1,
        inputs: Vec::new(),
        workers: 1,
        run: None,
    }
}
