//! SHA-256, by which files, pictures and what was made of them are told apart.

use hmac_sha256::Hash;

/// Bytes hashed in one call.
const PIECE: usize = 1 << 14;

/// Of bytes, in hexadecimal.
pub fn sha256(bytes: &[u8]) -> String {
    let mut digest = Digest::default();
    digest.add(bytes);
    digest.finish()
}

/// Of bytes that come in parts.
#[derive(Default)]
pub struct Digest(Hash);

impl Digest {
    /// Adds a part.
    pub fn add(&mut self, bytes: &[u8]) {
        // In pieces: in a browser a call ends in the code it began in, and the first code of a function is slow.
        bytes.chunks(PIECE).for_each(|piece| self.0.update(piece));
    }

    /// Of all parts, in hexadecimal.
    pub fn finish(self) -> String {
        self.0.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}
