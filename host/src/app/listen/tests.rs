//! How accepted sockets are set.

use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};

use super::tune;

#[tokio::test]
async fn accepted_sockets_do_not_delay_and_give_up_on_peers_that_vanished() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let _client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let (accepted, _) = listener.accept().await.unwrap();
    tune(&accepted, Duration::from_secs(45));
    let socket = socket2::SockRef::from(&accepted);
    assert!(socket.tcp_nodelay().unwrap());
    assert_eq!(socket.tcp_user_timeout().unwrap(), Some(Duration::from_secs(45)));
}
