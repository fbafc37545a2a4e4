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

#[test]
fn folders_of_any_name_are_linked_and_claims_of_one_name_told_apart() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("50%41#1 é");
    let output = OutputDir::open(&folder, "settings", Replace::Never).unwrap();
    let mut two = report(crate::page::manifest());
    two.claims = ["a b", "a-b"].map(|id| Claim::new(id, "It is so.", "§1")).to_vec();
    let page = two.write(&output).unwrap();
    let html = fs::read_to_string(&page).unwrap();
    let entry = IndexEntry::of_report("paper", root.path(), &page).unwrap();
    let index = Index { title: "All".to_owned(), entries: vec![entry], more: Vec::new() }.to_html().unwrap();
    for id in ["claim-a-b", "claim-a-b-2"] {
        assert!(html.contains(&format!("id=\"{id}\"")), "{id}");
        let link = format!("50%2541%231%20%C3%A9/report.html#{id}\"");
        assert!(index.replace("&#x2f;", "/").contains(&link), "{link}\n{index}");
    }
}
