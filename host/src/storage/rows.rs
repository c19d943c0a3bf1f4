//! Rows as domain values: one reader per table, the same for both databases.

use super::columns::{Columns, RawRow};
use super::{Generation, PublisherKey, RevocationList, StorageError, Stored, Untold};
use crate::domain::agent::Agent;
use crate::domain::conversation::Conversation;
use crate::domain::file::{Attachment, StoredFile};
use crate::domain::ids::{
    AgentId, ConversationId, FileId, GenerationId, SiteId, TeamId, VisitorId,
};
use crate::domain::inspection::Report;
use crate::domain::people::{Site, Team, Visitor};
use crate::domain::routing::Decision;

/// How a report's document is written: JSON of `Report`.
pub(super) const REPORT_FORMAT: i64 = 1;

pub(super) fn agent(row: &impl RawRow) -> Stored<Agent> {
    let columns = Columns::new("agent", row);
    Ok(Agent {
        id: columns.id("id", AgentId::new)?,
        login: columns.text("login")?,
        name: columns.text("name")?,
        role: columns.word("role")?,
        teams: columns.json("teams")?,
        skills: columns.json("skills")?,
        capacity: columns.number("capacity")?,
        quality: columns.real("quality")?,
        status: columns.word("status")?,
        idle_since: columns.number("idle_since")?,
        enabled: columns.flag("enabled")?,
        epoch: columns.number("epoch")?,
    })
}

/// The account, and the hash of its password.
pub(super) fn account(row: &impl RawRow) -> Stored<(Agent, String)> {
    Ok((agent(row)?, Columns::new("agent", row).text("password_hash")?))
}

pub(super) fn team(row: &impl RawRow) -> Stored<Team> {
    let columns = Columns::new("team", row);
    Ok(Team { id: columns.id("id", TeamId::new)?, name: columns.text("name")? })
}

pub(super) fn site(row: &impl RawRow) -> Stored<Site> {
    let columns = Columns::new("site", row);
    Ok(Site {
        id: columns.id("id", SiteId::new)?,
        key: columns.text("key")?,
        name: columns.text("name")?,
        team: columns.id("team", TeamId::new)?,
        origins: columns.json("origins")?,
        widget: columns.json("widget")?,
        enabled: columns.flag("enabled")?,
    })
}

pub(super) fn visitor(row: &impl RawRow) -> Stored<Visitor> {
    let columns = Columns::new("visitor", row);
    Ok(Visitor {
        id: columns.id("id", VisitorId::new)?,
        site: columns.id("site", SiteId::new)?,
        name: columns.optional_text("name")?,
        identity: columns.optional_text("identity")?,
        email: columns.optional_text("email")?,
        created_at: columns.number("created_at")?,
        last_agent: columns.optional_id("last_agent", AgentId::new)?,
    })
}

pub(super) fn conversation(row: &impl RawRow) -> Stored<Conversation> {
    let columns = Columns::new("conversation", row);
    Ok(Conversation {
        id: columns.id("id", ConversationId::new)?,
        site: columns.id("site", SiteId::new)?,
        team: columns.id("team", TeamId::new)?,
        visitor: columns.id("visitor", VisitorId::new)?,
        visitor_name: columns.optional_text("visitor_name")?,
        verified: columns.flag("verified")?,
        state: columns.word("state")?,
        agent: columns.optional_id("agent", AgentId::new)?,
        needs: columns.json("needs")?,
        priority: columns.number("priority")?,
        fields: columns.json("fields")?,
        page: columns.optional_text("page")?,
        language: columns.optional_text("language")?,
        offline: columns.flag("offline")?,
        opened_at: columns.number("opened_at")?,
        waiting_since: columns.number("waiting_since")?,
        assigned_at: columns.optional_number("assigned_at")?,
        closed_at: columns.optional_number("closed_at")?,
        rating: columns.optional_number("rating")?,
        declined: columns.json("declined")?,
        version: columns.number("version")?,
    })
}

pub(super) fn conversation_id(row: &impl RawRow) -> Stored<ConversationId> {
    Columns::new("conversation", row).id("id", ConversationId::new)
}

/// An agent and how many active conversations it has.
pub(super) fn load(row: &impl RawRow) -> Stored<(AgentId, u16)> {
    let columns = Columns::new("conversation", row);
    Ok((columns.id("agent", AgentId::new)?, columns.number("load")?))
}

/// A team and the agent to whom routing gave its last conversation.
pub(super) fn turn(row: &impl RawRow) -> Stored<(TeamId, AgentId)> {
    let columns = Columns::new("turn", row);
    Ok((columns.id("team", TeamId::new)?, columns.id("agent", AgentId::new)?))
}

pub(super) fn untold(row: &impl RawRow) -> Stored<Untold> {
    let columns = Columns::new("pending event", row);
    Ok(Untold {
        conversation: columns.id("conversation", ConversationId::new)?,
        version: columns.number("version")?,
        events: columns.json("events")?,
    })
}

pub(super) fn decision(row: &impl RawRow) -> Stored<Decision> {
    const KNOWN: u32 = 1;
    let columns = Columns::new("decision", row);
    let decision: Decision = columns.json("document")?;
    if decision.version > KNOWN {
        let why = format!("version {} is newer than {KNOWN}", decision.version);
        return Err(StorageError::Corrupt { what: "decision", why });
    }
    Ok(decision)
}

pub(super) fn report(row: &impl RawRow) -> Stored<Report> {
    let columns = Columns::new("report", row);
    match columns.number::<i64>("format")? {
        REPORT_FORMAT => columns.json("document"),
        other => Err(columns.corrupt("format", format!("{other} is unknown"))),
    }
}

pub(super) fn generation(row: &impl RawRow) -> Stored<Generation> {
    let columns = Columns::new("generation", row);
    Ok(Generation {
        id: columns.id("id", GenerationId::new)?,
        number: columns.number("number")?,
        point: columns.word("point")?,
        name: columns.text("name")?,
        plugin_version: columns.text("plugin_version")?,
        origin: columns.word("origin")?,
        publisher: columns.optional_text("publisher")?,
        package: columns.optional_text("package")?,
        signer: columns.optional_text("signer")?,
        digest: columns.text("digest")?,
        config: columns.text("config")?,
        fuel: columns.number("fuel")?,
        deadline_ms: columns.number("deadline_ms")?,
        memory_mb: columns.number("memory_mb")?,
        stage: columns.word("stage")?,
        created_at: columns.number("created_at")?,
        activated_at: columns.optional_number("activated_at")?,
        created_by: columns.text("created_by")?,
        fault: columns.optional_text("fault")?,
    })
}

pub(super) fn publisher_key(row: &impl RawRow) -> Stored<PublisherKey> {
    let columns = Columns::new("publisher's key", row);
    Ok(PublisherKey {
        key: columns.text("key")?,
        publisher: columns.text("publisher")?,
        added_at: columns.number("added_at")?,
        added_by: columns.text("added_by")?,
    })
}

pub(super) fn revocations(row: &impl RawRow) -> Stored<RevocationList> {
    let columns = Columns::new("revocation list", row);
    Ok(RevocationList {
        publisher: columns.text("publisher")?,
        serial: columns.number("serial")?,
        text: columns.text("text")?,
        added_at: columns.number("added_at")?,
    })
}

/// A secret has 32 bytes.
pub(super) fn secret(name: &str, bytes: Vec<u8>) -> Stored<[u8; 32]> {
    bytes.try_into().map_err(|bytes: Vec<u8>| StorageError::Corrupt {
        what: "secret",
        why: format!("{name} has {} bytes, not 32", bytes.len()),
    })
}

pub(super) fn file(row: &impl RawRow) -> Stored<StoredFile> {
    let columns = Columns::new("file", row);
    Ok(StoredFile {
        shown: Attachment {
            id: columns.id("id", FileId::new)?,
            name: columns.text("name")?,
            kind: columns.text("type")?,
            size: columns.number("size")?,
            width: columns.optional_number("width")?,
            height: columns.optional_number("height")?,
            url: columns.text("url")?,
        },
        conversation: columns.id("conversation", ConversationId::new)?,
        sender: columns.json("sender")?,
        sha256: columns.text("sha256")?,
        created_at: columns.number("created_at")?,
    })
}

pub(super) fn file_id(row: &impl RawRow) -> Stored<FileId> {
    Columns::new("file", row).id("id", FileId::new)
}
