//! Names, directories and socket files.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use sig_core::CarrierError;
use tempfile::TempDir;

use super::place::{Base, Place};
use super::socket::bind;

fn scratch() -> TempDir {
    tempfile::tempdir().unwrap()
}

/// A base in a scratch directory, as this user.
fn base(scratch: &Path) -> Base {
    Base {
        runtime: None,
        tmp: scratch.to_owned(),
        uid: Base::of_this_process().uid,
    }
}

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().mode() & 0o777
}

#[test]
fn a_name_is_in_the_well_known_directory_and_a_path_is_itself() {
    let scratch = scratch();
    let mut base = base(scratch.path());
    let in_tmp = scratch.path().join(format!("sig-{}", base.uid));
    let router = Place::parse("").unwrap();
    assert_eq!(router, Place::parse("router").unwrap());
    assert_eq!(router.to_listen(&base).unwrap(), in_tmp.join("router.sock"));
    assert_eq!(mode(&in_tmp), 0o700);

    let runtime = scratch.path().join("run");
    base.runtime = Some(runtime.clone());
    assert_eq!(
        router.shown(&base),
        in_tmp.join("router.sock"),
        "there is no such runtime directory"
    );
    fs::create_dir(&runtime).unwrap();
    assert_eq!(router.to_listen(&base).unwrap(), runtime.join("sig/router.sock"));
    assert_eq!(
        router.to_dial(&base).unwrap(),
        [runtime.join("sig/router.sock"), in_tmp.join("router.sock")]
    );

    base.runtime = Some(PathBuf::from("relative"));
    assert_eq!(router.shown(&base), in_tmp.join("router.sock"));

    for path in ["./a.sock", "/run/a.sock"] {
        let place = Place::parse(path).unwrap();
        assert_eq!(place.to_listen(&base).unwrap(), Path::new(path));
        assert_eq!(place.to_dial(&base).unwrap(), [Path::new(path)]);
    }
}

#[test]
fn a_directory_that_others_may_enter_is_refused() {
    let scratch = scratch();
    let base = base(scratch.path());
    let place = Place::parse("lab").unwrap();
    assert_eq!(
        place.to_dial(&base).unwrap(),
        [] as [PathBuf; 0],
        "nothing to look into yet"
    );

    let directory = place.to_listen(&base).unwrap().parent().unwrap().to_owned();
    fs::set_permissions(&directory, Permissions::from_mode(0o770)).unwrap();
    for error in [place.to_listen(&base).unwrap_err(), place.to_dial(&base).unwrap_err()] {
        assert!(error.to_string().contains("chmod 700"), "{error}");
    }

    fs::remove_dir(&directory).unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    symlink(elsewhere.path(), &directory).unwrap();
    let error = place.to_listen(&base).unwrap_err().to_string();
    assert!(error.contains("not a directory of this user's own"), "{error}");
}

#[test]
fn names_and_paths_that_cannot_be_are_clear_errors() {
    let long = format!("/{}", "x".repeat(200));
    for (bad, why) in [
        (".", "begin with a dot"),
        ("..", "begin with a dot"),
        (".hidden", "begin with a dot"),
        ("a\nb", "printable"),
        (long.as_str(), "the path has 201 bytes"),
    ] {
        let error = Place::parse(bad).unwrap_err().to_string();
        assert!(error.contains(why) && error.starts_with("address ipc://"), "{error}");
    }
    let scratch = scratch();
    let error = Place::parse(&"x".repeat(200))
        .unwrap()
        .to_listen(&base(scratch.path()))
        .unwrap_err();
    assert!(error.to_string().contains("choose a shorter one"), "{error}");
}

#[test]
fn a_socket_is_for_its_user_alone_and_goes_with_its_owner() {
    let scratch = scratch();
    let path = scratch.path().join("a.sock");
    let (socket, file) = bind(&path).unwrap();
    assert_eq!(mode(&path), 0o600);
    UnixStream::connect(&path).unwrap();
    drop(socket);
    assert!(path.exists());
    drop(file);
    assert!(!path.exists());
}

#[test]
fn a_stale_socket_is_replaced_and_a_live_one_is_not() {
    let scratch = scratch();
    let path = scratch.path().join("a.sock");
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    assert!(path.exists(), "a killed server leaves its file");
    let first = bind(&path).unwrap();

    let error = bind(&path).unwrap_err();
    assert!(matches!(error, CarrierError::Listen { .. }));
    let error = error.to_string();
    assert!(
        error.contains("a.sock") && error.contains("another program listens there"),
        "{error}"
    );
    UnixStream::connect(&path).unwrap();

    // Somebody took the place by force: what is there now is not ours to remove.
    fs::remove_file(&path).unwrap();
    let _second = bind(&path).unwrap();
    drop(first);
    UnixStream::connect(&path).unwrap();
}

#[test]
fn other_files_and_missing_directories_are_left_alone() {
    let scratch = scratch();
    let path = scratch.path().join("precious");
    fs::write(&path, "data").unwrap();
    let error = bind(&path).unwrap_err().to_string();
    assert!(error.contains("not a socket"), "{error}");
    assert_eq!(fs::read(&path).unwrap(), b"data");

    let error = bind(&scratch.path().join("missing/a.sock")).unwrap_err().to_string();
    assert!(error.contains("there is no directory"), "{error}");
}

#[test]
fn of_several_that_start_at_once_over_a_stale_file_one_wins() {
    let scratch = scratch();
    let path = scratch.path().join("a.sock");
    for _ in 0..20 {
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        let bound: Vec<_> = std::thread::scope(|scope| {
            let starts: Vec<_> = (0..4).map(|_| scope.spawn(|| bind(&path))).collect();
            starts.into_iter().map(|start| start.join().unwrap()).collect()
        });
        assert_eq!(bound.iter().filter(|bound| bound.is_ok()).count(), 1);
        UnixStream::connect(&path).unwrap();
        drop(bound);
        assert!(!path.exists());
    }
}
