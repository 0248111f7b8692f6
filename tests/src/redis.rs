//! A Redis of a test's own.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::address;
use crate::certificate::Certificate;
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
        let arguments = arguments.iter().map(|&argument| argument.to_owned());
        Self::start_at(address::free(), arguments.collect())
    }

    /// A server that speaks TLS alone, with this certificate.
    pub fn start_over_tls(certificate: &Certificate) -> Self {
        let addr = address::free();
        let (chain, key) = (certificate.chain(), certificate.key());
        let (chain, key) = (chain.display(), key.display());
        let arguments = format!(
            "--port 0 --tls-port {} --tls-cert-file {chain} --tls-key-file {key} --tls-ca-cert-file {chain} \
             --tls-auth-clients no",
            addr.port()
        );
        let arguments = arguments.split(' ').map(str::to_owned);
        Self::start_at(addr, arguments.collect())
    }

    fn start_at(addr: SocketAddr, arguments: Vec<String>) -> Self {
        let directory = Directory::fresh("redis").expect("there is room");
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

    fn argument(&self, name: &str) -> &str {
        let place = self.arguments.iter().position(|argument| argument == name);
        &self.arguments[place.expect("it was started with that") + 1]
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A Redis Cluster: masters that share the slots evenly, and a replica of each if that is wanted.
pub struct RedisCluster {
    masters: Vec<RedisServer>,
    replicas: Vec<RedisServer>,
}

impl RedisCluster {
    /// Starts three masters, each with so many replicas.
    pub fn start(replicas: usize) -> Self {
        let server = || {
            // The second port must not be one that somebody is given meanwhile.
            let bus = address::free().port().to_string();
            let arguments = ["--cluster-enabled", "yes", "--cluster-port", &bus];
            let timeout = ["--cluster-node-timeout", "1000"];
            RedisServer::start(&[&arguments[..], &timeout].concat())
        };
        let masters: Vec<_> = (0..3).map(|_| server()).collect();
        let replicas: Vec<_> = (0..3 * replicas).map(|_| server()).collect();
        let cluster = Self { masters, replicas };
        let first = &cluster.masters[0];
        for (place, master) in (0..).zip(&cluster.masters) {
            let range = [place * 5_462, (place * 5_462 + 5_461).min(16_383)]
                .map(|slot: u32| slot.to_string());
            master.command(&["CLUSTER", "ADDSLOTSRANGE", &range[0], &range[1]]);
            master.command(&["CLUSTER", "SET-CONFIG-EPOCH", &(place + 1).to_string()]);
        }
        for server in cluster.servers() {
            let (port, bus) = (
                first.addr.port().to_string(),
                first.argument("--cluster-port"),
            );
            server.command(&["CLUSTER", "MEET", "127.0.0.1", &port, bus]);
        }
        let all = cluster.servers().count();
        let knows_all = |server: &RedisServer| {
            let nodes = server.command(&["CLUSTER", "NODES"]);
            nodes.lines().count() == all && !nodes.contains("handshake")
        };
        wait_until(|| cluster.servers().all(knows_all));
        for (place, replica) in cluster.replicas.iter().enumerate() {
            let master = cluster.masters[place % 3].command(&["CLUSTER", "MYID"]);
            replica.command(&["CLUSTER", "REPLICATE", master.trim()]);
        }
        cluster.wait_until_ok();
        wait_until(|| {
            cluster.replicas.iter().all(|replica| {
                let info = replica.command(&["INFO", "replication"]);
                info.contains("master_link_status:up")
            })
        });
        cluster
    }

    /// Where it is, for a client.
    pub fn url(&self) -> String {
        let places: Vec<_> = self
            .masters
            .iter()
            .map(|master| master.addr.to_string())
            .collect();
        format!("redis+cluster://{}", places.join(","))
    }

    /// The masters, in the order of their slots.
    pub fn masters(&mut self) -> &mut [RedisServer] {
        &mut self.masters
    }

    /// Has all do nothing, as ones that hang; or go on.
    pub fn set_hung(&self, is_hung: bool) {
        self.servers().for_each(|server| server.set_hung(is_hung));
    }

    /// Kills all, and starts them again with nothing in them.
    pub fn start_anew(&mut self) {
        let mut all: Vec<_> = self.masters.iter_mut().chain(&mut self.replicas).collect();
        all.iter_mut().for_each(|server| server.kill());
        all.iter_mut().for_each(|server| server.start_again());
        self.wait_until_ok();
    }

    /// Moves a slot from one master to another, with what is in it.
    pub fn move_slot(&self, slot: u16, from: usize, to: usize) {
        let (from, to) = (&self.masters[from], &self.masters[to]);
        let [from_id, to_id] = [from, to].map(|server| server.command(&["CLUSTER", "MYID"]));
        let (from_id, to_id) = (from_id.trim(), to_id.trim());
        let slot = slot.to_string();
        to.command(&["CLUSTER", "SETSLOT", &slot, "IMPORTING", from_id]);
        from.command(&["CLUSTER", "SETSLOT", &slot, "MIGRATING", to_id]);
        let port = to.addr.port().to_string();
        loop {
            let keys = from.command(&["CLUSTER", "GETKEYSINSLOT", &slot, "100"]);
            let keys: Vec<_> = keys.lines().filter(|key| !key.is_empty()).collect();
            if keys.is_empty() {
                break;
            }
            let migrate = ["MIGRATE", "127.0.0.1", &port, "", "0", "5000", "KEYS"];
            from.command(&[&migrate[..], &keys].concat());
        }
        for server in [to, from] {
            server.command(&["CLUSTER", "SETSLOT", &slot, "NODE", to_id]);
        }
    }

    /// Which slot a key is in.
    pub fn slot(&self, key: &str) -> u16 {
        let slot = self.masters[0].command(&["CLUSTER", "KEYSLOT", key]);
        slot.trim().parse().expect("it is a number")
    }

    fn servers(&self) -> impl Iterator<Item = &RedisServer> {
        self.masters.iter().chain(&self.replicas)
    }

    fn wait_until_ok(&self) {
        wait_until(|| {
            self.servers().all(|server| {
                let info = server.command(&["CLUSTER", "INFO"]);
                info.contains("cluster_state:ok")
            })
        });
    }
}

fn wait_until(is_so: impl Fn() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < DEADLINE, "the cluster does not come up");
        std::thread::sleep(Duration::from_millis(20));
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
