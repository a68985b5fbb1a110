//! Small programs that the kernel runs on frames: VLAN tags on and off. Unlike 802.1q devices and tc's vlan action they need
//! no module that a kernel may lack.
//!
//! ```text
//!   tap (trunk's parent) ── tagged 101 ─► pop, redirect ─► sub…(101) ═ tap…(101) on the subport's own network
//!                        ◄─ tagged 101 ── push, redirect ◄─ sub…(101)
//! ```

use std::io;
use std::os::fd::{FromRawFd, OwnedFd};

/// `struct bpf_insn`.
#[repr(C)]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Instruction {
    code: u8,
    /// Destination in the lower half.
    registers: u8,
    offset: i16,
    value: i32,
}

const LOAD_WORD: u8 = 0x61;
const MOVE: u8 = 0xb7;
const MOVE_REGISTER: u8 = 0xbf;
const AND: u8 = 0x57;
const JUMP: u8 = 0x05;
const JUMP_IF_EQUAL: u8 = 0x15;
const JUMP_UNLESS_EQUAL: u8 = 0x55;
const CALL: u8 = 0x85;
const EXIT: u8 = 0x95;

// Fields of `struct __sk_buff`.
const VLAN_PRESENT: i16 = 20;
const VLAN_TAG: i16 = 24;
const VLAN_PROTOCOL: i16 = 28;

const PUSH_TAG: i32 = 18;
const POP_TAG: i32 = 19;
const REDIRECT: i32 = 23;

/// The next filter decides.
const GO_ON: i32 = -1;
const DROP: i32 = 2;

/// 802.1Q, as it is in the frame.
const TAGGED: i32 = 0x8100_u16.to_be() as i32;

fn step(code: u8, to: u8, from: u8, offset: i16, value: i32) -> Instruction {
    Instruction { code, registers: from << 4 | to, offset, value }
}

fn set(register: u8, value: i32) -> Instruction {
    step(MOVE, register, 0, 0, value)
}

fn copy(to: u8, from: u8) -> Instruction {
    step(MOVE_REGISTER, to, from, 0, 0)
}

fn call(function: i32) -> Instruction {
    step(CALL, 0, 0, 0, function)
}

const END: Instruction = Instruction { code: EXIT, registers: 0, offset: 0, value: 0 };

/// What comes from the trunk's machine with one of these tags goes without it to the link with that index; all else goes on.
#[must_use]
pub fn from_trunk(subports: &[(u16, u32)]) -> Vec<Instruction> {
    // Register 6 keeps the frame, 7 the link.
    let mut program = vec![
        copy(6, 1),
        step(LOAD_WORD, 2, 1, VLAN_PRESENT, 0),
        step(JUMP_IF_EQUAL, 2, 0, 0, 0),
        step(LOAD_WORD, 2, 1, VLAN_PROTOCOL, 0),
        step(JUMP_UNLESS_EQUAL, 2, 0, 0, TAGGED),
        step(LOAD_WORD, 2, 1, VLAN_TAG, 0),
        step(AND, 2, 0, 0, 0xfff),
    ];
    let mut found = Vec::new();
    for (vlan, link) in subports {
        program.push(step(JUMP_UNLESS_EQUAL, 2, 0, 2, i32::from(*vlan)));
        program.push(set(7, link.cast_signed()));
        found.push(program.len());
        program.push(step(JUMP, 0, 0, 0, 0));
    }
    let other = program.len();
    program.extend([set(0, GO_ON), END]);
    let ours = program.len();
    program.extend([copy(1, 6), call(POP_TAG), copy(1, 7), set(2, 0), call(REDIRECT), END]);
    // Jumps count from the instruction behind them. There are at most 4094 subports, so all distances fit.
    let distance = |from: usize, to: usize| i16::try_from(to - from - 1).unwrap_or(i16::MAX);
    for at in [2, 4] {
        program[at].offset = distance(at, other);
    }
    for at in found {
        program[at].offset = distance(at, ours);
    }
    program
}

/// What comes from a subport's network goes to the trunk's tap with a tag; without a tap, nowhere.
#[must_use]
pub fn to_trunk(vlan: u16, tap: Option<u32>) -> Vec<Instruction> {
    let Some(tap) = tap else { return vec![set(0, DROP), END] };
    vec![
        set(2, TAGGED),
        set(3, i32::from(vlan)),
        call(PUSH_TAG),
        step(JUMP_IF_EQUAL, 0, 0, 2, 0),
        set(0, DROP),
        END,
        set(1, tap.cast_signed()),
        set(2, 0),
        call(REDIRECT),
        END,
    ]
}

/// Gives a program for traffic classification to the kernel, which checks it.
pub fn load(program: &[Instruction]) -> io::Result<OwnedFd> {
    const LOAD: libc::c_int = 5;
    const CLASSIFIER: u32 = 3;
    let attributes = Attributes {
        kind: CLASSIFIER,
        count: u32::try_from(program.len()).map_err(io::Error::other)?,
        program: program.as_ptr() as u64,
        license: c"MIT".as_ptr() as u64,
        ..Attributes::default()
    };
    // SAFETY: the attributes and what they point to are alive for the call, which copies them; sizes are given.
    #[allow(unsafe_code)]
    let fd = unsafe { libc::syscall(libc::SYS_bpf, LOAD, &raw const attributes, size_of::<Attributes>()) };
    let fd = i32::try_from(fd).map_err(io::Error::other)?;
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just opened it for us and nobody else has it.
    #[allow(unsafe_code)]
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// The beginning of `union bpf_attr`, as loading wants it.
#[repr(C)]
#[derive(Default)]
struct Attributes {
    kind: u32,
    count: u32,
    program: u64,
    license: u64,
    log_level: u32,
    log_size: u32,
    log: u64,
    version: u32,
    flags: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Where a jump leads.
    fn target(program: &[Instruction], at: usize) -> usize {
        at + 1 + program[at].offset as usize
    }

    #[test]
    fn jumps_lead_where_they_should() {
        let program = from_trunk(&[(100, 7), (101, 9)]);
        assert_eq!(program.len(), 7 + 2 * 3 + 2 + 6);
        let other = 13;
        assert_eq!(program[other], set(0, GO_ON));
        assert_eq!((target(&program, 2), target(&program, 4)), (other, other), "no tag, another kind of tag");
        assert_eq!(target(&program, 7), 10, "not 100: is it 101?");
        assert_eq!(target(&program, 10), other, "neither");
        assert_eq!((program[8], program[11]), (set(7, 7), set(7, 9)));
        let ours = other + 2;
        assert_eq!((target(&program, 9), target(&program, 12)), (ours, ours));
        assert_eq!(program[ours + 1], call(POP_TAG));
        assert_eq!(from_trunk(&[]).len(), 15);
    }

    #[test]
    fn without_a_tap_nothing_leaves_a_subport() {
        assert_eq!(to_trunk(100, None), [set(0, DROP), END]);
        assert_eq!(to_trunk(100, Some(4))[1], set(3, 100));
    }
}
