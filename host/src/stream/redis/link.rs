//! The way to the server: one connection, or one to each master of a cluster, opened when it is needed and thrown away
//! when it is in doubt. It knows what a failure means for a caller, and nothing of what is kept there.
//!
//! A command that got no answer in time may or may not have been done; a link that swallows everything looks just the
//! same. So the connection is replaced, and the caller asks again: everything asked here is harmless to repeat.

use std::time::Duration;

use redis::aio::{AsyncPushSender, MultiplexedConnection};
use redis::cluster::{ClusterClient, ClusterClientBuilder};
use redis::cluster_async::ClusterConnection;
use redis::io::tcp::TcpSettings;
use redis::{
    AsyncConnectionConfig, Client, Cmd, ConnectionInfo, ErrorKind, FromRedisValue,
    IntoConnectionInfo as _, ProtocolVersion, RedisError, RedisResult, ServerErrorKind,
};
use tokio::sync::Mutex;
use tokio::time::timeout;

/// How often the client of a cluster follows redirections and failovers by itself within one command.
const REDIRECTIONS: u32 = 5;

/// Why a command brought no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Failure {
    /// It may have been done: ask again.
    #[error("{0}")]
    Unknown(String),
    /// It was not done, and may be in a moment: the server is starting, failing over, busy.
    #[error("{0}")]
    NotNow(String),
    /// It was not done: there is no room.
    #[error("{0}")]
    Full(String),
    /// The server does not know this script yet.
    #[error("the script is not loaded")]
    NoScript,
    /// It was not done, and asking again would not help.
    #[error("{0}")]
    Refused(String),
}

impl From<RedisError> for Failure {
    fn from(error: RedisError) -> Self {
        let text = error.to_string();
        use ServerErrorKind as Server;
        match (error.kind(), error.code()) {
            (ErrorKind::Server(Server::NoScript), _) => Self::NoScript,
            (
                ErrorKind::Server(
                    Server::BusyLoading
                    | Server::TryAgain
                    | Server::ClusterDown
                    | Server::MasterDown
                    | Server::ReadOnly
                    | Server::Moved
                    | Server::Ask,
                ),
                _,
            )
            | (_, Some("BUSY" | "NOREPLICAS")) => Self::NotNow(text),
            (_, Some("OOM")) => Self::Full("Redis has reached its maxmemory".into()),
            (_, Some("MISCONF")) => Self::Full(format!("Redis cannot write to its disk: {text}")),
            (ErrorKind::Io | ErrorKind::ClusterConnectionNotFound | ErrorKind::Parse, _) => {
                Self::Unknown(text)
            }
            _ => Self::Refused(text),
        }
    }
}

/// Where the server is and how long it is waited for.
#[derive(Debug)]
pub(super) struct Server {
    places: Vec<ConnectionInfo>,
    cluster: bool,
    patience: Duration,
}

impl Server {
    /// Asks the first place that answers whether it belongs to a cluster.
    pub(super) async fn find(urls: &[String], patience: Duration) -> Result<Self, Failure> {
        let mut places = Vec::new();
        for url in urls {
            let place = url.as_str().into_connection_info()?;
            let tcp = TcpSettings::default().set_nodelay(true).set_user_timeout(patience * 2);
            places.push(place.set_tcp_settings(tcp));
        }
        let mut last = Failure::Refused("no server is named".into());
        for (first, place) in places.iter().enumerate() {
            let alone = Self { places: vec![place.clone()], cluster: false, patience };
            let info = redis::cmd("INFO").arg("cluster").to_owned();
            match Link::new(alone).run::<String>(&info).await {
                Ok(text) => {
                    let cluster = text.contains("cluster_enabled:1");
                    if !cluster && places.len() > 1 {
                        let why = "several addresses are given, and what answers is not a cluster";
                        return Err(Failure::Refused(why.into()));
                    }
                    places.rotate_left(first);
                    return Ok(Self { places, cluster, patience });
                }
                Err(why) => last = why,
            }
        }
        Err(last)
    }

    /// Whether one script may not touch all partitions.
    pub(super) fn is_cluster(&self) -> bool {
        self.cluster
    }

    /// One of its servers, by itself.
    pub(super) fn any(&self) -> Self {
        Self { places: self.places.clone(), cluster: false, patience: self.patience }
    }

    /// A new connection; with `pushes` it may subscribe, and they are told what comes.
    pub(super) async fn connect(
        &self,
        pushes: Option<impl AsyncPushSender>,
    ) -> Result<Connection, Failure> {
        let connecting = async {
            if self.cluster {
                self.cluster(pushes)?.get_async_connection().await.map(Connection::Cluster)
            } else {
                self.single(pushes).await.map(Connection::Single)
            }
        };
        let late = |_| Failure::Unknown(format!("Redis did not answer in {:?}", self.patience));
        Ok(timeout(self.patience, connecting).await.map_err(late)??)
    }

    fn cluster(&self, pushes: Option<impl AsyncPushSender>) -> RedisResult<ClusterClient> {
        let tcp = TcpSettings::default().set_nodelay(true).set_user_timeout(self.patience * 2);
        let client = ClusterClientBuilder::new(self.places.clone())
            .tcp_settings(tcp)
            .retries(REDIRECTIONS)
            .connection_timeout(self.patience)
            .response_timeout(self.patience);
        match pushes {
            None => client.build(),
            Some(pushes) => client.use_protocol(ProtocolVersion::RESP3).push_sender(pushes).build(),
        }
    }

    async fn single(
        &self,
        pushes: Option<impl AsyncPushSender>,
    ) -> RedisResult<MultiplexedConnection> {
        let mut place = self.places[0].clone();
        // The library's own limits (500 ms for an answer) are no use: `connect` and `Link::run` have theirs.
        let mut config =
            AsyncConnectionConfig::new().set_connection_timeout(None).set_response_timeout(None);
        if let Some(pushes) = pushes {
            let settings = place.redis_settings().clone().set_protocol(ProtocolVersion::RESP3);
            place = place.set_redis_settings(settings);
            config = config.set_push_sender(pushes);
        }
        Client::open(place)?.get_multiplexed_async_connection_with_config(&config).await
    }
}

/// One connection, whatever it leads to. Clones share it.
#[derive(Clone)]
pub(super) enum Connection {
    Single(MultiplexedConnection),
    Cluster(ClusterConnection),
}

impl Connection {
    async fn query<T: FromRedisValue>(&mut self, command: &Cmd) -> RedisResult<T> {
        match self {
            Self::Single(connection) => command.query_async(connection).await,
            Self::Cluster(connection) => command.query_async(connection).await,
        }
    }

    /// Subscribes to sharded channels; what comes goes to the pushes it was opened with.
    pub(super) async fn subscribe(&mut self, channels: &[String]) -> RedisResult<()> {
        match self {
            Self::Single(connection) => {
                redis::cmd("SSUBSCRIBE").arg(channels).query_async(connection).await
            }
            Self::Cluster(connection) => {
                for channel in channels {
                    connection.ssubscribe(channel).await?;
                }
                Ok(())
            }
        }
    }
}

/// A connection that is there whenever it can be.
pub(super) struct Link {
    pub(super) server: Server,
    current: Mutex<Current>,
}

#[derive(Default)]
struct Current {
    connection: Option<Connection>,
    /// How many there have been: what is in doubt may have been replaced already.
    number: u64,
}

type NoPushes = fn(redis::PushInfo) -> Result<(), ()>;

impl Link {
    pub(super) fn new(server: Server) -> Self {
        Self { server, current: Mutex::default() }
    }

    /// One command and its answer.
    pub(super) async fn run<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, Failure> {
        let (number, mut connection) = self.connection().await?;
        let answer = match timeout(self.server.patience, connection.query(command)).await {
            Ok(answer) => answer.map_err(Failure::from),
            Err(_) => {
                let patience = self.server.patience;
                Err(Failure::Unknown(format!("Redis did not answer in {patience:?}")))
            }
        };
        if matches!(answer, Err(Failure::Unknown(_))) {
            self.doubt(number).await;
        }
        answer
    }

    async fn connection(&self) -> Result<(u64, Connection), Failure> {
        let mut current = self.current.lock().await;
        if let Some(connection) = &current.connection {
            return Ok((current.number, connection.clone()));
        }
        let connection = self.server.connect(None::<NoPushes>).await?;
        current.connection = Some(connection.clone());
        current.number += 1;
        Ok((current.number, connection))
    }

    /// This connection is not used any more; what waits for it still does.
    async fn doubt(&self, number: u64) {
        let mut current = self.current.lock().await;
        if current.number == number {
            current.connection = None;
        }
    }
}
