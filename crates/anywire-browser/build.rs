//! Compresses the scripts, so that the server need not and no compressed file is kept beside the sources.

use std::io::Write;
use std::path::Path;
use std::{env, fs, io};

use brotli::CompressorWriter;
use flate2::Compression;
use flate2::write::GzEncoder;

fn main() -> io::Result<()> {
    let out = env::var("OUT_DIR").map_err(io::Error::other)?;
    for build in ["anywire", "anywire-full"] {
        let name = format!("{build}.min.js");
        let path = Path::new("js/dist").join(&name);
        println!("cargo::rerun-if-changed={}", path.display());
        let script = fs::read(&path)?;
        let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
        gzip.write_all(&script)?;
        fs::write(Path::new(&out).join(format!("{name}.gz")), gzip.finish()?)?;
        let mut brotli = CompressorWriter::new(Vec::new(), script.len(), 11, 22);
        brotli.write_all(&script)?;
        fs::write(
            Path::new(&out).join(format!("{name}.br")),
            brotli.into_inner(),
        )?;
    }
    Ok(())
}
