//! What is there after a write, and after one that failed.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::fs;
use std::io::Write;
use std::path::Path;

use variata_files::replace;

#[test]
fn a_file_is_replaced_whole_or_stays() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    for text in ["first", "a longer second"] {
        replace(&path, |file| file.write_all(text.as_bytes())).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), text);
    }
    let half = replace(&path, |file| {
        file.write_all(b"half")?;
        Err(std::io::ErrorKind::StorageFull.into())
    });
    assert_eq!(half.unwrap_err().action, "write");
    let panicked = std::panic::catch_unwind(|| replace(&path, |_| panic!("inside")));
    assert!(panicked.is_err());
    assert_eq!(fs::read_to_string(&path).unwrap(), "a longer second");
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 1, "nothing else is left");
}

#[test]
fn long_names_serve_and_places_that_are_none_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let long = folder.path().join("n".repeat(255));
    replace(&long, |file| file.write_all(b"x")).unwrap();
    assert_eq!(fs::read(&long).unwrap(), b"x");
    for (path, action) in [
        (Path::new("/"), "name"),
        (Path::new(".."), "name"),
        (&folder.path().join("absent/file"), "create"),
        (folder.path(), "rename into place"),
    ] {
        assert_eq!(replace(path, |_| Ok(())).unwrap_err().action, action, "{}", path.display());
    }
}

#[cfg(unix)]
#[test]
fn others_may_read_it_as_the_umask_says() {
    use std::os::unix::fs::PermissionsExt;

    let folder = tempfile::tempdir().unwrap();
    let (path, plain) = (folder.path().join("file"), folder.path().join("plain"));
    replace(&path, |_| Ok(())).unwrap();
    fs::write(&plain, b"").unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode();
    assert_eq!(mode(&path), mode(&plain));
    // What its owner has said since holds.
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    replace(&path, |file| file.write_all(b"secret")).unwrap();
    assert_eq!(mode(&path) & 0o777, 0o600);
    assert_eq!(fs::read(&path).unwrap(), b"secret");
}

#[cfg(unix)]
#[test]
fn links_lead_to_what_is_replaced_and_pipes_and_devices_stay() {
    let folder = tempfile::tempdir().unwrap();
    let [real, link, pipe] = ["real", "link", "pipe"].map(|name| folder.path().join(name));
    fs::write(&real, "old").unwrap();
    std::os::unix::fs::symlink("real", &link).unwrap();
    replace(&link, |file| file.write_all(b"new")).unwrap();
    assert_eq!(fs::read_to_string(&real).unwrap(), "new");
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let to_pipe = folder.path().join("to-pipe");
    std::os::unix::fs::symlink(&pipe, &to_pipe).unwrap();
    for special in [&pipe, &to_pipe] {
        let refused = replace(special, |file| file.write_all(b"x")).unwrap_err();
        assert_eq!(
            (refused.action, refused.source.to_string()),
            ("replace", "it is no regular file".to_owned())
        );
        assert!(!fs::metadata(special).unwrap().is_file());
    }
    let (nowhere, round) = (folder.path().join("nowhere"), folder.path().join("round"));
    std::os::unix::fs::symlink("absent", &nowhere).unwrap();
    replace(&nowhere, |file| file.write_all(b"x")).unwrap();
    assert!(fs::symlink_metadata(&nowhere).unwrap().is_file());
    std::os::unix::fs::symlink("round", &round).unwrap();
    assert_eq!(replace(&round, |file| file.write_all(b"x")).unwrap_err().action, "look at");
}
