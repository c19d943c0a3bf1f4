//! A small world to test services in: storage and stream in a folder of their own, one site, one
//! team.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::conversations::{Conversations, FileLimits, Limits, Open, Parts};
use crate::domain::agent::{Agent, Skill, Status};
use crate::domain::conversation::Conversation;
use crate::domain::event::Event;
use crate::domain::ids::{AgentId, ClientKey, ConversationId, SiteId, TeamId, VisitorId};
use crate::domain::people::{
    FieldOption, FormField, Principal, Role, Site, Team, Visitor, WidgetSettings,
};
use crate::domain::rate::Rate;
use crate::files::Files;
use crate::plugins::Plugins;
use crate::presence::Presence;
use crate::runtime::{Clock, fresh_id};
use crate::sessions::{SessionLimits, Sessions};
use crate::storage;
use crate::stream::{self, Stream, StreamLimits, Tail, Told};

/// The world.
pub(crate) struct World {
    pub(crate) storage: storage::Handle,
    pub(crate) stream: Arc<dyn Stream>,
    pub(crate) plugins: Arc<Plugins>,
    pub(crate) sessions: Arc<Sessions>,
    pub(crate) presence: Arc<Presence>,
    pub(crate) service: Arc<Conversations>,
    pub(crate) clock: Clock,
    pub(crate) team: TeamId,
    pub(crate) site: SiteId,
    _dir: tempfile::TempDir,
}

impl World {
    pub(crate) async fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let clock = Clock::system();
        let storage = storage::open(&storage::StorageConfig::Sqlite(dir.path().into()))
            .await
            .unwrap()
            .storage;
        let stream = stream::open(dir.path(), clock.clone(), StreamLimits::default()).unwrap();
        let plugins = Arc::new(Plugins::default());
        let limits = SessionLimits::default();
        let sessions = Sessions::new(Arc::clone(&stream), None, clock.clone(), limits);
        let presence = Presence::new(clock.clone(), 0, None);
        let service = Conversations::new(Parts {
            storage: Arc::clone(&storage),
            stream: Arc::clone(&stream),
            plugins: Arc::clone(&plugins),
            sessions: Arc::clone(&sessions),
            presence: Arc::clone(&presence),
            clock: clock.clone(),
            files: Arc::new(Files::open(dir.path()).unwrap()),
            file_limits: FileLimits {
                bytes: 1000,
                types: vec!["image/png", "text/plain"],
                rate: Rate { per_second: 1.0, burst: 3.0 },
                per_conversation: 4,
            },
            settle_after: Duration::ZERO,
            limits: Limits {
                text_bytes: 4000,
                field_bytes: 200,
                rate: Rate { per_second: 5.0, burst: 100.0 },
            },
        });
        let (team, site) = furnish(&storage).await;
        let _dir = dir;
        Self { storage, stream, plugins, sessions, presence, service, clock, team, site, _dir }
    }

    /// An agent of the team, online and present.
    pub(crate) async fn agent(&self, name: &str, capacity: u16) -> Principal {
        let agent = self.account(name, capacity, Role::Agent);
        self.arrives(agent).await
    }

    /// As [`Self::agent`], with a skill.
    pub(crate) async fn skilled(&self, name: &str, skill: &str) -> Principal {
        let mut agent = self.account(name, 1, Role::Agent);
        agent.skills.push(Skill { name: skill.into(), level: 3 });
        self.arrives(agent).await
    }

    /// An account with another role.
    pub(crate) async fn with_role(&self, name: &str, role: Role) -> Principal {
        self.arrives(self.account(name, 5, role)).await
    }

    async fn arrives(&self, agent: Agent) -> Principal {
        self.storage.add_agent(&agent, "x").await.unwrap();
        self.storage.set_status(agent.id, Status::Online).await.unwrap();
        self.presence.joined(agent.id);
        Principal::Agent { agent: agent.id, role: agent.role }
    }

    fn account(&self, name: &str, capacity: u16, role: Role) -> Agent {
        Agent {
            id: AgentId::new(fresh_id(&self.clock)).unwrap(),
            login: name.into(),
            name: name.into(),
            role,
            teams: vec![self.team],
            skills: Vec::new(),
            capacity,
            quality: 0.8,
            status: Status::Online,
            idle_since: self.clock.now(),
            enabled: true,
            epoch: 1,
        }
    }

    pub(crate) async fn visitor(&self) -> Principal {
        let id = VisitorId::new(fresh_id(&self.clock)).unwrap();
        let (site, created_at) = (self.site, self.clock.now());
        let visitor = Visitor {
            id,
            site,
            name: None,
            identity: None,
            email: None,
            created_at,
            last_agent: None,
        };
        self.storage.add_visitor(&visitor).await.unwrap();
        Principal::Visitor { site, visitor: id }
    }

    /// A waiting conversation of this visitor.
    pub(crate) async fn opened(&self, visitor: &Principal) -> ConversationId {
        let draft = open_with(&format!("o{}", fresh_id(&self.clock)), Some("hello"));
        self.service.open(visitor, draft).await.unwrap().0
    }

    /// As [`Self::opened`], needing a skill.
    pub(crate) async fn opened_about(&self, visitor: &Principal, topic: &str) -> ConversationId {
        let fields = BTreeMap::from([("topic".to_owned(), topic.to_owned())]);
        let draft = open_with(&format!("o{}", fresh_id(&self.clock)), None);
        self.service.open(visitor, Open { fields, ..draft }).await.unwrap().0
    }

    pub(crate) async fn row(&self, id: ConversationId) -> Conversation {
        self.storage.conversation(id).await.unwrap().unwrap()
    }

    pub(crate) fn id_of(&self, who: &Principal) -> AgentId {
        match who {
            Principal::Agent { agent, .. } => *agent,
            Principal::Visitor { .. } => panic!("not an agent"),
        }
    }
}

async fn furnish(storage: &storage::Handle) -> (TeamId, SiteId) {
    let (team, site) = (TeamId::new(1).unwrap(), SiteId::new(2).unwrap());
    storage.add_team(&Team { id: team, name: "team".into() }).await.unwrap();
    let option = |value: &str, skill: Option<&str>| FieldOption {
        value: value.into(),
        label: BTreeMap::new(),
        skill: skill.map(Into::into),
    };
    let topic = FormField {
        name: "topic".into(),
        kind: "select".into(),
        label: BTreeMap::new(),
        required: false,
        options: vec![option("billing", Some("billing")), option("else", None)],
    };
    let widget = WidgetSettings { fields: vec![topic], ..WidgetSettings::default() };
    let row = Site {
        id: site,
        key: "demo".into(),
        name: "Demo".into(),
        team,
        origins: Vec::new(),
        widget,
        enabled: true,
    };
    storage.add_site(&row).await.unwrap();
    (team, site)
}

pub(crate) fn key(text: &str) -> ClientKey {
    text.parse().unwrap()
}

pub(crate) fn open_with(draft: &str, text: Option<&str>) -> Open {
    Open {
        key: key(draft),
        fields: BTreeMap::new(),
        text: text.map(Into::into),
        page: None,
        language: None,
        offline: false,
    }
}

/// Waits for an event on a tail.
pub(crate) async fn hears(tail: &mut Tail, wanted: impl Fn(&Event) -> bool) -> Arc<Event> {
    let heard = async {
        loop {
            let told = tail.recv().await.expect("the stream lives");
            let Told::Events(batch) = told else { panic!("nothing may be missed") };
            if let Some(event) = batch.iter().find(|event| wanted(event)) {
                return Arc::clone(event);
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(10), heard).await.expect("heard in time")
}
