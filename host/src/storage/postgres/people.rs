//! Accounts, teams, sites and visitors as rows.

use async_trait::async_trait;
use sqlx::postgres::PgArguments;
use sqlx::query::Query;
use sqlx::{Postgres as Engine, query};

use super::{Postgres, failed, plain, plain_or_null};
use crate::domain::agent::{Agent, Status};
use crate::domain::ids::{AgentId, SiteId, VisitorId};
use crate::domain::people::{Site, Team, Visitor};
use crate::storage::columns::{Columns, json, signed, word};
use crate::storage::{People, StorageError, Stored, rows};

#[async_trait]
impl People for Postgres {
    async fn add_agent(&self, agent: &Agent, password_hash: &str) -> Stored<()> {
        let insert = query(
            "INSERT INTO agents (id, login, name, role, teams, skills, capacity, quality, status,
                 idle_since, enabled, epoch, password_hash)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
        )
        .bind(signed(agent.id.get()))
        .bind(plain(&agent.login))
        .bind(plain(&agent.name))
        .bind(word(&agent.role)?)
        .bind(json(&agent.teams)?)
        .bind(json(&agent.skills)?)
        .bind(i64::from(agent.capacity))
        .bind(agent.quality)
        .bind(word(&agent.status)?)
        .bind(signed(agent.idle_since))
        .bind(agent.enabled)
        .bind(i64::from(agent.epoch))
        .bind(password_hash);
        self.run(insert).await.map(drop)
    }

    async fn agent(&self, id: AgentId) -> Stored<Option<Agent>> {
        let found = query("SELECT * FROM agents WHERE id = $1").bind(signed(id.get()));
        self.one(found, rows::agent).await
    }

    async fn agent_by_login(&self, login: &str) -> Stored<Option<(Agent, String)>> {
        let found = query("SELECT * FROM agents WHERE login = $1").bind(plain(login));
        self.one(found, rows::account).await
    }

    async fn agents(&self) -> Stored<Vec<Agent>> {
        self.all(query("SELECT * FROM agents ORDER BY login"), rows::agent).await
    }

    async fn update_agent(&self, agent: &Agent) -> Stored<bool> {
        let update = query(
            "UPDATE agents SET login = $1, name = $2, role = $3, teams = $4, skills = $5,
                 capacity = $6, enabled = $7, epoch = greatest(epoch, $8) WHERE id = $9",
        )
        .bind(plain(&agent.login))
        .bind(plain(&agent.name))
        .bind(word(&agent.role)?)
        .bind(json(&agent.teams)?)
        .bind(json(&agent.skills)?)
        .bind(i64::from(agent.capacity))
        .bind(agent.enabled)
        .bind(i64::from(agent.epoch))
        .bind(signed(agent.id.get()));
        Ok(self.run(update).await? == 1)
    }

    async fn set_password(&self, id: AgentId, password_hash: &str) -> Stored<bool> {
        let update = query("UPDATE agents SET password_hash = $1, epoch = epoch + 1 WHERE id = $2")
            .bind(password_hash)
            .bind(signed(id.get()));
        Ok(self.run(update).await? == 1)
    }

    async fn set_status(&self, id: AgentId, status: Status) -> Stored<bool> {
        let update = query("UPDATE agents SET status = $1 WHERE id = $2")
            .bind(word(&status)?)
            .bind(signed(id.get()));
        Ok(self.run(update).await? == 1)
    }

    async fn blend_quality(&self, id: AgentId, score: f64) -> Stored<()> {
        let score = if score.is_finite() { score.clamp(0.0, 1.0) } else { return Ok(()) };
        let update =
            query("UPDATE agents SET quality = quality + ($1 - quality) * 0.1 WHERE id = $2")
                .bind(score)
                .bind(signed(id.get()));
        self.run(update).await.map(drop)
    }

    async fn add_team(&self, team: &Team) -> Stored<()> {
        let insert = query("INSERT INTO teams (id, name) VALUES ($1, $2)")
            .bind(signed(team.id.get()))
            .bind(plain(&team.name));
        self.run(insert).await.map(drop)
    }

    async fn teams(&self) -> Stored<Vec<Team>> {
        self.all(query("SELECT * FROM teams ORDER BY name"), rows::team).await
    }

    async fn add_site(&self, site: &Site) -> Stored<()> {
        let sql = "INSERT INTO sites (key, name, team, origins, widget, enabled, id)
             VALUES ($1, $2, $3, $4, $5, $6, $7)";
        self.run(with_site(sql, site)?).await.map(drop)
    }

    async fn update_site(&self, site: &Site) -> Stored<bool> {
        let sql = "UPDATE sites SET key = $1, name = $2, team = $3, origins = $4, widget = $5,
                 enabled = $6 WHERE id = $7";
        Ok(self.run(with_site(sql, site)?).await? == 1)
    }

    async fn site_by_key(&self, key: &str) -> Stored<Option<Site>> {
        self.one(query("SELECT * FROM sites WHERE key = $1").bind(plain(key)), rows::site).await
    }

    async fn site(&self, id: SiteId) -> Stored<Option<Site>> {
        let found = query("SELECT * FROM sites WHERE id = $1").bind(signed(id.get()));
        self.one(found, rows::site).await
    }

    async fn sites(&self) -> Stored<Vec<Site>> {
        self.all(query("SELECT * FROM sites ORDER BY key"), rows::site).await
    }

    async fn add_visitor(&self, visitor: &Visitor) -> Stored<()> {
        let sql = "INSERT INTO visitors (id, site, name, identity, email, created_at, last_agent)
             VALUES ($1, $2, $3, $4, $5, $6, $7)";
        self.run(with_visitor(sql, visitor)).await.map(drop)
    }

    async fn visitor(&self, id: VisitorId) -> Stored<Option<Visitor>> {
        let found = query("SELECT * FROM visitors WHERE id = $1").bind(signed(id.get()));
        self.one(found, rows::visitor).await
    }

    async fn identified_visitor(&self, visitor: &Visitor) -> Stored<Visitor> {
        let known = query("SELECT * FROM visitors WHERE site = $1 AND identity = $2")
            .bind(signed(visitor.site.get()))
            .bind(plain_or_null(&visitor.identity));
        let told = |row: &Visitor| {
            (row.name == visitor.name || visitor.name.is_none())
                && (row.email == visitor.email || visitor.email.is_none())
        };
        match self.one(known, rows::visitor).await? {
            Some(known) if told(&known) => Ok(known),
            _ => match self.within(self.identify(visitor)).await {
                // Someone else may have become this identity at the same moment.
                Err(StorageError::Taken(_)) => self.within(self.identify(visitor)).await,
                done => done,
            },
        }
    }

    async fn identity_secret(&self, site: SiteId, fresh: &str) -> Stored<String> {
        let insert = query(
            "INSERT INTO identity_secrets (site, secret) VALUES ($1, $2) ON CONFLICT DO NOTHING",
        )
        .bind(signed(site.get()))
        .bind(fresh);
        let find = || {
            let found = query("SELECT secret FROM identity_secrets WHERE site = $1");
            self.one(found.bind(signed(site.get())), |row| {
                Columns::new("identity secret", row).text("secret")
            })
        };
        if let Some(secret) = find().await? {
            return Ok(secret);
        }
        self.run(insert).await?;
        Ok(find().await?.unwrap_or_else(|| fresh.to_owned()))
    }

    async fn replace_identity_secret(&self, site: SiteId, secret: &str) -> Stored<()> {
        let upsert = query(
            "INSERT INTO identity_secrets (site, secret) VALUES ($1, $2)
             ON CONFLICT (site) DO UPDATE SET secret = excluded.secret",
        )
        .bind(signed(site.get()))
        .bind(secret);
        self.run(upsert).await.map(drop)
    }

    async fn update_visitor(&self, visitor: &Visitor) -> Stored<()> {
        let update = query("UPDATE visitors SET name = $1, last_agent = $2 WHERE id = $3")
            .bind(plain_or_null(&visitor.name))
            .bind(visitor.last_agent.map(|agent| signed(agent.get())))
            .bind(signed(visitor.id.get()));
        self.run(update).await.map(drop)
    }
}

impl Postgres {
    /// One statement finds or makes the row of an identity, so that two devices at once are one visitor. Only what has
    /// to be decided before it, whether an anonymous row becomes it, is decided under that row's lock.
    async fn identify(&self, visitor: &Visitor) -> Stored<Visitor> {
        let mut transaction = self.begin().await?;
        let adopted = query(
            "UPDATE visitors SET identity = $1 WHERE id = $2 AND site = $3 AND identity IS NULL
             AND NOT EXISTS (SELECT FROM visitors WHERE site = $3 AND identity = $1)",
        )
        .bind(plain_or_null(&visitor.identity))
        .bind(signed(visitor.id.get()))
        .bind(signed(visitor.site.get()));
        adopted.execute(&mut *transaction).await.map_err(failed)?;
        let sql = "INSERT INTO visitors (id, site, name, identity, email, created_at, last_agent)
             VALUES ($1, $2, $3, $4, $5, $6, $7)
             ON CONFLICT (site, identity) WHERE identity IS NOT NULL DO UPDATE SET
                 name = coalesce(excluded.name, visitors.name),
                 email = coalesce(excluded.email, visitors.email)
             RETURNING *";
        let row = with_visitor(sql, visitor).fetch_one(&mut *transaction).await.map_err(failed)?;
        let row = rows::visitor(&row)?;
        transaction.commit().await.map_err(failed)?;
        Ok(row)
    }
}

/// Binds every column in the one order that both statements use.
fn with_site<'q>(sql: &'static str, site: &'q Site) -> Stored<Query<'q, Engine, PgArguments>> {
    Ok(query(sql)
        .bind(plain(&site.key))
        .bind(plain(&site.name))
        .bind(signed(site.team.get()))
        .bind(json(&site.origins)?)
        .bind(json(&site.widget)?)
        .bind(site.enabled)
        .bind(signed(site.id.get())))
}

fn with_visitor<'q>(sql: &'static str, visitor: &'q Visitor) -> Query<'q, Engine, PgArguments> {
    query(sql)
        .bind(signed(visitor.id.get()))
        .bind(signed(visitor.site.get()))
        .bind(plain_or_null(&visitor.name))
        .bind(plain_or_null(&visitor.identity))
        .bind(plain_or_null(&visitor.email))
        .bind(signed(visitor.created_at))
        .bind(visitor.last_agent.map(|agent| signed(agent.get())))
}
