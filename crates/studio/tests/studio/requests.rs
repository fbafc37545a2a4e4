//! Every route, and every way in which a request can be wrong.

use serde_json::{Value, json};

use crate::Running;
use crate::faces::SIZE;

const AREA: usize = SIZE * SIZE;

fn pixel(picture: &[u8], at: usize) -> [u8; 3] {
    picture[4 * at..4 * at + 3].try_into().unwrap()
}

#[test]
fn the_page_and_its_files_are_served() {
    let running = Running::new(4);
    for (path, kind, word) in [
        ("/", "text/html", "<canvas"),
        ("/studio.css", "text/css", "canvas"),
        ("/studio.js", "text/javascript", "fetch"),
    ] {
        let (status, head, body) = running.ask("GET", path, &[], b"");
        assert_eq!(status, 200);
        assert!(head.to_lowercase().contains(kind), "{head}");
        let text = String::from_utf8(body).unwrap();
        assert!(text.contains(word));
        assert!(
            !text.contains("http://") && !text.contains("https://"),
            "{path} loads nothing from elsewhere"
        );
    }
}

#[test]
fn painting_sets_pixels_and_moves_others() {
    let running = Running::new(4);
    let (begun, before) = running.begin("");
    assert_eq!(begun["shape"], json!([3, SIZE, SIZE]));
    assert_eq!((begun["spectrum"].as_array().unwrap().len(), before.len()), (12, 4 * AREA));
    let paint = json!({ "action": { "do": "paint", "pixels": [5, 6, 7], "color": [1.0, 0.0, 0.5] } });
    let (report, after) = running.act(&begun["session"], &paint);
    for at in [5, 6, 7] {
        assert_eq!(pixel(&after, at), [255, 0, 128]);
    }
    let moved = (0..AREA).filter(|at| pixel(&before, *at) != pixel(&after, *at)).count();
    assert!(moved > AREA / 10, "{moved}");
    assert_eq!((&report["painted"], &report["undo"], &report["redo"]), (&json!(3), &json!(1), &json!(0)));
    assert!(report["milliseconds"].as_f64().unwrap() > 0.0);
    let (_, undone) = running.act(&begun["session"], &json!({ "action": { "do": "undo" } }));
    assert_eq!(undone, before);
    let (_, redone) = running.act(&begun["session"], &json!({ "action": { "do": "redo" } }));
    assert_eq!(redone, after);
    let (report, erased) =
        running.act(&begun["session"], &json!({ "action": { "do": "erase", "pixels": [5, 6, 7] } }));
    assert_eq!((erased, &report["painted"]), (before, &json!(0)));
}

#[test]
fn samples_paths_scales_and_codes_change_the_image() {
    let running = Running::new(4);
    let (begun, mean) = running.begin("");
    let session = &begun["session"];
    let noise = |noise: Value| json!({ "action": { "do": "noise", "noise": noise } });
    let (_, first) = running.act(session, &noise(json!({ "kind": "sample", "number": 0 })));
    let (_, second) = running.act(session, &noise(json!({ "kind": "sample", "number": 1 })));
    assert!(first != mean && second != first);
    let path = |t: f64| noise(json!({ "kind": "path", "from": 0, "to": 1, "t": t }));
    assert_eq!(running.act(session, &path(0.0)).1, first);
    assert_eq!(running.act(session, &path(1.0)).1, second);
    let (_, half) = running.act(session, &path(0.5));
    assert!(half != first && half != second);
    let scale = json!({ "action": { "do": "scale", "component": 0, "value": -2.0 } });
    let (report, scaled) = running.act(session, &scale);
    assert!(scaled != half && report["scales"][0] == json!(-2.0) && report["scales"][1] == json!(1.0));
    let (_, back) = running.act(session, &json!({ "action": { "do": "reset_scales" } }));
    assert_eq!(back, half);
    let (report, other) = running.act(session, &json!({ "action": { "do": "latent", "number": 3 } }));
    assert!(other != half && report["latent"] == json!(3));
    for view in ["uncertainty", "difference"] {
        let (report, shown) = running.act(session, &json!({ "view": view }));
        assert_ne!(shown, other);
        assert_eq!(report["scale"].is_null(), view == "difference");
        assert_eq!(report["undo"], json!(8), "looking is no step");
    }
}

#[test]
fn locked_paint_stays_and_cannot_be_painted_over() {
    let running = Running::new(4);
    let (begun, _) = running.begin("");
    let session = &begun["session"];
    let paint =
        |at: usize, v: f64| json!({ "action": { "do": "paint", "pixels": [at], "color": [v, v, v] } });
    running.act(session, &paint(40, 1.0));
    running.act(session, &json!({ "action": { "do": "lock" } }));
    running.act(session, &paint(41, 0.0));
    let (report, picture) = running.act(session, &paint(40, 0.0));
    assert_eq!((pixel(&picture, 40), pixel(&picture, 41)), ([255; 3], [0; 3]));
    assert_eq!((&report["painted"], &report["locked"]), (&json!(2), &json!(1)));
    let (report, picture) = running.act(session, &json!({ "action": { "do": "latent", "number": 9 } }));
    assert_eq!((pixel(&picture, 40), &report["painted"]), ([255; 3], &json!(1)));
    let (report, _) = running.act(session, &json!({ "action": { "do": "clear" } }));
    assert_eq!(report["painted"], json!(1));
    running.act(session, &json!({ "action": { "do": "unlock" } }));
    let (report, _) = running.act(session, &json!({ "action": { "do": "clear" } }));
    assert_eq!(report["painted"], json!(0));
}

/// What is painted over is gone: a link says what there is to see, however it came to be.
#[test]
fn paint_under_paint_is_dropped() {
    let running = Running::new(4);
    let whole: Vec<usize> = (0..AREA).collect();
    let paint = |pixels: &[usize], v: f64| json!({ "action": { "do": "paint", "pixels": pixels, "color": [v, v, v] } });
    let (once, _) = running.begin("");
    let (want, picture) = running.act(&once["session"], &paint(&whole, 0.5));
    let (often, _) = running.begin("");
    let mut before = Vec::new();
    for v in [0.1, 0.2, 0.3, 0.4, 0.5] {
        // Also what was locked and is so no more.
        running.act(&often["session"], &paint(&[7, 8, 9, 500], 1.0 - v));
        running.act(&often["session"], &json!({ "action": { "do": "lock" } }));
        before.push(running.act(&often["session"], &json!({ "action": { "do": "unlock" } })));
        let (report, over) = running.act(&often["session"], &paint(&whole, v));
        assert_eq!(report["painted"], json!(AREA));
        if v == 0.5 {
            assert_eq!((&report["link"], &over), (&want["link"], &picture));
        }
    }
    for (report, shown) in before.iter().rev() {
        let (undone, again) = running.act(&often["session"], &json!({ "action": { "do": "undo" } }));
        assert_eq!((&undone["link"], &again), (&report["link"], shown));
        for _ in 0..3 {
            running.act(&often["session"], &json!({ "action": { "do": "undo" } }));
        }
    }
}

#[test]
fn a_link_brings_everything_back_also_in_another_studio() {
    let running = Running::new(4);
    let (begun, _) = running.begin("");
    let session = &begun["session"];
    for body in [
        json!({ "action": { "do": "latent", "number": 5 } }),
        json!({ "action": { "do": "noise", "noise": { "kind": "path", "from": 2, "to": 7, "t": 0.3 } } }),
        json!({ "action": { "do": "scale", "component": 3, "value": 0.1 } }),
        json!({ "action": { "do": "paint", "pixels": [1, 2, 900], "color": [0.1, 0.2, 0.3] } }),
        json!({ "action": { "do": "lock" } }),
        json!({ "action": { "do": "paint", "pixels": [500], "color": [0.9, 0.2, 0.3] } }),
    ] {
        running.act(session, &body);
    }
    let (report, picture) = running.act(session, &json!({}));
    let other = Running::new(1);
    let (again, same) = other.begin(report["link"].as_str().unwrap());
    assert_eq!((same, &again["link"]), (picture.clone(), &report["link"]));
    assert_eq!((&again["painted"], &again["locked"], &again["undo"]), (&json!(4), &json!(3), &json!(0)));

    let (status, head, png) =
        running.ask("GET", &format!("/api/sessions/{}/image.png", session.as_str().unwrap()), &[], b"");
    assert!(status == 200 && head.contains("image/png") && png.starts_with(b"\x89PNG"));
    let decoded = image::load_from_memory(&png).unwrap().to_rgba8();
    assert_eq!(decoded.into_raw(), picture);
}

#[test]
fn wrong_requests_are_refused_with_a_reason_and_change_nothing() {
    let running = Running::new(4);
    let (begun, before) = running.begin("");
    let path = format!("/api/sessions/{}", begun["session"].as_str().unwrap());
    let paint = |pixels: Value, color: Value| json!({ "action": { "do": "paint", "pixels": pixels, "color": color } });
    let many: Vec<usize> = (0..=AREA).collect();
    let cases: Vec<(Value, &str)> = vec![
        (paint(json!([AREA]), json!([0, 0, 0])), "1024"),
        (paint(json!([-1]), json!([0, 0, 0])), "-1"),
        (paint(json!([0.5]), json!([0, 0, 0])), "0.5"),
        (paint(json!(many), json!([0, 0, 0])), "1025"),
        (paint(json!([0]), json!([0, 0])), "color"),
        (paint(json!([0]), json!([0, 0, 1.5])), "1.5"),
        (paint(json!([0]), json!([0, 0, null])), "null"),
        (json!({ "action": { "do": "erase", "pixels": [99999] } }), "99999"),
        (json!({ "action": { "do": "scale", "component": 12, "value": 1.0 } }), "component"),
        (json!({ "action": { "do": "scale", "component": 0, "value": 1e9 } }), "value"),
        (
            json!({ "action": { "do": "noise", "noise": { "kind": "path", "from": 0, "to": 1, "t": 1.5 } } }),
            "`t`",
        ),
        (json!({ "action": { "do": "noise", "noise": { "kind": "cosmic" } } }), "cosmic"),
        (json!({ "action": { "do": "fly" } }), "fly"),
        (json!({ "action": { "do": "undo", "twice": true } }), "twice"),
        (json!({ "view": "sideways" }), "sideways"),
        (json!({ "unknown": 1 }), "unknown"),
        (json!(3), "expected"),
    ];
    for (body, word) in cases {
        let (status, answer) = running.post(&path, &body);
        let text = String::from_utf8_lossy(&answer).into_owned();
        assert!((400..500).contains(&status), "{body}: {status} {text}");
        let reason: Value = serde_json::from_str(&text).unwrap();
        assert!(reason["error"].as_str().unwrap().contains(word), "{body}: {text}");
    }
    let json_kind = [("Content-Type", "application/json")];
    for (headers, body, want) in [
        (&json_kind[..], &b"{\"view\": NaN}"[..], 400),
        (&json_kind[..], b"{\"action\": {\"do\": \"scale\", \"component\": 0, \"value\": 1e999}}", 400),
        (&json_kind[..], b"\xff\xfe", 400),
        (&[], b"{}", 415),
    ] {
        let (status, _, answer) = running.ask("POST", &path, headers, body);
        assert_eq!(status, want, "{}", String::from_utf8_lossy(&answer));
        assert!(serde_json::from_slice::<Value>(&answer).unwrap()["error"].is_string());
    }
    let (report, after) = running.act(&begun["session"], &json!({}));
    assert!(after == before && report["undo"] == json!(0));

    assert_eq!(running.post("/api/sessions/s999", &json!({})).0, 404);
    assert_eq!(running.ask("GET", "/api/sessions/s999/image.png", &[], b"").0, 404);
    assert_eq!(running.ask("GET", &format!("{path}/image.png?view=none"), &[], b"").0, 400);
    assert_eq!(running.ask("GET", "/api", &[], b"").0, 404);
    assert_eq!(running.ask("DELETE", &path, &[], b"").0, 405);
    let huge = vec![b' '; 17 << 20];
    assert_eq!(running.ask("POST", &path, &json_kind, &huge).0, 413);
    // A page of somebody else's that has found the port.
    let (status, _, answer) = running.ask("GET", "/", &[("Host", "studio.example:80")], b"");
    assert!(status == 403 && String::from_utf8_lossy(&answer).contains("studio.example"));
}

#[test]
fn damaged_links_are_refused() {
    let running = Running::new(4);
    let (begun, _) = running.begin("");
    let good = begun["link"].as_str().unwrap().to_owned();
    let mut links = vec!["!".to_owned(), "AAAA".to_owned(), good[..good.len() / 2].to_owned()];
    links.extend((0..good.len()).map(|k| {
        let mut bytes = good.clone().into_bytes();
        bytes[k] = if bytes[k] == b'A' { b'B' } else { b'A' };
        String::from_utf8(bytes).unwrap()
    }));
    for link in links {
        let (status, answer) = running.post("/api/sessions", &json!({ "link": link }));
        let text = String::from_utf8_lossy(&answer);
        assert!(status == 200 || (400..500).contains(&status), "{link}: {status} {text}");
    }
    assert!(running.post("/api/sessions", &json!({ "link": "AAAA" })).0 == 422);
}

#[test]
fn the_session_that_was_not_used_for_the_longest_gives_way() {
    let running = Running::new(2);
    let (first, _) = running.begin("");
    let (second, _) = running.begin("");
    running.act(&first["session"], &json!({}));
    let (third, _) = running.begin("");
    for (session, there) in [(&first, true), (&second, false), (&third, true)] {
        let path = format!("/api/sessions/{}", session["session"].as_str().unwrap());
        let (status, answer) = running.post(&path, &json!({}));
        assert_eq!(status == 200, there);
        assert!(there || String::from_utf8_lossy(&answer).contains("reload"));
    }
}

#[test]
fn sessions_do_not_see_each_other() {
    let running = Running::new(4);
    let ((one, mean), (two, _)) = (running.begin(""), running.begin(""));
    let paint = json!({ "action": { "do": "paint", "pixels": [500], "color": [1.0, 0.0, 0.0] } });
    let (_, painted) = running.act(&one["session"], &paint);
    assert_ne!(painted, mean);
    assert_eq!(running.act(&two["session"], &json!({})).1, mean);
}

#[test]
fn images_that_cannot_be_shown_are_refused_at_the_start() {
    struct Odd;
    impl variata_studio::Generator for Odd {
        fn shape(&self) -> [usize; 3] {
            [2, 8, 8]
        }
        fn latent(&self) -> usize {
            1
        }
        fn description(&self) -> String {
            String::new()
        }
        fn decode(&mut self, _: &[f32]) -> Result<variata_studio::Decoded, String> {
            Err("never".to_owned())
        }
    }
    let error = variata_studio::Server::bind(Odd, &variata_studio::Options::default()).unwrap_err();
    assert!(error.to_string().contains("[2, 8, 8]"), "{error}");
}

#[test]
fn what_is_asked_in_a_wrong_way_is_told_in_a_sentence() {
    let running = Running::new(4);
    for (method, path, status) in [
        ("DELETE", "/api/sessions", 405),
        ("GET", "/api/sessions/s1", 405),
        ("POST", "/api/sessions/%ff", 400),
    ] {
        let (got, _, body) = running.ask(method, path, &[], b"");
        assert_eq!(got, status, "{method} {path}");
        let body: Value = serde_json::from_slice(&body).unwrap();
        assert!(!body["error"].as_str().unwrap().is_empty());
    }
    let (begun, _) = running.begin("");
    let path = format!("/api/sessions/{}", begun["session"].as_str().unwrap());
    let unknown =
        json!({ "action": { "do": "noise", "noise": { "kind": "mean", "number": 7, "bogus": 1 } } });
    let json = [("Content-Type", "application/json")];
    assert_eq!(running.ask("POST", &path, &json, unknown.to_string().as_bytes()).0, 422);
    let mean = json!({ "action": { "do": "noise", "noise": { "kind": "mean" } } });
    assert_eq!(running.ask("POST", &path, &json, mean.to_string().as_bytes()).0, 200);
}

#[test]
fn any_patience_serves_and_a_runtime_of_others_is_not_blocked() {
    let running =
        Running::with(&variata_studio::Options { patience: std::time::Duration::MAX, ..Default::default() });
    assert_eq!(running.ask("GET", "/", &[], b"").0, 200);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let options = variata_studio::Options { address: ([127, 0, 0, 1], 0).into(), ..Default::default() };
    let refused = runtime.block_on(async {
        variata_studio::Server::bind(crate::faces::Faces::new(), &options).map(|_| ()).unwrap_err()
    });
    assert!(refused.to_string().contains("tokio runtime"), "{refused}");
}
