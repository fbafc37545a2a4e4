//! What a stroke costs: `cargo run --release -p variata-studio --example stroke_time`.
//!
//! Starts a studio on a random low-rank normal of 64 × 64 × 3 values and rank 25 and paints as the page does: a stroke across the
//! image is sent in parts, each the pixels under the brush since the last answer; after four strokes everything is cleared. Prints
//! the median and the 95th percentile over all parts of the time that the server reports with its answer, and of the whole request.

use std::error::Error;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::Instant;

use ndarray::{Array1, Array2};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use rand_distr::{Distribution, StandardNormal};
use serde_json::{Value, json};
use variata_studio::{Decoded, Generator, Options, Server};

const SIDE: usize = 64;
const RANK: usize = 25;
const STROKES: usize = 100;
/// Strokes that are painted before all are cleared.
const TOGETHER: usize = 4;
/// Size of the page's brush.
const RADIUS: i64 = 2;
/// Pixels that the pointer moves between two parts.
const STEP: usize = 3;

/// Grey images plus noise in 25 directions.
struct Random;

impl Generator for Random {
    fn shape(&self) -> [usize; 3] {
        [3, SIDE, SIDE]
    }

    fn latent(&self) -> usize {
        1
    }

    fn description(&self) -> String {
        "a random low-rank normal".to_owned()
    }

    fn decode(&mut self, code: &[f32]) -> Result<Decoded, String> {
        let n = 3 * SIDE * SIDE;
        let mut rng = ChaCha8Rng::seed_from_u64(code.iter().map(|c| u64::from(c.to_bits())).sum());
        let factor = Array2::from_shape_simple_fn((n, RANK), || {
            let z: f32 = StandardNormal.sample(&mut rng);
            0.05 * z
        });
        Ok(Decoded {
            loc: Array1::from_elem(n, 0.5),
            cov_factor: factor,
            cov_diag: Array1::from_elem(n, 1e-3),
        })
    }
}

/// A connection to the studio that stays open, as a browser's does.
struct Page {
    stream: BufReader<TcpStream>,
    host: SocketAddr,
}

impl Page {
    fn open(host: SocketAddr) -> std::io::Result<Self> {
        let stream = TcpStream::connect(host)?;
        stream.set_nodelay(true)?;
        Ok(Self { stream: BufReader::new(stream), host })
    }

    /// The report in the answer to a request; the pixels behind it are read and left.
    fn post(&mut self, path: &str, body: &Value) -> Result<Value, Box<dyn Error>> {
        let (host, body) = (self.host, body.to_string());
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        self.stream.get_mut().write_all((head + &body).as_bytes())?;
        let mut length = 0;
        loop {
            let mut line = String::new();
            self.stream.read_line(&mut line)?;
            let line = line.trim_end().to_ascii_lowercase();
            if line.is_empty() {
                break;
            }
            if let Some(value) = line.strip_prefix("content-length:") {
                length = value.trim().parse()?;
            }
        }
        let mut answer = vec![0; length];
        self.stream.read_exact(&mut answer)?;
        let Some((prefix, rest)) = answer.split_first_chunk::<4>() else { return Err("no answer".into()) };
        let text = rest.get(..u32::from_le_bytes(*prefix) as usize);
        // What is refused has no prefix.
        let text = text.ok_or_else(|| String::from_utf8_lossy(&answer).into_owned())?;
        Ok(serde_json::from_slice(text)?)
    }
}

/// Pixels under the brush on the way from one column to the next part's.
fn under_brush(row: i64, from: usize, to: usize) -> Vec<i64> {
    let side = SIDE as i64;
    let inside = |v: i64| (0..side).contains(&v);
    let around = || (-RADIUS..=RADIUS).flat_map(|y| (-RADIUS..=RADIUS).map(move |x| (y, x)));
    // As the page has it.
    let disc = |(y, x): &(i64, i64)| ((y * y + x * x) as f64) <= (RADIUS as f64 + 0.3).powi(2);
    let mut pixels: Vec<i64> = (from..=to)
        .flat_map(|at| around().filter(disc).map(move |(y, x)| (row + y, at as i64 + x)))
        .filter(|&(y, x)| inside(y) && inside(x))
        .map(|(y, x)| y * side + x)
        .collect();
    pixels.sort_unstable();
    pixels.dedup();
    pixels
}

/// Median and 95th percentile.
fn show(what: &str, mut times: Vec<f64>) {
    times.sort_by(f64::total_cmp);
    let at = |part: f64| times[((times.len() - 1) as f64 * part).round() as usize];
    println!("{what}: median {:.2} ms, 95th percentile {:.2} ms, {} parts", at(0.5), at(0.95), times.len());
}

fn main() -> Result<(), Box<dyn Error>> {
    let options = Options { address: ([127, 0, 0, 1], 0).into(), ..Options::default() };
    let server = Server::bind(Random, &options)?;
    let address = server.address();
    // It ends with the program.
    thread::spawn(move || server.run(std::future::pending()));
    let mut page = Page::open(address)?;
    let begun = page.post("/api/sessions", &json!({}))?;
    let path = format!("/api/sessions/{}", begun["session"].as_str().ok_or("no session")?);
    let (mut own, mut whole) = (Vec::new(), Vec::new());
    let mut largest = 0;
    for stroke in 0..STROKES {
        if stroke % TOGETHER == 0 {
            page.post(&path, &json!({ "action": { "do": "clear" } }))?;
        }
        let row = (7 * stroke % SIDE) as i64;
        let color = [0.9, 0.1 * (stroke % 10) as f64, 0.2];
        for from in (0..SIDE - STEP).step_by(STEP) {
            let pixels = under_brush(row, from, from + STEP);
            let action = json!({ "do": "paint", "pixels": pixels, "color": color });
            let start = Instant::now();
            let report = page.post(&path, &json!({ "action": action, "more": from > 0 }))?;
            whole.push(start.elapsed().as_secs_f64() * 1e3);
            own.push(report["milliseconds"].as_f64().ok_or("no time")?);
            largest = largest.max(report["painted"].as_u64().unwrap_or_default());
        }
    }
    let cores = thread::available_parallelism().map_or(1, usize::from);
    println!("{SIDE} × {SIDE} × 3, rank {RANK}, up to {largest} pixels painted, {cores} processors");
    show("server", own);
    show("request", whole);
    Ok(())
}
