//! What every storage must keep, told as tests: compare-and-set, exact claims, recovery, restarts.
//! Each function gets an opener; calling it again after the former handle was dropped is a restart.

mod conversations;
mod files;
mod people;
mod plugins;

pub(super) use conversations::*;
pub(super) use files::*;
pub(super) use people::*;
pub(super) use plugins::*;

/// Hands the names of all of them to a macro that makes a test of each.
macro_rules! every {
    ($test:ident) => {
        $test!(
            accounts_come_back_after_a_restart,
            an_account_changes_only_what_it_says,
            a_new_password_raises_the_epoch,
            taken_names_are_refused,
            sites_teams_and_visitors_come_back,
            a_row_comes_back_as_it_was,
            one_of_many_changes_wins,
            unsettled_events_survive_until_settled,
            claims_at_once_never_exceed_the_capacity,
            a_conversation_is_claimed_once,
            the_queue_is_in_order,
            searches_page_from_the_newest,
            decisions_are_kept_whole,
            a_claim_and_its_decision_are_one_commit,
            a_turn_is_taken_with_the_decision,
            closed_conversations_are_inspected_once,
            service_time_is_the_mean_of_the_last_fifty,
            generations_are_numbered_per_point,
            one_generation_of_a_point_is_active,
            a_removed_generation_leaves_its_number_and_that_it_was_shipped,
            a_key_is_trusted_for_one_publisher,
            the_serial_of_revocations_only_rises,
            an_identity_is_one_visitor_of_its_site,
            a_site_has_one_identity_secret,
            a_secret_is_made_once,
            files_come_back_after_a_restart,
            a_file_is_sent_by_one_draft,
            only_old_unsent_files_are_swept,
        );
    };
}
pub(super) use every;

use super::Handle;
use crate::domain::agent::{Agent, Skill, Status};
use crate::domain::conversation::{Conversation, State};
use crate::domain::event::{EventBody, NewEvent, QueueCause};
use crate::domain::ids::{AgentId, ConversationId, SiteId, TeamId, VisitorId};
use crate::domain::people::{Party, Role, Site, Team, Visitor, WidgetSettings};

/// The team that everything below belongs to.
pub(super) fn team_id() -> TeamId {
    TeamId::new(1).unwrap()
}

/// An agent of that team.
pub(super) fn agent(number: u64, capacity: u16) -> Agent {
    Agent {
        id: AgentId::new(number).unwrap(),
        login: format!("agent{number}"),
        name: format!("客服 {number}"),
        role: Role::Agent,
        teams: vec![team_id()],
        skills: vec![Skill { name: "refunds".into(), level: 3 }],
        capacity,
        quality: 0.8,
        status: Status::Offline,
        idle_since: 1_000,
        enabled: true,
        epoch: 0,
    }
}

fn site() -> Site {
    Site {
        id: SiteId::new(1).unwrap(),
        key: "shop".into(),
        name: "Shop".into(),
        team: team_id(),
        origins: vec!["https://shop.example".into()],
        widget: WidgetSettings::default(),
        enabled: true,
    }
}

fn visitor() -> Visitor {
    Visitor {
        id: VisitorId::new(1).unwrap(),
        site: site().id,
        name: None,
        identity: None,
        email: None,
        created_at: 5,
        last_agent: None,
    }
}

/// A team, a site and a visitor, which every conversation needs.
pub(super) async fn furnish(storage: &Handle) {
    storage.add_team(&Team { id: team_id(), name: "Sales".into() }).await.unwrap();
    storage.add_site(&site()).await.unwrap();
    storage.add_visitor(&visitor()).await.unwrap();
}

/// A conversation that waits since `number`.
pub(super) fn waiting(number: u64) -> Conversation {
    Conversation {
        id: ConversationId::new(number).unwrap(),
        site: site().id,
        team: team_id(),
        visitor: visitor().id,
        visitor_name: Some("李雷".into()),
        verified: false,
        state: State::Waiting,
        agent: None,
        needs: Vec::new(),
        priority: 0,
        fields: [("topic".to_owned(), "refund".to_owned())].into(),
        page: Some("https://shop.example/".into()),
        language: Some("zh-CN".into()),
        offline: false,
        opened_at: number,
        waiting_since: number,
        assigned_at: None,
        closed_at: None,
        rating: None,
        declined: Vec::new(),
        version: 1,
    }
}

/// The next version of a row, given to an agent.
pub(super) fn given(row: &Conversation, agent: AgentId, at: u64) -> Conversation {
    Conversation {
        state: State::Active,
        agent: Some(agent),
        assigned_at: Some(at),
        version: row.version + 1,
        ..row.clone()
    }
}

/// The next version of a row, closed.
pub(super) fn closed(row: &Conversation, at: u64) -> Conversation {
    Conversation {
        state: State::Closed,
        closed_at: Some(at),
        version: row.version + 1,
        ..row.clone()
    }
}

/// An event of a conversation.
pub(super) fn told(row: &Conversation, key: &str) -> NewEvent {
    NewEvent {
        conversation: row.id,
        from: Party::System,
        key: key.parse().unwrap(),
        body: EventBody::Queued { cause: QueueCause::Opened },
    }
}
