//! The stream, with every append counted and timed.

use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;

use crate::domain::event::{Event, NewEvent};
use crate::domain::ids::{ConversationId, Seq};
use crate::stream::{AppendError, ReadError, Receipt, Stream, Tail};
use crate::telemetry::Meters;

/// See the module.
pub(super) struct Metered {
    inner: Arc<dyn Stream>,
    meters: Arc<Meters>,
}

impl Metered {
    pub(super) fn over(inner: Arc<dyn Stream>, meters: &Arc<Meters>) -> Arc<dyn Stream> {
        Arc::new(Self { inner, meters: meters.clone() })
    }
}

#[async_trait]
impl Stream for Metered {
    async fn append(&self, event: NewEvent) -> Result<Receipt, AppendError> {
        let begun = Instant::now();
        let outcome = self.inner.append(event).await;
        match &outcome {
            Ok(receipt) => {
                self.meters.append_seconds.observe(begun.elapsed().as_secs_f64());
                let duplicate = if receipt.duplicate { "true" } else { "false" };
                self.meters.appends.with_label_values(&[duplicate]).inc();
            }
            Err(_) => self.meters.append_failures.inc(),
        }
        outcome
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
