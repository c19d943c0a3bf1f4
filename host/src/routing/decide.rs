//! A pass over the queue, and one decision: hard rules → one policy call → claims in order, the
//! one that is won keeping the decision with it.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::input::{Crowd, Question, sort};
use super::{Routing, Seen, away};
use crate::domain::conversation::Conversation;
use crate::domain::ids::{DecisionId, TeamId};
use crate::domain::people::Party;
use crate::domain::plugin::{Answer, Outcome, Ranking};
use crate::domain::refusal::Refusal;
use crate::domain::routing::{Contender, Decision, Excluded, Ranked, least_loaded, order};
use crate::runtime::fresh_id;
use crate::storage::Claim;

/// How long a team's mean service time may be old.
const SERVICE_TIME_AGE_MS: u64 = 30_000;
/// After so many decisions in one pass the agents are read again.
const DECISIONS_PER_LOOK: usize = 32;

impl Routing {
    /// Brings the queue up to date, decides what can be decided, tells visitors their places.
    pub(super) async fn pass(&self) -> Result<(), Refusal> {
        self.refresh().await?;
        let waiting = self.queue.lock().rows();
        if waiting.is_empty() {
            return Ok(());
        }
        let mut crowd = self.crowd().await?;
        let mut decided = 0;
        for row in waiting {
            if !crowd.contenders.iter().any(is_free) {
                break;
            }
            if self.decide(&row, &mut crowd).await? {
                decided += 1;
                if decided % DECISIONS_PER_LOOK == 0 {
                    crowd = self.crowd().await?;
                }
            }
        }
        self.tell_places(&crowd.contenders).await
    }

    /// Takes what was seen on the tail into the queue.
    async fn refresh(&self) -> Result<(), Refusal> {
        let Seen { ids, all } = std::mem::take(&mut *self.seen.lock());
        if all {
            let rows = self.storage.queue(None).await.map_err(|error| {
                self.seen.lock().all = true;
                away(error)
            })?;
            self.queue.lock().replace(rows.into_iter().map(Into::into).collect());
        }
        for id in ids {
            match self.conversations.now(id).await {
                Ok(row) => self.queue.lock().set(row),
                Err(Refusal::NotFound(_)) => self.queue.lock().remove(id),
                Err(refusal) => {
                    self.seen.lock().all = true;
                    return Err(refusal);
                }
            }
        }
        Ok(())
    }

    /// One decision. Says whether the policy was asked, that is, whether anybody qualifies.
    pub(super) async fn decide(
        &self,
        row: &Conversation,
        crowd: &mut Crowd,
    ) -> Result<bool, Refusal> {
        let visitor = self.storage.visitor(row.visitor).await.map_err(away)?;
        let last_agent = visitor.and_then(|visitor| visitor.last_agent);
        let (moment, seed) = (self.moment(), fresh_id(&self.clock));
        let sorted = sort(&Question { row, moment, seed, last_agent }, crowd);
        if sorted.input.candidates.is_empty() {
            return Ok(false);
        }
        let Some(id) = DecisionId::new(fresh_id(&self.clock)) else { return Ok(false) };
        let mut answer = self.plugins.rank(&sorted.input);
        let policy = answer.value.take();
        let answered = policy.is_some();
        let ranking = policy.unwrap_or_else(|| least_loaded(&sorted.input));
        let places = order(&sorted.input.candidates, &ranking.scores);
        let mut decision = Decision {
            version: 1,
            id,
            at: moment.now,
            conversation: row.id,
            site: row.site,
            team: row.team,
            ranked: ranked(&places, &ranking, |i| &crowd.contenders[sorted.behind[i]]),
            input: sorted.input,
            excluded: sorted.excluded,
            factor_names: ranking.factor_names,
            passed: Vec::new(),
            chosen: None,
            generation: None,
            digest: None,
            outcome: Outcome::Absent,
            fuel: 0,
            micros: 0,
        };
        sign(&mut decision, answer, answered);
        let ranked = places.into_iter().map(|i| sorted.behind[i]);
        self.give(row, decision, crowd, ranked).await?;
        Ok(true)
    }

    /// Gives the conversation to the first that can still be claimed. A decision that names a winner
    /// is kept by the claim itself; one that found none is kept here.
    async fn give(
        &self,
        row: &Conversation,
        mut decision: Decision,
        crowd: &mut Crowd,
        ranked: impl Iterator<Item = usize> + Send,
    ) -> Result<(), Refusal> {
        for i in ranked {
            let contender = &mut crowd.contenders[i];
            if !self.presence.is_present(contender.agent) {
                contender.present = false;
                decision.passed.push((contender.agent, Excluded::Absent));
                continue;
            }
            decision.chosen = Some(contender.agent);
            let kept = Arc::new(decision);
            match self.claim(row, contender, Arc::clone(&kept)).await? {
                Claim::Won => {
                    contender.active += 1;
                    contender.idle_since = kept.at;
                    crowd.turns.insert(row.team, contender.agent);
                    self.queue.lock().remove(row.id);
                    return Ok(());
                }
                claim => {
                    decision = Arc::unwrap_or_clone(kept);
                    decision.chosen = None;
                    if claim == Claim::Lost {
                        break;
                    }
                    contender.active = contender.capacity;
                    decision.passed.push((contender.agent, Excluded::AtCapacity));
                }
            }
        }
        self.storage.record_decision(&decision).await.map_err(away)
    }

    /// One conditional write, which also keeps the decision if it succeeds. A conversation that
    /// cannot be changed stops nobody behind it; an outage stops the pass.
    async fn claim(
        &self,
        row: &Conversation,
        contender: &Contender,
        decision: Arc<Decision>,
    ) -> Result<Claim, Refusal> {
        let to = (contender.agent, contender.name.clone());
        match self.conversations.assign(row.id, to, decision).await {
            Err(refusal @ Refusal::Unavailable { .. }) => Err(refusal),
            Err(refusal) => {
                tracing::warn!(conversation = %row.id, %refusal, "cannot be assigned");
                Ok(Claim::Lost)
            }
            claim => claim,
        }
    }

    /// Tells waiting visitors their place where it changed.
    async fn tell_places(&self, contenders: &[Contender]) -> Result<(), Refusal> {
        let now = self.clock.now();
        let stale = self.queue.lock().stale_teams(now, SERVICE_TIME_AGE_MS);
        for team in stale {
            let mean = self.storage.service_time(team).await.map_err(away)?;
            self.queue.lock().set_time(team, now, mean);
        }
        let mut slots: BTreeMap<TeamId, u32> = BTreeMap::new();
        for contender in contenders.iter().filter(|one| one.online && one.present) {
            for team in &contender.teams {
                *slots.entry(*team).or_default() += u32::from(contender.capacity);
            }
        }
        let news = self.queue.lock().news(&slots);
        for (visitor, push) in news {
            self.conversations.told_place(&push);
            // Every node finds this out for itself.
            self.sessions.push_here(Party::Visitor(visitor), push);
        }
        Ok(())
    }
}

fn is_free(contender: &Contender) -> bool {
    contender.online && contender.present && contender.active < contender.capacity
}

/// Writes into the record who answered and at what cost. A call that did not answer leaves its
/// cost, not its name:
/// `generation` says whose ranking this is.
fn sign(decision: &mut Decision, answer: Answer<Ranking>, answered: bool) {
    decision.outcome = answer.outcome;
    decision.fuel = answer.fuel;
    decision.micros = answer.micros;
    if answered {
        decision.generation = answer.generation;
        decision.digest = answer.digest;
    }
}

fn ranked<'a>(
    places: &[usize],
    ranking: &Ranking,
    who: impl Fn(usize) -> &'a Contender,
) -> Vec<Ranked> {
    let width = ranking.factor_names.len();
    let line = |&i: &usize| Ranked {
        agent: who(i).agent,
        name: who(i).name.clone(),
        score: ranking.scores[i],
        factors: ranking.factors.get(i * width..(i + 1) * width).unwrap_or_default().to_vec(),
    };
    places.iter().map(line).collect()
}
