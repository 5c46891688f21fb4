//! Machine code of an object file (ELF) that a profile names.
//!
//! As with sources the name is anybody's: only regular files are opened, links followed, and nothing in them is run. What is
//! read is the list of segments and the bytes that are asked for, however large the file is.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

use object::read::elf::{FileHeader, ProgramHeader};
use object::read::{ReadCache, ReadCacheOps};
use object::{Endianness, FileKind, elf};

use super::code::{open_regular, refused};

/// Bytes that are read at a time, at most.
const MOST: usize = 4 << 20;

/// What an object file's instructions are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Machine {
    /// x86 with registers of so many bits: 32 or 64.
    X86(u32),
    /// Another one, by its usual name.
    Other(&'static str),
}

/// A part of the file that is loaded to be run.
#[derive(Clone, Copy, Debug)]
struct Segment {
    /// Where its linker put it.
    address: u64,
    offset: u64,
    size: u64,
}

/// An opened object file.
#[derive(Debug)]
pub struct ObjectFile {
    file: File,
    segments: Vec<Segment>,
    /// What its code is for.
    pub machine: Machine,
}

impl ObjectFile {
    /// Opens a file. With `root` it must lie in that folder.
    ///
    /// # Errors
    /// A few words why not: «is not there», «is no ELF file» …
    pub fn open(path: &Path, root: Option<&Path>) -> Result<Self, String> {
        let (file, _) = open_regular(path, root)?;
        let cache = ReadCache::new(file);
        let read = match FileKind::parse(&cache) {
            Ok(FileKind::Elf32) => segments::<elf::FileHeader32<Endianness>, _>(&cache),
            Ok(FileKind::Elf64) => segments::<elf::FileHeader64<Endianness>, _>(&cache),
            _ => return Err("is no ELF file".into()),
        };
        let (machine, segments) = read.map_err(|_| "is a damaged ELF file")?;
        Ok(Self { file: cache.into_inner(), segments, machine })
    }

    /// Up to `wanted` bytes from an address, as the linker gave it; fewer where its segment ends, none where nothing is loaded.
    ///
    /// # Errors
    /// A few words when the file cannot be read.
    pub fn bytes(&mut self, address: u64, wanted: usize) -> Result<Vec<u8>, String> {
        let found = self.segments.iter().find_map(|s| {
            let from = address.checked_sub(s.address)?;
            let left = s.size.checked_sub(from).filter(|left| *left > 0)?;
            Some((s.offset.checked_add(from)?, left))
        });
        let Some((offset, left)) = found else { return Ok(Vec::new()) };
        Seek::seek(&mut self.file, SeekFrom::Start(offset)).map_err(|e| refused(&e))?;
        let mut bytes = Vec::new();
        let most = left.min(wanted.min(MOST) as u64);
        self.file.by_ref().take(most).read_to_end(&mut bytes).map_err(|e| refused(&e))?;
        Ok(bytes)
    }
}

fn segments<E: FileHeader<Endian = Endianness>, R: ReadCacheOps>(
    data: &ReadCache<R>,
) -> object::read::Result<(Machine, Vec<Segment>)> {
    let header = E::parse(data)?;
    let endian = header.endian()?;
    let mut found = Vec::new();
    for segment in header.program_headers(endian, data)? {
        if segment.p_type(endian) == elf::PT_LOAD && segment.p_flags(endian).contains(elf::PF_X) {
            found.push(Segment {
                address: segment.p_vaddr(endian).into(),
                offset: segment.p_offset(endian).into(),
                size: segment.p_filesz(endian).into(),
            });
        }
    }
    let machine = match header.e_machine(endian) {
        elf::EM_X86_64 => Machine::X86(64),
        elf::EM_386 => Machine::X86(32),
        elf::EM_AARCH64 => Machine::Other("AArch64"),
        elf::EM_ARM => Machine::Other("ARM"),
        elf::EM_RISCV => Machine::Other("RISC-V"),
        elf::EM_PPC64 => Machine::Other("PowerPC"),
        elf::EM_S390 => Machine::Other("S/390"),
        elf::EM_MIPS => Machine::Other("MIPS"),
        _ => Machine::Other("another machine"),
    };
    Ok((machine, found))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn program() -> std::path::PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sources/words")
    }

    #[test]
    fn code_is_found_by_the_address_of_the_linker() {
        let mut file = ObjectFile::open(&program(), None).unwrap();
        assert_eq!(file.machine, Machine::X86(64));
        let bytes = |file: &mut ObjectFile, address, wanted| file.bytes(address, wanted).unwrap();
        let start = file.segments[0].address;
        let some = bytes(&mut file, start, 16);
        assert_eq!(some.len(), 16);
        let whole = std::fs::read(program()).unwrap();
        assert_eq!(some, whole[file.segments[0].offset as usize..][..16]);
        assert_eq!(bytes(&mut file, start + 1, 15), some[1..]);
        let end = start + file.segments[0].size;
        assert_eq!(bytes(&mut file, end - 3, 16).len(), 3, "the segment ends");
        for outside in [end, 0x7fff_ffff_ffff, u64::MAX] {
            assert!(bytes(&mut file, outside, 16).is_empty());
        }
    }

    #[test]
    fn what_is_no_object_file_says_what_it_is() {
        let folder = std::env::temp_dir().join(format!("inferscope-object-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let of = |name: &str, bytes: &[u8], root: Option<&Path>| {
            std::fs::write(folder.join(name), bytes).unwrap();
            ObjectFile::open(&folder.join(name), root).map(|_| ()).unwrap_err()
        };
        assert_eq!(of("text", b"hello", None), "is no ELF file");
        assert_eq!(of("empty", b"", None), "is no ELF file");
        let whole = std::fs::read(program()).unwrap();
        assert_eq!(of("cut", &whole[..70], None), "is a damaged ELF file");
        assert!(of("out", &whole, Some(Path::new("/proc"))).contains("leads out"));
        assert_eq!(ObjectFile::open(&folder, None).unwrap_err(), "is a folder");
        // However it is damaged, opening it and reading from it ends, with or without an error.
        let mut seed = 7u32;
        for _ in 0..2000 {
            let mut bytes = whole[..1024].to_vec();
            for _ in 0..3 {
                seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                bytes[(seed >> 8) as usize % 400] = (seed >> 24) as u8;
            }
            std::fs::write(folder.join("odd"), &bytes).unwrap();
            if let Ok(mut file) = ObjectFile::open(&folder.join("odd"), None) {
                assert!(file.bytes(0x600, usize::MAX).map_or(true, |b| b.len() <= MOST));
            }
        }
        std::fs::remove_dir_all(folder).unwrap();
    }
}
