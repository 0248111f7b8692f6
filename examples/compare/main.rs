//! Request/response polling, long polling, event stream, HTTP streaming and WebSocket, side by side.
//!
//! Run `cargo run --release --example compare` and open the printed address. You see five lanes get the same events:
//! how late, in how many requests, for how many bytes and how much of the server's CPU, and how many times as much
//! as over WebSocket. Move the sliders, and break WebSocket: its session goes on over long polling, and comes back,
//! with nothing lost or repeated. `/questions` and `/phone` are views of their own: a question and its answer, and a
//! phone's hour. With `-- --headless` the same comparison is a table in the terminal; `-- --help`
//! lists the rest.

mod arguments;
mod headless;
mod svg;
mod table;

use anywire_compare::Page;

use crate::arguments::{Arguments, USAGE};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments = match Arguments::parse(std::env::args().skip(1)) {
        Ok(Some(arguments)) => arguments,
        Ok(None) => {
            print!("{USAGE}");
            return Ok(());
        }
        Err(wrong) => {
            eprintln!("{wrong}");
            std::process::exit(2);
        }
    };
    if arguments.headless {
        return headless::run(arguments).await;
    }
    let page = Page::bind(arguments.port).await?;
    println!("open http://{}", page.address());
    let end = async {
        // Without signals it runs until it is killed.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending().await
        }
    };
    Ok(page.run(end).await?)
}
