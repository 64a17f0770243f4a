//! A storm of requests whose clients vanish at random moments, before, inside and after the response, over both versions of HTTP;
//! and the count of what became of their operations, on both ends.

use std::collections::HashMap;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use cancelable::{Filter, Operation, OperationContext, OperationStatus, Registry, checkpoint};
use cancelable_http::{CancelableLayer, RequestBody, RequestHead, Shutdown};
use futures_util::{StreamExt, stream};
use http::{Request, Response};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Empty, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::client::conn::http2::{self, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Handle;
use tokio::sync::{Notify, Semaphore};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tower::{Layer, service_fn};

/// How many requests, and what decides when their clients vanish.
pub(crate) struct Storm {
    pub(crate) requests: u64,
    pub(crate) seed: u64,
    /// Whether nothing else runs in the process: then its descriptors are counted, too.
    pub(crate) is_alone: bool,
}

/// What became of it.
#[derive(Debug)]
pub(crate) struct Figures {
    /// How many handlers were called.
    pub(crate) begun: usize,
    /// How many operations ended Completed, Cancelled, Failed.
    pub(crate) ended: [usize; 3],
    /// How many clients got a whole response.
    pub(crate) answered: usize,
}

/// What the server's end knows, by the ids that clients gave.
#[derive(Default)]
struct Log {
    begun: Mutex<HashMap<String, usize>>,
    ended: Mutex<HashMap<String, Vec<OperationStatus>>>,
    /// One for each end, so that it can be waited for.
    told: Notify,
    /// Threads and shielded sections at work.
    at_work: AtomicUsize,
}

impl Storm {
    /// Runs it, and panics where an operation did not end just once, or anything is left.
    pub(crate) async fn run(self) -> Figures {
        let before = Left::now(self.is_alone);
        let (log, registry) = (Arc::new(Log::default()), Registry::with_history(10));
        let shutdown = Shutdown::new();
        let server = Server::start(&log, &registry, &shutdown).await;
        let answered = self.clients(server.address).await;
        server.stop().await;
        let figures = log.wait_for_all().await;
        for id in &answered {
            let ended = &log.ended.lock().unwrap()[id];
            assert_eq!(
                ended[..],
                [OperationStatus::Completed],
                "of {id} all has come"
            );
        }
        assert_eq!(registry.count(&Filter::new()), 0);
        let statistics = registry.statistics();
        assert_eq!(statistics.started, figures.begun as u64);
        assert_eq!(statistics.ended.total(), figures.begun as u64);
        // Its list is left after the callbacks of the end.
        shutdown.begin();
        let report = timeout(LONG, shutdown.finished()).await;
        assert!(report.is_ok_and(|report| report.is_clean()));
        assert_eq!(log.at_work.load(Ordering::SeqCst), 0);
        drop((log, registry, shutdown));
        before.is_all_that_is_left().await;
        Figures {
            answered: answered.len(),
            ..figures
        }
    }

    /// Lets all clients come and vanish, some at once; gives the ids of those that got all of their response.
    async fn clients(&self, server: SocketAddr) -> Vec<String> {
        let at_once = Arc::new(Semaphore::new(64));
        let mut clients = JoinSet::new();
        for number in 0..self.requests {
            let permit = Arc::clone(&at_once)
                .acquire_owned()
                .await
                .expect("it is open");
            let mut chance = Chance::of(self.seed, number);
            clients.spawn(async move {
                let _permit = permit;
                let id = format!("{}-{number}", if number % 3 == 0 { "two" } else { "one" });
                let is_whole = match number % 3 {
                    0 => client_of_two(server, &id, &mut chance).await,
                    _ => client_of_one(server, &id, &mut chance).await,
                };
                is_whole.unwrap_or(false).then_some(id)
            });
        }
        clients.join_all().await.into_iter().flatten().collect()
    }
}

/// Chance that is the same each time.
struct Chance(u64);

impl Chance {
    fn of(seed: u64, number: u64) -> Self {
        let mut chance = Self(seed ^ number.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        chance.below(2);
        chance
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % limit
    }

    /// Up to so many microseconds; none at all now and then.
    async fn pause(&mut self, most: u64) {
        match self.below(4) {
            0 => {}
            1 => tokio::task::yield_now().await,
            _ => sleep(Duration::from_micros(self.below(most))).await,
        }
    }
}

/// A client of HTTP/1.1 on a socket of its own. Says whether it read all of its response.
async fn client_of_one(server: SocketAddr, id: &str, chance: &mut Chance) -> std::io::Result<bool> {
    let mut socket = TcpStream::connect(server).await?;
    if chance.below(2) == 0 {
        // Reset, and not closed.
        socket.set_zero_linger()?;
    }
    let kind = chance.below(KINDS);
    let request =
        format!("GET /{kind} HTTP/1.1\r\nhost: here\r\nx-id: {id}\r\nconnection: close\r\n\r\n");
    if chance.below(10) == 0 {
        // Before it has asked for anything.
        let part = chance.below(request.len() as u64) as usize;
        socket.write_all(&request.as_bytes()[..part]).await?;
        chance.pause(1_000).await;
        return Ok(false);
    }
    socket.write_all(request.as_bytes()).await?;
    match chance.below(3) {
        // At any moment from now on, whatever has come by then.
        0 => {
            chance.pause(5_000).await;
            Ok(false)
        }
        // Inside the response.
        1 => {
            let mut some = vec![0; 1 + chance.below(400) as usize];
            socket.read_exact(&mut some).await?;
            chance.pause(500).await;
            Ok(false)
        }
        // After it.
        _ => {
            let mut all = Vec::new();
            socket.read_to_end(&mut all).await?;
            let is_whole = all.ends_with(b"0\r\n\r\n") || all.ends_with(WHOLE.as_bytes());
            Ok(is_whole)
        }
    }
}

/// The same for HTTP/2, whose client resets its stream, or vanishes with its connection.
async fn client_of_two(server: SocketAddr, id: &str, chance: &mut Chance) -> std::io::Result<bool> {
    let socket = TokioIo::new(TcpStream::connect(server).await?);
    let shaken = http2::handshake::<_, _, Empty<Bytes>>(TokioExecutor::new(), socket).await;
    let (mut client, connection) = shaken.map_err(std::io::Error::other)?;
    let connection = tokio::spawn(connection);
    let vanish = connection.abort_handle();
    let kind = chance.below(KINDS);
    let request = Request::get(format!("http://here/{kind}")).header("x-id", id);
    let request = request.body(Empty::new()).expect("it is well formed");
    let talk = talk(&mut client, request, chance);
    let is_whole = talk.await.unwrap_or(false);
    if chance.below(2) == 0 {
        vanish.abort();
    }
    drop(client);
    // It ends by itself where nothing is open any more.
    let _ = connection.await;
    Ok(is_whole)
}

async fn talk(
    client: &mut SendRequest<Empty<Bytes>>,
    request: Request<Empty<Bytes>>,
    chance: &mut Chance,
) -> hyper::Result<bool> {
    let response = client.send_request(request);
    if chance.below(3) == 0 {
        let moment = Duration::from_micros(chance.below(5_000));
        return match timeout(moment, response).await {
            Ok(response) => response.map(|_| false),
            Err(_) => Ok(false),
        };
    }
    let mut body = response.await?.into_body();
    let frames = chance.below(6);
    for _ in 0..frames {
        if body.frame().await.transpose()?.is_none() {
            return Ok(true);
        }
    }
    if chance.below(2) == 0 {
        return Ok(false);
    }
    body.collect().await.map(|_| true)
}

/// A server that can be waited for.
struct Server {
    address: SocketAddr,
    stop: Arc<Notify>,
    serving: tokio::task::JoinHandle<()>,
}

impl Server {
    async fn start(log: &Arc<Log>, registry: &Registry, shutdown: &Shutdown) -> Self {
        let layer = CancelableLayer::new()
            .registered_in(registry)
            .shutdown(shutdown)
            .timeout(Duration::from_secs(3600))
            .plan({
                let log = Arc::clone(log);
                move |plan, head| log.follow(plan, &id(head))
            });
        let handler = Arc::clone(log);
        let service = layer.layer(service_fn(
            move |request: Request<RequestBody<Incoming>>| {
                let log = Arc::clone(&handler);
                async move { Ok::<_, Infallible>(handle(request, log).await) }
            },
        ));
        let service = TowerToHyperService::new(service);
        let listener = TcpListener::bind("127.0.0.1:0")
            .await
            .expect("loopback is there");
        let address = listener.local_addr().expect("it is bound");
        let stop = Arc::new(Notify::new());
        let stopped = Arc::clone(&stop);
        let serving = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                tokio::select! {
                    accepted = listener.accept() => {
                        let (socket, _) = accepted.expect("loopback accepts");
                        let service = service.clone();
                        connections.spawn(async move {
                            let server = auto::Builder::new(TokioExecutor::new());
                            let _ = server.serve_connection(TokioIo::new(socket), service).await;
                        });
                    }
                    Some(_) = connections.join_next() => {}
                    () = stopped.notified() => break,
                }
            }
            while connections.join_next().await.is_some() {}
        });
        Self {
            address,
            stop,
            serving,
        }
    }

    /// Waits until every connection is closed, which its client has left.
    async fn stop(self) {
        self.stop.notify_one();
        let stopped = timeout(LONG, self.serving).await;
        stopped
            .expect("every connection is closed")
            .expect("none panics");
    }
}

fn id(head: &RequestHead<'_>) -> String {
    let id = head.headers()["x-id"].to_str();
    id.expect("it is text").to_owned()
}

impl Log {
    /// Notes the end of what has this id.
    fn follow(self: &Arc<Self>, plan: cancelable::Cancelable, id: &str) -> cancelable::Cancelable {
        let note = || {
            let log = Arc::clone(self);
            move |end: &OperationContext| {
                let mut ended = log.ended.lock().unwrap();
                ended.entry(end.id.clone()).or_default().push(end.status);
                log.told.notify_one();
            }
        };
        let plan = plan.id(id).on_complete(note()).on_cancel(note());
        plan.on_error(note())
    }

    /// Waits until all that has begun has ended, and sees that each did so once.
    async fn wait_for_all(&self) -> Figures {
        let begun = self.begun.lock().unwrap().clone();
        let all_ended = async {
            while self.ended.lock().unwrap().len() < begun.len() {
                self.told.notified().await;
            }
        };
        timeout(LONG, all_ended)
            .await
            .expect("every operation ends");
        assert!(
            begun.values().all(|times| *times == 1),
            "each is called once"
        );
        let ended = self.ended.lock().unwrap();
        let mut by_status = [0; 3];
        for (id, ends) in ended.iter() {
            assert!(begun.contains_key(id), "{id} has ended, and never began");
            let [end] = ends[..] else {
                panic!("{id} has ended as {ends:?}")
            };
            let index = match end {
                OperationStatus::Completed => 0,
                OperationStatus::Cancelled => 1,
                _ => 2,
            };
            by_status[index] += 1;
        }
        Figures {
            begun: begun.len(),
            ended: by_status,
            answered: 0,
        }
    }

    fn work(self: &Arc<Self>) -> AtWork {
        self.at_work.fetch_add(1, Ordering::SeqCst);
        AtWork(Arc::clone(self))
    }
}

/// Something that is at work until this is dropped.
struct AtWork(Arc<Log>);

impl Drop for AtWork {
    fn drop(&mut self) {
        self.0.at_work.fetch_sub(1, Ordering::SeqCst);
    }
}

/// How many kinds of handlers there are.
const KINDS: u64 = 6;
const WHOLE: &str = "a response of which all is there";

/// A handler that owes something now and then, and whose response takes its time.
async fn handle(
    request: Request<RequestBody<Incoming>>,
    log: Arc<Log>,
) -> Response<UnsyncBoxBody<Bytes, Infallible>> {
    let op = Operation::current().expect("the layer made one");
    *log.begun
        .lock()
        .unwrap()
        .entry(op.id().to_owned())
        .or_default() += 1;
    let short = Duration::from_micros(700);
    match request.uri().path() {
        "/0" => sleep(short).await,
        "/1" => {
            let work = log.work();
            let section = async move {
                sleep(short).await;
                drop(work);
            };
            op.shield(section).await;
        }
        "/2" => {
            let work = log.work();
            op.finalizer(None, async move |_| {
                sleep(short).await;
                drop(work);
            });
            sleep(short).await;
        }
        "/3" => {
            let work = log.work();
            drop(op.spawn_blocking(move || {
                let _work = work;
                for _ in 0..200 {
                    if checkpoint().is_err() {
                        break;
                    }
                    std::thread::yield_now();
                }
            }));
            let work = log.work();
            drop(op.spawn(async move {
                let _work = work;
                sleep(short).await;
            }));
        }
        _ => {}
    }
    let is_streamed = !matches!(request.uri().path(), "/0" | "/4");
    let work = log.work();
    let frames: u64 = if is_streamed { 5 } else { 1 };
    let items = stream::iter(0..frames).then(move |number| {
        let _at_work = &work;
        async move {
            if number > 0 {
                sleep(Duration::from_micros(300)).await;
            }
            Ok(Frame::data(Bytes::from_static(WHOLE.as_bytes())))
        }
    });
    if is_streamed {
        Response::new(StreamBody::new(items).boxed_unsync())
    } else {
        Response::new(http_body_util::Full::from(WHOLE).boxed_unsync())
    }
}

/// What there is of things that must not be left.
#[derive(Debug, PartialEq)]
struct Left {
    tasks: usize,
    descriptors: Option<usize>,
}

impl Left {
    fn now(is_alone: bool) -> Self {
        let descriptors = is_alone.then(|| std::fs::read_dir("/proc/self/fd").ok());
        let descriptors = descriptors.flatten();
        Self {
            tasks: Handle::current().metrics().num_alive_tasks(),
            descriptors: descriptors.map(Iterator::count),
        }
    }

    fn again(&self) -> Self {
        Self::now(self.descriptors.is_some())
    }

    /// Waits until no more is there than this: what was dropped last is gone a moment later.
    async fn is_all_that_is_left(&self) {
        let gone = async {
            while self.again() != *self {
                tokio::task::yield_now().await;
            }
        };
        if timeout(LONG, gone).await.is_err() {
            panic!("left behind: {:?}, before it was {self:?}", self.again());
        }
    }
}

/// What takes longer hangs.
const LONG: Duration = Duration::from_secs(60);
