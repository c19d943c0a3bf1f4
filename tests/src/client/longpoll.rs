//! The long-poll carrier: one connection for commands, one for the parked poll, until either fails.

use std::sync::Arc;

use anyhow::{anyhow, bail};
use serde_json::{Value, json};
use tokio::time::{Duration, Instant};

use super::Shared;
use super::websocket::until;
use crate::http::{Answer, Ask, Connection};

/// Milliseconds a poll is parked.
const WAIT: u32 = 20_000;

pub(super) async fn run(shared: &Arc<Shared>, number: u64) -> anyhow::Result<()> {
    let mut cut = shared.cut.subscribe();
    let mut commands = Connection::open(shared.options.address).await?;
    let hello = shared.state.lock().hello(&shared.options.token);
    let answer = post(&mut commands, shared, json!({ "frames": [hello] })).await?;
    take(shared, &answer)?;
    let session = shared.state.lock().welcome["session"].as_str().unwrap_or_default().to_owned();
    if session.is_empty() {
        bail!("no session in {}", answer.text);
    }
    tokio::select! {
        ended = send(shared, number, &session, commands) => ended,
        ended = poll(shared, &session) => ended,
        _ = cut.changed() => bail!("cut by the test"),
    }
}

/// Posts what is in the outbox, batch by batch.
async fn send(
    shared: &Shared,
    number: u64,
    session: &str,
    mut commands: Connection,
) -> anyhow::Result<()> {
    let mut changed = shared.changed.subscribe();
    loop {
        changed.borrow_and_update();
        let mut frames = shared.state.lock().take(number, 16);
        frames.retain(|frame| frame["type"] != "pong");
        if frames.is_empty() {
            let due = shared.state.lock().next_due();
            tokio::select! {
                _ = changed.changed() => {}
                () = until(due) => {}
            }
            continue;
        }
        let body = json!({ "session": session, "frames": frames });
        let answer = post(&mut commands, shared, body).await?;
        take(shared, &answer)?;
    }
}

/// Polls, one after the other; the cursor moves only after an answer was taken.
async fn poll(shared: &Shared, session: &str) -> anyhow::Result<()> {
    let mut events = Connection::open(shared.options.address).await?;
    let mut cursor = shared.state.lock().cursor();
    loop {
        let path = format!("/v1/events?session={session}&cursor={cursor}&wait={WAIT}");
        let ask = Ask::get(&path).bearer(&shared.options.token);
        let answer = events.ask(ask).await?;
        take(shared, &answer)?;
        cursor = answer.json["cursor"].as_str().unwrap_or_default().to_owned();
        let next = answer.json["next_ms"].as_u64().unwrap_or(0).min(5_000);
        if next > 0 {
            tokio::time::sleep_until(Instant::now() + Duration::from_millis(next)).await;
        }
    }
}

async fn post(connection: &mut Connection, shared: &Shared, body: Value) -> anyhow::Result<Answer> {
    connection.ask(Ask::post("/v1/commands", body).bearer(&shared.options.token)).await
}

/// Takes the frames of an answer; a failed request ends this session.
fn take(shared: &Shared, answer: &Answer) -> anyhow::Result<()> {
    if answer.status == 401 {
        shared.change(|state| state.over = Some(format!("refused: {}", answer.text)));
    }
    // The refusal of an only command is also the status.
    if answer.status != 200 && !answer.json["frames"].is_array() {
        bail!("status {}: {}", answer.status, answer.text);
    }
    let frames = answer.json["frames"].as_array();
    for frame in frames.ok_or_else(|| anyhow!("no frames in {}", answer.text))? {
        shared.change(|state| state.hear(frame));
    }
    Ok(())
}
