//! The long-poll carrier.

use super::*;

impl Stage {
    async fn posts(&self, session: Option<&Value>, frames: Value) -> (u16, Value) {
        let body = match session {
            Some(session) => json!({"session": session, "frames": frames}),
            None => json!({"frames": frames}),
        };
        self.asks("POST", "/v1/commands", body).await
    }

    async fn polls(&self, session: &Value, cursor: &str, wait: u64) -> (u16, Value) {
        let session = session.as_str().unwrap();
        let path = format!("/v1/events?session={session}&cursor={cursor}&wait={wait}");
        self.asks("GET", &path, Value::Null).await
    }
}

fn seqs(answer: &Value) -> Vec<u64> {
    let frames = answer["frames"].as_array().unwrap();
    frames.iter().filter_map(|frame| frame["event"]["seq"].as_u64()).collect()
}

#[tokio::test]
async fn the_whole_of_a_talk_by_polling() {
    let stage = stage(TransportConfig::default()).await;
    let (status, first) = stage
        .posts(None, json!([stage.hello(json!([])), {"type": "open", "key": "o", "text": "hi"}]))
        .await;
    assert_eq!(status, 200, "{first}");
    let session = &first["frames"][0]["session"];
    assert_eq!(first["frames"][1]["type"], "ack");
    let conversation = &first["frames"][1]["conversation"];

    let mut cursor = String::new();
    let mut heard = Vec::new();
    while heard.len() < 3 {
        let (status, answer) = stage.polls(session, &cursor, 1000).await;
        assert_eq!(status, 200);
        assert!(answer["next_ms"].as_u64().unwrap() <= 500);
        heard.extend(seqs(&answer));
        cursor = answer["cursor"].as_str().unwrap().to_owned();
    }
    assert_eq!(heard, [1, 2, 3]);
    assert_eq!(cursor, format!("{}:3", conversation.as_str().unwrap()));

    let (_, empty) = stage.polls(session, &cursor, 10).await;
    assert_eq!((seqs(&empty), empty["cursor"].as_str()), (vec![], Some(cursor.as_str())));
    let before = format!("{}:1", conversation.as_str().unwrap());
    let (_, again) = stage.polls(session, &before, 1000).await;
    assert_eq!(seqs(&again), [2, 3], "a lost answer is asked again with the old cursor");
}

#[tokio::test]
async fn a_parked_poll_wakes_for_an_event() {
    // Only the event can end this poll in time: its wait is longer than the test has.
    let stage = stage(TransportConfig { poll_wait_ms: 60_000, ..Default::default() }).await;
    let (_, first) =
        stage.posts(None, json!([stage.hello(json!([])), {"type": "open", "key": "o"}])).await;
    let session = &first["frames"][0]["session"];
    let conversation = &first["frames"][1]["conversation"];
    let mut cursor = String::new();
    while !cursor.ends_with(":2") {
        let (_, answer) = stage.polls(session, &cursor, 500).await;
        cursor = answer["cursor"].as_str().unwrap().to_owned();
    }
    let says = json!([{"type": "send", "conversation": conversation, "key": "k", "text": "more"}]);
    let both = async {
        let post = stage.posts(Some(session), says.clone());
        tokio::join!(stage.polls(session, &cursor, 60_000), post)
    };
    let woken = tokio::time::timeout(Duration::from_secs(20), both).await;
    let (polled, posted) = woken.expect("the event wakes the poll");
    assert_eq!(seqs(&polled.1), [3]);
    // Nor was it the end of its session, which is silent for too long after 1.2 s.
    let frames = polled.1["frames"].as_array().unwrap();
    assert!(frames.iter().all(|frame| frame["type"] != "bye"), "{frames:?}");
    let (_, repeated) = stage.posts(Some(session), says).await;
    assert_eq!(repeated["frames"][0]["seq"], posted.1["frames"][0]["seq"], "same key, same ack");
}

#[tokio::test]
async fn what_is_refused_has_a_status() {
    let stage = stage(TransportConfig::default()).await;
    let (status, answer) = stage.posts(None, json!([{"type": "ping"}])).await;
    assert_eq!((status, &answer["error"]["code"]), (400, &json!("bad_frame")));
    for hostile in [json!([]), json!({"frames": []}), json!({"frames": 1}), json!("x")] {
        assert_eq!(stage.asks("POST", "/v1/commands", hostile).await.0, 400);
    }
    let (status, _) = stage.posts(Some(&json!("12345")), json!([{"type": "ping"}])).await;
    assert_eq!(status, 404);
    assert_eq!(stage.polls(&json!("12345"), "", 1).await.0, 404);
    assert_eq!(stage.asks("GET", "/v1/events", Value::Null).await.0, 400);
    let (_, first) = stage.posts(None, json!([stage.hello(json!([]))])).await;
    let session = &first["frames"][0]["session"];
    assert_eq!(stage.polls(session, "nonsense", 1).await.0, 400);
    let close = json!([{"type": "close", "conversation": "77", "key": "k"}]);
    let (status, answer) = stage.posts(Some(session), close).await;
    assert_eq!((status, &answer["frames"][0]["key"]), (404, &json!("k")));
    let (status, answer) = stage.posts(Some(session), json!([{"type": "ping"}])).await;
    assert_eq!((status, &answer["frames"][0]["type"]), (200, &json!("pong")));
}

#[tokio::test]
async fn a_session_that_does_not_poll_is_gone() {
    let stage = stage(TransportConfig::default()).await;
    let (_, first) = stage.posts(None, json!([stage.hello(json!([]))])).await;
    let session = &first["frames"][0]["session"];
    let gone = async {
        while stage.transport.parts.sessions.figures().sessions > 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), gone).await.expect("gone in time");
    assert_eq!(stage.polls(session, "", 1).await.0, 404);
}
