//! The WebSocket carrier.

use super::*;

#[tokio::test]
async fn a_visitor_opens_talks_and_resumes() {
    let stage = stage(TransportConfig::default()).await;
    let (mut client, welcome) = stage.arrives(json!([])).await;
    assert_eq!(welcome["you"]["kind"], "visitor");
    assert_eq!(welcome["limits"]["text_bytes"], 8192);
    client.says(json!({"type": "open", "key": "o1", "text": "hi"})).await;
    let ack = client.hears("ack").await;
    assert_eq!(ack["key"], "o1");
    let conversation = ack["conversation"].clone();
    for number in 0..20 {
        let key = format!("k{number}");
        client
            .says(json!({"type": "send", "conversation": conversation, "key": key, "text": key}))
            .await;
    }
    let (mut acks, mut events) = (Vec::new(), Vec::new());
    while acks.len() < 20 || events.len() < 23 {
        let frame = client.next().await.unwrap();
        match frame["type"].as_str().unwrap() {
            "ack" => acks.push((frame["key"].clone(), frame["seq"].as_u64().unwrap())),
            "event" => events.push(frame["event"]["seq"].as_u64().unwrap()),
            _ => {}
        }
    }
    assert_eq!(events, (1..=23).collect::<Vec<_>>());
    let expected: Vec<_> = (0..20).map(|n| (json!(format!("k{n}")), n + 4)).collect();
    assert_eq!(acks, expected, "in the order they were sent");

    drop(client);
    let resume = json!([{"conversation": conversation, "seq": 5}]);
    let (mut again, _) = stage.arrives(resume).await;
    assert_eq!(again.events(18).await, (6..=23).collect::<Vec<_>>());
}

#[tokio::test]
async fn hello_comes_first_and_is_good() {
    // Longer than anything is waited for here: none of these ends because time is up.
    let stage =
        stage(TransportConfig { hello_timeout_ms: 60_000, ..TransportConfig::default() }).await;
    let cases = [
        (json!({"type": "ping"}), "bad_frame", "protocol"),
        (json!({"type": "hello", "protocol": 2, "token": stage.token}), "invalid", "protocol"),
        (
            json!({"type": "hello", "protocol": 1, "token": "forged"}),
            "unauthorized",
            "unauthorized",
        ),
        (json!({"type": "hello", "protocol": 1}), "unauthorized", "unauthorized"),
    ];
    for (frame, code, bye) in cases {
        let mut client = stage.connects().await;
        client.says(frame.clone()).await;
        assert_eq!(client.hears("error").await["code"], code, "{frame}");
        assert_eq!(client.hears("bye").await["code"], bye, "{frame}");
        assert_eq!(client.next().await, None);
    }
    let (mut client, _) = stage.arrives(json!([{"conversation": "99", "seq": 1}])).await;
    let error = client.hears("error").await;
    assert_eq!((&error["code"], &error["conversation"]), (&json!("not_found"), &json!("99")));
}

#[tokio::test]
async fn pages_of_the_site_and_our_own_may_connect() {
    let stage = stage(TransportConfig::default()).await;
    let own = format!("http://{}", stage.address);
    for origin in ["https://shop.example", own.as_str()] {
        let mut client = stage.connects_from(Some(origin)).await;
        client.says(stage.hello(json!([]))).await;
        client.hears("welcome").await;
    }
    let mut client = stage.connects_from(Some("https://evil.example")).await;
    client.says(stage.hello(json!([]))).await;
    assert_eq!(client.hears("error").await["code"], "forbidden");
}

#[tokio::test]
async fn nonsense_is_answered_and_the_connection_lives() {
    let stage = stage(TransportConfig::default()).await;
    let (mut client, _) = stage.arrives(json!([])).await;
    for nonsense in [r#"{"type":1,"data":1}"#, "", "{", r#"{"type":"dance"}"#] {
        client.sends(nonsense).await;
        assert_eq!(client.hears("error").await["code"], "bad_frame", "{nonsense}");
    }
    client.0.send(Message::binary(vec![1, 2, 3])).await.unwrap();
    assert_eq!(client.hears("error").await["code"], "bad_frame");
    client.says(stage.hello(json!([]))).await;
    assert_eq!(client.hears("error").await["code"], "bad_frame");
    client.0.send(Message::Ping(bytes::Bytes::from_static(b"x"))).await.unwrap();
    client.says(json!({"type": "ping"})).await;
    client.hears("pong").await;
    client.sends(&"x".repeat(70_000)).await;
    assert_eq!(client.hears("error").await["code"], "too_large");
    assert_eq!(client.hears("bye").await["code"], "protocol");
}

#[tokio::test]
async fn quiet_peers_are_pinged_and_silent_ones_dismissed() {
    let stage = stage(TransportConfig::default()).await;
    let (mut client, _) = stage.arrives(json!([])).await;
    client.hears("ping").await;
    assert_eq!(client.hears("bye").await["code"], "idle");
    assert_eq!(client.next().await, None);
}

#[tokio::test]
async fn connections_are_counted_and_bounded_and_drained() {
    let config = TransportConfig { connections: 1, ..TransportConfig::default() };
    let stage = stage(config).await;
    let (mut client, _) = stage.arrives(json!([])).await;
    let refused = TcpStream::connect(stage.address).await.unwrap();
    let url = format!("ws://{}/v1/ws", stage.address);
    assert!(tokio_tungstenite::client_async(url, refused).await.is_err());
    let transport = stage.transport.clone();
    let drained = runtime::spawn(async move { transport.drain(Duration::from_secs(5)).await });
    let bye = client.hears("bye").await;
    assert_eq!(bye["code"], "draining");
    assert!(bye["reconnect_ms"].as_u64().unwrap() >= 500);
    assert_eq!(client.next().await, None);
    drop(client);
    assert!(drained.await.unwrap());
    assert_eq!(stage.transport.connections(), 0);
}

#[tokio::test]
async fn bye_ends_the_session_and_closes() {
    let stage = stage(TransportConfig::default()).await;
    let (mut client, _) = stage.arrives(json!([])).await;
    client.says(json!({"type": "bye"})).await;
    assert_eq!(client.next().await, None);
    assert_eq!(stage.transport.parts.sessions.figures().sessions, 0);
}
