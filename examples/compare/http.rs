//! One HTTP connection of a client: requests one after the other, answers as they come.

use std::net::SocketAddr;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

use crate::reader::{Answer, Fallible};

/// A connection; it ends when dropped.
pub(crate) struct Connection {
    address: SocketAddr,
    sender: SendRequest<Full<Bytes>>,
    task: JoinHandle<()>,
}

impl Connection {
    pub(crate) async fn open(address: SocketAddr) -> Fallible<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await?;
        let task = tokio::spawn(async move {
            // Whoever waits for an answer is told.
            let _ = connection.await;
        });
        Ok(Self {
            address,
            sender,
            task,
        })
    }

    pub(crate) async fn get(&mut self, path: &str) -> Fallible<Answer> {
        self.send("GET", path, Bytes::new()).await
    }

    /// Posts a payload in the text encoding.
    pub(crate) async fn post(&mut self, path: &str, body: Bytes) -> Fallible<Answer> {
        self.send("POST", path, body).await
    }

    /// The rest of an answer.
    pub(crate) async fn whole(&mut self, answer: Answer) -> Fallible<Bytes> {
        Ok(answer.into_body().collect().await?.to_bytes())
    }

    /// The next piece of an answer; none at its end.
    pub(crate) async fn piece(&mut self, answer: &mut Answer) -> Fallible<Option<Bytes>> {
        while let Some(frame) = answer.body_mut().frame().await {
            if let Ok(data) = frame?.into_data() {
                return Ok(Some(data));
            }
        }
        Ok(None)
    }

    async fn send(&mut self, method: &str, path: &str, body: Bytes) -> Fallible<Answer> {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header("host", self.address.to_string());
        if method == "POST" {
            request = request.header("content-type", "text/plain");
        }
        self.sender.ready().await?;
        let answer = self
            .sender
            .send_request(request.body(Full::new(body))?)
            .await?;
        if !answer.status().is_success() {
            return Err(format!("refused with {}", answer.status()).into());
        }
        Ok(answer)
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.task.abort();
    }
}
