//! Requests that never come to their end, and the end of a studio that has some.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use variata_studio::Options;

use crate::Running;

/// A connection on which so much of a request was sent.
fn begun(running: &Running, text: &str) -> TcpStream {
    let mut stream = TcpStream::connect(running.address).unwrap();
    stream.write_all(text.replace("HOST", &running.address.to_string()).as_bytes()).unwrap();
    stream.set_read_timeout(Some(Duration::from_mins(1))).unwrap();
    stream
}

const HEAD: &str = "POST /api/sessions HTTP/1.1\r\nHost: HOST\r\nContent-Type: application/json\r\n";

fn unfinished() -> [String; 3] {
    [String::new(), HEAD.to_owned(), format!("{HEAD}Content-Length: 100\r\n\r\n{{\"link\":")]
}

#[test]
fn requests_that_do_not_arrive_are_not_waited_for() {
    let running = Running::with(&Options { patience: Duration::from_millis(300), ..Options::default() });
    for text in unfinished() {
        let mut stream = begun(&running, &text);
        let mut answer = Vec::new();
        // The end of the stream, before the test's own limit.
        stream.read_to_end(&mut answer).unwrap();
        let late = String::from_utf8_lossy(&answer).into_owned();
        assert!(
            !text.contains("link") || late.starts_with("HTTP/1.1 408") && late.contains("0.3 s"),
            "{late}"
        );
    }
    running.begin("");
}

#[test]
fn a_studio_ends_while_requests_are_unfinished() {
    let running = Running::new(2);
    let (session, _) = running.begin("");
    let streams = unfinished().map(|text| begun(&running, &text));
    running.act(&session["session"], &serde_json::json!({}));
    let start = Instant::now();
    // Waits for the end of `run`.
    drop(running);
    // Its three seconds, and what a busy machine adds; the requests' own limit is 30 s.
    assert!(start.elapsed() < Duration::from_secs(15), "{:?}", start.elapsed());
    drop(streams);
}
