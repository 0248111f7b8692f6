//! A Redis of a test's own.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::directory::Directory;

/// `redis-server` on a free port, without persistence; stopped when dropped, by its own pid.
pub struct RedisServer {
    addr: SocketAddr,
    directory: Directory,
    arguments: Vec<String>,
    child: Child,
}

/// How long it may take to listen.
const DEADLINE: Duration = Duration::from_secs(10);

impl RedisServer {
    /// A server with these arguments besides.
    pub fn start(arguments: &[&str]) -> Self {
        let free = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let addr = free.local_addr().expect("a bound listener has an address");
        drop(free);
        let directory = Directory::fresh("redis").expect("there is room");
        let arguments: Vec<_> = arguments
            .iter()
            .map(|&argument| argument.to_owned())
            .collect();
        let child = spawn(addr, &directory, &arguments);
        Self {
            addr,
            directory,
            arguments,
            child,
        }
    }

    /// Where it is, for a client.
    pub fn url(&self) -> String {
        format!("redis://{}", self.addr)
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Kills it.
    pub fn kill(&mut self) {
        self.child.kill().expect("it runs");
        self.child.wait().expect("it ends");
    }

    /// Starts it again on the same port, with nothing in it.
    pub fn start_again(&mut self) {
        self.child = spawn(self.addr, &self.directory, &self.arguments);
    }

    /// Has it do nothing, as one that hangs; or go on.
    pub fn set_hung(&self, is_hung: bool) {
        let signal = if is_hung { "-STOP" } else { "-CONT" };
        let kill = Command::new("kill")
            .args([signal, &self.child.id().to_string()])
            .status();
        assert!(kill.expect("kill runs").success());
    }

    /// Runs a command in it, and returns the answer.
    pub fn command(&self, words: &[&str]) -> String {
        let output = Command::new("redis-cli")
            .args(["-p", &self.addr.port().to_string()])
            .args(words)
            .output()
            .expect("redis-cli runs");
        String::from_utf8(output.stdout).expect("the answer is text")
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn spawn(addr: SocketAddr, directory: &Directory, arguments: &[String]) -> Child {
    let child = Command::new("redis-server")
        .args(["--port", &addr.port().to_string(), "--bind", "127.0.0.1"])
        .args(["--save", "", "--appendonly", "no"])
        .arg("--dir")
        .arg(directory.path())
        .args(arguments)
        .stdout(Stdio::null())
        .spawn()
        .expect("`make redis` has installed it");
    let begun = Instant::now();
    while TcpStream::connect(addr).is_err() {
        assert!(
            begun.elapsed() < DEADLINE,
            "redis-server does not listen at {addr}"
        );
        std::thread::sleep(Duration::from_millis(10));
    }
    child
}
