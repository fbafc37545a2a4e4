//! The page: well formed, complete in itself, escaped, the same each time.

use std::time::SystemTime;

use ndarray::Array4;
use variata_report::{
    Axis, Claim, Criterion, DataSource, Figure, ImageGrid, LinePlot, LineSeries, Machine, Manifest,
    OutputDir, Replace, Report, RunTimes, Section, sha256, sha256_reader,
};

use crate::xml::elements;

pub(crate) fn manifest() -> Manifest {
    Manifest {
        program: "variata".to_owned(),
        version: "0.1.0".to_owned(),
        commit: Some("0123456789ab".to_owned()),
        paper: "vae".to_owned(),
        preset: "quick".to_owned(),
        config: "epochs = 3\n".to_owned(),
        seeds: vec![7, 8],
        data: DataSource {
            name: "digits".to_owned(),
            sha256: sha256(b""),
            description: "1,797 images".to_owned(),
        },
        machine: Machine::detect(),
        device: "cpu".to_owned(),
        libtorch: Some("2.11.0".to_owned()),
        threads: 2,
        inputs: Vec::new(),
        workers: 1,
        run: None,
    }
}

pub(crate) fn report() -> Report {
    Report {
        title: "Title".to_owned(),
        subtitle: String::new(),
        paper: String::new(),
        summary: String::new(),
        lead: None,
        claims: Vec::new(),
        sections: Vec::new(),
        manifest: manifest(),
    }
}

/// The page, checked.
pub(crate) fn page(report: &Report) -> String {
    let html = report.to_html().unwrap();
    elements(&html).unwrap_or_else(|e| panic!("{e}\n{html}"));
    html
}

const HOSTILE: &str = "<script>alert(\"x\")</script>' onload='y' {{ 7 * 7 }} &amp;";

fn hostile() -> Report {
    let plot = LinePlot {
        x: Axis::new(HOSTILE),
        series: vec![LineSeries::new(HOSTILE, vec![(0.0, 1.0), (1.0, 0.0)])],
        ..LinePlot::default()
    };
    let picture = ImageGrid::default().render(&Array4::from_elem((2, 1, 3, 3), 0.5)).unwrap();
    let figure = || Figure::plot(HOSTILE, HOSTILE, &plot);
    let picture = Figure::picture(HOSTILE, HOSTILE, &picture)
        .unwrap()
        .row_labels([HOSTILE])
        .column_labels([HOSTILE; 2]);
    let claim =
        |id: &str| Claim::new(id, HOSTILE, HOSTILE).tested_by(HOSTILE, HOSTILE).paper_reports(HOSTILE);
    Report {
        title: HOSTILE.to_owned(),
        subtitle: HOSTILE.to_owned(),
        paper: HOSTILE.to_owned(),
        summary: HOSTILE.to_owned(),
        lead: Some(picture),
        claims: vec![
            claim("a").judge(Criterion::Above(0.0), &[(0, 1.0), (1, 2.0)]),
            claim("b").judge(Criterion::Above(0.0), &[(0, f64::NAN)]),
            claim("c").not_tested(HOSTILE),
        ],
        sections: vec![
            Section::new(HOSTILE).text(HOSTILE).formula(HOSTILE).figures(vec![figure(), figure()]),
            Section::new("empty"),
        ],
        manifest: Manifest { config: HOSTILE.to_owned(), device: HOSTILE.to_owned(), ..manifest() },
    }
}

#[test]
fn hostile_text_is_only_text() {
    let html = page(&hostile());
    assert_eq!(html.matches("<script>").count(), 1);
    assert!(!html.contains("alert(\"x\")") && !html.contains("' onload="));
    assert!(html.contains("{{ 7 * 7 }}"));
}

#[test]
fn an_empty_report_is_a_page() {
    let html = page(&report());
    assert!(!html.contains("id=\"claims\"") && html.contains("How it was made"));
}

#[test]
fn nothing_is_loaded_from_elsewhere() {
    let html = page(&hostile());
    let outside = html.replace("http://www.w3.org/2000/svg", "");
    assert!(!outside.contains("http:") && !outside.contains("https:") && !outside.contains("url("));
    for (at, _) in html.match_indices(" src=\"") {
        assert!(html[at + 6..].starts_with("data:image/png;base64,"));
    }
    for (at, _) in html.match_indices(" href=\"") {
        assert!(html[at + 7..].starts_with('#'));
    }
}

#[test]
fn ids_are_unique_and_links_lead_somewhere() {
    let html = page(&hostile());
    let values = |name: &str| -> Vec<String> {
        html.split(name).skip(1).map(|s| s.split('"').next().unwrap().to_owned()).collect()
    };
    let mut ids = values(" id=\"");
    for link in values(" href=\"#") {
        assert!(ids.contains(&link), "{link}");
    }
    let count = ids.len();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), count);
}

#[test]
fn verdicts_are_words_as_well_as_colours() {
    let html = page(&hostile());
    for badge in [
        "held\">held",
        "failed\">did not hold",
        "open\">not tested",
        "held\">1 held",
        "failed\">1 did not hold",
    ] {
        assert!(html.contains(&format!("<span class=\"badge {badge}</span>")), "{badge}");
    }
}

#[test]
fn the_clock_reaches_the_manifest_alone() {
    let mut with_times = hostile();
    with_times.manifest.run = Some(RunTimes::since(SystemTime::UNIX_EPOCH));
    assert_eq!(page(&with_times), page(&hostile()));
    assert!(with_times.manifest.to_json().contains("\"started\": \"1970-01-01T00:00:00Z\""));
    assert!(!hostile().manifest.to_json().contains("\"run\""));
    assert_eq!(with_times.manifest.settings(), hostile().manifest.settings());
}

#[test]
fn figures_are_written_as_files_too() {
    let root = tempfile::tempdir().unwrap();
    let report = hostile();
    let output = OutputDir::for_run(root.path(), &report.manifest, Replace::Never).unwrap();
    assert_eq!(output.path(), root.path().join("vae").join("quick-7"));
    let written = report.write(&output).unwrap();
    assert_eq!(std::fs::read_to_string(written).unwrap(), page(&report));
    let mut names: Vec<String> = std::fs::read_dir(output.path().join("figures"))
        .unwrap()
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names.len(), 3, "{names:?}");
    for name in names.iter().filter(|n| n.as_bytes().ends_with(b".svg")) {
        elements(&std::fs::read_to_string(output.path().join("figures").join(name)).unwrap()).unwrap();
    }
}

#[test]
fn checksums() {
    let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    assert_eq!(sha256(b""), empty);
    let long = vec![7_u8; 200_000];
    assert_eq!(sha256_reader(&long[..]).unwrap(), sha256(&long));
}
