//! What of a server's log fails a test.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::*;

/// A server that has ended and left this log.
fn left(log: &str) -> Server {
    let data = tempfile::tempdir().unwrap();
    std::fs::write(data.path().join("kefu.log"), log).unwrap();
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 1));
    Server { address, setup: Setup::default(), program: PathBuf::new(), data, child: None }
}

/// How a test ends that drops such a server.
fn ends(log: &str) -> Result<(), String> {
    let server = left(log);
    let ended = catch_unwind(AssertUnwindSafe(|| drop(server)));
    ended.map_err(|why| why.downcast_ref::<String>().cloned().unwrap_or_default())
}

#[test]
fn a_panic_in_the_log_fails_the_test_and_is_shown() {
    let log = "WARN kefu: slow\n\nthread 'tokio-rt-worker' (7) panicked at host/src/road.rs:7:9:\n\
               index out of bounds\nnote: run with `RUST_BACKTRACE=1`\n";
    let why = ends(log).unwrap_err();
    assert!(why.contains("road.rs:7:9:\nindex out of bounds") && !why.contains("slow"), "{why}");
    assert!(ends("ERROR kefu: the stream's writer thread panicked\n").is_err());
}

#[test]
fn warnings_and_no_log_at_all_do_not() {
    assert_eq!(ends("WARN kefu: a peer is slow\nERROR kefu: the disk is full\n"), Ok(()));
    assert_eq!(ends(""), Ok(()));
}
