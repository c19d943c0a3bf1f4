//! Drives dialogues as visitors and agents, and keeps everyone's log for the checker. Each turn is acked before the
//! next; a killed server is waited for by the clients themselves. A supervisor may watch all of it.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context as _, anyhow, ensure};
use parking_lot::Mutex;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

use crate::client::{Carrier, Client, Options};
use crate::dialogues::{Dialogue, Side};
use crate::http::{Ask, Connection};
use crate::log::Log;
use crate::server::{ORIGIN, PASSWORD, SITE, Server};

/// How long anything may take, a restart included.
const PATIENCE: Duration = Duration::from_secs(90);

/// Agents at their desks, by id, and who watches them.
pub struct Desk {
    agents: HashMap<String, Client>,
    supervisor: Option<Client>,
    thinks: Duration,
}

/// What came of a replay.
#[derive(Debug, Default)]
pub struct Replayed {
    /// Everyone's log.
    pub logs: Vec<Log>,
    /// Dialogues driven to their end.
    pub dialogues: usize,
    /// Turns that were acked.
    pub messages: usize,
    /// Turns the filter would not send.
    pub blocked: usize,
    /// Dialogues that could not be driven, in words.
    pub failed: Vec<String>,
}

/// How far a running replay is.
#[derive(Debug, Default)]
pub struct Progress {
    /// Turns acked.
    pub messages: AtomicUsize,
    blocked: AtomicUsize,
}

impl Desk {
    /// Signs in `agent1` to `agentN`, every second one by long-poll.
    ///
    /// # Errors
    /// When one cannot.
    pub async fn open(server: &Server, count: u16) -> anyhow::Result<Self> {
        Self::at(server.address, count).await
    }

    /// The same where no one server is meant.
    ///
    /// # Errors
    /// When one cannot.
    pub async fn at(address: SocketAddr, count: u16) -> anyhow::Result<Self> {
        let mut agents = HashMap::new();
        for number in 1..=count {
            let carrier = carrier(usize::from(number));
            let client = sign_in(address, &format!("agent{number}"), carrier).await?;
            client.is("online").await?;
            agents.insert(client.id(), client);
        }
        Ok(Self { agents, supervisor: None, thinks: Duration::ZERO })
    }

    /// Everything is watched by `admin`.
    ///
    /// # Errors
    /// When that account cannot sign in.
    pub async fn watched(mut self, from: SocketAddr) -> anyhow::Result<Self> {
        self.supervisor = Some(sign_in(from, "admin", Carrier::WebSocket).await?);
        Ok(self)
    }

    /// People think before each turn.
    #[must_use]
    pub fn thinking(mut self, before_each_turn: Duration) -> Self {
        self.thinks = before_each_turn;
        self
    }

    /// Everyone's log.
    #[must_use]
    pub fn logs(&self) -> Vec<Log> {
        self.agents.values().chain(&self.supervisor).map(Client::log).collect()
    }
}

async fn sign_in(address: SocketAddr, login: &str, carrier: Carrier) -> anyhow::Result<Client> {
    let body = serde_json::json!({ "login": login, "password": PASSWORD });
    let token = token(address, Ask::post("/v1/login", body)).await?;
    let mut options = Options::new(address, &token, carrier);
    options.patience = PATIENCE;
    Client::connect(options).await
}

fn carrier(number: usize) -> Carrier {
    if number.is_multiple_of(2) { Carrier::LongPoll } else { Carrier::WebSocket }
}

/// Drives all dialogues, at most `at_once` at a time; the next one is asked for when there is room for it.
///
/// # Errors
/// When the agents' logs cannot be collected; a dialogue that fails is in `failed`.
pub async fn replay(
    server: SocketAddr,
    desk: Desk,
    dialogues: impl IntoIterator<Item = Dialogue, IntoIter: Send> + Send,
    at_once: usize,
    progress: Arc<Progress>,
) -> anyhow::Result<Replayed> {
    let desk = Arc::new(desk);
    let gate = Arc::new(Semaphore::new(at_once));
    let logs = Arc::new(Mutex::new(Vec::new()));
    let mut running = JoinSet::new();
    let mut dialogues = dialogues.into_iter().enumerate();
    loop {
        let permit = Arc::clone(&gate).acquire_owned().await?;
        let Some((number, dialogue)) = dialogues.next() else { break };
        let (desk, logs, progress) = (Arc::clone(&desk), Arc::clone(&logs), Arc::clone(&progress));
        running.spawn(async move {
            let _permit = permit;
            let visitor = visitor(server, carrier(number)).await?;
            let driven = drive(&visitor, &desk, &dialogue, &progress).await;
            logs.lock().push(visitor.log());
            driven.with_context(|| dialogue.id.clone())
        });
    }
    let mut out = Replayed::default();
    while let Some(ended) = running.join_next().await {
        match ended? {
            Ok(()) => out.dialogues += 1,
            Err(error) => out.failed.push(format!("{error:#}")),
        }
    }
    out.messages = progress.messages.load(Ordering::Relaxed);
    out.blocked = progress.blocked.load(Ordering::Relaxed);
    out.logs = std::mem::take(&mut *logs.lock());
    out.logs.extend(desk.logs());
    Ok(out)
}

/// A fresh visitor; the server may be away for a while.
async fn visitor(server: SocketAddr, carrier: Carrier) -> anyhow::Result<Client> {
    let deadline = Instant::now() + PATIENCE;
    let token = loop {
        let body = serde_json::json!({ "site": SITE });
        let ask = Ask::post("/v1/visitors", body).header("origin", ORIGIN);
        match token(server, ask).await {
            Ok(token) => break token,
            Err(error) if Instant::now() > deadline => return Err(error),
            Err(_) => sleep(Duration::from_millis(100)).await,
        }
    };
    let mut options = Options::new(server, &token, carrier);
    options.patience = PATIENCE;
    Client::connect(options).await
}

async fn token(server: SocketAddr, ask: Ask<'_>) -> anyhow::Result<String> {
    let answer = Connection::open(server).await?.ask(ask).await?.ok()?;
    let token = answer.json["token"].as_str().map(str::to_owned);
    token.ok_or_else(|| anyhow!("no token in {}", answer.text))
}

async fn drive(
    visitor: &Client,
    desk: &Desk,
    dialogue: &Dialogue,
    progress: &Progress,
) -> anyhow::Result<()> {
    let conversation = visitor.opens().await?;
    let talk = talk(visitor, desk, (&conversation, dialogue), progress);
    match &desk.supervisor {
        Some(boss) => tokio::try_join!(talk, boss.watches(&conversation)).map(drop),
        None => talk.await,
    }
}

async fn talk(
    visitor: &Client,
    desk: &Desk,
    (conversation, dialogue): (&str, &Dialogue),
    progress: &Progress,
) -> anyhow::Result<()> {
    for (side, text) in &dialogue.turns {
        sleep(desk.thinks).await;
        let (said, hearer) = match side {
            Side::Visitor => (visitor.says_in(conversation, text).await.map(Some), None),
            Side::Agent => (agent_says(visitor, desk, conversation, text).await, Some(visitor)),
        };
        match said {
            Ok(Some(ack)) => {
                progress.messages.fetch_add(1, Ordering::Relaxed);
                if let Some(hearer) = hearer {
                    hearer.reaches(conversation, ack.seq).await?;
                }
            }
            Ok(None) => {
                progress.blocked.fetch_add(1, Ordering::Relaxed);
            }
            Err(error) if error.to_string() == "refused: blocked" => {
                progress.blocked.fetch_add(1, Ordering::Relaxed);
            }
            Err(error) => return Err(error.context(format!("{side:?}: {text}"))),
        }
    }
    let head = visitor.look(|state| state.log.last(conversation));
    is_followed(visitor, desk, conversation, head).await?;
    let closed = visitor.closes(conversation).await?;
    visitor.reaches(conversation, closed.seq).await?;
    let had = visitor.look(|state| crate::client::assigned(state, conversation));
    match had {
        Some(_) => is_followed(visitor, desk, conversation, closed.seq).await,
        // Its agent was lost, and then it left the queue.
        None => Ok(()),
    }
}

/// The agent who has the conversation, once someone has.
async fn agent<'a>(
    visitor: &Client,
    desk: &'a Desk,
    conversation: &str,
) -> anyhow::Result<&'a Client> {
    visitor.sees(conversation, "assigned").await?;
    let id =
        visitor.until("an agent", |state| crate::client::assigned(state, conversation)).await?;
    desk.agents.get(&id).ok_or_else(|| anyhow!("agent {id} is not one of ours"))
}

/// Waits until whoever has the conversation has heard it up to `seq`; it may be handed on meanwhile.
async fn is_followed(
    visitor: &Client,
    desk: &Desk,
    conversation: &str,
    seq: u64,
) -> anyhow::Result<()> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let agent = agent(visitor, desk, conversation).await?;
        let reached = timeout(Duration::from_secs(1), agent.reaches(conversation, seq)).await;
        if let Ok(reached) = reached {
            return reached;
        }
        let id = agent.id();
        ensure!(Instant::now() < deadline, "agent {id} never heard seq {seq} of {conversation}");
    }
}

/// Says it as whoever has the conversation now; tries again when it was just handed on. `None`: blocked.
async fn agent_says(
    visitor: &Client,
    desk: &Desk,
    conversation: &str,
    text: &str,
) -> anyhow::Result<Option<crate::log::Ack>> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let agent = agent(visitor, desk, conversation).await?;
        match agent.says_in(conversation, text).await {
            Ok(ack) => return Ok(Some(ack)),
            Err(error) if error.to_string() == "refused: blocked" => return Ok(None),
            Err(error) if !error.to_string().starts_with("refused") => return Err(error),
            Err(error) if Instant::now() > deadline => return Err(error),
            Err(_) => sleep(Duration::from_millis(200)).await,
        }
    }
}
