//! The command line of `anywire-fault-proxy`.

use std::net::SocketAddr;

use anywire_fault_proxy::Faults;

/// How the proxy is to run.
pub struct Arguments {
    pub listen: SocketAddr,
    pub upstream: String,
    /// With the seed, so that whoever reads them can repeat the run.
    pub faults: Faults,
}

impl Arguments {
    /// Reads what stands after the program's name; none if help is wanted. An error says what to write instead.
    pub fn parse(mut args: impl Iterator<Item = String>) -> Result<Option<Self>, String> {
        let mut listen = SocketAddr::from(([127, 0, 0, 1], 8080));
        let (mut upstream, mut faults, mut seed) = (None, Faults::default(), None);
        while let Some(option) = args.next() {
            if option == "--help" || option == "-h" {
                return Ok(None);
            }
            let mut value = |example: &str| {
                let value = args.next();
                value.ok_or_else(|| format!("{option} needs a value, such as {example}"))
            };
            match option.as_str() {
                "--listen" => {
                    let text = value("127.0.0.1:8080")?;
                    listen = text.parse().map_err(|_| {
                        format!("--listen {text}: write address:port, such as 127.0.0.1:8080")
                    })?;
                }
                "--upstream" => upstream = Some(value("127.0.0.1:3030")?),
                "--faults" => {
                    let text = value("refuse-upgrade,delay=50ms")?;
                    faults = text.parse().map_err(|error| format!("--faults: {error}"))?;
                }
                "--seed" => {
                    let text = value("7")?;
                    let number = text.parse();
                    seed = Some(number.map_err(|_| format!("--seed {text}: write a number"))?);
                }
                _ => return Err(format!("there is no {option}; --help lists what there is")),
            }
        }
        let upstream = upstream.ok_or("say with --upstream host:port which server is behind it")?;
        faults.seed = Some(seed.or(faults.seed).unwrap_or_default());
        Ok(Some(Self {
            listen,
            upstream,
            faults,
        }))
    }
}

pub const USAGE: &str = "\
A proxy that misbehaves on command, in front of a server.

  anywire-fault-proxy --upstream 127.0.0.1:3030 [--listen 127.0.0.1:8080] [--faults WORD,WORD…] [--seed 7]

It prints its address, and then what has passed whenever that has changed.

The words for faults, which compose; `k` and `m` are KiB and MiB:
";
