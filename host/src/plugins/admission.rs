//! Admission: what a generation must answer before it may serve. Each case is asked for real, in the budgets it will
//! have. The host's own cases ask only for an answer: "no opinion" and an error pass, a fault does not. A package's cases
//! say what the answer must be.

use serde::Serialize;

use super::engine::{Linked, Runner};
use super::generations::Ready;
use super::package::Package;
use super::package::cases::{Case, Input};
use super::{filter, inspection, routing, schema};
use crate::domain::ids::{AgentId, ConversationId, SiteId, TeamId};
use crate::domain::plugin::{
    Answer, Candidate, FilterInput, InspectionInput, Line, Outcome, Point, RoutingInput, Speaker,
};
use crate::storage::Generation;

/// Asks all cases of the generation's point.
///
/// # Errors
/// Which case broke, and how.
pub(super) fn examine(ready: &Ready) -> Result<(), String> {
    match ready.point() {
        Point::Routing => routing_cases().iter().try_for_each(|case| {
            let wit = routing::given(case);
            let check = |got| routing::checked(case.candidates.len(), got);
            let label = format!("{} candidates", case.candidates.len());
            verdict(&label, &ready.ask(|live| live.rank(&wit), check))
        }),
        Point::Filter => filter_cases().iter().try_for_each(|case| {
            let wit = filter::given(case);
            let check = |got| filter::checked(&case.text, got);
            let label = format!("a text of {} bytes", case.text.len());
            verdict(&label, &ready.ask(|live| live.judge(&wit), check))
        }),
        Point::Inspection => inspection_cases().iter().try_for_each(|case| {
            let wit = inspection::given(case);
            let check = |got| inspection::checked(&case.lines, got);
            let label = format!("a conversation of {} lines", case.lines.len());
            verdict(&label, &ready.ask(|live| live.inspect(&wit), check))
        }),
    }
}

/// Asks the cases that a package brings, each with its own config.
///
/// # Errors
/// Which case is answered otherwise, and how.
pub(super) fn examine_own(
    ready: &Ready,
    package: &Package,
    (runner, linked): (&Runner, &Linked),
) -> Result<(), String> {
    package.cases().iter().try_for_each(|case| {
        let row = Generation { config: case.config.clone(), ..ready.row.clone() };
        own(case, package, Ready::new(row, runner.clone(), linked.clone()))
            .map_err(|why| format!("case {}: {why}", case.name))
    })
}

fn own(case: &Case, package: &Package, ready: Ready) -> Result<(), String> {
    schema::hold(package.schema(), &case.config)?;
    ready.try_start().map_err(|why| format!("config: {why}"))?;
    match &case.input {
        Input::Routing(input) => {
            let wit = routing::given(input);
            let check = |got| routing::checked(input.candidates.len(), got);
            expected(case, ready.ask(|live| live.rank(&wit), check))
        }
        Input::Filter(input) => {
            let wit = filter::given(input);
            let check = |got| filter::checked(&input.text, got);
            expected(case, ready.ask(|live| live.judge(&wit), check))
        }
        Input::Inspection(input) => {
            let wit = inspection::given(input);
            let check = |got| inspection::checked(&input.lines, got);
            expected(case, ready.ask(|live| live.inspect(&wit), check))
        }
    }
}

fn expected<T: Serialize>(case: &Case, answer: Answer<T>) -> Result<(), String> {
    let value = answer.value.map(serde_json::to_value).transpose();
    let value = value.map_err(|error| error.to_string())?;
    case.judge(answer.outcome, value, answer.detail.as_deref())
}

fn verdict<T>(case: &str, answer: &Answer<T>) -> Result<(), String> {
    if answer.outcome != Outcome::Fault {
        return Ok(());
    }
    Err(format!("{case}: {}", answer.detail.as_deref().unwrap_or("fault")))
}

/// None, one and many candidates; no needs and several.
fn routing_cases() -> Vec<RoutingInput> {
    let ids = (ConversationId::new(1), SiteId::new(1), TeamId::new(1));
    let (Some(conversation), Some(site), Some(team)) = ids else { return Vec::new() };
    [(0, 0), (1, 0), (1, 2), (200, 3)]
        .into_iter()
        .map(|(wide, needs): (u64, u32)| RoutingInput {
            now: 1_750_000_000_000,
            seed: wide,
            conversation,
            site,
            team,
            waited_ms: 30_000,
            priority: 0,
            needs: (0..needs).map(|skill| (skill, 3, skill == 0)).collect(),
            candidates: (1..=wide).filter_map(AgentId::new).map(candidate).collect(),
            levels: (0..wide * u64::from(needs)).map(|n| (n % 6) as u8).collect(),
            attrs: vec![("language".into(), "zh-CN".into())],
        })
        .collect()
}

fn candidate(agent: AgentId) -> Candidate {
    Candidate {
        agent,
        active: (agent.get() % 5) as u32,
        capacity: 5,
        quality: (agent.get() % 11) as f64 / 10.0,
        idle_ms: agent.get() * 1000,
        returning: agent.get() == 1,
    }
}

/// Empty, plain, full-width and zero-width, with every kind of personal data, and as long as a message may be: also made
/// to keep a search for numbers or addresses busy.
fn filter_cases() -> Vec<FilterInput> {
    let Some(site) = SiteId::new(1) else { return Vec::new() };
    let full = "\u{ff11}\u{ff13}\u{ff18}\u{200b}00138000 \u{1f600} 你好";
    let data = "13800138000 11010519491231002X 4111111111111111 a@example.com";
    ["", "hello", full, data, &"长".repeat(1365), &"1 ".repeat(2048), &"a@".repeat(2048)]
        .into_iter()
        .map(|text| FilterInput {
            now: 1_750_000_000_000,
            seed: 1,
            site,
            from_visitor: true,
            text: text.to_owned(),
            attrs: Vec::new(),
        })
        .collect()
}

/// Empty, only the server, and a long talk.
fn inspection_cases() -> Vec<InspectionInput> {
    let ids = (ConversationId::new(1), SiteId::new(1));
    let (Some(conversation), Some(site)) = ids else { return Vec::new() };
    [0, 1, 400]
        .into_iter()
        .map(|long| InspectionInput {
            now: 1_750_000_000_000,
            seed: 1,
            conversation,
            site,
            lines: (1..=long).map(line).collect(),
            attrs: Vec::new(),
        })
        .collect()
}

fn line(seq: u64) -> Line {
    let (by, kind, text) = match seq {
        1 => (Speaker::System, "queued", ""),
        2 => (Speaker::System, "assigned", ""),
        _ if seq % 2 == 1 => (Speaker::Visitor, "message", "订单什么时候发货？"),
        _ => (Speaker::Agent, "message", "您好，马上为您查询。"),
    };
    Line { seq, at: 1_750_000_000_000 + seq * 20_000, by, kind: kind.into(), text: text.into() }
}
