//! The servers that tests share: where they are is told by environment (`KEFU_TEST_REDIS` and the like).

use std::fs::File;
use std::io::Write as _;

/// Where the server is that a variable names. Without it the test cannot run: that is noted in the list that
/// `cargo xtask test` ends with, once per test, and the test is to return.
#[must_use]
pub fn named(variable: &str) -> Option<String> {
    let place = std::env::var_os(variable).and_then(|place| place.into_string().ok());
    if place.is_none() {
        skipped(&format!("{variable} names no server"));
    }
    place
}

/// This test cannot run here, and why: noted in the same list. The test is to return.
pub fn skipped(why: &str) {
    let test = std::thread::current().name().unwrap_or("a test").to_owned();
    let line = format!("{test}: {why}\n");
    let list = std::env::var_os("KEFU_SKIP_LIST");
    let list = list.and_then(|path| File::options().append(true).create(true).open(path).ok());
    match list {
        Some(mut list) => drop(list.write_all(line.as_bytes())),
        None => drop(std::io::stderr().write_all(format!("SKIPPED: {line}").as_bytes())),
    }
}
