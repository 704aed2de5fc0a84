//! Unpacks an archive (ustar) as its bytes come. Pure; only regular files are handed on.

use std::ops::ControlFlow;

/// Archives are made of blocks of this length; files are filled up to it.
const BLOCK_BYTES: usize = 512;

/// What an archive is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Piece<'a> {
    /// A file of this name, without its directories, and of this length begins.
    File(&'a str, u64),
    /// Some of its bytes.
    Bytes(&'a [u8]),
    /// All of them were handed on.
    Closed,
}

/// Whether a file is handed on.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Interest {
    Wanted,
    /// A directory, a link, or a note of the packer's.
    Other,
}

/// What the next byte belongs to.
enum At {
    /// A file's head, of which so many bytes are there.
    Head(usize),
    /// A file: so many bytes are still to come, and then so many that fill up its last block.
    File { interest: Interest, left: u64, filler: u64 },
    /// What comes after the mark of the archive's end.
    End,
    /// Nothing: a head said this.
    Lost(&'static str),
}

/// Takes an archive apart.
pub(super) struct Unpacker {
    head: [u8; BLOCK_BYTES],
    at: At,
}

impl Unpacker {
    pub(super) fn new() -> Self {
        Self { head: [0; BLOCK_BYTES], at: At::Head(0) }
    }

    /// Takes the next bytes; breaks off when whoever takes the pieces does.
    pub(super) fn add(
        &mut self,
        mut bytes: &[u8],
        take: &mut dyn FnMut(Piece<'_>) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        while !bytes.is_empty() {
            let taken = match &mut self.at {
                At::Head(filled) => {
                    let taken = bytes.len().min(BLOCK_BYTES - *filled);
                    self.head[*filled..*filled + taken].copy_from_slice(&bytes[..taken]);
                    *filled += taken;
                    if *filled == BLOCK_BYTES {
                        self.at = self.open(take)?;
                    }
                    taken
                }
                At::File { interest, left, filler } => {
                    let content = usize::try_from(*left).map_or(bytes.len(), |left| left.min(bytes.len()));
                    if content > 0 {
                        if *interest == Interest::Wanted {
                            take(Piece::Bytes(&bytes[..content]))?;
                        }
                        *left -= content as u64;
                    }
                    let filling = if *left > 0 { 0 } else { usize::try_from(*filler).unwrap_or(BLOCK_BYTES) };
                    let filling = filling.min(bytes.len() - content);
                    *filler -= filling as u64;
                    if *left == 0 && content > 0 && *interest == Interest::Wanted {
                        take(Piece::Closed)?;
                    }
                    if *left == 0 && *filler == 0 {
                        self.at = At::Head(0);
                    }
                    content + filling
                }
                At::End | At::Lost(_) => bytes.len(),
            };
            bytes = &bytes[taken..];
        }
        ControlFlow::Continue(())
    }

    /// What follows a whole head.
    fn open(&self, take: &mut dyn FnMut(Piece<'_>) -> ControlFlow<()>) -> ControlFlow<(), At> {
        ControlFlow::Continue(match self.parse() {
            Ok(None) => At::End,
            Ok(Some((name, interest, bytes))) => {
                if interest == Interest::Wanted {
                    take(Piece::File(name, bytes))?;
                    if bytes == 0 {
                        take(Piece::Closed)?;
                    }
                }
                let filler = bytes.next_multiple_of(BLOCK_BYTES as u64) - bytes;
                if bytes == 0 { At::Head(0) } else { At::File { interest, left: bytes, filler } }
            }
            Err(why) => At::Lost(why),
        })
    }

    /// A head's file; `None` for the mark of the archive's end.
    fn parse(&self) -> Result<Option<(&str, Interest, u64)>, &'static str> {
        if self.head.iter().all(|&byte| byte == 0) {
            return Ok(None);
        }
        let sum: u64 = self.head.iter().map(|&byte| u64::from(byte)).sum();
        let own: u64 = self.head[148..156].iter().map(|&byte| u64::from(byte)).sum();
        // The sum is taken as if its own field held spaces.
        if octal(&self.head[148..156]) != Some(sum - own + 8 * u64::from(b' ')) {
            return Err("a head whose checksum is wrong");
        }
        let bytes = octal(&self.head[124..136]).ok_or("a length that is no number")?;
        let name = self.head[..100].split(|&byte| byte == 0).next().unwrap_or_default();
        let name = std::str::from_utf8(name).map_err(|_| "a name that is no text")?;
        let name = name.rsplit('/').next().unwrap_or_default();
        let interest = if matches!(self.head[156], b'0' | 0) { Interest::Wanted } else { Interest::Other };
        Ok(Some((name, interest, bytes)))
    }

    /// Whether the archive came to its end; else what is wrong with it.
    pub(super) fn end(&self) -> Result<(), &'static str> {
        match self.at {
            At::End => Ok(()),
            At::Lost(why) => Err(why),
            At::Head(_) | At::File { .. } => Err("an end in the middle"),
        }
    }
}

fn octal(field: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(field).ok()?;
    u64::from_str_radix(text.trim_matches(|c| c == '\0' || c == ' '), 8).ok()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A file, or with another `kind` something else, as it is packed.
    pub(in crate::cluster::disk) fn pack(name: &str, kind: u8, content: &[u8]) -> Vec<u8> {
        let mut head = vec![0; BLOCK_BYTES];
        head[..name.len()].copy_from_slice(name.as_bytes());
        head[124..136].copy_from_slice(format!("{:011o}\0", content.len()).as_bytes());
        head[148..156].copy_from_slice(b"        ");
        head[156] = kind;
        let sum: u64 = head.iter().map(|&byte| u64::from(byte)).sum();
        head[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        head.extend(content);
        head.resize(head.len().next_multiple_of(BLOCK_BYTES), 0);
        head
    }

    /// A file's name, and what is in it.
    type Unpacked = (String, Vec<u8>);

    fn unpack(archive: &[u8], piece: usize) -> (Vec<Unpacked>, Result<(), &'static str>) {
        let (mut unpacker, mut files) = (Unpacker::new(), Vec::new());
        for chunk in archive.chunks(piece) {
            let gone_on = unpacker.add(chunk, &mut |piece| {
                match piece {
                    Piece::File(name, _) => files.push((name.to_owned(), Vec::new())),
                    Piece::Bytes(bytes) => files.last_mut().expect("a file").1.extend(bytes),
                    Piece::Closed => {}
                }
                ControlFlow::Continue(())
            });
            assert!(gone_on.is_continue());
        }
        (files, unpacker.end())
    }

    #[test]
    fn files_come_out_as_they_went_in_however_the_bytes_come() {
        let files = [("a", vec![1; 511]), ("b", vec![2; 512]), ("c", Vec::new()), ("d", vec![3; 513])];
        let mut archive = [pack("chat-0/", b'5', b""), pack("x", b'x', b"30 mtime=1234\n")].concat();
        for (name, content) in &files {
            archive.extend(pack(&format!("chat-0/{name}"), b'0', content));
        }
        archive.extend([0; 1024]);
        let expected = files.map(|(name, content)| (name.to_owned(), content)).to_vec();
        for piece in [1, 7, 511, 512, 513, 4096, archive.len()] {
            assert_eq!(unpack(&archive, piece), (expected.clone(), Ok(())), "{piece}");
        }
    }

    #[test]
    fn an_archive_that_was_cut_or_changed_is_told() {
        let mut archive = [pack("a", b'0', b"abc"), vec![0; 1024]].concat();
        for length in 0..1024 {
            assert_eq!(unpack(&archive[..length], 100).1, Err("an end in the middle"), "{length}");
        }
        archive[130] = b'7';
        assert_eq!(unpack(&archive, 100).1, Err("a head whose checksum is wrong"));
    }
}
