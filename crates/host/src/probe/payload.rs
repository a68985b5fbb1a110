//! The bytes of the probe's guest, assembled together with this crate.

#[cfg(target_arch = "x86_64")]
#[allow(unsafe_code)]
mod assembled {
    // SAFETY: the file emits read-only data between two symbols of its own and nothing else.
    std::arch::global_asm!(include_str!("payload.S"), options(att_syntax));

    unsafe extern "C" {
        static cumulet_probe_start: u8;
        static cumulet_probe_end: u8;
    }

    pub(super) fn bytes() -> &'static [u8] {
        // SAFETY: both symbols bound one section of initialised, immutable bytes, the end after the start.
        unsafe {
            let start = &raw const cumulet_probe_start;
            let end = &raw const cumulet_probe_end;
            std::slice::from_raw_parts(start, end.offset_from_unsigned(start))
        }
    }
}

/// Empty where no guest is known.
pub(super) fn bytes() -> &'static [u8] {
    #[cfg(target_arch = "x86_64")]
    return assembled::bytes();
    #[cfg(not(target_arch = "x86_64"))]
    return &[];
}
