//! reqwest's client through the middleware, with a server that is a plain socket.

use std::time::Duration;

use cancelable::{Cancelable, Reason};
use cancelable_http::{CallCancelled, DeadlineHeader, DeadlineMiddleware};
use reqwest_middleware::{ClientBuilder, ClientWithMiddleware};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::bounded;

const HEADER: &str = "x-cancelable-timeout-ms";

#[tokio::test]
async fn law_x1_reqwest_sends_what_remains() {
    let server = Server::bind().await;
    let client = client(DeadlineMiddleware::new());
    let limit = Duration::from_secs(60);
    let run = Cancelable::new().timeout(limit).run(async |op| {
        let (first, told) = tokio::join!(client.get(&server.url).send(), server.answer());
        assert_eq!(first.unwrap().text().await.unwrap(), "hello");
        let remains = op.remaining().unwrap();
        let smaller = client.get(&server.url).header(HEADER, "5000");
        let (second, smaller) = tokio::join!(smaller.send(), server.answer());
        assert_eq!(second.unwrap().status(), 200);
        (told, remains, smaller)
    });
    let (told, remains, smaller) = bounded(run).await.unwrap();
    let told = DeadlineHeader::Own.parse(told.unwrap().as_bytes()).unwrap();
    let slack = Duration::from_millis(1);
    assert!(
        remains <= told + slack && told <= limit,
        "{told:?}, then {remains:?}"
    );
    assert_eq!(smaller.as_deref(), Some("5000"));

    let (answer, told) = tokio::join!(client.get(&server.url).send(), server.answer());
    assert_eq!((answer.unwrap().status().as_u16(), told), (200, None));
}

#[tokio::test]
async fn a_cancel_closes_the_connection_of_reqwests_call() {
    let server = Server::bind().await;
    let client = client(DeadlineMiddleware::sending(DeadlineHeader::Connect));
    let run = Cancelable::new();
    let run = run.grace(Duration::from_secs(60)).run(async |op| {
        let cancel = async {
            let mut connection = server.accept().await;
            let request = read_head(&mut connection).await;
            assert!(
                !request.contains("connect-timeout-ms"),
                "there is no deadline: {request}"
            );
            op.cancel_with(Reason::Shutdown);
            // The end of the connection, and not a byte before it.
            assert_eq!(connection.read(&mut [0]).await.unwrap(), 0);
        };
        let (answer, ()) = tokio::join!(client.get(&server.url).send(), cancel);
        answer.unwrap_err()
    });
    let error = bounded(run).await.unwrap();
    let why = CallCancelled::find(&error).expect("the error is ours");
    assert!(why.was_sent() && !why.is_timeout());
    assert_eq!(why.cancellation().reason(), Reason::Shutdown);
    assert_eq!(error.to_string(), "call given up: shutting down");
}

#[tokio::test(start_paused = true)]
async fn law_x1_reqwest_makes_no_call_without_time() {
    let client = client(DeadlineMiddleware::default());
    let limit = Duration::from_micros(900);
    let run = Cancelable::new()
        .timeout(limit)
        .grace(limit * 10_000)
        .run(async |_| {
            // Nothing listens there, which is not found out.
            client.get("http://127.0.0.1:1/").send().await.unwrap_err()
        });
    let error = bounded(run).await.unwrap();
    let why = CallCancelled::find(&error).expect("the error is ours");
    assert!(why.is_timeout() && !why.was_sent(), "{error}");
}

fn client(middleware: DeadlineMiddleware) -> ClientWithMiddleware {
    ClientBuilder::new(reqwest::Client::new())
        .with(middleware)
        .build()
}

struct Server {
    listener: TcpListener,
    url: String,
}

impl Server {
    async fn bind() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        Self { listener, url }
    }

    async fn accept(&self) -> TcpStream {
        self.listener.accept().await.unwrap().0
    }

    /// Answers one request, and gives what it said of its deadline.
    async fn answer(&self) -> Option<String> {
        let mut connection = self.accept().await;
        let head = read_head(&mut connection).await;
        let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\nconnection: close\r\n\r\nhello";
        connection.write_all(answer).await.unwrap();
        let mut lines = head.lines();
        lines.find_map(|line| Some(line.strip_prefix(HEADER)?.strip_prefix(": ")?.to_owned()))
    }
}

async fn read_head(connection: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(connection.read_u8().await.unwrap());
    }
    String::from_utf8(head).unwrap()
}
