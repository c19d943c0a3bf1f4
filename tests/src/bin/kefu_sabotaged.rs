//! `kefu serve` with a promise of the stream broken on purpose, named by `KEFU_SABOTAGE`: the checker must notice.
//! Never shipped.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use async_trait::async_trait;
use kefu::app::App;
use kefu::config::Config;
use kefu::domain::event::{Event, NewEvent};
use kefu::domain::ids::{ConversationId, Seq};
use kefu::runtime::{random_bytes, spawn};
use kefu::stream::{AppendError, ReadError, Receipt, Stream, Tail};
use tokio::net::TcpListener;

#[derive(Clone, Copy, PartialEq)]
enum How {
    None,
    AckBeforeCommit,
    IgnoreKeys,
}

struct Broken {
    inner: Arc<dyn Stream>,
    how: How,
    /// Early receipts given per conversation.
    promised: parking_lot::Mutex<std::collections::HashMap<ConversationId, Seq>>,
}

#[async_trait]
impl Stream for Broken {
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

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let how = match std::env::var_os("KEFU_SABOTAGE").as_deref().and_then(|how| how.to_str()) {
        Some("ack-before-commit") => How::AckBeforeCommit,
        Some("ignore-keys") => How::IgnoreKeys,
        _ => How::None,
    };
    let config = Config::load(None).map_err(|problems| anyhow::anyhow!("{problems}"))?;
    let listener = TcpListener::bind(config.server.listen).await.context("listen")?;
    let wrap = |inner| {
        Arc::new(Broken { inner, how, promised: parking_lot::Mutex::default() }) as Arc<dyn Stream>
    };
    let app = App::build_with(config, wrap).await?;
    app.run(listener, tokio_util::sync::CancellationToken::new()).await?;
    Ok(())
}
