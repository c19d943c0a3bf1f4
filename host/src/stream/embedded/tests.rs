//! Tests of what only this adapter has: refusal when full, unreadable records, the lock, bounded
//! memory, speed.

use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rusqlite::Connection;
use tokio::task::JoinSet;

use super::known::{Known, Talk};
use super::record;
use crate::domain::event::EventBody;
use crate::domain::ids::ConversationId;
use crate::runtime::Clock;
use crate::stream::contract::{self, says, talk};
use crate::stream::{AppendError, OpenError, Stream, StreamLimits, open};

fn opened(dir: &Path, limits: StreamLimits) -> Arc<dyn Stream> {
    open(dir, Clock::system(), limits).unwrap()
}

macro_rules! contract {
    ($($name:ident),+ $(,)?) => {$(
        #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $name() {
            let dir = tempfile::tempdir().unwrap();
            contract::$name(async || opened(dir.path(), StreamLimits::default())).await;
        }
    )+};
}

contract!(
    numbers_are_dense_and_in_order,
    reads_page_by_page,
    the_same_key_is_kept_once,
    a_key_belongs_to_one_sender_in_one_conversation,
    redelivery_after_a_restart_gets_the_first_receipt,
    numbers_go_on_after_a_restart,
    a_thousand_appends_at_once_are_dense,
    racing_duplicates_share_one_receipt,
    tails_see_everything_in_order,
    a_dropped_tail_holds_nobody_up,
    an_append_completes_when_its_caller_leaves,
    every_kind_of_event_comes_back_as_it_was,
);

#[tokio::test]
async fn a_full_disk_refuses_and_consumes_no_number() {
    let dir = tempfile::tempdir().unwrap();
    let limits = StreamLimits { max_bytes: Some(128 << 10), ..StreamLimits::default() };
    let stream = opened(dir.path(), limits);
    let id = talk(1);
    let mut kept = 0;
    let refused = loop {
        match stream.append(says(id, &format!("k{kept}"), &"x".repeat(2_000))).await {
            Ok(receipt) => {
                kept += 1;
                assert_eq!(receipt.seq, kept);
            }
            Err(why) => break why,
        }
    };
    assert!(matches!(refused, AppendError::Full(_)), "{refused}");
    assert!(kept > 10);
    assert_eq!(stream.head(id).await.unwrap(), kept);
    assert_eq!(
        stream.read(id, 0, 1_000).await.unwrap().len() as u64,
        kept,
        "nothing of the refused append is there"
    );
    let again = stream.append(says(id, "k0", "again")).await.unwrap();
    assert!(again.duplicate, "what was kept keeps its receipt");

    drop(stream);
    let roomy = opened(dir.path(), StreamLimits::default());
    let receipt = roomy.append(says(id, &format!("k{kept}"), "now")).await.unwrap();
    assert_eq!((receipt.seq, receipt.duplicate), (kept + 1, false));
}

#[tokio::test]
async fn the_writer_goes_on_after_a_full_disk() {
    let dir = tempfile::tempdir().unwrap();
    let limits = StreamLimits { max_bytes: Some(128 << 10), ..StreamLimits::default() };
    let stream = opened(dir.path(), limits);
    let huge = says(talk(1), "huge", &"x".repeat(200_000));
    assert!(matches!(stream.append(huge.clone()).await, Err(AppendError::Full(_))));
    assert!(matches!(stream.append(huge).await, Err(AppendError::Full(_))));
    assert_eq!(stream.append(says(talk(1), "small", "fits")).await.unwrap().seq, 1);
}

#[tokio::test]
async fn a_full_queue_is_overload_and_not_a_wait() {
    let dir = tempfile::tempdir().unwrap();
    let limits = StreamLimits { queue: 4, tail: 1, batch: 1, ..StreamLimits::default() };
    let stream = opened(dir.path(), limits);
    let unread = stream.tail();
    let mut waiting = JoinSet::new();
    for n in 0..64 {
        let stream = Arc::clone(&stream);
        waiting.spawn(async move { stream.append(says(talk(1), &format!("k{n}"), "x")).await });
    }
    // The tail holds one batch, the writer a second one and the queue four more: the others are
    // refused.
    let mut refused = 0;
    while refused < 58 {
        let done = tokio::time::timeout(Duration::from_secs(10), waiting.join_next()).await;
        match done.unwrap().unwrap().unwrap() {
            Err(AppendError::Overloaded) => refused += 1,
            other => assert!(other.is_ok(), "{other:?}"),
        }
    }
    drop(unread);
    let mut kept = 0;
    while let Some(done) = waiting.join_next().await {
        match done.unwrap() {
            Err(AppendError::Overloaded) => {}
            other => kept = kept.max(other.unwrap().seq),
        }
    }
    assert_eq!(stream.head(talk(1)).await.unwrap(), kept);
}

#[tokio::test]
async fn an_unread_tail_does_not_hold_up_closing() {
    let dir = tempfile::tempdir().unwrap();
    let limits = StreamLimits { tail: 1, batch: 1, ..StreamLimits::default() };
    let stream = opened(dir.path(), limits.clone());
    let _unread = stream.tail();
    for n in 0..2 {
        stream.append(says(talk(1), &format!("k{n}"), "x")).await.unwrap();
    }
    tokio::task::spawn_blocking(move || drop(stream)).await.unwrap();
    assert_eq!(opened(dir.path(), limits).head(talk(1)).await.unwrap(), 2);
}

#[tokio::test]
async fn what_is_acked_is_in_the_files_before_anything_is_closed() {
    let dir = tempfile::tempdir().unwrap();
    let stream = opened(dir.path(), StreamLimits::default());
    for n in 1..=50 {
        stream.append(says(talk(1), &format!("k{n}"), "x")).await.unwrap();
    }
    // As a power cut would leave them.
    let left = tempfile::tempdir().unwrap();
    for name in ["stream.db", "stream.db-wal"] {
        std::fs::copy(dir.path().join(name), left.path().join(name)).unwrap();
    }
    let found = opened(left.path(), StreamLimits::default());
    assert_eq!(found.head(talk(1)).await.unwrap(), 50);
    let again = found.append(says(talk(1), "k50", "x")).await.unwrap();
    assert_eq!((again.seq, again.duplicate), (50, true));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_log_starts_over_under_a_writer_that_does_not_pause() {
    let dir = tempfile::tempdir().unwrap();
    let stream = opened(dir.path(), StreamLimits::default());
    let body: Arc<str> = "x".repeat(8_000).into();
    let enough = Arc::new(AtomicBool::new(false));
    let mut tasks = JoinSet::new();
    for sender in 0..40 {
        let (stream, body, enough) = (Arc::clone(&stream), Arc::clone(&body), Arc::clone(&enough));
        tasks.spawn(async move {
            for n in 0.. {
                if enough.load(Ordering::Relaxed) {
                    break;
                }
                stream.append(says(talk(sender + 1), &format!("k{n}"), &body)).await.unwrap();
            }
        });
    }
    // https://www.sqlite.org/fileformat2.html#walformat: bytes 12 to 15 count the starts. Between two checkpoints are 32 MB of
    // these events; without the writer's last step the log starts over at 256 MB, within somebody's commit.
    let log = dir.path().join("stream.db-wal");
    let (mut seen, began) = (BTreeSet::new(), Instant::now());
    while seen.len() < 4 {
        let mut header = [0; 16];
        if std::fs::File::open(&log).and_then(|mut log| log.read_exact(&mut header)).is_ok() {
            seen.insert(u32::from_be_bytes(header[12..].try_into().unwrap()));
        }
        let size = std::fs::metadata(&log).map_or(0, |log| log.len());
        assert!(size < 200 << 20, "{seen:?}, {size} bytes");
        assert!(began.elapsed() < Duration::from_secs(60), "{seen:?}, {size} bytes");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    enough.store(true, Ordering::Relaxed);
    tasks.join_all().await;
}

/// Runs as the victim of the next test: appends until killed and says what was acked.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "the child of what_was_acked_survives_kill_9"]
async fn child_appends_until_killed() {
    // The parent starts it in the folder to write to.
    let stream = opened(Path::new("."), StreamLimits::default());
    let mut tasks = JoinSet::new();
    for sender in 1..=8 {
        let stream = Arc::clone(&stream);
        tasks.spawn(async move {
            for n in 0.. {
                let key = format!("{sender}-{n}");
                let receipt = stream.append(says(talk(sender % 2 + 1), &key, &key)).await.unwrap();
                let line = format!("acked {sender} {key} {}\n", receipt.seq);
                std::io::stdout().write_all(line.as_bytes()).unwrap();
            }
        });
    }
    tasks.join_all().await;
}

#[tokio::test]
async fn what_was_acked_survives_kill_9() {
    let dir = tempfile::tempdir().unwrap();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["stream::embedded::tests::child_appends_until_killed", "--exact", "--ignored"])
        .arg("--nocapture")
        .current_dir(dir.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    let mut said: Vec<String> =
        lines.by_ref().filter(|line| line.starts_with("acked ")).take(2_000).collect();
    child.kill().unwrap();
    child.wait().unwrap();
    // What was in the pipe counts too; its last line may be cut.
    said.extend(lines.filter(|line| line.starts_with("acked ")));
    said.pop();
    assert!(said.len() >= 1_999, "the child worked: {} acks", said.len());

    let stream = opened(dir.path(), StreamLimits::default());
    let kept = [
        stream.read(talk(1), 0, usize::MAX).await.unwrap(),
        stream.read(talk(2), 0, usize::MAX).await.unwrap(),
    ];
    for events in &kept {
        assert!(events.iter().zip(1..).all(|(event, seq)| event.seq == seq), "dense");
    }
    for line in said {
        let words: Vec<_> = line.split(' ').collect();
        let (sender, key, seq): (usize, _, usize) =
            (words[1].parse().unwrap(), words[2], words[3].parse().unwrap());
        let event = &kept[sender % 2][seq - 1];
        assert_eq!(event.key.as_ref().map(|key| key.as_str()), Some(key), "{line}");
    }
}

#[tokio::test]
async fn an_unreadable_record_is_an_error_that_names_it() {
    let dir = tempfile::tempdir().unwrap();
    let stream = opened(dir.path(), StreamLimits::default());
    for n in 1..=3 {
        stream.append(says(talk(7), &format!("k{n}"), "x")).await.unwrap();
    }
    let file = Connection::open(dir.path().join("stream.db")).unwrap();
    for (damage, word) in [("format = 9", "format 9"), ("format = 1, body = x'7b'", "EOF")] {
        file.execute(&format!("UPDATE events SET {damage} WHERE seq = 2"), []).unwrap();
        let why = stream.read(talk(7), 0, 10).await.unwrap_err().0;
        assert!(why.contains("event 2 of conversation 7") && why.contains(word), "{why}");
    }
    assert_eq!(stream.read(talk(7), 2, 10).await.unwrap().len(), 1, "the others are readable");
    assert_eq!(stream.append(says(talk(7), "k4", "x")).await.unwrap().seq, 4);
}

#[test]
fn format_1_is_read_for_ever() {
    // Bytes as version 0.1 wrote them. Never edit a line; add new formats below.
    let written = [
        r#"{"type":"opened","site":"1","visitor":"2","fields":{"name":"x"},"page":"https://a/"}"#,
        r#"{"type":"opened","site":"1","visitor":"2"}"#,
        r#"{"type":"queued","cause":"agent_lost"}"#,
        r#"{"type":"assigned","agent":"3","name":"n","decision":"4"}"#,
        r#"{"type":"assigned","agent":"3","name":"n"}"#,
        r#"{"type":"message","text":"hi","masked":true}"#,
        r#"{"type":"message","text":"hi"}"#,
        r#"{"type":"note","text":"n"}"#,
        r#"{"type":"transferred","to":{"kind":"team","id":"5"},"name":"n","note":"soon"}"#,
        r#"{"type":"rated","score":5,"comment":"good"}"#,
        r#"{"type":"closed","reason":"left_queue"}"#,
    ];
    for bytes in written {
        let body = record::decode(1, bytes.as_bytes()).unwrap();
        assert_eq!(record::encode(&body).unwrap(), bytes.as_bytes(), "and written the same way");
    }
}

#[tokio::test]
async fn a_folder_is_open_once() {
    let dir = tempfile::tempdir().unwrap();
    let first = opened(dir.path(), StreamLimits::default());
    let second = open(dir.path(), Clock::system(), StreamLimits::default());
    assert!(matches!(second.err(), Some(OpenError::InUse(_))));
    drop(first);
    opened(dir.path(), StreamLimits::default());
}

#[tokio::test]
async fn a_newer_file_is_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    drop(opened(dir.path(), StreamLimits::default()));
    let file = Connection::open(dir.path().join("stream.db")).unwrap();
    file.pragma_update(None, "user_version", 99).unwrap();
    let refused = open(dir.path(), Clock::system(), StreamLimits::default());
    assert!(matches!(refused.err(), Some(OpenError::Newer { found: 99, .. })));
}

#[test]
fn what_is_known_is_bounded_and_keeps_the_latest() {
    let mut known = Known::new(100);
    for n in 1..=1_000 {
        let id = ConversationId::new(n).unwrap();
        let mut talk = Talk::default();
        talk.add(n, known.print((1, 1), b"k"));
        known.put(id, talk);
        assert!(known.len() <= 100);
    }
    let print = known.print((1, 1), b"k");
    let latest = known.take(talk(1_000)).unwrap();
    assert_eq!((latest.head, latest.may_have(print)), (1_000, true));
    assert!(!latest.may_have(known.print((2, 1), b"k")));
    assert!(known.take(talk(1)).is_none());
    // A few with many keys weigh as much as many with few.
    let mut known = Known::new(100);
    for n in 1..=100 {
        let mut talk = Talk::default();
        (0..400).for_each(|print| talk.add(print, print));
        known.put(ConversationId::new(n).unwrap(), talk);
        assert!(known.len() * 400 <= 2 * 100 * 16, "{}", known.len());
    }
}

#[tokio::test]
async fn a_forgotten_conversation_still_knows_its_keys() {
    let dir = tempfile::tempdir().unwrap();
    let stream = opened(dir.path(), StreamLimits { heads: 1, ..StreamLimits::default() });
    let mut first = Vec::new();
    for n in 1..=30 {
        for key in ["a", "b"] {
            first.push(stream.append(says(talk(n), key, "x")).await.unwrap());
        }
    }
    for n in 1..=30 {
        for (at, key) in ["a", "b"].into_iter().enumerate() {
            let again = stream.append(says(talk(n), key, "y")).await.unwrap();
            let kept = first[(n as usize - 1) * 2 + at];
            assert_eq!((again.seq, again.at, again.duplicate), (kept.seq, kept.at, true));
        }
        assert_eq!(stream.append(says(talk(n), "c", "z")).await.unwrap().seq, 3);
    }
}

#[tokio::test]
async fn a_file_with_an_index_over_keys_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let file = Connection::open(dir.path().join("stream.db")).unwrap();
    file.execute_batch(include_str!("../../../../migrations/sqlite/stream/0001_events.sql"))
        .unwrap();
    file.execute_batch(
        r#"INSERT INTO events (conversation, seq, at, sender_kind, sender, key, format, body)
           VALUES (1, 1, 7, 1, 1, 'k', 1, CAST('{"type":"note","text":"x"}' AS BLOB));
           PRAGMA user_version = 1"#,
    )
    .unwrap();
    drop(file);
    let stream = opened(dir.path(), StreamLimits::default());
    let event = |key| {
        contract::event(talk(1), contract::visitor(1), key, EventBody::Note { text: "y".into() })
    };
    let again = stream.append(event("k")).await.unwrap();
    assert_eq!((again.seq, again.at, again.duplicate), (1, 7, true));
    assert_eq!(stream.append(event("l")).await.unwrap().seq, 2);
    assert_eq!(stream.read(talk(1), 0, 9).await.unwrap().len(), 2);
}
