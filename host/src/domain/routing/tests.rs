//! Hard rules one by one, and the order of the ranking.

use super::*;
use crate::domain::conversation::State;
use crate::domain::ids::VisitorId;

const AT: Moment = Moment { now: 100, declined_ms: 50 };

fn row() -> Conversation {
    Conversation {
        id: ConversationId::new(1).unwrap(),
        site: SiteId::new(2).unwrap(),
        team: TeamId::new(3).unwrap(),
        visitor: VisitorId::new(4).unwrap(),
        visitor_name: None,
        verified: false,
        state: State::Waiting,
        agent: None,
        needs: vec![
            SkillNeed { skill: "Billing".into(), level: 2, required: true },
            SkillNeed { skill: "english".into(), level: 5, required: false },
        ],
        priority: 0,
        fields: std::collections::BTreeMap::new(),
        page: None,
        language: None,
        offline: false,
        opened_at: 0,
        waiting_since: 0,
        assigned_at: None,
        closed_at: None,
        rating: None,
        declined: Vec::new(),
        version: 1,
    }
}

fn good() -> Contender {
    Contender {
        agent: AgentId::new(7).unwrap(),
        name: "Li".into(),
        teams: vec![TeamId::new(3).unwrap()],
        skills: vec![("billing".into(), 2)],
        active: 1,
        capacity: 2,
        quality: 0.8,
        idle_since: 0,
        online: true,
        present: true,
    }
}

#[test]
fn each_hard_rule_excludes() {
    let row = row();
    assert_eq!(excluded(&row, &good(), AT), None);
    let team = vec![TeamId::new(99).unwrap()];
    let cases = [
        (Contender { present: false, ..good() }, Excluded::Absent),
        (Contender { online: false, ..good() }, Excluded::NotOnline),
        (Contender { teams: team, ..good() }, Excluded::OtherTeam),
        (Contender { active: 2, ..good() }, Excluded::AtCapacity),
        (Contender { capacity: 0, active: 0, ..good() }, Excluded::AtCapacity),
        (Contender { skills: vec![("billing".into(), 1)], ..good() }, Excluded::LacksSkill),
        (Contender { skills: Vec::new(), ..good() }, Excluded::LacksSkill),
    ];
    for (contender, reason) in cases {
        assert_eq!(excluded(&row, &contender, AT), Some(reason));
    }
}

#[test]
fn who_handed_it_back_is_left_out_for_a_while() {
    let other = Declined { agent: AgentId::new(8).unwrap(), at: 70 };
    let declined = vec![other, Declined { agent: good().agent, at: 60 }];
    let row = Conversation { declined, ..row() };
    let at = |now| Moment { now, ..AT };
    assert_eq!(excluded(&row, &good(), at(60)), Some(Excluded::Declined));
    assert_eq!(excluded(&row, &good(), at(109)), Some(Excluded::Declined));
    assert_eq!(excluded(&row, &good(), at(110)), None);
    let due = [109, 110, 120].map(|now| at(now).relaxes(&row));
    assert_eq!(due, [Some(110), Some(120), None]);
}

fn candidate(agent: u64, active: u32, idle_ms: u64) -> Candidate {
    let agent = AgentId::new(agent).unwrap();
    Candidate { agent, active, capacity: 4, quality: 0.8, idle_ms, returning: false }
}

#[test]
fn score_then_longest_idle_then_id() {
    let all = [candidate(4, 0, 10), candidate(3, 0, 10), candidate(2, 0, 99), candidate(1, 0, 0)];
    assert_eq!(order(&all, &[0.5, 0.5, 0.5, 0.9]), [3, 2, 1, 0]);
    assert_eq!(order(&all, &[0.0; 0]), [0; 0]);
}

#[test]
fn the_fall_back_takes_the_least_loaded() {
    let input = RoutingInput {
        now: 0,
        seed: 0,
        conversation: ConversationId::new(1).unwrap(),
        site: SiteId::new(2).unwrap(),
        team: TeamId::new(3).unwrap(),
        waited_ms: 0,
        priority: 0,
        needs: Vec::new(),
        candidates: vec![candidate(1, 3, 0), candidate(2, 1, 0), candidate(3, 1, 50)],
        levels: Vec::new(),
        attrs: Vec::new(),
    };
    let ranking = least_loaded(&input);
    assert_eq!(order(&input.candidates, &ranking.scores), [2, 1, 0]);
}
