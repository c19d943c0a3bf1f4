//! Conversations, their pending events, decisions and reports as rows.

use std::time::Duration;

use async_trait::async_trait;
use sqlx::sqlite::SqliteConnection;
use sqlx::{QueryBuilder, Sqlite as Engine, SqliteExecutor, query, query_as, query_scalar};

use super::{Sqlite, all, failed, one};
use crate::domain::conversation::Conversation;
use crate::domain::event::NewEvent;
use crate::domain::ids::{AgentId, ConversationId, DecisionId, TeamId};
use crate::domain::inspection::Report;
use crate::domain::routing::Decision;
use crate::storage::columns::{json, signed, word};
use crate::storage::{COUNTED_MOST, Claim, Conversations, Search, Stored, Untold, rows};

#[async_trait]
impl Conversations for Sqlite {
    async fn open(&self, row: &Conversation, pending: &[NewEvent]) -> Stored<()> {
        let mut transaction = self.begin().await?;
        insert(&mut transaction, row).await?;
        keep_pending(&mut transaction, row, pending).await?;
        transaction.commit().await.map_err(failed)
    }

    async fn conversation(&self, id: ConversationId) -> Stored<Option<Conversation>> {
        let found = query("SELECT * FROM conversations WHERE id = ?").bind(signed(id.get()));
        one(found.fetch_optional(&self.readers).await, rows::conversation)
    }

    async fn change(&self, next: &Conversation, pending: &[NewEvent]) -> Stored<bool> {
        let mut transaction = self.begin().await?;
        if !update(&mut transaction, next).await? {
            return Ok(false);
        }
        keep_pending(&mut transaction, next, pending).await?;
        transaction.commit().await.map_err(failed)?;
        Ok(true)
    }

    async fn claim(
        &self,
        next: &Conversation,
        pending: &[NewEvent],
        decision: Option<&Decision>,
    ) -> Stored<Claim> {
        let mut transaction = self.begin().await?;
        if !update(&mut transaction, next).await? {
            return Ok(Claim::Lost);
        }
        // The row is counted among the agent's already; dropping the transaction takes it back.
        let agent = next.agent.map(|agent| signed(agent.get()));
        let fits: Option<bool> = query_scalar(
            "SELECT (SELECT count(*) FROM conversations WHERE agent = ?1 AND state = 'active')
                 <= capacity FROM agents WHERE id = ?1",
        )
        .bind(agent)
        .fetch_optional(&mut *transaction)
        .await
        .map_err(failed)?;
        if fits != Some(true) {
            return Ok(Claim::AgentFull);
        }
        query("UPDATE agents SET idle_since = coalesce(?, idle_since) WHERE id = ?")
            .bind(next.assigned_at.map(signed))
            .bind(agent)
            .execute(&mut *transaction)
            .await
            .map_err(failed)?;
        keep_pending(&mut transaction, next, pending).await?;
        if let Some(decision) = decision {
            keep_decision(&mut *transaction, decision).await?;
            take_turn(&mut transaction, decision).await?;
        }
        transaction.commit().await.map_err(failed)?;
        Ok(Claim::Won)
    }

    async fn settled(&self, id: ConversationId, version: u64) -> Stored<()> {
        query("DELETE FROM pending WHERE conversation = ? AND version = ?")
            .bind(signed(id.get()))
            .bind(signed(version))
            .execute(&self.writer)
            .await
            .map_err(failed)?;
        Ok(())
    }

    async fn unsettled(&self, _age: Duration) -> Stored<Vec<Untold>> {
        let rows = query("SELECT conversation, version, events FROM pending ORDER BY ordinal");
        all(rows.fetch_all(&self.readers).await, rows::untold)
    }

    async fn search(&self, search: &Search) -> Stored<Vec<Conversation>> {
        let mut sql = QueryBuilder::<Engine>::new("SELECT * FROM conversations WHERE true");
        narrow(&mut sql, search)?;
        if let Some(before) = search.before {
            sql.push(" AND id < ").push_bind(signed(before.get()));
        }
        sql.push(" ORDER BY id DESC LIMIT ").push_bind(search.limit.clamp(1, 200));
        all(sql.build().fetch_all(&self.readers).await, rows::conversation)
    }

    async fn count(&self, search: &Search) -> Stored<u32> {
        let start = "SELECT count(*) FROM (SELECT 1 FROM conversations WHERE true";
        let mut sql = QueryBuilder::<Engine>::new(start);
        narrow(&mut sql, search)?;
        sql.push(" LIMIT ").push_bind(COUNTED_MOST).push(")");
        sql.build_query_scalar().fetch_one(&self.readers).await.map_err(failed)
    }

    async fn queue(&self, team: Option<TeamId>) -> Stored<Vec<Conversation>> {
        let mut sql = QueryBuilder::<Engine>::new(
            "SELECT * FROM conversations WHERE state = 'waiting' AND offline = 0",
        );
        if let Some(team) = team {
            sql.push(" AND team = ").push_bind(signed(team.get()));
        }
        sql.push(" ORDER BY priority DESC, waiting_since, id");
        all(sql.build().fetch_all(&self.readers).await, rows::conversation)
    }

    async fn loads(&self) -> Stored<Vec<(AgentId, u16)>> {
        let rows = query(
            "SELECT agent, count(*) AS load FROM conversations
             WHERE state = 'active' AND agent IS NOT NULL GROUP BY agent",
        );
        all(rows.fetch_all(&self.readers).await, rows::load)
    }

    async fn turns(&self) -> Stored<Vec<(TeamId, AgentId)>> {
        all(query("SELECT * FROM turns").fetch_all(&self.readers).await, rows::turn)
    }

    async fn record_decision(&self, decision: &Decision) -> Stored<()> {
        keep_decision(&self.writer, decision).await
    }

    async fn decisions(&self, id: ConversationId) -> Stored<Vec<Decision>> {
        let rows = query("SELECT document FROM decisions WHERE conversation = ? ORDER BY at, id")
            .bind(signed(id.get()));
        all(rows.fetch_all(&self.readers).await, rows::decision)
    }

    async fn decision(&self, id: DecisionId) -> Stored<Option<Decision>> {
        let found = query("SELECT document FROM decisions WHERE id = ?").bind(signed(id.get()));
        one(found.fetch_optional(&self.readers).await, rows::decision)
    }

    async fn record_report(&self, report: &Report) -> Stored<bool> {
        let id = signed(report.conversation.get());
        let mut transaction = self.begin().await?;
        let kept = query(
            "INSERT INTO reports (conversation, at, format, document) VALUES (?, ?, ?, ?)
             ON CONFLICT (conversation) DO NOTHING",
        )
        .bind(id)
        .bind(signed(report.at))
        .bind(rows::REPORT_FORMAT)
        .bind(json(report)?)
        .execute(&mut *transaction)
        .await
        .map_err(failed)?;
        query("UPDATE conversations SET reported = 1 WHERE id = ?")
            .bind(id)
            .execute(&mut *transaction)
            .await
            .map_err(failed)?;
        transaction.commit().await.map_err(failed)?;
        Ok(kept.rows_affected() > 0)
    }

    async fn report(&self, id: ConversationId) -> Stored<Option<Report>> {
        let found = query("SELECT format, document FROM reports WHERE conversation = ?")
            .bind(signed(id.get()));
        one(found.fetch_optional(&self.readers).await, rows::report)
    }

    async fn uninspected(&self, limit: u32) -> Stored<Vec<ConversationId>> {
        let rows = query(
            "SELECT id FROM conversations WHERE state = 'closed' AND reported = 0
             ORDER BY closed_at, id LIMIT ?",
        )
        .bind(limit);
        all(rows.fetch_all(&self.readers).await, rows::conversation_id)
    }

    async fn service_time(&self, team: TeamId) -> Stored<Option<u64>> {
        const ENOUGH: i64 = 5;
        let (count, mean): (i64, Option<f64>) = query_as(
            "SELECT count(*), avg(took) FROM (
                 SELECT max(closed_at - assigned_at, 0) AS took FROM conversations
                 WHERE team = ? AND state = 'closed' AND assigned_at IS NOT NULL
                 ORDER BY closed_at DESC LIMIT 50)",
        )
        .bind(signed(team.get()))
        .fetch_one(&self.readers)
        .await
        .map_err(failed)?;
        Ok(mean.filter(|_| count >= ENOUGH).map(|mean| mean as u64))
    }
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
        sql.push(" AND team IN (");
        let mut teams = sql.separated(", ");
        for team in &search.teams {
            teams.push_bind(signed(team.get()));
        }
        sql.push(")");
    }
    Ok(())
}

async fn insert(connection: &mut SqliteConnection, row: &Conversation) -> Stored<()> {
    let sql = "INSERT INTO conversations (site, team, visitor, visitor_name, state, agent, needs,
             priority, fields, page, language, offline, opened_at, waiting_since, assigned_at,
             closed_at, rating, declined, verified, version, id)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
    store(connection, sql, row, None).await.map(|_| ())
}

/// Compare-and-set on the version before.
async fn update(connection: &mut SqliteConnection, next: &Conversation) -> Stored<bool> {
    let Some(before) = next.version.checked_sub(1) else { return Ok(false) };
    let sql = "UPDATE conversations SET site = ?, team = ?, visitor = ?, visitor_name = ?,
             state = ?, agent = ?, needs = ?, priority = ?, fields = ?, page = ?, language = ?,
             offline = ?, opened_at = ?, waiting_since = ?, assigned_at = ?, closed_at = ?,
             rating = ?, declined = ?, verified = ?, version = ?
         WHERE id = ? AND version = ?";
    Ok(store(connection, sql, next, Some(before)).await? == 1)
}

/// Binds every column in the one order that both statements use.
async fn store(
    connection: &mut SqliteConnection,
    sql: &'static str,
    row: &Conversation,
    before: Option<u64>,
) -> Stored<u64> {
    let mut statement = query(sql)
        .bind(signed(row.site.get()))
        .bind(signed(row.team.get()))
        .bind(signed(row.visitor.get()))
        .bind(&row.visitor_name)
        .bind(word(&row.state)?)
        .bind(row.agent.map(|agent| signed(agent.get())))
        .bind(json(&row.needs)?)
        .bind(row.priority)
        .bind(json(&row.fields)?)
        .bind(&row.page)
        .bind(&row.language)
        .bind(row.offline)
        .bind(signed(row.opened_at))
        .bind(signed(row.waiting_since))
        .bind(row.assigned_at.map(signed))
        .bind(row.closed_at.map(signed))
        .bind(row.rating)
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
    connection: &mut SqliteConnection,
    row: &Conversation,
    pending: &[NewEvent],
) -> Stored<()> {
    if pending.is_empty() {
        return Ok(());
    }
    query("INSERT INTO pending (conversation, version, events) VALUES (?, ?, ?)")
        .bind(signed(row.id.get()))
        .bind(signed(row.version))
        .bind(json(pending)?)
        .execute(connection)
        .await
        .map_err(failed)?;
    Ok(())
}

/// If the decision names somebody, that was their turn.
async fn take_turn(connection: &mut SqliteConnection, decision: &Decision) -> Stored<()> {
    query(
        "INSERT INTO turns (team, agent) SELECT ?1, ?2 WHERE ?2 IS NOT NULL
         ON CONFLICT (team) DO UPDATE SET agent = excluded.agent",
    )
    .bind(signed(decision.team.get()))
    .bind(decision.chosen.map(|agent| signed(agent.get())))
    .execute(connection)
    .await
    .map_err(failed)?;
    Ok(())
}

async fn keep_decision<'a>(writer: impl SqliteExecutor<'a>, decision: &Decision) -> Stored<()> {
    query("INSERT INTO decisions (id, conversation, at, document) VALUES (?, ?, ?, ?)")
        .bind(signed(decision.id.get()))
        .bind(signed(decision.conversation.get()))
        .bind(signed(decision.at))
        .bind(json(decision)?)
        .execute(writer)
        .await
        .map_err(failed)?;
    Ok(())
}
