//! The disk image of a guest that boots in a blink. See guest.S.

use camino::Utf8Path;

#[allow(unsafe_code)]
fn sector() -> &'static [u8] {
    unsafe extern "C" {
        static cumulet_guest_start: u8;
        static cumulet_guest_end: u8;
    }
    // SAFETY: both symbols bound one section of initialised, immutable bytes, the end after the start.
    unsafe {
        let start = &raw const cumulet_guest_start;
        std::slice::from_raw_parts(start, (&raw const cumulet_guest_end).offset_from_unsigned(start))
    }
}

// SAFETY: the file emits read-only data between two symbols of its own and nothing else.
#[allow(unsafe_code)]
mod assembled {
    std::arch::global_asm!(include_str!("guest.S"), options(att_syntax));
}

pub fn write_image(path: &Utf8Path) {
    let mut image = sector().to_vec();
    assert_eq!(image.len(), 512);
    image.resize(1 << 20, 0);
    std::fs::write(path, image).unwrap();
}
