//! An engine for tests: it answers as a test wants, over a socket, and keeps what it was asked.

use std::sync::{Arc, Mutex, PoisonError};

use bollard::{API_DEFAULT_VERSION, Docker};
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio::task::JoinHandle;

use super::Engine;

/// How long the client waits for an answer, in seconds.
const ANSWER_LIMIT_S: u64 = 20;

/// What the engine answers: a status, and a body.
pub type Answer = (u16, Value);

/// An engine that is none.
pub struct Fake {
    /// The way to it.
    pub engine: Engine,
    asked: Arc<Mutex<Vec<String>>>,
    serving: JoinHandle<()>,
    _home: TempDir,
}

impl Fake {
    /// One that answers each request (`POST /containers/kafka-1/kill?signal=SIGKILL`) by this function.
    pub fn start(mut answer: impl FnMut(&str) -> Answer + Send + 'static) -> Self {
        let home = tempfile::tempdir().expect("a directory");
        let socket = home.path().join("engine.sock");
        let listener = UnixListener::bind(&socket).expect("a socket");
        let path = socket.to_str().expect("a plain path");
        let docker = Docker::connect_with_unix(path, ANSWER_LIMIT_S, API_DEFAULT_VERSION).expect("a client");
        let asked = Arc::new(Mutex::new(Vec::new()));
        let keep = Arc::clone(&asked);
        let serving = tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let request = read(&mut stream).await;
                let (status, body) = answer(&request);
                keep.lock().unwrap_or_else(PoisonError::into_inner).push(request);
                write(&mut stream, status, &body).await;
            }
        });
        Self { engine: Engine { docker }, asked, serving, _home: home }
    }

    /// What changed something, in order: everything that it was asked but questions.
    pub fn orders(&self) -> Vec<String> {
        let asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        asked.iter().filter(|request| !request.starts_with("GET ")).cloned().collect()
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// A request's method and path, without the version that it begins with. Its body is read and passed over.
async fn read(stream: &mut UnixStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.expect("a whole head"));
    }
    let head = String::from_utf8(head).expect("a head is text");
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
    });
    let mut body = vec![0; length.unwrap_or(0)];
    stream.read_exact(&mut body).await.expect("a whole body");
    let mut words = head.split_whitespace();
    let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let path = path.strip_prefix("/v").and_then(|versioned| versioned.split_once('/')).map_or(path, |(_, rest)| rest);
    format!("{method} /{}", path.trim_start_matches('/'))
}

async fn write(stream: &mut UnixStream, status: u16, body: &Value) {
    let body = if status == 204 { String::new() } else { body.to_string() };
    let length = body.len();
    let answer = format!(
        "HTTP/1.1 {status} Said\r\ncontent-type: application/json\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
    );
    // Whoever asked may have stopped waiting.
    drop(stream.write_all(answer.as_bytes()).await);
}
