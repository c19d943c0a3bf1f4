//! Accounts, teams, sites, visitors.

use super::{agent, furnish, site, team_id, visitor};
use crate::domain::agent::{Agent, Status};
use crate::domain::ids::{AgentId, SiteId, TeamId, VisitorId};
use crate::domain::people::{Role, Site, Team, Visitor};
use crate::storage::{Handle, StorageError};

pub(in crate::storage) async fn accounts_come_back_after_a_restart(open: impl AsyncFn() -> Handle) {
    let storage = open().await;
    let (one, two) = (agent(1, 3), Agent { role: Role::Admin, ..agent(2, 0) });
    storage.add_agent(&two, "hash2").await.unwrap();
    storage.add_agent(&one, "hash1").await.unwrap();
    drop(storage);
    let storage = open().await;
    assert_eq!(storage.agent(one.id).await.unwrap().as_ref(), Some(&one));
    assert_eq!(storage.agents().await.unwrap(), [one.clone(), two]);
    assert_eq!(storage.agent_by_login("agent1").await.unwrap(), Some((one, "hash1".to_owned())));
    assert_eq!(storage.agent_by_login("nobody").await.unwrap(), None);
}

pub(in crate::storage) async fn an_account_changes_only_what_it_says(
    open: impl AsyncFn() -> Handle,
) {
    let storage = open().await;
    let first = agent(1, 3);
    storage.add_agent(&first, "hash").await.unwrap();
    assert!(storage.set_status(first.id, Status::Online).await.unwrap());
    assert!(storage.set_password(first.id, "hash2").await.unwrap());
    storage.blend_quality(first.id, 0.3).await.unwrap();
    let edited = Agent { name: "N".into(), capacity: 7, epoch: 5, enabled: false, ..first.clone() };
    assert!(storage.update_agent(&edited).await.unwrap());
    let (now, hash) = storage.agent_by_login("agent1").await.unwrap().unwrap();
    assert!((now.quality - 0.75).abs() < 1e-9);
    assert_eq!(now, Agent { status: Status::Online, quality: now.quality, ..edited.clone() });
    assert!(storage.update_agent(&Agent { epoch: 2, ..edited }).await.unwrap());
    assert_eq!(storage.agent(first.id).await.unwrap().unwrap().epoch, 5, "it never falls");
    assert_eq!(hash, "hash2");

    let nobody = AgentId::new(99).unwrap();
    assert!(!storage.set_status(nobody, Status::Online).await.unwrap());
    assert!(!storage.set_password(nobody, "x").await.unwrap());
    assert!(!storage.update_agent(&agent(99, 1)).await.unwrap());
    storage.blend_quality(nobody, 0.5).await.unwrap();
}

pub(in crate::storage) async fn a_new_password_raises_the_epoch(open: impl AsyncFn() -> Handle) {
    let storage = open().await;
    storage.add_agent(&agent(1, 1), "a").await.unwrap();
    storage.set_password(agent(1, 1).id, "b").await.unwrap();
    assert_eq!(storage.agent(agent(1, 1).id).await.unwrap().unwrap().epoch, 1);
}

pub(in crate::storage) async fn taken_names_are_refused(open: impl AsyncFn() -> Handle) {
    let storage = open().await;
    furnish(&storage).await;
    storage.add_agent(&agent(1, 1), "x").await.unwrap();
    let same_login = Agent { login: "agent1".into(), ..agent(2, 1) };
    let refused = storage.add_agent(&same_login, "x").await;
    assert!(matches!(refused, Err(StorageError::Taken("login"))), "{refused:?}");
    let same_name = Team { id: TeamId::new(9).unwrap(), name: "Sales".into() };
    let refused = storage.add_team(&same_name).await;
    assert!(matches!(refused, Err(StorageError::Taken("team name"))), "{refused:?}");
    let same_key = Site { id: SiteId::new(9).unwrap(), ..site() };
    let refused = storage.add_site(&same_key).await;
    assert!(matches!(refused, Err(StorageError::Taken("site key"))), "{refused:?}");
    let refused = storage.add_visitor(&visitor()).await;
    assert!(matches!(refused, Err(StorageError::Taken("id"))), "{refused:?}");
}

pub(in crate::storage) async fn sites_teams_and_visitors_come_back(open: impl AsyncFn() -> Handle) {
    let storage = open().await;
    furnish(&storage).await;
    storage.add_agent(&agent(1, 1), "x").await.unwrap();
    let mut edited = Site { name: "New".into(), enabled: false, ..site() };
    edited.widget.greeting.insert("zh-CN".into(), "您好".into());
    assert!(storage.update_site(&edited).await.unwrap());
    assert!(!storage.update_site(&Site { id: SiteId::new(9).unwrap(), ..site() }).await.unwrap());
    let known =
        Visitor { name: Some("李雷".into()), last_agent: Some(agent(1, 1).id), ..visitor() };
    storage.update_visitor(&known).await.unwrap();
    drop(storage);
    let storage = open().await;
    assert_eq!(storage.site(site().id).await.unwrap().as_ref(), Some(&edited));
    assert_eq!(storage.site_by_key("shop").await.unwrap().as_ref(), Some(&edited));
    assert_eq!(storage.site_by_key("none").await.unwrap(), None);
    assert_eq!(storage.sites().await.unwrap(), [edited]);
    assert_eq!(storage.teams().await.unwrap(), [Team { id: team_id(), name: "Sales".into() }]);
    assert_eq!(storage.visitor(visitor().id).await.unwrap(), Some(known));
}

pub(in crate::storage) async fn an_identity_is_one_visitor_of_its_site(
    open: impl AsyncFn() -> Handle,
) {
    let storage = open().await;
    furnish(&storage).await;
    let other = Site { id: SiteId::new(2).unwrap(), key: "other".into(), ..site() };
    storage.add_site(&other).await.unwrap();
    let vouched = |id: u64, site: SiteId, name: &str| Visitor {
        id: VisitorId::new(id).unwrap(),
        site,
        identity: Some("u-17".into()),
        name: Some(name.into()),
        email: Some("li@shop.example".into()),
        ..visitor()
    };
    let first = storage.identified_visitor(&vouched(7, site().id, "李")).await.unwrap();
    assert_eq!(first, vouched(7, site().id, "李"));
    let renamed = storage.identified_visitor(&vouched(8, site().id, "李雷")).await.unwrap();
    assert_eq!(renamed, vouched(7, site().id, "李雷"), "the same person on another device");
    let silent = Visitor { name: None, email: None, ..vouched(9, site().id, "") };
    assert_eq!(storage.identified_visitor(&silent).await.unwrap(), renamed, "nothing new is told");
    let there = storage.identified_visitor(&vouched(8, other.id, "李")).await.unwrap();
    assert_eq!(there, vouched(8, other.id, "李"), "another site's person");
    assert_eq!(storage.visitor(there.id).await.unwrap(), Some(there));

    let known = Visitor { identity: Some("u-18".into()), ..visitor() };
    let adopted = storage.identified_visitor(&known).await.unwrap();
    assert_eq!(adopted.id, visitor().id, "who was anonymous stays the same visitor");
    let taken = Visitor { identity: Some("u-19".into()), ..visitor() };
    let refused = storage.identified_visitor(&taken).await;
    assert!(matches!(refused, Err(StorageError::Taken(_))), "{refused:?}");
}

pub(in crate::storage) async fn a_site_has_one_identity_secret(open: impl AsyncFn() -> Handle) {
    let storage = open().await;
    furnish(&storage).await;
    let site = site().id;
    assert_eq!(storage.identity_secret(site, "one").await.unwrap(), "one");
    assert_eq!(storage.identity_secret(site, "two").await.unwrap(), "one");
    storage.replace_identity_secret(site, "three").await.unwrap();
    drop(storage);
    let storage = open().await;
    assert_eq!(storage.identity_secret(site, "four").await.unwrap(), "three");
}
