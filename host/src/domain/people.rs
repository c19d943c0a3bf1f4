//! Who is who: parties of an event, principals of a session, roles, sites, teams, visitors.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::ids::{AgentId, Millis, SiteId, TeamId, VisitorId};

/// Who did something.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(tag = "kind", content = "id", rename_all = "snake_case")]
pub enum Party {
    /// The person asking.
    Visitor(VisitorId),
    /// The person answering (also a supervisor or admin who steps in).
    Agent(AgentId),
    /// The server itself.
    System,
}

/// What an account may do. Each role includes the ones before it.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Answers conversations.
    Agent,
    /// Sees every conversation, may take over, transfer and close any.
    Supervisor,
    /// Also manages accounts, sites and plugins.
    Admin,
}

/// Who is behind a session, as proved by its token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Principal {
    /// A visitor of one site.
    Visitor {
        /// The site whose widget issued the token.
        site: SiteId,
        /// The visitor.
        visitor: VisitorId,
    },
    /// A signed-in account.
    Agent {
        /// The account.
        agent: AgentId,
        /// What it may do.
        role: Role,
    },
}

/// A principal, and until when its token proves it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proven {
    /// Who.
    pub principal: Principal,
    /// Until when, ms since 1970.
    pub until: super::ids::Millis,
}

impl Principal {
    /// The party this principal's events come from.
    #[must_use]
    pub fn party(&self) -> Party {
        match *self {
            Self::Visitor { visitor, .. } => Party::Visitor(visitor),
            Self::Agent { agent, .. } => Party::Agent(agent),
        }
    }
}

/// A group of agents.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Team {
    /// Its id.
    pub id: TeamId,
    /// Its name as people see it.
    pub name: String,
}

/// One embeddable widget: its brand, allowed origins, team, hours.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Site {
    /// Its id.
    pub id: SiteId,
    /// The public name in the script tag (`data-site`): 2–40 of `a–z 0–9 -`.
    pub key: String,
    /// Its name as people see it.
    pub name: String,
    /// Who answers.
    pub team: TeamId,
    /// Origins (`https://shop.example`) whose pages may talk as this site; empty: none may.
    pub origins: Vec<String>,
    /// Everything about look and behaviour that the widget is told.
    pub widget: WidgetSettings,
    /// A disabled site draws nothing and takes no conversations.
    pub enabled: bool,
}

/// What a site's admin chooses about its widget.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct WidgetSettings {
    /// Brand colour, `#rrggbb`.
    pub color: String,
    /// `left` or `right`.
    pub position: String,
    /// First line a visitor reads, by language (`zh-CN`, `en`).
    pub greeting: BTreeMap<String, String>,
    /// Pre-chat fields, at most four.
    pub fields: Vec<FormField>,
    /// Skills a conversation of this site needs.
    pub needs: Vec<super::routing::SkillNeed>,
    /// Whether only visitors for whom the site's server vouches may open conversations.
    pub identity_required: bool,
}

impl Default for WidgetSettings {
    fn default() -> Self {
        Self {
            color: "#2158d0".into(),
            position: "right".into(),
            greeting: BTreeMap::new(),
            fields: Vec::new(),
            needs: Vec::new(),
            identity_required: false,
        }
    }
}

/// One pre-chat field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FormField {
    /// Key under which the answer is kept: 1–32 of `a–z 0–9 _`.
    pub name: String,
    /// `text`, `email`, `tel` or `select`.
    pub kind: String,
    /// Label by language.
    pub label: BTreeMap<String, String>,
    /// Whether the conversation cannot start without it.
    pub required: bool,
    /// Choices of a `select`. An option may name the skill it asks for (`value` = skill).
    #[serde(default)]
    pub options: Vec<FieldOption>,
}

/// One choice of a `select` field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FieldOption {
    /// What is stored.
    pub value: String,
    /// What is shown, by language.
    pub label: BTreeMap<String, String>,
    /// The skill a conversation needs when this is chosen.
    #[serde(default)]
    pub skill: Option<String>,
}

/// A person asking.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Visitor {
    /// Its id.
    pub id: VisitorId,
    /// The site that first met this visitor.
    pub site: SiteId,
    /// Name, if vouched for. (What people call themselves is an answer of theirs in each
    /// conversation.)
    pub name: Option<String>,
    /// The site's own id of this person, when its server has vouched for it.
    pub identity: Option<String>,
    /// E-mail address, if vouched for.
    pub email: Option<String>,
    /// First seen.
    pub created_at: Millis,
    /// Who answered last (returning visitor first).
    pub last_agent: Option<AgentId>,
}
