//! What cannot be read: tried ever more seldom, logged once, healed when it can be read.

use std::io::Write;

use super::*;

/// Keeps what is logged.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Lines {
    fn warnings(&self) -> usize {
        String::from_utf8_lossy(&self.0.lock()).matches("cannot heal a gap").count()
    }
}

impl Stage {
    /// Returns once so many reads gave nothing.
    async fn fails(&self, times: u64) {
        let failed = async {
            while self.sessions.figures().unhealed < times {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), failed).await.expect("tried in time");
    }
}

#[tokio::test]
async fn what_cannot_be_read_is_tried_ever_more_seldom_and_logged_once() {
    let lines = Lines::default();
    let to = lines.clone();
    let log = tracing_subscriber::fmt().with_ansi(false).with_writer(move || to.clone()).finish();
    let _here = tracing::subscriber::set_default(log);
    let stage = stage(SessionLimits::default());
    stage.stream.mute.store(true, Ordering::Relaxed);
    stage.stream.away.store(true, Ordering::Relaxed);
    stage.says("1").await;
    stage.says("2").await;
    let begun = std::time::Instant::now();
    let sessions = [stage.arrives(), stage.arrives()];
    for session in &sessions {
        stage.follows(session, 0);
    }
    stage.fails(10).await;
    // The fifth read of either follows waits of 50, 100, 200 and 400 ms.
    let took = begun.elapsed();
    assert!(took >= Duration::from_millis(750), "{took:?}");
    assert_eq!(lines.warnings(), 1, "one conversation, two sessions, ten reads");
    stage.stream.away.store(false, Ordering::Relaxed);
    for session in &sessions {
        assert_eq!(stage.hears(session, 2).await, [1, 2]);
    }

    stage.stream.away.store(true, Ordering::Relaxed);
    stage.follows(&stage.arrives(), 0);
    stage.fails(11).await;
    assert_eq!(lines.warnings(), 2, "it had healed, this is news");
}

#[tokio::test]
async fn an_announced_event_that_is_not_there_is_waited_for() {
    let stage = stage(SessionLimits::default());
    stage.stream.mute.store(true, Ordering::Relaxed);
    for text in ["1", "2", "3"] {
        stage.says(text).await;
    }
    let (first, hole) = {
        let mut events = stage.stream.events.lock();
        (events[0].clone(), events.drain(1..).collect::<Vec<_>>())
    };
    let session = stage.arrives();
    stage.follows(&session, 0);
    assert_eq!(stage.hears(&session, 1).await, [first.seq]);
    stage.sessions.deliver(&hole[1]);
    stage.fails(2).await;
    stage.stream.events.lock().extend(hole);
    assert_eq!(stage.hears(&session, 2).await, [2, 3]);
}

#[tokio::test]
async fn who_leaves_and_comes_back_is_tried_no_oftener() {
    let stage = stage(SessionLimits::default());
    stage.stream.away.store(true, Ordering::Relaxed);
    let session = stage.arrives();
    stage.follows(&session, 0);
    stage.fails(1).await;
    let held = Arc::strong_count(&session);
    for times in 2..30 {
        stage.sessions.unfollow(&session, talk());
        stage.follows(&session, 0);
        stage.fails(times).await;
    }
    let holds = Arc::strong_count(&session);
    assert!(holds <= held + 1, "{holds} hold it, {held} before: each is a case");
}

#[test]
fn the_wait_doubles_up_to_ten_seconds() {
    let waits = [0, 1, 2, 7, 8, u32::MAX].map(|tries| heal::wait(tries).as_millis());
    assert_eq!(waits, [50, 100, 200, 6_400, 10_000, 10_000]);
}
