//! Conversations, their pending events, decisions and reports as rows.

use std::time::Duration;

use async_trait::async_trait;
use sqlx::postgres::{PgArguments, PgConnection};
use sqlx::query::Query;
use sqlx::{Postgres as Engine, QueryBuilder, query, query_scalar};

use super::{Postgres, failed, plain_or_null};
use crate::domain::conversation::Conversation;
use crate::domain::event::NewEvent;
use crate::domain::ids::{AgentId, ConversationId, DecisionId, TeamId};
use crate::domain::inspection::Report;
use crate::domain::routing::Decision;
use crate::storage::columns::{Columns, json, signed, word};
use crate::storage::{COUNTED_MOST, Claim, Conversations, Search, Stored, Untold, rows};

#[async_trait]
impl Conversations for Postgres {
    async fn open(&self, row: &Conversation, pending: &[NewEvent]) -> Stored<()> {
        self.within(async {
            let mut transaction = self.begin().await?;
            insert(&mut transaction, row).await?;
            keep_pending(&mut transaction, row, pending).await?;
            transaction.commit().await.map_err(failed)
        })
        .await
    }

    async fn conversation(&self, id: ConversationId) -> Stored<Option<Conversation>> {
        let found = query("SELECT * FROM conversations WHERE id = $1").bind(signed(id.get()));
        self.one(found, rows::conversation).await
    }

    async fn change(&self, next: &Conversation, pending: &[NewEvent]) -> Stored<bool> {
        self.within(async {
            let mut transaction = self.begin().await?;
            if !update(&mut transaction, next).await? {
                return Ok(false);
            }
            keep_pending(&mut transaction, next, pending).await?;
            transaction.commit().await.map_err(failed)?;
            Ok(true)
        })
        .await
    }

    async fn claim(
        &self,
        next: &Conversation,
        pending: &[NewEvent],
        decision: Option<&Decision>,
    ) -> Stored<Claim> {
        self.within(async {
            let mut transaction = self.begin().await?;
            let claim = claimed(&mut transaction, next).await?;
            if claim == Claim::Won {
                keep_pending(&mut transaction, next, pending).await?;
                if let Some(decision) = decision {
                    // Last, so that the claims of a team wait for one another's commit and nothing else.
                    let kept = insert_decision(decision)?.execute(&mut *transaction).await;
                    kept.map_err(failed)?;
                }
                transaction.commit().await.map_err(failed)?;
            }
            Ok(claim)
        })
        .await
    }

    async fn settled(&self, id: ConversationId, version: u64) -> Stored<()> {
        let delete = query("DELETE FROM pending WHERE conversation = $1 AND version = $2")
            .bind(signed(id.get()))
            .bind(signed(version));
        self.run(delete).await.map(drop)
    }

    async fn unsettled(&self, age: Duration) -> Stored<Vec<Untold>> {
        let rows = query(
            "SELECT conversation, version, events FROM pending
             WHERE stored_at <= clock_timestamp() - make_interval(secs => $1) ORDER BY ordinal",
        );
        self.all(rows.bind(age.as_secs_f64()), rows::untold).await
    }

    async fn search(&self, search: &Search) -> Stored<Vec<Conversation>> {
        let mut sql = QueryBuilder::<Engine>::new("SELECT * FROM conversations WHERE true");
        narrow(&mut sql, search)?;
        if let Some(before) = search.before {
            sql.push(" AND id < ").push_bind(signed(before.get()));
        }
        sql.push(" ORDER BY id DESC LIMIT ").push_bind(i64::from(search.limit.clamp(1, 200)));
        self.all(sql.build(), rows::conversation).await
    }

    async fn count(&self, search: &Search) -> Stored<u32> {
        let start = "SELECT count(*) FROM (SELECT 1 FROM conversations WHERE true";
        let mut sql = QueryBuilder::<Engine>::new(start);
        narrow(&mut sql, search)?;
        sql.push(" LIMIT ").push_bind(i64::from(COUNTED_MOST)).push(") AS counted");
        let counted = async {
            let counted = sql.build_query_scalar::<i64>().fetch_one(&self.pool).await;
            counted.map_err(failed)
        };
        Ok(u32::try_from(self.within(counted).await?).unwrap_or(COUNTED_MOST))
    }

    async fn queue(&self, team: Option<TeamId>) -> Stored<Vec<Conversation>> {
        let waiting = query(
            "SELECT * FROM conversations
             WHERE state = 'waiting' AND NOT offline AND ($1::bigint IS NULL OR team = $1)
             ORDER BY priority DESC, waiting_since, id",
        );
        self.all(waiting.bind(team.map(|team| signed(team.get()))), rows::conversation).await
    }

    async fn loads(&self) -> Stored<Vec<(AgentId, u16)>> {
        let active = query(
            "SELECT agent, count(*) AS load FROM conversations
             WHERE state = 'active' AND agent IS NOT NULL GROUP BY agent",
        );
        self.all(active, rows::load).await
    }

    async fn turns(&self) -> Stored<Vec<(TeamId, AgentId)>> {
        self.all(query("SELECT * FROM turns"), rows::turn).await
    }

    async fn record_decision(&self, decision: &Decision) -> Stored<()> {
        self.run(insert_decision(decision)?).await.map(drop)
    }

    async fn decisions(&self, id: ConversationId) -> Stored<Vec<Decision>> {
        let rows = query("SELECT document FROM decisions WHERE conversation = $1 ORDER BY at, id");
        self.all(rows.bind(signed(id.get())), rows::decision).await
    }

    async fn decision(&self, id: DecisionId) -> Stored<Option<Decision>> {
        let found = query("SELECT document FROM decisions WHERE id = $1").bind(signed(id.get()));
        self.one(found, rows::decision).await
    }

    async fn record_report(&self, report: &Report) -> Stored<bool> {
        let id = signed(report.conversation.get());
        let document = json(report)?;
        self.within(async {
            let mut transaction = self.begin().await?;
            let kept = query(
                "INSERT INTO reports (conversation, at, format, document) VALUES ($1, $2, $3, $4)
                 ON CONFLICT (conversation) DO NOTHING",
            )
            .bind(id)
            .bind(signed(report.at))
            .bind(rows::REPORT_FORMAT)
            .bind(document)
            .execute(&mut *transaction)
            .await
            .map_err(failed)?;
            query("UPDATE conversations SET reported = true WHERE id = $1")
                .bind(id)
                .execute(&mut *transaction)
                .await
                .map_err(failed)?;
            transaction.commit().await.map_err(failed)?;
            Ok(kept.rows_affected() > 0)
        })
        .await
    }

    async fn report(&self, id: ConversationId) -> Stored<Option<Report>> {
        let found = query("SELECT format, document FROM reports WHERE conversation = $1");
        self.one(found.bind(signed(id.get())), rows::report).await
    }

    async fn uninspected(&self, limit: u32) -> Stored<Vec<ConversationId>> {
        let rows = query(
            "SELECT id FROM conversations WHERE state = 'closed' AND NOT reported
             ORDER BY closed_at, id LIMIT $1",
        );
        self.all(rows.bind(i64::from(limit)), rows::conversation_id).await
    }

    async fn service_time(&self, team: TeamId) -> Stored<Option<u64>> {
        const ENOUGH: u64 = 5;
        let mean = query(
            "SELECT count(*) AS count, avg(took)::double precision AS mean FROM (
                 SELECT greatest(closed_at - assigned_at, 0) AS took FROM conversations
                 WHERE team = $1 AND state = 'closed' AND assigned_at IS NOT NULL
                 ORDER BY closed_at DESC LIMIT 50) AS last",
        );
        let mean = self.one(mean.bind(signed(team.get())), |row| {
            let columns = Columns::new("conversation", row);
            let enough = columns.number::<u64>("count")? >= ENOUGH;
            enough.then(|| columns.real("mean")).transpose()
        });
        Ok(mean.await?.flatten().map(|mean| mean as u64))
    }
}

/// The agent's row is locked first: claims for one agent take turns, on whatever node, and each counts what the one
/// before has committed. Nothing that holds a conversation waits for an agent, so no two claims wait for each other.
async fn claimed(connection: &mut PgConnection, next: &Conversation) -> Stored<Claim> {
    let agent = next.agent.map(|agent| signed(agent.get()));
    let capacity: Option<i64> =
        query_scalar("SELECT capacity FROM agents WHERE id = $1 FOR NO KEY UPDATE")
            .bind(agent)
            .fetch_optional(&mut *connection)
            .await
            .map_err(failed)?;
    if !update(connection, next).await? {
        return Ok(Claim::Lost);
    }
    let has: i64 =
        query_scalar("SELECT count(*) FROM conversations WHERE agent = $1 AND state = 'active'")
            .bind(agent)
            .fetch_one(&mut *connection)
            .await
            .map_err(failed)?;
    // The row is counted among the agent's already; dropping the transaction takes it back.
    if capacity.is_none_or(|capacity| has > capacity) {
        return Ok(Claim::AgentFull);
    }
    query("UPDATE agents SET idle_since = coalesce($1, idle_since) WHERE id = $2")
        .bind(next.assigned_at.map(signed))
        .bind(agent)
        .execute(connection)
        .await
        .map_err(failed)?;
    Ok(Claim::Won)
}

/// All of a search but where its page begins and ends.
fn narrow(sql: &mut QueryBuilder<Engine>, search: &Search) -> Stored<()> {
    if let Some(state) = &search.state {
        sql.push(" AND state = ").push_bind(word(state)?);
    }
    if let Some(agent) = search.agent {
        sql.push(" AND agent = ").push_bind(signed(agent.get()));
    }
    if let Some(visitor) = search.visitor {
        sql.push(" AND visitor = ").push_bind(signed(visitor.get()));
    }
    if !search.teams.is_empty() {
        let teams: Vec<i64> = search.teams.iter().map(|team| signed(team.get())).collect();
        sql.push(" AND team = ANY(").push_bind(teams).push(")");
    }
    Ok(())
}

async fn insert(connection: &mut PgConnection, row: &Conversation) -> Stored<()> {
    let sql = "INSERT INTO conversations (site, team, visitor, visitor_name, state, agent, needs,
             priority, fields, page, language, offline, opened_at, waiting_since, assigned_at,
             closed_at, rating, declined, verified, version, id)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21)";
    store(connection, sql, row, None).await.map(|_| ())
}

/// Compare-and-set on the version before.
async fn update(connection: &mut PgConnection, next: &Conversation) -> Stored<bool> {
    let Some(before) = next.version.checked_sub(1) else { return Ok(false) };
    let sql = "UPDATE conversations SET site = $1, team = $2, visitor = $3, visitor_name = $4,
             state = $5, agent = $6, needs = $7, priority = $8, fields = $9, page = $10, language = $11,
             offline = $12, opened_at = $13, waiting_since = $14, assigned_at = $15, closed_at = $16,
             rating = $17, declined = $18, verified = $19, version = $20
         WHERE id = $21 AND version = $22";
    Ok(store(connection, sql, next, Some(before)).await? == 1)
}

/// Binds every column in the one order that both statements use.
async fn store(
    connection: &mut PgConnection,
    sql: &'static str,
    row: &Conversation,
    before: Option<u64>,
) -> Stored<u64> {
    let mut statement = query(sql)
        .bind(signed(row.site.get()))
        .bind(signed(row.team.get()))
        .bind(signed(row.visitor.get()))
        .bind(plain_or_null(&row.visitor_name))
        .bind(word(&row.state)?)
        .bind(row.agent.map(|agent| signed(agent.get())))
        .bind(json(&row.needs)?)
        .bind(i64::from(row.priority))
        .bind(json(&row.fields)?)
        .bind(plain_or_null(&row.page))
        .bind(plain_or_null(&row.language))
        .bind(row.offline)
        .bind(signed(row.opened_at))
        .bind(signed(row.waiting_since))
        .bind(row.assigned_at.map(signed))
        .bind(row.closed_at.map(signed))
        .bind(row.rating.map(i64::from))
        .bind(json(&row.declined)?)
        .bind(row.verified)
        .bind(signed(row.version))
        .bind(signed(row.id.get()));
    if let Some(before) = before {
        statement = statement.bind(signed(before));
    }
    Ok(statement.execute(connection).await.map_err(failed)?.rows_affected())
}

async fn keep_pending(
    connection: &mut PgConnection,
    row: &Conversation,
    pending: &[NewEvent],
) -> Stored<()> {
    if pending.is_empty() {
        return Ok(());
    }
    query("INSERT INTO pending (conversation, version, events) VALUES ($1, $2, $3)")
        .bind(signed(row.id.get()))
        .bind(signed(row.version))
        .bind(json(pending)?)
        .execute(connection)
        .await
        .map_err(failed)?;
    Ok(())
}

/// Keeps a decision and, if it names somebody, whose turn that was.
fn insert_decision(decision: &Decision) -> Stored<Query<'_, Engine, PgArguments>> {
    let sql = "WITH turn AS (
            INSERT INTO turns (team, agent) SELECT $5::bigint, $6::bigint WHERE $6::bigint IS NOT NULL
            ON CONFLICT (team) DO UPDATE SET agent = excluded.agent)
        INSERT INTO decisions (id, conversation, at, document) VALUES ($1, $2, $3, $4)";
    Ok(query(sql)
        .bind(signed(decision.id.get()))
        .bind(signed(decision.conversation.get()))
        .bind(signed(decision.at))
        .bind(json(decision)?)
        .bind(signed(decision.team.get()))
        .bind(decision.chosen.map(|agent| signed(agent.get()))))
}
