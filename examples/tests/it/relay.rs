//! `relay`: two of them, one behind the other, and clients of the first that leave, run out of time, or have it stopped.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::time::Duration;

use rustix::process::Signal;

use crate::child::Running;
use crate::programs::program;

#[test]
fn a_client_that_leaves_ends_both() {
    let mut both = Both::start();
    let client = both.client("GET", "x-cancelable-timeout-ms: 15000\r\n");
    let [front, back] = both.begun();
    assert!(back < front && front <= 15.0, "{front} s, then {back} s");
    drop(client);
    both.front.child.await_line(GONE);
    both.back.child.await_line(GONE);
}

#[test]
fn where_time_is_up_at_the_last_its_answer_goes_all_the_way() {
    let mut both = Both::start_with(&["--timeout", "500ms"]);
    let client = both.client("GET", "x-cancelable-timeout-ms: 15000\r\n");
    let [front, back] = both.begun();
    assert!(back <= 0.5 && 0.5 < front, "{front} s, then {back} s");
    both.back
        .child
        .await_line("cancelled, Timeout: timed out after 500ms");
    assert_eq!(status(client), "HTTP/1.1 504 Gateway Timeout");
    both.front.child.await_line("Completed");
}

#[test]
fn what_is_stopped_at_the_first_is_stopped_at_the_last() {
    let mut both = Both::start();
    let client = both.client("GET", "");
    let [front, back] = both.begun();
    assert!(back < front && front <= 15.0, "{front} s, then {back} s");
    assert_eq!(status(both.client("DELETE", "")), "HTTP/1.1 200 OK");
    both.front
        .child
        .await_line("cancelled, Manual: not needed any more");
    both.back.child.await_line(GONE);
    assert_eq!(status(client), "HTTP/1.1 503 Service Unavailable");
}

struct Both {
    front: Relay,
    back: Relay,
}

impl Both {
    fn start() -> Self {
        Self::start_with(&[])
    }

    /// With these arguments for the last.
    fn start_with(arguments: &[&str]) -> Self {
        let back = Relay::start(arguments);
        let front = Relay::start(&["--next", &back.url, "--timeout", "15s"]);
        Self { front, back }
    }

    fn client(&self, method: &str, headers: &str) -> TcpStream {
        let mut client = TcpStream::connect(self.front.address()).expect("it listens");
        let patience = Some(Duration::from_secs(15));
        client
            .set_read_timeout(patience)
            .expect("it is a length of time");
        let request = format!("{method} /work HTTP/1.1\r\nhost: localhost\r\n{headers}\r\n");
        client.write_all(request.as_bytes()).expect("it is open");
        client
    }

    /// How many seconds each had as it began.
    fn begun(&mut self) -> [f64; 2] {
        [&mut self.front, &mut self.back].map(|relay| {
            let line = relay.next_line();
            let left = line
                .strip_prefix("begun, ")
                .and_then(|line| line.strip_suffix(" s left"));
            let left = left.unwrap_or_else(|| panic!("no request begun in {line:?}"));
            left.parse().expect("it is a number")
        })
    }
}

struct Relay {
    child: Running,
    url: String,
}

impl Relay {
    fn start(arguments: &[&str]) -> Self {
        let mut command = Command::new(program("relay"));
        command.args(arguments);
        let child = Running::start_as_on_a_terminal(command);
        let mut relay = Self {
            child,
            url: String::new(),
        };
        let line = relay.next_line();
        let url = line.strip_prefix("listening on ").map(str::to_owned);
        relay.url = url.unwrap_or_else(|| panic!("no address in {line:?}"));
        relay
    }

    fn address(&self) -> &str {
        let url = self.url.trim_start_matches("http://");
        url.trim_end_matches("/work")
    }

    fn next_line(&mut self) -> String {
        self.child.next_line().unwrap_or_default().to_owned()
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.child.send(Signal::KILL);
    }
}

/// The first line of an answer.
fn status(mut client: TcpStream) -> String {
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n") {
        let mut byte = [0];
        client.read_exact(&mut byte).expect("it answers");
        answer.extend(byte);
    }
    String::from_utf8_lossy(&answer).trim_end().to_owned()
}

const GONE: &str = "cancelled, Disconnected: the client has disconnected";
