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
        command(self.addr, words)
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A sentinel that watches a master, and makes its replica the master when that has been silent for a second.
pub struct Sentinel {
    addr: SocketAddr,
    _directory: Directory,
    child: Child,
}

impl Sentinel {
    /// One that watches this master.
    pub fn start(master: &RedisServer) -> Self {
        let free = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let addr = free.local_addr().expect("a bound listener has an address");
        drop(free);
        let directory = Directory::fresh("sentinel").expect("there is room");
        let file = directory.path().join("sentinel.conf");
        let config = format!(
            "port {}\nbind 127.0.0.1\nsentinel monitor main 127.0.0.1 {} 1\n\
             sentinel down-after-milliseconds main 1000\nsentinel failover-timeout main 5000\n",
            addr.port(),
            master.addr.port()
        );
        std::fs::write(&file, config).expect("there is room");
        let child = Command::new("redis-sentinel")
            .arg(&file)
            .stdout(Stdio::null())
            .spawn()
            .expect("`make redis` has installed it");
        wait_for(addr);
        Self {
            addr,
            _directory: directory,
            child,
        }
    }

    /// Where it is, for a client.
    pub fn url(&self) -> String {
        format!("redis+sentinel://{}/main", self.addr)
    }

    /// Runs a command in it, and returns the answer.
    pub fn command(&self, words: &[&str]) -> String {
        command(self.addr, words)
    }
}

impl Drop for Sentinel {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn command(addr: SocketAddr, words: &[&str]) -> String {
    let output = Command::new("redis-cli")
        .args(["-p", &addr.port().to_string()])
        .args(words)
        .output()
        .expect("redis-cli runs");
    String::from_utf8(output.stdout).expect("the answer is text")
}

fn wait_for(addr: SocketAddr) {
    let begun = Instant::now();
    while TcpStream::connect(addr).is_err() {
        assert!(begun.elapsed() < DEADLINE, "nothing listens at {addr}");
        std::thread::sleep(Duration::from_millis(10));
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
    wait_for(addr);
    child
}
