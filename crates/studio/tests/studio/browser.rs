//! The page in a real browser, headless Chromium: what a person does, and what they see then.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use fantoccini::actions::{InputSource, KeyAction, KeyActions, MouseActions, PointerAction};
use fantoccini::key::Key;
use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};

use crate::Running;
use crate::faces::SIZE;

/// A driver on a port of its own.
struct Driver {
    process: Child,
    port: u16,
    /// Open while it may write.
    _output: BufReader<ChildStdout>,
}

impl Driver {
    /// `None`, with a word about it, where there is no driver; on CI that is an error.
    fn start() -> Option<Self> {
        let mut command = Command::new("chromedriver");
        command.arg("--port=0").stdout(Stdio::piped()).stderr(Stdio::null());
        let mut process = match command.spawn() {
            Ok(process) => process,
            Err(error) => {
                assert!(std::env::var_os("CI").is_none(), "no chromedriver: {error}");
                eprintln!("skipped: no chromedriver ({error}); Debian has it in the package chromium-driver");
                return None;
            }
        };
        // It takes a port that is free, and says which.
        let mut output = BufReader::new(process.stdout.take().unwrap());
        let mut line = String::new();
        let port = loop {
            line.clear();
            assert!(output.read_line(&mut line).unwrap() > 0, "chromedriver names no port");
            let port = line.rsplit_once("on port ").map(|(_, port)| port.trim().trim_end_matches('.'));
            // The first line says 0, as it was told.
            if let Some(port @ 1..) = port.and_then(|port| port.parse().ok()) {
                break port;
            }
        };
        Some(Self { process, port, _output: output })
    }

    async fn client(&self) -> Client {
        let arguments = json!(["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"]);
        let options = json!({ "goog:chromeOptions": { "args": arguments } });
        let capabilities = options.as_object().unwrap().clone();
        for _ in 0..200 {
            let mut client = ClientBuilder::new(HttpConnector::new());
            client.capabilities(capabilities.clone());
            if let Ok(client) = client.connect(&format!("http://127.0.0.1:{}", self.port)).await {
                return client;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("the browser does not start");
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

async fn run(client: &Client, script: &str) -> Value {
    client.execute(script, Vec::new()).await.unwrap()
}

/// Red, green and blue of all pixels.
async fn pixels(client: &Client) -> Vec<[u64; 3]> {
    let script = "const c = document.getElementById('image'); \
                  return Array.from(c.getContext('2d').getImageData(0, 0, c.width, c.height).data);";
    let found = run(client, script).await;
    let bytes: Vec<u64> = found.as_array().unwrap().iter().map(|v| v.as_u64().unwrap()).collect();
    bytes.chunks(4).map(|p| [p[0], p[1], p[2]]).collect()
}

/// Waits until all that was asked for is answered, and a condition holds.
async fn until(client: &Client, condition: &str) {
    for _ in 0..200 {
        let script =
            format!("return !busy && waiting.length === 0 && page.report !== null && ({condition});");
        if run(client, &script).await == json!(true) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    let error = run(client, "return [document.getElementById('error').textContent, page.report];").await;
    panic!("never: {condition}; the page says {error}");
}

async fn click(client: &Client, id: &str) {
    client.find(Locator::Id(id)).await.unwrap().click().await.unwrap();
}

/// Draws a line on the image, from and to in pixels of the image.
async fn stroke(client: &Client, from: (usize, usize), to: (usize, usize)) {
    let canvas = client.find(Locator::Id("cursor")).await.unwrap();
    let (left, top, width, height) = canvas.rectangle().await.unwrap();
    let scroll = run(client, "return window.scrollY;").await.as_f64().unwrap();
    let at = |(row, column): (usize, usize), press: bool| {
        let place =
            |start: f64, size: f64, cell: usize| (start + (cell as f64 + 0.5) * size / SIZE as f64).round();
        PointerAction::MoveTo {
            duration: Some(Duration::from_millis(if press { 0 } else { 200 })),
            x: place(left, width, column),
            y: place(top - scroll, height, row),
        }
    };
    let moves = MouseActions::new("mouse".to_owned())
        .then(at(from, true))
        .then(PointerAction::Down { button: fantoccini::actions::MOUSE_BUTTON_LEFT })
        .then(at(to, false))
        .then(PointerAction::Up { button: fantoccini::actions::MOUSE_BUTTON_LEFT });
    client.perform_actions(moves).await.unwrap();
}

async fn keys(client: &Client, presses: &[char]) {
    let mut actions = KeyActions::new("keyboard".to_owned());
    for &value in presses {
        actions = actions.then(KeyAction::Down { value }).then(KeyAction::Up { value });
    }
    client.perform_actions(actions).await.unwrap();
}

async fn set(client: &Client, id: &str, value: &str) {
    let script = format!(
        "const e = document.getElementById('{id}'); e.value = '{value}'; \
         for (const kind of ['input', 'change']) e.dispatchEvent(new Event(kind));"
    );
    run(client, &script).await;
}

/// Keeps a picture of the page for the book, where `VARIATA_SCREENSHOTS` names a folder.
async fn screenshot(client: &Client, name: &str) {
    let Some(folder) = std::env::var_os("VARIATA_SCREENSHOTS") else { return };
    std::fs::write(PathBuf::from(folder).join(name), client.screenshot().await.unwrap()).unwrap();
}

#[test]
fn a_person_samples_slides_paints_undoes_and_comes_back() {
    let Some(driver) = Driver::start() else { return };
    let running = Running::new(8);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let client = driver.client().await;
        client.set_window_size(1100, 900).await.unwrap();
        let address = format!("http://{}/", running.address);
        client.goto(&address).await.unwrap();
        until(&client, "page.report.undo === 0").await;
        let mean = pixels(&client).await;
        assert_eq!(mean.len(), SIZE * SIZE);

        click(&client, "sample").await;
        until(&client, "page.report.noise.kind === 'sample'").await;
        let sample = pixels(&client).await;
        assert_ne!(sample, mean);
        set(&client, "path", "0.5").await;
        until(&client, "page.report.noise.kind === 'path' && page.report.noise.t === 0.5").await;
        assert_ne!(pixels(&client).await, sample);
        run(&client, "const s = document.querySelector('#components input'); s.value = 4; s.dispatchEvent(new Event('input')); s.dispatchEvent(new Event('change'));").await;
        until(&client, "page.report.scales[0] === 4").await;
        click(&client, "reset").await;
        click(&client, "mean").await;
        until(&client, "page.report.noise.kind === 'mean' && page.report.scales.length === 0").await;
        assert_eq!(pixels(&client).await, mean);

        // A stroke through the hair, and what follows it.
        set(&client, "color", "#f03020").await;
        set(&client, "brush", "1").await;
        stroke(&client, (5, 12), (5, 19)).await;
        until(&client, "page.report.painted >= 24 && page.last === null").await;
        let painted = pixels(&client).await;
        for column in 12..=19 {
            assert_eq!(painted[5 * SIZE + column], [0xf0, 0x30, 0x20], "column {column}");
        }
        let moved = (0..SIZE * SIZE).filter(|i| painted[*i] != mean[*i]).count();
        assert!(moved > SIZE * SIZE / 4, "{moved} pixels follow");
        assert_eq!(run(&client, "return page.report.undo;").await, json!(6), "a stroke is one step");
        let status = client.find(Locator::Id("status")).await.unwrap().text().await.unwrap();
        assert!(status.contains("ms on the server") && status.contains("pixels painted"), "{status}");
        screenshot(&client, "studio-stroke.png").await;

        // The link of this moment, in a tab of its own. The address bar may follow half a second later.
        until(&client, "location.hash.slice(1) === page.report.link").await;
        let link = client.current_url().await.unwrap();
        let first = client.window().await.unwrap();
        let second = client.new_window(true).await.unwrap().handle;
        client.switch_to_window(second).await.unwrap();
        client.goto(link.as_str()).await.unwrap();
        until(&client, "page.report.painted >= 24").await;
        assert_eq!(pixels(&client).await, painted);
        click(&client, "clear").await;
        until(&client, "page.report.painted === 0").await;
        client.switch_to_window(first).await.unwrap();
        click(&client, "view-uncertainty").await;
        until(&client, "page.report.scale !== null").await;
        assert_eq!(run(&client, "return page.report.painted >= 24;").await, json!(true), "tabs are apart");
        let map = pixels(&client).await;
        assert!(map[5 * SIZE + 15].iter().all(|v| *v == 0) && map.iter().any(|p| p[0] > 100));
        screenshot(&client, "studio-uncertainty.png").await;
        click(&client, "view-image").await;
        click(&client, "undo").await;
        until(&client, "page.report.painted === 0").await;
        assert_eq!(pixels(&client).await, mean);
        keys(&client, &['l', 'n']).await;
        until(&client, "page.report.latent === 1").await;

        // Reload: the state is in the address.
        client.refresh().await.unwrap();
        until(&client, "page.report.latent === 1 && page.report.undo === 0").await;
        client.close().await.unwrap();
    });
}

#[test]
fn it_works_by_keyboard_in_a_narrow_window_and_says_what_is_wrong() {
    let Some(driver) = Driver::start() else { return };
    let running = Running::new(1);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let client = driver.client().await;
        client.set_window_size(500, 900).await.unwrap();
        client.goto(&format!("http://{}/", running.address)).await.unwrap();
        until(&client, "true").await;
        let wide = run(&client, "return document.documentElement.scrollWidth > window.innerWidth;").await;
        assert_eq!(wide, json!(false), "nothing sticks out");

        let before = pixels(&client).await;
        run(&client, "document.getElementById('cursor').focus();").await;
        keys(&client, &[Key::Up.into(), Key::Up.into(), Key::Right.into(), ' ']).await;
        until(&client, "page.report.painted > 0").await;
        let at = (SIZE / 2 - 2) * SIZE + SIZE / 2 + 1;
        assert_ne!(pixels(&client).await[at], before[at]);
        keys(&client, &['u']).await;
        until(&client, "page.view === 'uncertainty'").await;
        keys(&client, &['u']).await;
        let undo = KeyActions::new("keyboard".to_owned())
            .then(KeyAction::Down { value: Key::Control.into() })
            .then(KeyAction::Down { value: 'z' })
            .then(KeyAction::Up { value: 'z' })
            .then(KeyAction::Up { value: Key::Control.into() });
        client.perform_actions(undo).await.unwrap();
        until(&client, "page.view === 'image' && page.report.painted === 0").await;
        assert_eq!(pixels(&client).await, before);

        // Another tab takes the only session.
        running.begin("");
        click(&client, "sample").await;
        let message = "document.getElementById('error').textContent.includes('reload')";
        until(&client, message).await;
        client.refresh().await.unwrap();
        until(&client, "document.getElementById('error').hidden").await;
        client.goto(&format!("http://{}/#AAAA", running.address)).await.unwrap();
        client.refresh().await.unwrap();
        for _ in 0..200 {
            if run(&client, "return document.getElementById('error').textContent.includes('damaged');").await
                == json!(true)
            {
                client.close().await.unwrap();
                return;
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        panic!("nothing is said about the damaged link");
    });
}
