//! The server: writes down what comes, and sends it back.

use std::error::Error;
use std::fs::File;
use std::io::Write;
use std::sync::Arc;

use anywire::{Config, Handler, Message, Sender, Server};

use crate::verdict::now;

struct Writes(Arc<File>);

impl Writes {
    /// At once, so that a process that is killed has written what it did.
    fn write(&self, fact: &str) {
        let line = format!("{} {fact}\n", now());
        (&*self.0)
            .write_all(line.as_bytes())
            .expect("there is room on the disk");
    }
}

impl Handler for Writes {
    type State = ();

    fn on_open(&self, _: &Sender) {
        self.write("open");
    }

    fn on_message(&self, _: &mut (), sender: &Sender, message: Message) {
        self.write(&format!("heard {}", message.as_text().unwrap_or("?")));
        let _ = sender.try_send(message);
    }
}

/// Serves until the process is killed.
pub async fn run(addr: &str, file: &str) -> Result<(), Box<dyn Error>> {
    let writes = Writes(Arc::new(
        File::options().create(true).append(true).open(file)?,
    ));
    let begun = Writes(writes.0.clone());
    let limits = anywire::Limits::default();
    // Loopback is one address, and a thousand clients share it here.
    let budgets = anywire::Budgets::unlimited();
    let config = Config::new().limits(limits).budgets(budgets);
    let server = Server::builder(config)?.handler(writes);
    let addr: std::net::SocketAddr = addr.parse()?;
    let serving = anywire::serve(server.routes()).bind(addr).await?;
    begun.write("listening");
    serving.run().await;
    Ok(())
}
