//! An initrd: a cpio archive in the kernel's "newc" format.

/// An archive under way. Directories must be added before what is in them.
#[derive(Debug, Default)]
pub(super) struct Initrd {
    bytes: Vec<u8>,
    inode: u32,
}

const DIRECTORY: u32 = 0o040_000;
const FILE: u32 = 0o100_000;
const LINK: u32 = 0o120_000;

impl Initrd {
    pub(super) fn directory(&mut self, path: &str) {
        self.entry(path, DIRECTORY | 0o755, &[]);
    }

    pub(super) fn file(&mut self, path: &str, mode: u32, content: &[u8]) {
        self.entry(path, FILE | mode, content);
    }

    pub(super) fn link(&mut self, path: &str, target: &str) {
        self.entry(path, LINK | 0o777, target.as_bytes());
    }

    pub(super) fn finish(mut self) -> Vec<u8> {
        self.entry("TRAILER!!!", 0, &[]);
        self.bytes
    }

    fn entry(&mut self, path: &str, mode: u32, content: &[u8]) {
        self.inode += 1;
        let fields: [u32; 13] = [
            self.inode,
            mode,
            0, // owner
            0, // group
            1, // links
            0, // time: the same archive from the same input
            content.len() as u32,
            0,
            0,
            0,
            0, // devices
            path.len() as u32 + 1,
            0, // checksum, unused in this format
        ];
        self.bytes.extend_from_slice(b"070701");
        for field in fields {
            self.bytes.extend_from_slice(format!("{field:08X}").as_bytes());
        }
        self.bytes.extend_from_slice(path.as_bytes());
        self.bytes.push(0);
        self.align();
        self.bytes.extend_from_slice(content);
        self.align();
    }

    fn align(&mut self) {
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn archive_is_what_the_format_says() {
        let mut initrd = Initrd::default();
        initrd.directory("bin");
        initrd.file("init", 0o755, b"#!x");
        initrd.link("bin/sh", "busybox");
        let bytes = initrd.finish();
        let text = String::from_utf8(bytes.clone()).unwrap();
        assert_eq!(bytes.len() % 4, 0);
        let fields = ["00000001", "000041ED", "00000000", "00000000", "00000001"].concat();
        let header = format!("070701{fields}{}{}{}bin\0", "00000000".repeat(6), "00000004", "00000000");
        assert!(text.starts_with(&header), "{text:?}");
        assert!(text.contains("init\0\0#!x\0"), "{text:?}");
        assert!(text.contains("bin/sh\0\0\0\0busybox\0"), "{text:?}");
        assert!(text.contains("TRAILER!!!\0"));
    }
}
