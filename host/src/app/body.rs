//! A request's body that must come in time: so long for all of it, and a second more for each 16 KiB that came. A peer
//! that trickles one, or never ends one, is given up.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::BoxError;
use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
use tokio::time::{Instant, Sleep};

/// What earns a second.
const BYTES_PER_SECOND: u64 = 16 << 10;

/// See the module.
pub(super) struct Timely {
    body: Incoming,
    until: Instant,
    received: u64,
    /// Made when the body is first waited for: most are there at once.
    timer: Option<Pin<Box<Sleep>>>,
}

impl Timely {
    pub(super) fn new(body: Incoming, within: Duration) -> Self {
        Self { body, until: Instant::now() + within, received: 0, timer: None }
    }

    fn poll_timer(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let earned = Duration::from_millis(self.received.saturating_mul(1000) / BYTES_PER_SECOND);
        let until = self.until + earned;
        let sleep = || Box::pin(tokio::time::sleep_until(until));
        let timer = self.timer.get_or_insert_with(sleep);
        if timer.deadline() != until {
            timer.as_mut().reset(until);
        }
        timer.as_mut().poll(cx)
    }
}

impl Body for Timely {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        match Pin::new(&mut self.body).poll_frame(cx) {
            Poll::Ready(Some(Ok(frame))) => {
                self.received += frame.data_ref().map_or(0, |data| data.len() as u64);
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(Some(Err(error))) => Poll::Ready(Some(Err(error.into()))),
            Poll::Ready(None) => Poll::Ready(None),
            Poll::Pending => {
                self.poll_timer(cx).map(|()| Some(Err("the body did not come in time".into())))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
