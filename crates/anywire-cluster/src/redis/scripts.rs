//! What is done in Redis at once: each call is one script. A script is named by its digest; a Redis that does not know it
//! is given all texts once more.

use redis::aio::MultiplexedConnection;
use redis::{Pipeline, RedisResult, Script, ToRedisArgs};

/// Which store this is, in 16 hexadecimal digits: it changes with a restart and with a failover. On one connection it cannot, so
/// it is asked once.
const STORE: &str = include_str!("scripts/store.lua");

/// The scripts.
#[derive(Debug)]
pub(super) struct Scripts {
    pub(super) identify: Script,
    pub(super) open: Script,
    pub(super) write_back: Script,
    pub(super) write_back_end: Script,
    pub(super) renew: Script,
    pub(super) close: Script,
    pub(super) publish: Script,
    pub(super) read: Script,
}

impl Scripts {
    pub(super) fn new() -> Self {
        let with_store = |text: &str| Script::new(&format!("{STORE}{text}"));
        Self {
            identify: with_store("return store()"),
            open: Script::new(include_str!("scripts/open.lua")),
            write_back: Script::new(include_str!("scripts/write_back.lua")),
            write_back_end: Script::new(include_str!("scripts/write_back_end.lua")),
            renew: Script::new(include_str!("scripts/renew.lua")),
            close: Script::new(include_str!("scripts/close.lua")),
            publish: with_store(include_str!("scripts/publish.lua")),
            read: Script::new(include_str!("scripts/read.lua")),
        }
    }

    /// Has a Redis know them all.
    pub(super) async fn load(&self, connection: &mut MultiplexedConnection) -> RedisResult<()> {
        for script in [
            &self.open,
            &self.write_back,
            &self.write_back_end,
            &self.renew,
            &self.close,
            &self.publish,
            &self.read,
        ] {
            script.load_async(connection).await?;
        }
        Ok(())
    }
}

/// A pipeline of one script.
pub(super) fn one(script: &Script, keys: &[&[u8]], arguments: impl ToRedisArgs) -> Pipeline {
    let mut pipe = Pipeline::new();
    push(&mut pipe, script, keys, arguments);
    pipe
}

/// Adds a script to a pipeline.
pub(super) fn push(
    pipe: &mut Pipeline,
    script: &Script,
    keys: &[&[u8]],
    arguments: impl ToRedisArgs,
) {
    pipe.cmd("EVALSHA")
        .arg(script.get_hash())
        .arg(keys.len())
        .arg(keys)
        .arg(arguments);
}
