//! Every receiver answers a ping, also one that shares a segment with messages. One that misses it is cut by the server
//! in the middle of a run, and what it then lacks would be called the server's loss.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::time::{Instant, timeout};
use tokio_tungstenite::tungstenite::protocol::Role;

use super::*;
use crate::{ack, idle, road};

/// Both ends of a link; the server's has said a message, a ping and an ack in one segment.
async fn told() -> (Link, Link) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (here, there) = tokio::join!(TcpStream::connect(address), listener.accept());
    let link = WebSocketStream::from_raw_socket(here.unwrap(), Role::Client, None).await;
    let (there, _) = there.unwrap();
    let mut server = WebSocketStream::from_raw_socket(there, Role::Server, None).await;
    for frame in [
        r#"{"type":"event","event":{"type":"message","text":"@5 hello"}}"#,
        r#"{"type":"ping"}"#,
        r#"{"type":"ack","key":"000000000000000005","seq":3}"#,
    ] {
        server.feed(Message::Text(frame.into())).await.unwrap();
    }
    server.flush().await.unwrap();
    (link, server)
}

async fn hears_a_pong(server: &mut Link) {
    let heard = timeout(Duration::from_secs(10), hears(server, "pong")).await;
    heard.expect("an answer in time").unwrap();
}

#[tokio::test]
async fn who_counts_acks_answers_a_ping_among_them() {
    let (link, mut server) = told().await;
    let (sink, stream) = ack::split(link);
    let start = Instant::now();
    let end = start + Duration::from_secs(10);
    let (latency, errors) = ack::receiver((stream, sink), start, (1, end)).await.unwrap();
    assert_eq!((latency.len(), errors), (1, 0), "the ack in the same segment counts");
    hears_a_pong(&mut server).await;
}

#[tokio::test]
async fn an_agent_that_listens_answers_a_ping_among_messages() {
    let (link, mut server) = told().await;
    let start = Instant::now();
    let listening = kefu::runtime::spawn(road::hears(link, start, start + Duration::from_secs(3)));
    hears_a_pong(&mut server).await;
    assert_eq!(listening.await.unwrap().unwrap().len(), 1, "the message is heard");
}

#[tokio::test]
async fn an_idle_link_answers_a_ping_among_messages() {
    let (link, mut server) = told().await;
    let held = Arc::new(AtomicUsize::new(1));
    let holding = kefu::runtime::spawn(idle::hold(link, Arc::clone(&held)));
    hears_a_pong(&mut server).await;
    assert_eq!(held.load(Ordering::Relaxed), 1, "and is held on");
    drop(server);
    holding.await.unwrap();
}
