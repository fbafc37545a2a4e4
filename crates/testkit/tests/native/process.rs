//! The harness on a small child: this test binary itself, told by an environment variable to play the program.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use variata_testkit::process::{
    FolderError, KillAt, Killed, ProcessError, ResumeError, compare_folders, kill_and_resume, run_and_kill,
    run_to_end,
};

const FOLDER: &str = "VARIATA_TESTKIT_CHILD_FOLDER";
const MODE: &str = "VARIATA_TESTKIT_CHILD_MODE";
const WATCHDOG: Duration = Duration::from_secs(30);
const STEPS: u32 = 40;

/// Not a test of its own: without the variables it does nothing. As a child it "trains" 40 steps of a millisecond, each of
/// which saves its state by rename, and writes the result at the end.
#[test]
fn child() {
    let (Some(folder), Ok(mode)) = (std::env::var_os(FOLDER), std::env::var(MODE)) else {
        return;
    };
    let folder = PathBuf::from(folder);
    let state = folder.join("state");
    let resumed: Option<(u32, u64)> = fs::read_to_string(&state).ok().and_then(|text| {
        let (step, value) = text.split_once(' ')?;
        Some((step.parse().ok()?, value.parse().ok()?))
    });
    let (mut step, mut value) = match mode.as_str() {
        // The bug that the harness must find: the value starts afresh.
        "forgets" => (resumed.map_or(0, |(step, _)| step), 1),
        "hangs" => loop {
            std::thread::sleep(Duration::from_millis(50));
        },
        "fails" => std::process::exit(3),
        _ => resumed.unwrap_or((0, 1)),
    };
    while step < STEPS {
        value = value.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(u64::from(step));
        step += 1;
        fs::write(folder.join("tmp"), format!("{step} {value}")).unwrap();
        fs::rename(folder.join("tmp"), &state).unwrap();
        // Through the handle: the macro's output is captured by the test harness.
        writeln!(std::io::stdout(), "step {step} done").unwrap();
        std::thread::sleep(Duration::from_millis(1));
    }
    fs::create_dir_all(folder.join("out")).unwrap();
    fs::write(folder.join("out/result"), value.to_string()).unwrap();
    fs::write(folder.join("log"), format!("{:?}", std::time::SystemTime::now())).unwrap();
}

struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("variata-testkit-{}-{name}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn command(folder: &Path, mode: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "process::child", "--nocapture"]).env(FOLDER, folder).env(MODE, mode);
    command
}

#[test]
fn a_program_that_resumes_passes_and_one_that_forgets_does_not() {
    let want = Folder::new("want");
    assert!(run_to_end(&mut command(&want.0, "resumes"), WATCHDOG).unwrap().status.success());
    let kills = [
        KillAt::Line("step 7 done".into()),
        KillAt::Delay(Duration::ZERO),
        KillAt::Line("step 21 done".into()),
    ];
    let ignored = ["log", "tmp"];
    let got = Folder::new("got");
    let resumed =
        kill_and_resume(|| command(&got.0, "resumes"), &kills, WATCHDOG, &got.0, &want.0, &ignored).unwrap();
    assert_eq!((resumed.kills, resumed.files), (3, 2));

    let forgets = Folder::new("forgets");
    let error =
        kill_and_resume(|| command(&forgets.0, "forgets"), &kills, WATCHDOG, &forgets.0, &want.0, &ignored)
            .unwrap_err();
    assert!(matches!(&error, ResumeError::Folders(FolderError::Bytes { .. })), "{error}");

    let fails = Folder::new("fails");
    let error = kill_and_resume(|| command(&fails.0, "fails"), &[], WATCHDOG, &fails.0, &want.0, &ignored);
    assert!(matches!(error, Err(ResumeError::Failed(finished)) if finished.status.code() == Some(3)));
}

#[test]
fn kills_come_at_their_moment() {
    let folder = Folder::new("moment");
    let at = KillAt::Line("step 5 done".into());
    let Killed::Running(killed) = run_and_kill(&mut command(&folder.0, "resumes"), &at, WATCHDOG).unwrap()
    else {
        panic!("the program lasts 35 steps longer");
    };
    assert!(killed.stdout.contains("step 5 done") && !killed.stdout.contains("step 40 done"));
    assert!(!folder.0.join("out").exists());

    let at = KillAt::File(folder.0.join("log"));
    // The file is the last thing written: both outcomes are right, but the program has done its work.
    run_and_kill(&mut command(&folder.0, "resumes"), &at, WATCHDOG).unwrap();
    assert!(folder.0.join("out/result").exists());

    let at = KillAt::Line("never printed".into());
    let late = run_and_kill(&mut command(&folder.0, "resumes"), &at, WATCHDOG).unwrap();
    assert!(matches!(late, Killed::TooLate(finished) if finished.status.success()));
}

#[test]
fn a_program_that_hangs_is_ended() {
    let folder = Folder::new("hangs");
    let limit = Duration::from_millis(100);
    let result = run_to_end(&mut command(&folder.0, "hangs"), limit);
    assert!(matches!(result, Err(ProcessError::Timeout { .. })));
    let missing = run_to_end(&mut Command::new("variata-no-such-program"), WATCHDOG);
    assert!(matches!(missing, Err(ProcessError::Io { .. })));
}

#[test]
fn folders_are_compared_byte_for_byte() {
    let (a, b) = (Folder::new("a"), Folder::new("b"));
    assert!(matches!(compare_folders(&a.0, &b.0, &[]), Err(FolderError::Empty(_))));
    for folder in [&a.0, &b.0] {
        fs::create_dir_all(folder.join("sub")).unwrap();
        fs::write(folder.join("sub/x"), b"same").unwrap();
    }
    assert_eq!(compare_folders(&a.0, &b.0, &[]).unwrap(), 1);
    fs::write(a.0.join("sub/x"), b"samE!").unwrap();
    assert!(matches!(
        compare_folders(&a.0, &b.0, &[]),
        Err(FolderError::Bytes { offset: 3, got: 5, want: 4, .. })
    ));
    fs::write(a.0.join("sub/x"), b"sane").unwrap();
    assert!(matches!(compare_folders(&a.0, &b.0, &[]), Err(FolderError::Bytes { offset: 2, .. })));
    fs::write(a.0.join("sub/x"), b"same").unwrap();
    fs::write(b.0.join("sub/extra"), b"").unwrap();
    assert!(matches!(compare_folders(&a.0, &b.0, &[]), Err(FolderError::Missing { .. })));
    assert_eq!(compare_folders(&a.0, &b.0, &["extra"]).unwrap(), 1);
    fs::create_dir_all(a.0.join("sub/extra")).unwrap();
    assert!(matches!(compare_folders(&a.0, &b.0, &[]), Err(FolderError::Kind(_))));
    assert!(matches!(compare_folders(&a.0.join("none"), &b.0, &[]), Err(FolderError::Io(..))));
}
