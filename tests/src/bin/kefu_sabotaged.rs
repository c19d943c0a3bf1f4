//! `kefu serve` with a promise of the stream broken on purpose, named by `KEFU_SABOTAGE`: the checker must notice.
//! Never shipped.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use async_trait::async_trait;
use kefu::app::{App, Wraps};
use kefu::config::Config;
use kefu::domain::event::{Event, NewEvent};
use kefu::domain::ids::{ConversationId, Seq};
use kefu::runtime::{random_bytes, spawn};
use kefu::stream::{
    AppendError, Lease, Log, LogPosition, ReadError, Receipt, Stream, Tail, TrimError,
};
use parking_lot::Mutex;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

#[derive(Clone, Copy, PartialEq)]
enum How {
    None,
    /// The stream acks and appends five seconds later.
    AckBeforeCommit,
    /// The stream takes every draft for a new one.
    IgnoreKeys,
    /// What was read of a log is trimmed, whether SQL has it or not.
    TrimBeforeCommit,
    /// Every node that asks has the lease.
    NoFencing,
    /// Every page of a log comes twice, the second time as if it were new: what a lost position does, all the time.
    ReadTwice,
}

struct BrokenStream {
    inner: Arc<dyn Stream>,
    how: How,
    /// Early receipts given per conversation.
    promised: Mutex<HashMap<ConversationId, Seq>>,
}

#[async_trait]
impl Stream for BrokenStream {
    async fn append(&self, mut event: NewEvent) -> Result<Receipt, AppendError> {
        if event.key.as_str().starts_with('k') && self.how == How::IgnoreKeys {
            let fresh = format!("k{:x}", u64::from_le_bytes(random_bytes::<8>()));
            event.key = fresh.parse().unwrap_or(event.key);
        }
        let message = event.key.as_str().starts_with('k');
        if !message || self.how != How::AckBeforeCommit {
            return self.inner.append(event).await;
        }
        let head = self.inner.head(event.conversation).await.unwrap_or_default();
        let seq = {
            let mut promised = self.promised.lock();
            let last = promised.entry(event.conversation).or_default();
            *last = (*last).max(head) + 1;
            *last
        };
        let inner = Arc::clone(&self.inner);
        spawn(async move {
            tokio::time::sleep(Duration::from_secs(5)).await;
            drop(inner.append(event).await);
        });
        Ok(Receipt { seq, at: 0, duplicate: false })
    }

    async fn read(
        &self,
        conversation: ConversationId,
        after: Seq,
        limit: usize,
    ) -> Result<Vec<Arc<Event>>, ReadError> {
        self.inner.read(conversation, after, limit).await
    }

    async fn head(&self, conversation: ConversationId) -> Result<Seq, ReadError> {
        self.inner.head(conversation).await
    }

    async fn warm(&self) -> Result<(), ReadError> {
        self.inner.warm().await
    }

    fn tail(&self) -> Tail {
        self.inner.tail()
    }
}

type Page = Vec<(LogPosition, Arc<Event>)>;

/// Room after each position for those of a page that comes again.
const ROOM: u64 = 1 << 16;

struct BrokenLog {
    inner: Arc<dyn Log>,
    how: How,
    leases: Mutex<HashMap<u16, Lease>>,
    again: Mutex<HashMap<u16, Page>>,
}

impl BrokenLog {
    /// A position as this log gives it.
    fn given(&self, at: LogPosition) -> LogPosition {
        if self.how == How::ReadTwice { LogPosition { n: at.n * ROOM, ..at } } else { at }
    }

    /// The position that one of this log stands for.
    fn meant(&self, at: LogPosition) -> LogPosition {
        if self.how == How::ReadTwice { LogPosition { n: at.n / ROOM, ..at } } else { at }
    }
}

#[async_trait]
impl Log for BrokenLog {
    fn partitions(&self) -> u16 {
        self.inner.partitions()
    }

    async fn log(
        &self,
        partition: u16,
        after: LogPosition,
        limit: usize,
    ) -> Result<Page, ReadError> {
        if let Some(again) = self.again.lock().remove(&partition) {
            return Ok(again);
        }
        let mut page = self.inner.log(partition, self.meant(after), limit).await?;
        for (at, _) in &mut page {
            *at = self.given(*at);
        }
        let Some((last, _)) = page.last() else { return Ok(page) };
        if self.how == How::ReadTwice {
            let after = (1..).map(|n| LogPosition { n: last.n + n, ..*last });
            let copies = after.zip(&page).map(|(at, (_, event))| (at, event.clone())).collect();
            self.again.lock().insert(partition, copies);
        }
        let lease = self.leases.lock().get(&partition).cloned();
        if self.how == How::TrimBeforeCommit
            && let Some(lease) = lease
        {
            drop(self.inner.trim(&lease, *last).await);
        }
        Ok(page)
    }

    async fn log_end(&self, partition: u16) -> Result<LogPosition, ReadError> {
        self.inner.log_end(partition).await.map(|at| self.given(at))
    }

    async fn trimmed(&self, partition: u16) -> Result<LogPosition, ReadError> {
        self.inner.trimmed(partition).await.map(|at| self.given(at))
    }

    async fn trim(&self, lease: &Lease, upto: LogPosition) -> Result<(), TrimError> {
        self.inner.trim(lease, self.meant(upto)).await
    }

    async fn lease(
        &self,
        partition: u16,
        role: &str,
        owner: &str,
        ttl: Duration,
    ) -> Result<Option<Lease>, ReadError> {
        let own = format!("{role}-{owner}");
        let role = if self.how == How::NoFencing { &own } else { role };
        let lease = self.inner.lease(partition, role, owner, ttl).await?;
        if let Some(lease) = &lease {
            self.leases.lock().insert(partition, lease.clone());
        }
        Ok(lease)
    }

    async fn release(&self, lease: Lease) {
        self.inner.release(lease).await;
    }

    async fn appended(&self, partition: u16) {
        self.inner.appended(partition).await;
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let how = match std::env::var_os("KEFU_SABOTAGE").as_deref().and_then(|how| how.to_str()) {
        Some("none") => How::None,
        Some("ack-before-commit") => How::AckBeforeCommit,
        Some("ignore-keys") => How::IgnoreKeys,
        Some("trim-before-commit") => How::TrimBeforeCommit,
        Some("no-fencing") => How::NoFencing,
        Some("read-twice") => How::ReadTwice,
        other => anyhow::bail!("KEFU_SABOTAGE is {other:?}"),
    };
    let config = Config::load(None).map_err(|problems| anyhow::anyhow!("{problems}"))?;
    kefu::telemetry::init(&config.telemetry);
    let mut told_to_stop = signal(SignalKind::terminate())?;
    let shutdown = CancellationToken::new();
    let stop = shutdown.clone();
    spawn(async move {
        told_to_stop.recv().await;
        stop.cancel();
    });
    let listener = TcpListener::bind(config.server.listen).await.context("listen")?;
    let wraps = Wraps {
        stream: Box::new(move |inner| {
            Arc::new(BrokenStream { inner, how, promised: Mutex::default() })
        }),
        log: Box::new(move |inner| {
            let (leases, again) = (Mutex::default(), Mutex::default());
            Arc::new(BrokenLog { inner, how, leases, again })
        }),
    };
    let app = App::build_with(config, wraps).await?;
    app.run(listener, shutdown).await?;
    Ok(())
}
