//! Storage: people, sites, conversation state, decisions, plugins and reports as rows in SQL.
//!
//! Lookups return `Option`; rules of the business are not here. Conversation rows change only by
//! compare-and-set on `version`, in one transaction with the events that tell of the change
//! (`pending`): those are appended to the stream right after and then `settled`. What a crash
//! leaves in `pending` is appended again at start; client keys make that harmless.
//!
//! Two adapters: one SQLite file, or PostgreSQL, which also has the archive of events ([`Archived`]).

mod columns;
pub mod copy;
mod postgres;
mod rows;
mod sqlite;

#[cfg(test)]
mod contract;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::domain::agent::{Agent, Status};
use crate::domain::conversation::{Conversation, State};
use crate::domain::event::NewEvent;
use crate::domain::file::StoredFile;
use crate::domain::ids::{
    AgentId, ClientKey, ConversationId, DecisionId, FileId, GenerationId, Millis, SiteId, TeamId,
    VisitorId,
};
use crate::domain::inspection::Report;
use crate::domain::people::{Site, Team, Visitor};
use crate::domain::plugin::Point;
use crate::domain::routing::Decision;
pub use postgres::{Archived, Examined, Source, Written, examine};

/// Why storage did not do it.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// A unique value is taken; says which.
    #[error("{0} is already taken")]
    Taken(&'static str),
    /// No room on the disk.
    #[error("the disk that holds the storage is full")]
    Full,
    /// Away or broken; may help to try again.
    #[error("storage is unavailable: {0}")]
    Unavailable(String),
    /// A row that this version cannot read.
    #[error("storage holds a {what} it cannot read: {why}")]
    Corrupt {
        /// Which kind of row.
        what: &'static str,
        /// Why.
        why: String,
    },
}

/// Result of storage calls.
pub type Stored<T> = Result<T, StorageError>;

/// Accounts, teams, sites, visitors.
#[async_trait]
pub trait People: Send + Sync {
    /// Adds an account with its argon2id hash (PHC string).
    async fn add_agent(&self, agent: &Agent, password_hash: &str) -> Stored<()>;
    /// By id.
    async fn agent(&self, id: AgentId) -> Stored<Option<Agent>>;
    /// By sign-in name, with the password hash.
    async fn agent_by_login(&self, login: &str) -> Stored<Option<(Agent, String)>>;
    /// All accounts by login.
    async fn agents(&self) -> Stored<Vec<Agent>>;
    /// Stores everything but status, quality, idle time and password; `false` when there is no such
    /// account. The epoch never falls: a password changed meanwhile stays changed.
    async fn update_agent(&self, agent: &Agent) -> Stored<bool>;
    /// New hash, epoch + 1.
    async fn set_password(&self, id: AgentId, password_hash: &str) -> Stored<bool>;
    /// What the agent says about being there.
    async fn set_status(&self, id: AgentId, status: Status) -> Stored<bool>;
    /// Moves `quality` a tenth of the way to `score` (0–1).
    async fn blend_quality(&self, id: AgentId, score: f64) -> Stored<()>;
    /// Adds a team.
    async fn add_team(&self, team: &Team) -> Stored<()>;
    /// All teams by name.
    async fn teams(&self) -> Stored<Vec<Team>>;
    /// Adds a site.
    async fn add_site(&self, site: &Site) -> Stored<()>;
    /// Stores a site; `false` when there is none.
    async fn update_site(&self, site: &Site) -> Stored<bool>;
    /// By public key.
    async fn site_by_key(&self, key: &str) -> Stored<Option<Site>>;
    /// By id.
    async fn site(&self, id: SiteId) -> Stored<Option<Site>>;
    /// All sites by key.
    async fn sites(&self) -> Stored<Vec<Site>>;
    /// Adds a visitor.
    async fn add_visitor(&self, visitor: &Visitor) -> Stored<()>;
    /// By id.
    async fn visitor(&self, id: VisitorId) -> Stored<Option<Visitor>>;
    /// The visitor for whom a site vouches: the one with this identity at this site, or else `visitor`
    /// (stored now, or, if its row is there and anonymous, from now on known by it). Name and e-mail
    /// address become those given. `visitor.identity` must be there.
    async fn identified_visitor(&self, visitor: &Visitor) -> Stored<Visitor>;
    /// The secret of a site's identities, `fresh` if it has none yet.
    async fn identity_secret(&self, site: SiteId, fresh: &str) -> Stored<String>;
    /// A new one.
    async fn replace_identity_secret(&self, site: SiteId, secret: &str) -> Stored<()>;
    /// Remembers name and last agent.
    async fn update_visitor(&self, visitor: &Visitor) -> Stored<()>;
}

/// Whoever wants to know how many conversations there are does not wait for all of them to be counted.
pub const COUNTED_MOST: u32 = 10_000;

/// Which conversations.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Search {
    /// In this state.
    pub state: Option<State>,
    /// Of this agent.
    pub agent: Option<AgentId>,
    /// Of this visitor.
    pub visitor: Option<VisitorId>,
    /// In one of these teams' queues; empty: any.
    pub teams: Vec<TeamId>,
    /// Opened before (paging: newest first).
    pub before: Option<ConversationId>,
    /// At most, 1–200.
    pub limit: u32,
}

/// How a claim ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Claim {
    /// The row is stored as given.
    Won,
    /// The agent has as many as it may have.
    AgentFull,
    /// Someone changed the conversation first.
    Lost,
}

/// A change that is stored and whose events are not known to be in the stream.
#[derive(Debug, Clone, PartialEq)]
pub struct Untold {
    /// Of which conversation.
    pub conversation: ConversationId,
    /// The version it made.
    pub version: u64,
    /// Its events, in order.
    pub events: Vec<NewEvent>,
}

/// Conversations and what was decided about them.
#[async_trait]
pub trait Conversations: Send + Sync {
    /// Adds a conversation together with the events to tell.
    async fn open(&self, row: &Conversation, pending: &[NewEvent]) -> Stored<()>;
    /// By id.
    async fn conversation(&self, id: ConversationId) -> Stored<Option<Conversation>>;
    /// Stores `next` if the stored version is `next.version − 1`; `false` when someone was faster.
    async fn change(&self, next: &Conversation, pending: &[NewEvent]) -> Stored<bool>;
    /// As `change`, and only while `next.agent` has fewer active conversations than its capacity,
    /// exact under concurrency. Also sets the agent's idle time to `next.assigned_at`. The decision
    /// that led to it, if one did (whoever takes by hand has none), is kept by the same commit: in
    /// `decisions` exactly if the claim is won, and its team's turn is then the agent's.
    async fn claim(
        &self,
        next: &Conversation,
        pending: &[NewEvent],
        decision: Option<&Decision>,
    ) -> Stored<Claim>;
    /// The pending events of this version have been appended.
    async fn settled(&self, id: ConversationId, version: u64) -> Stored<()>;
    /// What is not known to be appended, of changes at least so old, oldest first: younger ones another node is still
    /// appending. Storage that only one process uses does not look at the age.
    async fn unsettled(&self, age: Duration) -> Stored<Vec<Untold>>;
    /// Newest first.
    async fn search(&self, search: &Search) -> Stored<Vec<Conversation>>;
    /// How many a search finds on all its pages, counted up to [`COUNTED_MOST`].
    async fn count(&self, search: &Search) -> Stored<u32>;
    /// The waiting ones of a team (or of all) that routing may assign (not offline), in queue
    /// order: priority, then `waiting_since`, then id.
    async fn queue(&self, team: Option<TeamId>) -> Stored<Vec<Conversation>>;
    /// Number of active conversations of each agent that has any.
    async fn loads(&self) -> Stored<Vec<(AgentId, u16)>>;
    /// To whom routing last gave a conversation, of each team where it ever did.
    async fn turns(&self) -> Stored<Vec<(TeamId, AgentId)>>;
    /// Keeps a decision that gave the conversation to nobody.
    async fn record_decision(&self, decision: &Decision) -> Stored<()>;
    /// Decisions about a conversation, oldest first.
    async fn decisions(&self, id: ConversationId) -> Stored<Vec<Decision>>;
    /// One decision.
    async fn decision(&self, id: DecisionId) -> Stored<Option<Decision>>;
    /// Keeps a report, if its conversation has none: of several nodes that inspected it one is told `true`.
    async fn record_report(&self, report: &Report) -> Stored<bool>;
    /// The report of a conversation.
    async fn report(&self, id: ConversationId) -> Stored<Option<Report>>;
    /// Closed conversations without a report, oldest first, at most `limit`.
    async fn uninspected(&self, limit: u32) -> Stored<Vec<ConversationId>>;
    /// Mean time between assigned and closed of the last 50 closed conversations of a team, ms;
    /// `None` under 5.
    async fn service_time(&self, team: TeamId) -> Stored<Option<u64>>;
}

/// Where a generation stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Passed its admission check, does not serve.
    Admitted,
    /// Serves.
    Active,
    /// Served before.
    Retired,
    /// Taken out after repeated faults.
    Quarantined,
}

/// How a generation came, and so which rule it is under.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "PluginOrigin")]
pub enum Origin {
    /// With the program: no rule of trust is asked.
    Shipped,
    /// By a version that did not ask for trust yet: it may go on serving.
    Earlier,
    /// By an operator: the rules of trust are asked.
    Installed,
}

/// A stored generation: one immutable (code, config, budget) of a plugin.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Generation {
    /// Its id.
    pub id: GenerationId,
    /// 1, 2, 3 … per point, as people see it ("g7").
    pub number: u32,
    /// Which point.
    pub point: Point,
    /// The plugin's name: its package's, or as given at installation.
    pub name: String,
    /// The plugin's version: its package's, or as given at installation.
    pub plugin_version: String,
    /// How it came.
    pub origin: Origin,
    /// Whose it is, as its package says.
    pub publisher: Option<String>,
    /// The digest of the package it came in, hex; none for a bare component.
    pub package: Option<String>,
    /// The key that signed the package.
    pub signer: Option<String>,
    /// SHA-256 of the component, hex.
    pub digest: String,
    /// Config JSON document.
    pub config: String,
    /// Most fuel per call.
    pub fuel: u64,
    /// Wall-clock limit per call, ms.
    pub deadline_ms: u32,
    /// Most memory of an instance, MiB; 0: what is set for all.
    pub memory_mb: u32,
    /// Where it stands.
    pub stage: Stage,
    /// When it was installed.
    pub created_at: Millis,
    /// When it last became active.
    pub activated_at: Option<Millis>,
    /// Who installed it (login, or `kefu` for shipped ones).
    pub created_by: String,
    /// Why it is quarantined.
    pub fault: Option<String>,
}

/// A key that the operator trusts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PublisherKey {
    /// `ed25519:` and 64 hexadecimal digits.
    pub key: String,
    /// Whose packages it may sign.
    pub publisher: String,
    /// Since when.
    pub added_at: Millis,
    /// Who said so (login).
    pub added_by: String,
}

/// A publisher's last revocation list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RevocationList {
    /// Whose.
    pub publisher: String,
    /// Its serial.
    pub serial: u64,
    /// The signed list.
    pub text: String,
    /// When it came.
    pub added_at: Millis,
}

/// Plugins: components and generations, and who may publish them.
#[async_trait]
pub trait Plugins: Send + Sync {
    /// Adds a generation with its component, and with the rest of its package if it came in one; `number` is chosen by
    /// storage and returned, and never given again.
    async fn add_generation(
        &self,
        generation: &Generation,
        component: &[u8],
        package: Option<&[u8]>,
    ) -> Stored<u32>;
    /// All generations, newest first.
    async fn generations(&self) -> Stored<Vec<Generation>>;
    /// The component of a generation.
    async fn component(&self, id: GenerationId) -> Stored<Option<Vec<u8>>>;
    /// The rest of the package of a generation.
    async fn package(&self, id: GenerationId) -> Stored<Option<Vec<u8>>>;
    /// Forgets a generation that is not active, and its component if no other has the same; `false` when there is none.
    /// That it came with the program is remembered by its name.
    async fn remove_generation(&self, id: GenerationId) -> Stored<bool>;
    /// Names of what came with the program and was removed, in their order.
    async fn removed_shipped(&self) -> Stored<Vec<String>>;
    /// No longer remembers that this was removed.
    async fn forget_removal(&self, name: &str) -> Stored<()>;
    /// Makes `id` active and the point's former active one retired, in one step.
    async fn activate(&self, id: GenerationId, now: Millis) -> Stored<bool>;
    /// Takes an active generation out, with the reason.
    async fn quarantine(&self, id: GenerationId, reason: &str) -> Stored<bool>;
    /// Trusts a key; one that is trusted already is `Taken`.
    async fn trust_key(&self, key: &PublisherKey) -> Stored<()>;
    /// No longer trusts a key; `false` when it did not.
    async fn distrust_key(&self, key: &str) -> Stored<bool>;
    /// All trusted keys, by publisher and key.
    async fn publisher_keys(&self) -> Stored<Vec<PublisherKey>>;
    /// Keeps a list instead of the publisher's last; `false` when the last has this serial or a higher one.
    async fn replace_revocations(&self, list: &RevocationList) -> Stored<bool>;
    /// The last list of each publisher that has one, by publisher.
    async fn revocations(&self) -> Stored<Vec<RevocationList>>;
    /// A named secret of this installation, made by `make` at first use (32 bytes).
    async fn secret(&self, name: &str, fresh: [u8; 32]) -> Stored<[u8; 32]>;
}

/// What is known of files; their bytes are elsewhere.
#[async_trait]
pub trait Files: Send + Sync {
    /// Adds a file that nobody sends yet.
    async fn add_file(&self, file: &StoredFile) -> Stored<()>;
    /// By id.
    async fn file(&self, id: FileId) -> Stored<Option<StoredFile>>;
    /// By its address.
    async fn file_at(&self, url: &str) -> Stored<Option<StoredFile>>;
    /// How many were uploaded to a conversation.
    async fn files_of(&self, conversation: ConversationId) -> Stored<u64>;
    /// It is sent by the draft of this key, under this name (as the filter left it); `false` when
    /// another draft sends it or it is gone.
    async fn use_file(&self, id: FileId, key: &ClientKey, name: &str) -> Stored<bool>;
    /// Withdraws files that came before `before` and are not sent, oldest first, at most `limit`:
    /// from now on nobody can send or read them. Those withdrawn earlier and not forgotten yet are
    /// among them.
    async fn doom_unused_files(&self, before: Millis, limit: u32) -> Stored<Vec<FileId>>;
    /// The bytes of a file that is not sent are gone, and so is its row.
    async fn forget_file(&self, id: FileId) -> Stored<()>;
}

/// The way there.
#[async_trait]
pub trait Connections: Send + Sync {
    /// Opens as many connections as there may be and has each look at every table, so that whoever comes first waits
    /// for none of it. How many there are then.
    async fn warm(&self) -> Stored<u32>;
}

/// The seam: everything above behind one handle.
pub trait Storage: People + Conversations + Plugins + Files + Connections {}
impl<T: People + Conversations + Plugins + Files + Connections> Storage for T {}

/// A shared handle.
pub type Handle = Arc<dyn Storage>;

/// Which storage.
#[derive(Debug, Clone, PartialEq)]
pub enum StorageConfig {
    /// `kefu.db` in this folder.
    Sqlite(PathBuf),
    /// A PostgreSQL server.
    Postgres(PostgresConfig),
}

/// How to use a PostgreSQL server.
#[derive(Clone, PartialEq)]
pub struct PostgresConfig {
    /// `postgres://user:password@host/database`.
    pub url: String,
    /// Most connections; calls beyond them wait.
    pub connections: u32,
    /// How long a call waits for a connection.
    pub acquire_timeout: Duration,
    /// How long a statement may take; a call of several, too.
    pub statement_timeout: Duration,
    /// How long a statement waits for another's lock.
    pub lock_timeout: Duration,
}

impl std::fmt::Debug for PostgresConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PostgresConfig")
    }
}

/// What was opened.
#[derive(Clone)]
pub struct Opened {
    /// The rows.
    pub storage: Handle,
    /// The archive of events, where the storage has one.
    pub archived: Option<Archived>,
}

/// Opens storage, bringing its tables up to date; a SQLite file is made when it is not there.
///
/// # Errors
/// When it cannot be reached or used, or was written by a newer version.
pub async fn open(config: &StorageConfig) -> Stored<Opened> {
    Ok(match config {
        StorageConfig::Sqlite(dir) => {
            Opened { storage: Arc::new(sqlite::Sqlite::open(dir).await?), archived: None }
        }
        StorageConfig::Postgres(config) => {
            let sql = postgres::Postgres::open(config).await?;
            Opened { archived: Some(Archived::new(sql.clone())), storage: Arc::new(sql) }
        }
    })
}

/// What is kept, as far as it can be told without changing anything.
#[derive(Debug, Clone, PartialEq)]
pub enum Kept {
    /// No storage was made yet.
    Nothing,
    /// Tables of another version.
    Other {
        /// Migrations applied.
        applied: usize,
        /// Migrations this version knows.
        known: usize,
    },
    /// Tables of this version; all generations in them, newest first.
    Readable(Vec<Generation>),
}

/// Looks at storage, and neither makes it nor brings its tables up to date.
///
/// # Errors
/// When it cannot be reached or read.
pub async fn look(config: &StorageConfig) -> Stored<Kept> {
    match config {
        StorageConfig::Sqlite(dir) => sqlite::look(dir).await,
        StorageConfig::Postgres(config) => postgres::look(config).await,
    }
}

/// Whether [`open`] would find a storage, rather than make one; a server that is named is taken to be there.
#[must_use]
pub fn exists(config: &StorageConfig) -> bool {
    match config {
        StorageConfig::Sqlite(dir) => dir.join("kefu.db").is_file(),
        StorageConfig::Postgres(_) => true,
    }
}
