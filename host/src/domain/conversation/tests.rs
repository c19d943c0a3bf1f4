//! The state machine as a table: every state × every command.

use super::*;

fn row(state: State) -> Conversation {
    let agent = (state != State::Waiting).then(|| AgentId::new(7).unwrap());
    Conversation {
        id: ConversationId::new(1).unwrap(),
        site: SiteId::new(2).unwrap(),
        team: TeamId::new(3).unwrap(),
        visitor: VisitorId::new(4).unwrap(),
        visitor_name: None,
        verified: false,
        state,
        agent,
        needs: Vec::new(),
        priority: 0,
        fields: BTreeMap::new(),
        page: None,
        language: None,
        offline: false,
        opened_at: 10,
        waiting_since: 10,
        assigned_at: agent.map(|_| 20),
        closed_at: (state == State::Closed).then_some(30),
        rating: None,
        declined: Vec::new(),
        version: 5,
    }
}

fn commands() -> Vec<(&'static str, Command)> {
    let agent = AgentId::new(8).unwrap();
    let team = TeamId::new(9).unwrap();
    let hand = |to| Command::Transfer { to, name: "n".into(), note: None };
    vec![
        ("assign", Command::Assign { agent, name: "n".into(), decision: None }),
        ("requeue", Command::Requeue(QueueCause::AgentLost)),
        ("to agent", hand(TransferTarget::Agent(agent))),
        ("to team", hand(TransferTarget::Team(team))),
        ("visitor closes", Command::Close(Party::Visitor(VisitorId::new(4).unwrap()))),
        ("agent closes", Command::Close(Party::Agent(agent))),
        ("rate", Command::Rate { score: 5, comment: None }),
    ]
}

#[test]
fn every_state_and_every_command() {
    use State::{Active, Closed, Waiting};
    let table = [
        (Waiting, "assign", Some((Active, "assigned"))),
        (Waiting, "requeue", None),
        (Waiting, "to agent", Some((Active, "transferred assigned"))),
        (Waiting, "to team", Some((Waiting, "transferred queued"))),
        (Waiting, "visitor closes", Some((Closed, "left_queue"))),
        (Waiting, "agent closes", Some((Closed, "agent"))),
        (Waiting, "rate", None),
        (Active, "assign", None),
        (Active, "requeue", Some((Waiting, "queued"))),
        (Active, "to agent", Some((Active, "transferred assigned"))),
        (Active, "to team", Some((Waiting, "transferred queued"))),
        (Active, "visitor closes", Some((Closed, "visitor"))),
        (Active, "agent closes", Some((Closed, "agent"))),
        (Active, "rate", None),
        (Closed, "assign", None),
        (Closed, "requeue", None),
        (Closed, "to agent", None),
        (Closed, "to team", None),
        (Closed, "visitor closes", None),
        (Closed, "agent closes", None),
        (Closed, "rate", Some((Closed, "rated"))),
    ];
    let commands = commands();
    assert_eq!(table.len(), commands.len() * 3, "the table is complete");
    for (from, name, wanted) in table {
        let command = commands.iter().find(|(known, _)| *known == name).unwrap().1.clone();
        let got = apply(&row(from), command, 100).ok();
        let told = got.as_ref().map(|change| (change.next.state, words(&change.events)));
        let wanted = wanted.map(|(state, text)| (state, text.to_owned()));
        assert_eq!(told, wanted, "{from:?} × {name}");
        if let Some(change) = got {
            holds(&change.next);
        }
    }
}

/// Invariants of every row.
fn holds(row: &Conversation) {
    assert_eq!(row.version, 6, "every change raises the version by one");
    match row.state {
        State::Waiting => assert!(row.agent.is_none() && row.assigned_at.is_none()),
        State::Active => assert!(row.agent.is_some() && row.assigned_at.is_some()),
        State::Closed => assert!(row.closed_at.is_some()),
    }
}

fn words(events: &[EventBody]) -> String {
    let word = |event: &EventBody| match event {
        EventBody::Assigned { .. } => "assigned",
        EventBody::Queued { .. } => "queued",
        EventBody::Transferred { .. } => "transferred",
        EventBody::Rated { .. } => "rated",
        EventBody::Closed { reason: CloseReason::Agent } => "agent",
        EventBody::Closed { reason: CloseReason::Visitor } => "visitor",
        EventBody::Closed { reason: CloseReason::LeftQueue } => "left_queue",
        _ => "unexpected",
    };
    events.iter().map(word).collect::<Vec<_>>().join(" ")
}

#[test]
fn handing_back_declines_and_vanishing_does_not() {
    let team = Command::Transfer {
        to: TransferTarget::Team(TeamId::new(3).unwrap()),
        name: "n".into(),
        note: None,
    };
    let handed = apply(&row(State::Active), team, 100).unwrap().next;
    assert_eq!(handed.declined, [Declined { agent: AgentId::new(7).unwrap(), at: 100 }]);
    let lost = apply(&row(State::Active), Command::Requeue(QueueCause::AgentLost), 100).unwrap();
    assert!(lost.next.declined.is_empty());
    assert_eq!(lost.next.waiting_since, 100);
}

#[test]
fn ratings_are_one_to_five() {
    for (score, fits) in [(0, false), (1, true), (5, true), (6, false)] {
        let rated = apply(&row(State::Closed), Command::Rate { score, comment: None }, 100);
        assert_eq!(rated.is_ok(), fits, "{score}");
    }
}

#[test]
fn a_row_follows_what_is_told_of_it() {
    for state in [State::Waiting, State::Active] {
        for (name, command) in commands() {
            let before = row(state);
            let Ok(change) = apply(&before, command, 100) else { continue };
            let kept = change.events.iter().fold(before, |row, event| told(&row, event));
            let known = |row: &Conversation| (row.state, row.agent, row.team, row.visitor);
            assert_eq!(known(&kept), known(&change.next), "{name} in {state:?}");
            assert_eq!(kept.version, 5, "nothing to change it by");
        }
    }
    // Told late: it was over by then.
    let late = EventBody::Queued { cause: QueueCause::AgentLost };
    assert_eq!(told(&row(State::Closed), &late), row(State::Closed));
}
