//! Bytes of x86 as instructions, in Intel's syntax as the tools write it: `mov eax, [rdi+0x8]`.

use iced_x86::{
    Decoder, DecoderOptions, FastFormatterOptions, Instruction, Mnemonic, OpKind, SpecializedFormatter,
    SpecializedFormatterTraitOptions,
};

/// Most bytes of an instruction.
pub(super) const LONGEST: u64 = 15;

struct Written;

impl SpecializedFormatterTraitOptions for Written {
    const ENABLE_DB_DW_DD_DQ: bool = false;
    const ENABLE_SYMBOL_RESOLVER: bool = false;

    fn space_after_operand_separator(_: &FastFormatterOptions) -> bool {
        true
    }

    fn rip_relative_addresses(_: &FastFormatterOptions) -> bool {
        false
    }

    fn use_hex_prefix(_: &FastFormatterOptions) -> bool {
        true
    }

    fn uppercase_hex(_: &FastFormatterOptions) -> bool {
        false
    }
}

/// Where an instruction leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flow {
    /// To the one behind it.
    Next,
    /// To a known address, perhaps: a jump or a call.
    To(u64),
    /// Anywhere: what returns, jumps by a register or asks the system.
    Elsewhere,
}

/// An instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Decoded {
    pub(super) length: u8,
    pub(super) flow: Flow,
}

/// Reads instructions for registers of so many bits.
pub(super) struct Reader {
    bits: u32,
    formatter: SpecializedFormatter<Written>,
}

impl Reader {
    pub(super) fn new(bits: u32) -> Self {
        Self { bits, formatter: SpecializedFormatter::new() }
    }

    /// The instruction at the start of `bytes`, which stand at `address`; its text comes in the place of `text`. `None` where
    /// there is none.
    pub(super) fn read(&mut self, bytes: &[u8], address: u64, text: &mut String) -> Option<Decoded> {
        let bytes = &bytes[..bytes.len().min(LONGEST as usize)];
        let mut decoder = Decoder::with_ip(self.bits, bytes, address, DecoderOptions::NONE);
        let instruction = decoder.decode();
        if instruction.is_invalid() {
            return None;
        }
        text.clear();
        self.formatter.format(&instruction, text);
        Some(Decoded { length: instruction.len() as u8, flow: flow(&instruction) })
    }
}

fn flow(instruction: &Instruction) -> Flow {
    use Mnemonic as M;
    if matches!(instruction.op0_kind(), OpKind::NearBranch16 | OpKind::NearBranch32 | OpKind::NearBranch64) {
        return Flow::To(instruction.near_branch_target());
    }
    match instruction.mnemonic() {
        M::Call | M::Jmp | M::Ret | M::Retf | M::Iret | M::Iretd | M::Iretq | M::Hlt => Flow::Elsewhere,
        M::Syscall | M::Sysenter | M::Sysexit | M::Sysret | M::Int | M::Int1 | M::Int3 => Flow::Elsewhere,
        M::Into | M::Ud0 | M::Ud1 | M::Ud2 | M::Xabort => Flow::Elsewhere,
        _ => Flow::Next,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bits: u32, address: u64, bytes: &[u8]) -> Option<(String, Decoded)> {
        let mut text = String::new();
        Reader::new(bits).read(bytes, address, &mut text).map(|decoded| (text, decoded))
    }

    #[test]
    fn instructions_are_written_as_the_tools_do() {
        let of = |bytes: &[u8]| read(64, 0x6df, bytes).unwrap();
        let next = |length| Decoded { length, flow: Flow::Next };
        assert_eq!(of(&[0x44, 0x89, 0xd0]), ("mov eax, r10d".into(), next(3)));
        assert_eq!(of(&[0x48, 0x83, 0xc2, 0x01]), ("add rdx, 0x1".into(), next(4)));
        assert_eq!(of(&[0x41, 0x83, 0x04, 0x80, 0x01]), ("add dword ptr [r8+rax*4], 0x1".into(), next(5)));
        let to = |length, to| Decoded { length, flow: Flow::To(to) };
        assert_eq!(of(&[0x75, 0x49]), ("jne 0x72a".into(), to(2, 0x72a)));
        assert_eq!(of(&[0xe8, 0x00, 0x01, 0x00, 0x00]), ("call 0x7e4".into(), to(5, 0x7e4)));
        assert_eq!(of(&[0xc3]).1.flow, Flow::Elsewhere);
        assert_eq!(of(&[0xff, 0xe0]).1.flow, Flow::Elsewhere);
        assert_eq!(read(64, 0, &[0x06]), None, "no instruction of 64 bits");
        assert_eq!(read(32, 0, &[0x06]).unwrap().0, "push es");
        assert_eq!(read(64, 0, &[]), None);
        assert_eq!(read(64, 0, &[0xe8, 0x00]), None, "cut off");
    }
}
