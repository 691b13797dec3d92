//! Files that are dropped as images.
#![no_main]

use dfsq::image_io::Picture;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    if let Ok(picture) = Picture::decode(data) {
        assert_eq!(picture.rgba.len(), 4 * picture.width * picture.height);
        assert!(picture.width > 0 && picture.height > 0);
    }
});
