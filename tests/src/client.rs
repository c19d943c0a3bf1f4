//! A protocol client as an app would write it: it keeps drafts until they are acked and repeats them with the same key,
//! comes back by itself and resumes from the last `seq` of each conversation, and logs everything.
//!
//! ```text
//!   offline ──connect, hello──▶ live ──error, bye, server gone──▶ offline (back in 50 ms)
//! ```
//!
//! [`Client`] is what tests hold; `websocket` and `longpoll` carry the frames of `state`.

mod longpoll;
mod state;
mod websocket;
mod words;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context as _, anyhow};
use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};

use crate::log::Log;
pub use state::State;
pub(crate) use websocket::{Socket, open, text};
pub(crate) use words::assigned;

/// What carries the frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Carrier {
    /// `/v1/ws`.
    WebSocket,
    /// `/v1/events` and `/v1/commands`.
    LongPoll,
}

/// How to connect.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where the server listens.
    pub address: SocketAddr,
    /// Who we are.
    pub token: String,
    /// By what.
    pub carrier: Carrier,
    /// `Origin` header of a WebSocket.
    pub origin: Option<String>,
    /// Longest wait for anything.
    pub patience: Duration,
    /// Receive buffer of the socket in bytes, for slow readers.
    pub receive_buffer: Option<u32>,
    /// Places kept from an earlier life, resumed at the first connection.
    pub resume: Vec<(String, u64)>,
    /// Sends every draft at once, without waiting for the ack of the one before it. For servers without rates: a
    /// refusal to be tried again changes the order.
    pub pipelines: bool,
}

impl Options {
    /// The usual.
    #[must_use]
    pub fn new(address: SocketAddr, token: &str, carrier: Carrier) -> Self {
        let patience = Duration::from_secs(20);
        let token = token.to_owned();
        let resume = Vec::new();
        Self {
            address,
            token,
            carrier,
            origin: None,
            patience,
            receive_buffer: None,
            resume,
            pipelines: false,
        }
    }
}

/// What the client and its carrier share.
struct Shared {
    options: Options,
    state: Mutex<State>,
    /// Counts changes of `state`, whoever made them.
    changed: watch::Sender<u64>,
    /// Counts wishes to cut the connection.
    cut: watch::Sender<u64>,
    reading: watch::Sender<bool>,
    /// Number of the connection, so that frames are sent once on each.
    connection: AtomicU64,
    stopped: AtomicBool,
}

impl Shared {
    fn change<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        let out = act(&mut self.state.lock());
        self.changed.send_modify(|count| *count += 1);
        out
    }
}

/// A connected participant.
pub struct Client {
    shared: Arc<Shared>,
    driver: JoinHandle<()>,
}

impl Drop for Client {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::Relaxed);
        self.driver.abort();
    }
}

impl Client {
    /// Connects and waits for `welcome`.
    ///
    /// # Errors
    /// When there is none in time, or the token is refused.
    pub async fn connect(options: Options) -> anyhow::Result<Self> {
        let mut state = State::new(options.pipelines);
        for (conversation, seq) in &options.resume {
            state.place(conversation, *seq);
        }
        let shared = Arc::new(Shared {
            options,
            state: Mutex::new(state),
            changed: watch::channel(0).0,
            cut: watch::channel(0).0,
            reading: watch::channel(true).0,
            connection: AtomicU64::new(0),
            stopped: AtomicBool::new(false),
        });
        let driver = kefu::runtime::spawn(drive(Arc::clone(&shared)));
        let client = Self { shared, driver };
        client.until("welcome", |state| (state.welcomes > 0).then_some(())).await?;
        Ok(client)
    }

    /// Waits until `look` finds what it looks for.
    ///
    /// # Errors
    /// When it does not in time, or the server ended this client for good.
    pub async fn until<T>(
        &self,
        what: &str,
        mut look: impl FnMut(&State) -> Option<T>,
    ) -> anyhow::Result<T> {
        let deadline = Instant::now() + self.shared.options.patience;
        let mut changed = self.shared.changed.subscribe();
        loop {
            {
                let state = self.shared.state.lock();
                if let Some(found) = look(&state) {
                    return Ok(found);
                }
                if let Some(why) = &state.over {
                    return Err(anyhow!("{:?} waits for {what}, but {why}", state.log.who));
                }
            }
            if timeout_at(deadline, changed.changed()).await.is_err() {
                let state = self.shared.state.lock();
                let last: Vec<_> = state.signals.iter().rev().take(5).collect();
                return Err(anyhow!(
                    "{:?} waited in vain for {what}; acked {} of {}, last signals {last:?}",
                    state.log.who,
                    state.log.acks.len(),
                    state.log.drafts.len()
                ));
            }
        }
    }

    /// Looks at the state without waiting.
    pub fn look<T>(&self, look: impl FnOnce(&State) -> T) -> T {
        look(&self.shared.state.lock())
    }

    /// The log so far.
    #[must_use]
    pub fn log(&self) -> Log {
        self.shared.state.lock().log.clone()
    }

    /// Cuts the connection without a goodbye and waits until it is back.
    ///
    /// # Errors
    /// When it does not come back.
    pub async fn reconnects(&self) -> anyhow::Result<()> {
        let before = self.look(|state| state.welcomes);
        self.shared.cut.send_modify(|count| *count += 1);
        self.until("the next welcome", |state| (state.welcomes > before).then_some(())).await
    }

    /// Stops or goes on reading from the socket (WebSocket only).
    pub fn reads(&self, on: bool) {
        self.shared.reading.send_replace(on);
    }

    /// Waits until every draft has been acked or refused.
    ///
    /// # Errors
    /// When one is not in time.
    pub async fn settles(&self) -> anyhow::Result<()> {
        self.until("all acks", |state| state.outbox.is_empty().then_some(())).await
    }

    /// This client's id.
    #[must_use]
    pub fn id(&self) -> String {
        self.look(|state| state.log.who.1.clone())
    }
}

async fn drive(shared: Arc<Shared>) {
    while !shared.stopped.load(Ordering::Relaxed) {
        let number = shared.connection.fetch_add(1, Ordering::Relaxed) + 1;
        let outcome = match shared.options.carrier {
            Carrier::WebSocket => Box::pin(websocket::run(&shared, number)).await,
            Carrier::LongPoll => Box::pin(longpoll::run(&shared, number)).await,
        }
        .context("connection");
        if let Err(error) = outcome {
            shared.change(|state| state.lost(&error));
        }
        if shared.state.lock().over.is_some() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
