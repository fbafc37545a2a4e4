//! The studio as the page uses it: requests, wrong requests, undo, bounds, and a browser.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod browser;
mod ends;
mod faces;
mod requests;
mod undo;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Mutex;
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};
use variata_studio::{Options, Server};

/// A server on a port of its own, stopped at the end.
struct Running {
    address: SocketAddr,
    stop: Option<std::sync::mpsc::Sender<()>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Running {
    fn new(sessions: usize) -> Self {
        Self::with(&Options { sessions, ..Options::default() })
    }

    fn with(options: &Options) -> Self {
        let options = Options { address: ([127, 0, 0, 1], 0).into(), ..options.clone() };
        let server = Server::bind(faces::Faces::new(), &options).unwrap();
        let address = server.address();
        let (stop, stopped) = std::sync::mpsc::channel::<()>();
        let stopped = Mutex::new(stopped);
        let thread = thread::spawn(move || {
            let wait = async move {
                while stopped.lock().unwrap().try_recv() == Err(std::sync::mpsc::TryRecvError::Empty) {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            };
            server.run(wait).unwrap();
        });
        Self { address, stop: Some(stop), thread: Some(thread) }
    }

    /// Status, headers and body of an answer.
    fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> (u16, String, Vec<u8>) {
        let mut stream = TcpStream::connect(self.address).unwrap();
        let mut head =
            format!("{method} {path} HTTP/1.1\r\nConnection: close\r\nContent-Length: {}\r\n", body.len());
        if !headers.iter().any(|(name, _)| *name == "Host") {
            head = format!("{head}Host: {}\r\n", self.address);
        }
        for (name, value) in headers {
            head = format!("{head}{name}: {value}\r\n");
        }
        stream.write_all(format!("{head}\r\n").as_bytes()).unwrap();
        // A body that is refused for its size is not read to its end.
        let _ = stream.write_all(body);
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        let at = answer.windows(4).position(|w| w == b"\r\n\r\n").unwrap();
        let head = String::from_utf8_lossy(&answer[..at]).into_owned();
        (head[9..12].parse().unwrap(), head, answer[at + 4..].to_vec())
    }

    fn post(&self, path: &str, body: &Value) -> (u16, Vec<u8>) {
        let headers = [("Content-Type", "application/json")];
        let (status, _, answer) = self.ask("POST", path, &headers, body.to_string().as_bytes());
        (status, answer)
    }

    /// A new session: what it is told, and its picture.
    fn begin(&self, link: &str) -> (Value, Vec<u8>) {
        let (status, answer) = self.post("/api/sessions", &json!({ "link": link }));
        assert_eq!(status, 200, "{}", String::from_utf8_lossy(&answer));
        opened(&answer)
    }

    fn act(&self, session: &Value, body: &Value) -> (Value, Vec<u8>) {
        let path = format!("/api/sessions/{}", session.as_str().unwrap());
        let (status, answer) = self.post(&path, body);
        assert_eq!(status, 200, "{body}: {}", String::from_utf8_lossy(&answer));
        opened(&answer)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}

/// Text and pixels of a framed answer.
fn opened(answer: &[u8]) -> (Value, Vec<u8>) {
    let length = u32::from_le_bytes(answer[..4].try_into().unwrap()) as usize;
    (serde_json::from_slice(&answer[4..4 + length]).unwrap(), answer[4 + length..].to_vec())
}
