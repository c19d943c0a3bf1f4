//! `kefu explain CONVERSATION`: why this agent? Each decision about a conversation as it was kept: everyone who was asked
//! with score and factors, everyone who was left out with the rule.

use std::collections::BTreeMap;

use anyhow::{Context, bail};
use clap::Args;
use serde::Deserialize;
use serde_json::Value;

use super::link::Link;
use super::say;
use super::team::text;
use crate::config::Config;
use crate::domain::ids::{AgentId, ConversationId, GenerationId, Millis};
use crate::domain::plugin::Outcome;
use crate::domain::routing::{Decision, Excluded, Ranked};

/// Which conversation.
#[derive(Debug, Args)]
pub(super) struct Explain {
    /// Its number: what its address in the console ends in.
    conversation: String,
    /// Everything that was kept, as JSON: also what the policy was given.
    #[arg(long)]
    json: bool,
}

/// A policy, as the decisions it made name it.
#[derive(Debug, Deserialize)]
struct Policy {
    generation: GenerationId,
    number: u32,
    name: String,
    version: String,
}

#[derive(Deserialize)]
struct Decisions {
    decisions: Vec<Decision>,
    policies: Vec<Policy>,
}

pub(super) async fn run(what: Explain, config: Config) -> anyhow::Result<()> {
    let given = &what.conversation;
    let Ok(id) = given.parse::<ConversationId>() else {
        bail!("`{given}` is no conversation's number: what its address in the console ends in");
    };
    let mut link = Link::open_existing(config).await?;
    let answer = link.get(&format!("/v1/conversations/{id}")).await;
    let conversation = answer.with_context(|| format!("conversation {id}"))?["conversation"].take();
    let mut kept = link.get(&format!("/v1/conversations/{id}/decisions")).await?;
    let teams = link.get("/v1/teams").await?;
    link.close().await;
    let Decisions { decisions, policies } = Decisions::deserialize(&kept)?;
    if decisions.is_empty() {
        bail!("nothing was decided about conversation {id}: {}", undecided(&conversation));
    }
    if what.json {
        kept["conversation"] = conversation;
        return say(&serde_json::to_string_pretty(&kept)?);
    }
    let mut teams = teams["teams"].as_array().into_iter().flatten();
    let team = teams.find(|team| team["id"] == conversation["team"]);
    let team = team.map_or("-", |team| text(&team["name"]));
    say(&format!("conversation {id}, team {team}, {}", stands(&conversation)))?;
    for (nth, decision) in (1..).zip(&decisions) {
        say("")?;
        let heading = heading(decision)?;
        say(&format!("decision {nth} of {}, {heading}", decisions.len()))?;
        lines(decision, &policies).iter().try_for_each(|line| say(line))?;
    }
    let chosen = decisions.last().and_then(|decision| decision.chosen);
    if let Some(line) = since(&conversation, chosen) {
        say("")?;
        say(&line)?;
    }
    Ok(())
}

/// How it stands.
fn stands(conversation: &Value) -> String {
    match (text(&conversation["state"]), conversation["agent_name"].as_str()) {
        ("waiting", _) => "waits".to_owned(),
        ("active", Some(name)) => format!("{name} has it"),
        (state, Some(name)) => format!("{state}, {name} had it"),
        (state, None) => state.to_owned(),
    }
}

/// Why there is no decision.
fn undecided(conversation: &Value) -> String {
    let name = conversation["agent_name"].as_str();
    match (text(&conversation["state"]), name) {
        ("waiting", _) if conversation["offline"] == true => {
            "it is a message left for later, which an agent takes by hand".into()
        }
        ("waiting", _) => "it waits, and nobody who may answer it has been free so far".into(),
        (_, Some(name)) => format!("{name} took it by hand"),
        _ => "it ended before anybody had it".into(),
    }
}

/// What happened after the last decision, if it is another's by now.
fn since(conversation: &Value, chosen: Option<AgentId>) -> Option<String> {
    let agent: AgentId = conversation["agent"].as_str()?.parse().ok()?;
    if Some(agent) == chosen {
        return None;
    }
    let name = text(&conversation["agent_name"]);
    Some(format!("later {name} got it by hand: taken, or handed over by a colleague"))
}

fn heading(decision: &Decision) -> anyhow::Result<String> {
    let at = jiff::Timestamp::from_second(i64::try_from(decision.at / 1000)?)?;
    let got = match decision.chosen {
        Some(chosen) => format!("given to {}", name(decision, chosen)),
        None => "given to nobody".to_owned(),
    };
    Ok(format!("{at}: {got}"))
}

/// Everything about a decision below its heading.
fn lines(decision: &Decision, policies: &[Policy]) -> Vec<String> {
    let mut lines = vec![format!("  {}", decider(decision, policies))];
    lines.extend(table(decision));
    let mut out: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (_, name, rule) in &decision.excluded {
        out.entry(words(*rule)).or_default().push(name);
    }
    lines.extend(
        out.into_iter().map(|(rule, names)| format!("  left out, {rule}: {}", names.join(", "))),
    );
    lines
}

/// Who decided, and at what cost.
fn decider(decision: &Decision, policies: &[Policy]) -> String {
    let why = match decision.outcome {
        Outcome::Answered => {
            let of = |policy: &&Policy| Some(policy.generation) == decision.generation;
            let who = match (policies.iter().find(of), decision.generation) {
                (Some(policy), _) => {
                    format!("{} {} (routing/{})", policy.name, policy.version, policy.number)
                }
                (None, Some(generation)) => {
                    format!("a policy that is no longer here ({generation})")
                }
                (None, None) => "a policy".to_owned(),
            };
            return format!("by {who}, in {} µs with {} fuel", decision.micros, decision.fuel);
        }
        Outcome::NoOpinion => "the policy had no opinion",
        Outcome::Error => "the policy answered with an error",
        Outcome::Fault => "the policy broke or exceeded its budget",
        Outcome::Absent => "no policy served",
    };
    format!("by the built-in rule, least loaded, then longest idle: {why}")
}

/// The candidates, best first: a column for the score and for each of its factors, then what else was known of them.
fn table(decision: &Decision) -> Vec<String> {
    let mut rows = vec![heads(decision)];
    rows.extend(decision.ranked.iter().map(|one| row(decision, one)));
    aligned(&rows)
}

fn row(decision: &Decision, one: &Ranked) -> Vec<String> {
    let seen = decision.input.candidates.iter().find(|seen| seen.agent == one.agent);
    let mut row = vec![format!("{:.2}", one.score)];
    row.extend(one.factors.iter().map(|factor| format!("{factor:.2}")));
    row.extend(match seen {
        Some(seen) => [format!("{}/{}", seen.active, seen.capacity), span(seen.idle_ms)],
        None => ["-", "-"].map(String::from),
    });
    let got = decision.chosen == Some(one.agent);
    let knows = seen.is_some_and(|seen| seen.returning);
    let passed = decision.passed.iter().filter(|(agent, _)| *agent == one.agent);
    let notes: Vec<String> = [(got, "got it"), (knows, "answered this visitor last time")]
        .into_iter()
        .filter(|(is, _)| *is)
        .map(|(_, note)| note.to_owned())
        .chain(passed.map(|(_, rule)| format!("passed over, {} by then", words(*rule))))
        .collect();
    let colon = if notes.is_empty() { "" } else { ": " };
    row.push(format!("{}{colon}{}", one.name, notes.join("; ")));
    row
}

fn heads(decision: &Decision) -> Vec<String> {
    let mut row = vec!["score".to_owned()];
    row.extend(decision.factor_names.iter().cloned());
    row.extend(["has", "idle", ""].map(String::from));
    row
}

/// Rows with their columns as wide as the widest cell, to the right; the last, which is names, as it comes.
fn aligned(rows: &[Vec<String>]) -> Vec<String> {
    let long = |cell: &String| cell.chars().count();
    let columns = rows.first().map_or(0, Vec::len).saturating_sub(1);
    let wide = |at| rows.iter().filter_map(|row| row.get(at)).map(long).max().unwrap_or(0);
    let wide: Vec<usize> = (0..columns).map(wide).collect();
    let line = |row: &Vec<String>| {
        let (cells, name) = row.split_at(columns.min(row.len()));
        let cells = cells.iter().zip(&wide).map(|(cell, &wide)| format!("  {cell:>wide$}"));
        format!("  {}  {}", cells.collect::<String>(), name.concat()).trim_end().to_owned()
    };
    rows.iter().map(line).collect()
}

fn name(decision: &Decision, agent: AgentId) -> String {
    let one = decision.ranked.iter().find(|one| one.agent == agent);
    one.map_or_else(|| agent.to_string(), |one| one.name.clone())
}

fn words(rule: Excluded) -> &'static str {
    match rule {
        Excluded::Absent => "not connected",
        Excluded::NotOnline => "not online",
        Excluded::OtherTeam => "of another team",
        Excluded::AtCapacity => "at capacity",
        Excluded::LacksSkill => "lacking a required skill",
        Excluded::Declined => "having handed it back just before",
    }
}

/// A time in its largest unit.
fn span(ms: Millis) -> String {
    let units = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000)];
    match units.into_iter().find(|(_, unit)| ms >= *unit) {
        Some((name, unit)) => format!("{}{name}", ms / unit),
        None => format!("{ms}ms"),
    }
}

#[cfg(test)]
mod tests;
