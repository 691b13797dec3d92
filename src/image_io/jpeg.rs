//! Whether a JPEG file is whole. The decoder fills up with grey what is missing, which must not be scored.

/// Whether the file goes on to its end-of-image marker (ITU-T T.81, annex B). False for other files.
pub fn is_whole(bytes: &[u8]) -> bool {
    const END_OF_IMAGE: u8 = 0xD9;
    const START_OF_SCAN: u8 = 0xDA;
    let mut at = 2;
    while let Some(marker) = next_marker(bytes, &mut at) {
        match marker {
            END_OF_IMAGE => return true,
            // Restart markers and TEM stand alone.
            0x01 | 0xD0..=0xD7 => {}
            _ => {
                let Some(length) = bytes.get(at..at + 2) else { return false };
                at += usize::from(u16::from_be_bytes([length[0], length[1]]));
                if marker == START_OF_SCAN {
                    skip_scan(bytes, &mut at);
                }
            }
        }
    }
    false
}

/// The next marker, from `at` on; `at` is behind it then.
fn next_marker(bytes: &[u8], at: &mut usize) -> Option<u8> {
    loop {
        *at += bytes.get(*at..)?.iter().position(|byte| *byte == 0xFF)?;
        // Fill bytes.
        *at += bytes[*at..].iter().take_while(|byte| **byte == 0xFF).count();
        let marker = *bytes.get(*at)?;
        *at += 1;
        if marker != 0 {
            return Some(marker);
        }
    }
}

/// Moves to the marker that ends a scan's data: in it, 0xFF is followed by 0, or is a restart marker.
fn skip_scan(bytes: &[u8], at: &mut usize) {
    let within = |next: Option<&u8>| matches!(next, Some(0x00 | 0xD0..=0xD7));
    while let Some(found) = bytes.get(*at..).and_then(|rest| rest.iter().position(|byte| *byte == 0xFF)) {
        *at += found;
        if !within(bytes.get(*at + 1)) {
            return;
        }
        *at += 2;
    }
    *at = bytes.len();
}
