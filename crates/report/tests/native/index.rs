//! One page over several reports.

use std::fs;

use variata_report::{Claim, Criterion, Error, Index, IndexEntry, Manifest, OutputDir, Replace, Report};

fn report(manifest: Manifest) -> Report {
    let claims = vec![
        Claim::new("a", "One & <two> are *three*.", "§1").judge(Criterion::Above(0.0), &[(0, 1.0)]),
        Claim::new("b", "This fails.", "§2").judge(Criterion::Above(0.0), &[(0, -1.0)]),
        Claim::new("c", "This is open.", "§3"),
    ];
    Report {
        title: "A paper".to_owned(),
        subtitle: String::new(),
        paper: "A paper (B & C)".to_owned(),
        summary: String::new(),
        lead: None,
        sections: Vec::new(),
        claims,
        manifest,
    }
}

#[test]
fn claims_of_reports_and_failures_are_on_one_page() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("paper/quick-0");
    let output = OutputDir::open(&folder, "settings", Replace::Never).unwrap();
    let page = report(crate::page::manifest()).write(&output).unwrap();
    let entry = IndexEntry::of_report("paper", root.path(), &page).unwrap();
    let index = Index {
        title: "All".to_owned(),
        entries: vec![entry, IndexEntry::failed("other", "no <disk>")],
        more: vec![("book".to_owned(), "book/index.html".to_owned())],
    };
    let written = index.write(root.path()).unwrap();
    // The template engine writes slashes of addresses as entities.
    let html = fs::read_to_string(written).unwrap().replace("&#x2f;", "/");
    for part in [
        "1 of 2 tested claims held; 1 was not tested.",
        "One &amp; &lt;two&gt; are <em>three</em>.",
        "paper/quick-0/report.html#claim-b",
        "did not hold",
        "not tested",
        "B &amp; C",
        "no &lt;disk&gt;",
        "<a href=\"book",
    ] {
        assert!(html.contains(part), "{part}: {html}");
    }
    // The addresses are there.
    let report = fs::read_to_string(&page).unwrap();
    assert!(report.contains("id=\"claim-b\""));
}

#[test]
fn what_cannot_be_read_or_linked_is_an_error() {
    let root = tempfile::tempdir().unwrap();
    let page = root.path().join("report.html");
    assert!(matches!(IndexEntry::of_report("x", root.path(), &page), Err(Error::File { .. })));
    fs::write(root.path().join("claims.json"), "{ \"title\": 1 }").unwrap();
    assert!(matches!(IndexEntry::of_report("x", root.path(), &page), Err(Error::File { .. })));
    fs::write(root.path().join("claims.json"), r#"{"title":"","paper":"","claims":[]}"#).unwrap();
    assert!(IndexEntry::of_report("x", root.path(), &page).is_ok());
    let elsewhere = tempfile::tempdir().unwrap();
    assert!(matches!(IndexEntry::of_report("x", elsewhere.path(), &page), Err(Error::File { .. })));
}
