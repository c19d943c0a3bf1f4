//! Accounts, teams, sites and visitors as rows.

use async_trait::async_trait;
use sqlx::query::Query;
use sqlx::sqlite::SqliteArguments;
use sqlx::{Sqlite as Engine, query, query_scalar};

use super::{Sqlite, all, failed, one};
use crate::domain::agent::{Agent, Status};
use crate::domain::ids::{AgentId, SiteId, VisitorId};
use crate::domain::people::{Site, Team, Visitor};
use crate::storage::columns::{json, signed, word};
use crate::storage::{People, Stored, rows};

#[async_trait]
impl People for Sqlite {
    async fn add_agent(&self, agent: &Agent, password_hash: &str) -> Stored<()> {
        query(
            "INSERT INTO agents (id, login, name, role, teams, skills, capacity, quality, status,
                 idle_since, enabled, epoch, password_hash)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(signed(agent.id.get()))
        .bind(&agent.login)
        .bind(&agent.name)
        .bind(word(&agent.role)?)
        .bind(json(&agent.teams)?)
        .bind(json(&agent.skills)?)
        .bind(agent.capacity)
        .bind(agent.quality)
        .bind(word(&agent.status)?)
        .bind(signed(agent.idle_since))
        .bind(agent.enabled)
        .bind(agent.epoch)
        .bind(password_hash)
        .execute(&self.writer)
        .await
        .map_err(failed)?;
        Ok(())
    }

    async fn agent(&self, id: AgentId) -> Stored<Option<Agent>> {
        let found = query("SELECT * FROM agents WHERE id = ?").bind(signed(id.get()));
        one(found.fetch_optional(&self.readers).await, rows::agent)
    }

    async fn agent_by_login(&self, login: &str) -> Stored<Option<(Agent, String)>> {
        let found = query("SELECT * FROM agents WHERE login = ?").bind(login);
        one(found.fetch_optional(&self.readers).await, rows::account)
    }

    async fn agents(&self) -> Stored<Vec<Agent>> {
        all(
            query("SELECT * FROM agents ORDER BY login").fetch_all(&self.readers).await,
            rows::agent,
        )
    }

    async fn update_agent(&self, agent: &Agent) -> Stored<bool> {
        let update = query(
            "UPDATE agents SET login = ?, name = ?, role = ?, teams = ?, skills = ?, capacity = ?,
                 enabled = ?, epoch = max(epoch, ?) WHERE id = ?",
        )
        .bind(&agent.login)
        .bind(&agent.name)
        .bind(word(&agent.role)?)
        .bind(json(&agent.teams)?)
        .bind(json(&agent.skills)?)
        .bind(agent.capacity)
        .bind(agent.enabled)
        .bind(agent.epoch)
        .bind(signed(agent.id.get()));
        Ok(update.execute(&self.writer).await.map_err(failed)?.rows_affected() == 1)
    }

    async fn set_password(&self, id: AgentId, password_hash: &str) -> Stored<bool> {
        let update = query("UPDATE agents SET password_hash = ?, epoch = epoch + 1 WHERE id = ?")
            .bind(password_hash)
            .bind(signed(id.get()));
        Ok(update.execute(&self.writer).await.map_err(failed)?.rows_affected() == 1)
    }

    async fn set_status(&self, id: AgentId, status: Status) -> Stored<bool> {
        let update = query("UPDATE agents SET status = ? WHERE id = ?")
            .bind(word(&status)?)
            .bind(signed(id.get()));
        Ok(update.execute(&self.writer).await.map_err(failed)?.rows_affected() == 1)
    }

    async fn blend_quality(&self, id: AgentId, score: f64) -> Stored<()> {
        let score = if score.is_finite() { score.clamp(0.0, 1.0) } else { return Ok(()) };
        query("UPDATE agents SET quality = quality + (? - quality) * 0.1 WHERE id = ?")
            .bind(score)
            .bind(signed(id.get()))
            .execute(&self.writer)
            .await
            .map_err(failed)?;
        Ok(())
    }

    async fn add_team(&self, team: &Team) -> Stored<()> {
        query("INSERT INTO teams (id, name) VALUES (?, ?)")
            .bind(signed(team.id.get()))
            .bind(&team.name)
            .execute(&self.writer)
            .await
            .map_err(failed)?;
        Ok(())
    }

    async fn teams(&self) -> Stored<Vec<Team>> {
        all(query("SELECT * FROM teams ORDER BY name").fetch_all(&self.readers).await, rows::team)
    }

    async fn add_site(&self, site: &Site) -> Stored<()> {
        query(
            "INSERT INTO sites (key, name, team, origins, widget, enabled, id)
             VALUES (?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(&site.key)
        .bind(&site.name)
        .bind(signed(site.team.get()))
        .bind(json(&site.origins)?)
        .bind(json(&site.widget)?)
        .bind(site.enabled)
        .bind(signed(site.id.get()))
        .execute(&self.writer)
        .await
        .map_err(failed)?;
        Ok(())
    }

    async fn update_site(&self, site: &Site) -> Stored<bool> {
        let update = query(
            "UPDATE sites SET key = ?, name = ?, team = ?, origins = ?, widget = ?, enabled = ?
             WHERE id = ?",
        )
        .bind(&site.key)
        .bind(&site.name)
        .bind(signed(site.team.get()))
        .bind(json(&site.origins)?)
        .bind(json(&site.widget)?)
        .bind(site.enabled)
        .bind(signed(site.id.get()));
        Ok(update.execute(&self.writer).await.map_err(failed)?.rows_affected() == 1)
    }

    async fn site_by_key(&self, key: &str) -> Stored<Option<Site>> {
        let found = query("SELECT * FROM sites WHERE key = ?").bind(key);
        one(found.fetch_optional(&self.readers).await, rows::site)
    }

    async fn site(&self, id: SiteId) -> Stored<Option<Site>> {
        let found = query("SELECT * FROM sites WHERE id = ?").bind(signed(id.get()));
        one(found.fetch_optional(&self.readers).await, rows::site)
    }

    async fn sites(&self) -> Stored<Vec<Site>> {
        all(query("SELECT * FROM sites ORDER BY key").fetch_all(&self.readers).await, rows::site)
    }

    async fn add_visitor(&self, visitor: &Visitor) -> Stored<()> {
        insert_visitor(visitor).execute(&self.writer).await.map_err(failed)?;
        Ok(())
    }

    async fn visitor(&self, id: VisitorId) -> Stored<Option<Visitor>> {
        let found = query("SELECT * FROM visitors WHERE id = ?").bind(signed(id.get()));
        one(found.fetch_optional(&self.readers).await, rows::visitor)
    }

    async fn identified_visitor(&self, visitor: &Visitor) -> Stored<Visitor> {
        let find = || {
            query("SELECT * FROM visitors WHERE site = ? AND identity = ?")
                .bind(signed(visitor.site.get()))
                .bind(&visitor.identity)
        };
        let told = |row: &Visitor| {
            (row.name == visitor.name || visitor.name.is_none())
                && (row.email == visitor.email || visitor.email.is_none())
        };
        let known = one(find().fetch_optional(&self.readers).await, rows::visitor)?;
        if let Some(known) = known.filter(told) {
            return Ok(known);
        }
        let mut transaction = self.begin().await?;
        let known = one(find().fetch_optional(&mut *transaction).await, rows::visitor)?;
        let id = match known {
            Some(known) => known.id,
            None => {
                let adopted = query(
                    "UPDATE visitors SET identity = ? WHERE id = ? AND site = ? AND identity IS NULL",
                )
                .bind(&visitor.identity)
                .bind(signed(visitor.id.get()))
                .bind(signed(visitor.site.get()));
                let adopted = adopted.execute(&mut *transaction).await.map_err(failed)?;
                if adopted.rows_affected() == 0 {
                    insert_visitor(visitor).execute(&mut *transaction).await.map_err(failed)?;
                }
                visitor.id
            }
        };
        let update = query(
            "UPDATE visitors SET name = coalesce(?, name), email = coalesce(?, email) WHERE id = ?
             RETURNING *",
        )
        .bind(&visitor.name)
        .bind(&visitor.email)
        .bind(signed(id.get()));
        let row = rows::visitor(&update.fetch_one(&mut *transaction).await.map_err(failed)?)?;
        transaction.commit().await.map_err(failed)?;
        Ok(row)
    }

    async fn identity_secret(&self, site: SiteId, fresh: &str) -> Stored<String> {
        let find = || {
            query_scalar::<_, String>("SELECT secret FROM identity_secrets WHERE site = ?")
                .bind(signed(site.get()))
        };
        if let Some(secret) = find().fetch_optional(&self.readers).await.map_err(failed)? {
            return Ok(secret);
        }
        query("INSERT OR IGNORE INTO identity_secrets (site, secret) VALUES (?, ?)")
            .bind(signed(site.get()))
            .bind(fresh)
            .execute(&self.writer)
            .await
            .map_err(failed)?;
        find().fetch_one(&self.writer).await.map_err(failed)
    }

    async fn replace_identity_secret(&self, site: SiteId, secret: &str) -> Stored<()> {
        query("INSERT OR REPLACE INTO identity_secrets (site, secret) VALUES (?, ?)")
            .bind(signed(site.get()))
            .bind(secret)
            .execute(&self.writer)
            .await
            .map_err(failed)?;
        Ok(())
    }

    async fn update_visitor(&self, visitor: &Visitor) -> Stored<()> {
        query("UPDATE visitors SET name = ?, last_agent = ? WHERE id = ?")
            .bind(&visitor.name)
            .bind(visitor.last_agent.map(|agent| signed(agent.get())))
            .bind(signed(visitor.id.get()))
            .execute(&self.writer)
            .await
            .map_err(failed)?;
        Ok(())
    }
}

fn insert_visitor(visitor: &Visitor) -> Query<'_, Engine, SqliteArguments> {
    query(
        "INSERT INTO visitors (id, site, name, identity, email, created_at, last_agent)
         VALUES (?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(signed(visitor.id.get()))
    .bind(signed(visitor.site.get()))
    .bind(&visitor.name)
    .bind(&visitor.identity)
    .bind(&visitor.email)
    .bind(signed(visitor.created_at))
    .bind(visitor.last_agent.map(|agent| signed(agent.get())))
}
