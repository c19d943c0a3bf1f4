//! What the spool promises: kept is kept, in order, over restarts, torn ends, full disks and damage.

use std::io::{Seek as _, SeekFrom, Write as _};

use super::*;
use crate::domain::event::{Event, EventBody};
use crate::domain::ids::ConversationId;
use crate::domain::people::Party;
use crate::stream::LogPosition;

fn at(n: u64) -> LogPosition {
    LogPosition { ms: 1_764_033_600_000, n }
}

fn event(n: u64, text: &str) -> (LogPosition, Arc<Event>) {
    let body = EventBody::Message { text: text.into(), masked: false, file: None };
    let conversation = ConversationId::new(n % 3 + 1).unwrap();
    (at(n), Arc::new(Event { conversation, seq: n, at: n, from: Party::System, key: None, body }))
}

fn events(range: std::ops::RangeInclusive<u64>) -> Vec<(LogPosition, Arc<Event>)> {
    range.map(|n| event(n, "你好, 世界")).collect()
}

/// Everything that is left, read in small steps.
fn rest(queue: &mut Queue) -> Vec<(LogPosition, Arc<Event>)> {
    let mut all = Vec::new();
    loop {
        let some = queue.next(3).unwrap();
        if some.is_empty() {
            return all;
        }
        all.extend(some);
    }
}

#[test]
fn what_was_kept_comes_back_in_order_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    {
        let mut queue = Spool::with_segments(dir.path(), 1 << 20, 1000).unwrap().queue(3).unwrap();
        queue.own(7).unwrap();
        for from in [1, 11, 21] {
            queue.append(&events(from..=from + 9)).unwrap();
        }
        assert_eq!(queue.end(), at(30));
    }
    let spool = Spool::with_segments(dir.path(), 1 << 20, 1000).unwrap();
    let mut queue = spool.queue(3).unwrap();
    assert_eq!((queue.epoch(), queue.end(), queue.bytes()), (7, at(30), spool.used()));
    assert_eq!(rest(&mut queue), events(1..=30));
    assert!(spool.queue(4).unwrap().is_empty(), "another partition's is its own");
}

#[test]
fn a_second_opener_is_kept_out_and_the_folder_named() {
    let dir = tempfile::tempdir().unwrap();
    let first = Spool::open(dir.path(), 1 << 20).unwrap();
    let refused = Spool::open(dir.path(), 1 << 20).unwrap_err().to_string();
    assert_eq!(refused, format!("another process uses the spool in {}", dir.path().display()));
    drop(first);
    Spool::open(dir.path(), 1 << 20).unwrap();
}

#[test]
fn what_is_drained_is_forgotten_and_its_room_is_free() {
    let dir = tempfile::tempdir().unwrap();
    let spool = Spool::with_segments(dir.path(), 1 << 20, 1000).unwrap();
    let mut queue = spool.queue(0).unwrap();
    for from in [1, 11, 21] {
        queue.append(&events(from..=from + 9)).unwrap();
    }
    let full = spool.used();
    queue.drained(at(15)).unwrap();
    assert!(spool.used() < full);
    queue.rewind();
    assert_eq!(rest(&mut queue), events(16..=30));
    drop(queue);
    let mut queue = spool.queue(0).unwrap();
    assert_eq!(rest(&mut queue), events(16..=30), "the cursor is known after a restart");
    queue.drained(at(30)).unwrap();
    assert_eq!((queue.is_empty(), spool.used(), queue.end()), (true, 0, at(30)));
    queue.append(&events(31..=32)).unwrap();
    assert_eq!(rest(&mut queue), events(31..=32));
}

#[test]
fn appending_while_draining_keeps_the_order() {
    let dir = tempfile::tempdir().unwrap();
    let mut queue = Spool::with_segments(dir.path(), 1 << 20, 500).unwrap().queue(0).unwrap();
    let mut read = Vec::new();
    for n in 1..=200 {
        queue.append(&events(n..=n)).unwrap();
        if n % 7 == 0 {
            read.extend(queue.next(5).unwrap());
            queue.drained(read.last().unwrap().0).unwrap();
        }
    }
    read.extend(rest(&mut queue));
    assert_eq!(read, events(1..=200));
}

#[test]
fn a_full_spool_refuses_the_batch_whole_and_takes_it_later() {
    let dir = tempfile::tempdir().unwrap();
    let spool = Spool::with_segments(dir.path(), 2000, 500).unwrap();
    let mut queue = spool.queue(0).unwrap();
    let mut kept = 0;
    while queue.append(&events(kept + 1..=kept + 2)).is_ok() {
        kept += 2;
    }
    let refused = queue.append(&events(kept + 1..=kept + 2)).unwrap_err();
    assert!(matches!(refused, SpoolError::Full { most: 2000, disk: false, .. }), "{refused}");
    assert!(kept > 2 && spool.used() <= 2000);
    assert_eq!(rest(&mut queue), events(1..=kept));
    queue.drained(at(kept)).unwrap();
    queue.append(&events(kept + 1..=kept + 2)).unwrap();
    assert_eq!(rest(&mut queue), events(kept + 1..=kept + 2));
}

/// `/dev/full`-like: a file size limit makes the write fail in the middle; the test runs itself again under one.
#[test]
fn a_write_that_fails_half_way_leaves_nothing_behind() {
    if std::env::var_os("KEFU_SPOOL_LIMITED").is_none() {
        let own = std::env::current_exe().unwrap();
        let name = "spool::tests::a_write_that_fails_half_way_leaves_nothing_behind";
        let run = format!("trap '' XFSZ; ulimit -f 4; exec {} --exact {name}", own.display());
        let mut limited = std::process::Command::new("bash");
        let output = limited.args(["-c", &run]).env("KEFU_SPOOL_LIMITED", "1").output().unwrap();
        let told = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && told.contains("1 passed"), "{told}");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let spool = Spool::with_segments(dir.path(), 1 << 30, 1 << 20).unwrap();
    let mut queue = spool.queue(0).unwrap();
    queue.append(&events(1..=3)).unwrap();
    let used = spool.used();
    let large = [event(4, "small"), event(5, &"x".repeat(8000))];
    assert!(matches!(queue.append(&large).unwrap_err(), SpoolError::Disk { .. }));
    assert_eq!(spool.used(), used);
    queue.append(&events(4..=6)).unwrap();
    assert_eq!(rest(&mut queue), events(1..=6));
    drop(queue);
    assert_eq!(rest(&mut spool.queue(0).unwrap()), events(1..=6));
}

/// The last segment's file of a queue with events 1 to 9, three in each append.
fn written(dir: &Path) -> PathBuf {
    let mut queue = Spool::open(dir, 1 << 20).unwrap().queue(0).unwrap();
    for from in [1, 4, 7] {
        queue.append(&events(from..=from + 2)).unwrap();
    }
    segment::list(&dir.join("p000")).unwrap().pop().unwrap().1
}

#[test]
fn a_torn_end_is_cut_off_wherever_it_was_torn() {
    let whole = tempfile::tempdir().unwrap();
    let bytes = std::fs::read(written(whole.path())).unwrap();
    for cut in (8..bytes.len()).step_by(11) {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("p000")).unwrap();
        std::fs::write(dir.path().join("p000/0000000001.seg"), &bytes[..cut]).unwrap();
        let spool = Spool::open(dir.path(), 1 << 20).unwrap();
        let mut queue = spool.queue(0).unwrap();
        let left = rest(&mut queue);
        assert_eq!(left, events(1..=9)[..left.len()], "cut at {cut}");
        let next = left.len() as u64 + 1;
        queue.append(&events(next..=next)).unwrap();
        drop(queue);
        assert_eq!(rest(&mut spool.queue(0).unwrap()), events(1..=next), "cut at {cut}");
        assert_eq!(spool.used(), spool.queue(0).unwrap().bytes());
    }
}

#[test]
fn damage_before_the_end_is_told_and_can_be_cleared() {
    let dir = tempfile::tempdir().unwrap();
    let file = written(dir.path());
    let mut damaged = std::fs::File::options().write(true).open(file).unwrap();
    damaged.seek(SeekFrom::Start(40)).unwrap();
    damaged.write_all(b"####").unwrap();
    let spool = Spool::open(dir.path(), 1 << 20).unwrap();
    let told = spool.queue(0).unwrap_err();
    assert!(matches!(told, SpoolError::Damaged(_)), "{told}");
    spool.clear(0).unwrap();
    assert_eq!(spool.used(), 0);
    assert!(spool.queue(0).unwrap().is_empty());
}
