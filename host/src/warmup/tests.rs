//! A warm-up against real embedded parts: what it does, when it is due, and that a thing that is away holds it up only
//! for so long.

use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;

use super::*;
use crate::config::Config;
use crate::domain::event::{Event, NewEvent};
use crate::domain::ids::{ConversationId, Seq};
use crate::sessions::SessionLimits;
use crate::storage::StorageConfig;
use crate::stream::{AppendError, ReadError, Receipt, StreamLimits, Tail};

/// A stream whose server is silent.
struct Silent;

#[async_trait]
impl Stream for Silent {
    async fn append(&self, _: NewEvent) -> Result<Receipt, AppendError> {
        Err(AppendError::Overloaded)
    }

    async fn read(
        &self,
        _: ConversationId,
        _: Seq,
        _: usize,
    ) -> Result<Vec<Arc<Event>>, ReadError> {
        std::future::pending().await
    }

    async fn head(&self, _: ConversationId) -> Result<Seq, ReadError> {
        std::future::pending().await
    }

    async fn warm(&self) -> Result<(), ReadError> {
        std::future::pending().await
    }

    fn tail(&self) -> Tail {
        tokio::sync::mpsc::channel(1).1
    }
}

/// 2026-11-25 00:00 UTC, a Wednesday.
const MIDNIGHT: Millis = 1_795_564_800_000;

struct World {
    _dir: tempfile::TempDir,
    warmth: Arc<Warmth>,
    now: Arc<AtomicU64>,
    warm_up: WarmUp,
}

async fn world(settings: &str, silent: bool) -> World {
    let dir = tempfile::tempdir().unwrap();
    let now = Arc::new(AtomicU64::new(MIDNIGHT));
    let told = now.clone();
    let clock = Clock::from_fn(move || told.load(Ordering::Relaxed));
    let config = Config::parse("test", settings, std::iter::empty()).unwrap();
    let stream: Arc<dyn Stream> = match silent {
        true => Arc::new(Silent),
        false => crate::stream::open(dir.path(), clock.clone(), StreamLimits::default()).unwrap(),
    };
    let storage = storage::open(&StorageConfig::Sqlite(dir.path().into())).await.unwrap().storage;
    let sessions = Sessions::new(stream.clone(), None, clock.clone(), SessionLimits::default());
    let plugins = Arc::new(Plugins::default());
    let parts = Parts { storage, stream, pipeline: None, plugins, sessions, clock };
    let warmth = Arc::<Warmth>::default();
    let warm_up = WarmUp::new(parts, config.warmup, warmth.clone());
    World { _dir: dir, warmth, now, warm_up }
}

fn steps(warmed: &Warmed) -> Vec<(&str, bool)> {
    warmed.steps.iter().map(|step| (step.step.as_str(), step.failure.is_none())).collect()
}

#[tokio::test]
async fn work_may_come_once_everything_is_warm() {
    let world = world("", false).await;
    assert!(!world.warmth.may_work());
    world.warm_up.warm().await;
    assert!(world.warmth.may_work());
    let last = world.warmth.last().unwrap();
    let all = [("storage", true), ("stream", true), ("plugins", true), ("room", true)];
    assert_eq!((last.at, steps(&last)), (MIDNIGHT, all.to_vec()));
    // Nothing to do ever after.
    assert_eq!(world.warm_up.due(MIDNIGHT), None);
}

#[tokio::test]
async fn who_is_silent_is_waited_for_so_long_and_tried_again() {
    let world = world("[warmup]\npatience = \"200ms\"\n", true).await;
    let begun = Instant::now();
    world.warm_up.warm().await;
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    assert!(world.warmth.may_work(), "it is not kept out for ever");
    let last = world.warmth.last().unwrap();
    assert!(!last.is_good());
    let all = [("storage", true), ("stream", false), ("plugins", true), ("room", true)];
    assert_eq!(steps(&last), all);
    let why = last.steps[1].failure.clone().unwrap();
    assert_eq!(why, "it took longer than 200ms (warmup.patience)");
    assert_eq!(world.warm_up.due(MIDNIGHT), Some(MIDNIGHT + RETRY_MS));
}

#[tokio::test]
async fn the_nearest_opening_counts_and_no_start_need_wait() {
    let settings = "[warmup]\nat_start = false\nbefore = \"10m\"\n\
                    openings = [\"mon-fri 09:00 Asia/Shanghai\", \"daily 09:00 Europe/Berlin\"]\n";
    let world = world(settings, false).await;
    assert!(world.warmth.may_work());
    // 08:50 in Shanghai is 00:50 UTC; in Berlin it is 07:50 UTC.
    assert_eq!(world.warm_up.due(MIDNIGHT), Some(MIDNIGHT + 50 * 60_000));
    assert_eq!(world.warm_up.due(MIDNIGHT + 3_600_000), Some(MIDNIGHT + 470 * 60_000));
}

#[tokio::test]
async fn it_is_warm_again_before_an_opening() {
    let settings = "[warmup]\nat_start = false\nbefore = \"10m\"\n\
                    openings = [\"daily 00:11 UTC\"]\n";
    let World { _dir, warmth, now, warm_up } = world(settings, false).await;
    let due = MIDNIGHT + 60_000;
    now.store(due - 50, Ordering::Relaxed);
    let shutdown = CancellationToken::new();
    let running = runtime::spawn(warm_up.run(shutdown.clone()));
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(warmth.last().is_none(), "the clock says that it is too early");
    now.store(due, Ordering::Relaxed);
    let begun = Instant::now();
    while warmth.last().is_none() {
        assert!(begun.elapsed() < Duration::from_secs(10), "it is due and not done");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(warmth.last().unwrap().at, due);
    shutdown.cancel();
    running.await.unwrap();
}
