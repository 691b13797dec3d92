//! Files of calibrations and of optimized layers, with some bytes changed behind the compression: refused, or used.
#![no_main]

#[path = "../../common/mod.rs"]
mod common;

use arbitrary::{Result, Unstructured};
use dfsq::quant::{BitWidth, PointSettings, Recipe};
use dfsq::session::{Method, Options, Session};
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use libfuzzer_sys::fuzz_target;
use std::io::{Read, Write};
use std::sync::LazyLock;

const WIDTH: u8 = 3;

fn options(method: Method) -> Options {
    let bits = BitWidth::new(WIDTH).unwrap();
    Options { method, weight_bits: bits, activation_bits: bits, ..Options::default() }
}

fn session() -> Session {
    Session::load(&common::stated_edsr()).unwrap()
}

fn plain(file: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    GzDecoder::new(file).read_to_end(&mut bytes).unwrap();
    bytes
}

/// A calibration and optimized layers, without compression.
static FILES: LazyLock<[Vec<u8>; 2]> = LazyLock::new(|| {
    let mut session = session();
    let pictures = [common::gradient(16, 16, 200)];
    let widths = [BitWidth::new(WIDTH).unwrap()];
    let calibration =
        session.calibrate(&pictures, PointSettings::default(), &widths, &()).unwrap().save().unwrap();
    let bits = options(Method::DfsqOpt).bits(session.network().layers()).unwrap();
    session.optimize(&pictures, &[bits], PointSettings::EXACT, Recipe::default(), &()).unwrap();
    [plain(&calibration), plain(&session.optimized().save(session.network()).unwrap())]
});

fn build(u: &mut Unstructured<'_>) -> Result<(usize, Vec<u8>)> {
    let which = u.int_in_range(0..=1)?;
    let mut bytes = FILES[which].clone();
    for _ in 0..u.int_in_range(1..=6)? {
        // Most of the time in the header, which says what the rest is.
        let part = if u.ratio(3, 4)? { bytes.len().min(2000) } else { bytes.len() };
        let at = u.choose_index(part)?;
        match u.int_in_range(0..=3)? {
            0 => bytes[at] = u.arbitrary()?,
            1 => bytes[at] = *u.choose(b"0123456789[]{},:\"-.eFU")?,
            2 => drop(bytes.remove(at)),
            _ => bytes.insert(at, *u.choose(b"0123456789[]{},:\"-.")?),
        }
    }
    Ok((which, bytes))
}

fuzz_target!(|data: &[u8]| {
    let Ok((which, bytes)) = build(&mut Unstructured::new(data)) else { return };
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(&bytes).unwrap();
    let file = encoder.finish().unwrap();
    let mut session = session();
    let (loaded, method) = if which == 0 {
        (session.load_calibration(&file).map(drop), Method::Dfsq)
    } else {
        (session.load_optimized(&file).map(drop), Method::DfsqOpt)
    };
    if loaded.is_ok()
        && let Ok(prepared) = session.prepare(&options(method))
    {
        let _ = session.upscale(&common::gradient(8, 8, 200), &prepared, &mut (), &());
    }
});
