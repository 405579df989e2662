//! Zstandard (RFC 8878), a block at a time: a window or a document larger than what is allowed is met before it is held.
//!
//! The decoder's own way with a slice is to decode every block in it before anything is handed over, and four bytes of a
//! block can stand for 128 KiB; so it is given one block after the other.

use ruzstd::decoding::FrameDecoder;
use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use std::io::{self, Write};

/// The window that a sender over HTTP may use (RFC 9659 section 3).
const WINDOW_BYTES_MAX: u64 = 8 << 20;
const FRAME_HEADER_BYTES_MAX: usize = 18;
const BLOCK_HEADER_BYTES: usize = 3;
const CHECKSUM_BYTES: usize = 4;
const RLE: u32 = 1;

/// Takes the bytes on the wire and writes the document into `sink`.
pub(super) struct ZstdDecoder<W> {
    sink: W,
    frame: FrameDecoder,
    expects: Expects,
    /// Bytes that belong to nothing that could be decoded yet.
    wire: Vec<u8>,
    /// What is left of a frame that is not for us.
    skip: usize,
}

/// What comes next on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expects {
    Frame,
    Block,
    Checksum,
}

impl<W: Write> ZstdDecoder<W> {
    pub(super) fn new(sink: W) -> Self {
        let mut frame = FrameDecoder::new();
        frame.set_max_window_size(WINDOW_BYTES_MAX);
        Self { sink, frame, expects: Expects::Frame, wire: Vec::new(), skip: 0 }
    }

    pub(super) fn write_all(&mut self, chunk: &[u8]) -> io::Result<()> {
        self.wire.extend_from_slice(chunk);
        self.decode(FRAME_HEADER_BYTES_MAX)
    }

    /// # Errors
    /// The data breaks off or cannot be decoded.
    pub(super) fn finish(mut self) -> io::Result<W> {
        // The last frame may be shorter than a header can be.
        self.decode(1)?;
        let is_whole = self.expects == Expects::Frame && self.wire.is_empty() && self.skip == 0;
        if is_whole { Ok(self.sink) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
    }

    /// Decodes what is whole; a frame begins once `header_bytes` of it are there.
    fn decode(&mut self, header_bytes: usize) -> io::Result<()> {
        let mut used = 0;
        loop {
            let skipped = self.skip.min(self.wire.len() - used);
            (self.skip, used) = (self.skip - skipped, used + skipped);
            let step = match self.expects {
                Expects::Frame if self.wire.len() - used < header_bytes => 0,
                Expects::Frame => self.begin_frame(used)?,
                Expects::Block => self.block(used)?,
                Expects::Checksum => self.checksum(used)?,
            };
            if step == 0 {
                break;
            }
            used += step;
        }
        self.wire.drain(..used);
        Ok(())
    }

    fn begin_frame(&mut self, at: usize) -> io::Result<usize> {
        let mut source = &self.wire[at..];
        match self.frame.reset(&mut source) {
            Ok(()) => self.expects = Expects::Block,
            Err(FrameDecoderError::ReadFrameHeaderError(ReadFrameHeaderError::SkipFrame { length, .. })) => {
                self.skip = length as usize;
            }
            Err(error) => return Err(invalid(&error)),
        }
        Ok(self.wire.len() - at - source.len())
    }

    /// Decodes the block at `at` if it is whole, and returns its length.
    fn block(&mut self, at: usize) -> io::Result<usize> {
        let source = &self.wire[at..];
        let Some(header) = source.get(..BLOCK_HEADER_BYTES) else { return Ok(0) };
        let header = u32::from_le_bytes([header[0], header[1], header[2], 0]);
        let (is_last, kind, size) = (header & 1 == 1, header >> 1 & 3, header >> 3);
        let length = BLOCK_HEADER_BYTES + if kind == RLE { 1 } else { size as usize };
        let Some(block) = source.get(..length) else { return Ok(0) };
        self.frame.decode_from_to(block, &mut []).map_err(|error| invalid(&error))?;
        self.frame.collect_to_writer(&mut self.sink)?;
        if is_last {
            self.expects = if self.frame.is_finished() { Expects::Frame } else { Expects::Checksum };
        }
        Ok(length)
    }

    fn checksum(&mut self, at: usize) -> io::Result<usize> {
        let Some(checksum) = self.wire[at..].get(..CHECKSUM_BYTES) else { return Ok(0) };
        self.frame.decode_from_to(checksum, &mut []).map_err(|error| invalid(&error))?;
        self.frame.collect_to_writer(&mut self.sink)?;
        if self.frame.get_checksum_from_data() != self.frame.get_calculated_checksum() {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "the checksum is wrong"));
        }
        self.expects = Expects::Frame;
        Ok(CHECKSUM_BYTES)
    }
}

fn invalid(error: &FrameDecoderError) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use ruzstd::encoding::{CompressionLevel, compress_to_vec};

    const TEXT: &[u8] = b"<rss version=\"2.0\"><channel><title>Counter</title></channel></rss>";
    const MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

    fn packed(text: &[u8]) -> Vec<u8> {
        compress_to_vec(text, CompressionLevel::Fastest)
    }

    fn decode(wire: &[u8], chunk: usize) -> io::Result<Vec<u8>> {
        let mut decoder = ZstdDecoder::new(Vec::new());
        wire.chunks(chunk).try_for_each(|chunk| decoder.write_all(chunk))?;
        decoder.finish()
    }

    /// A frame of run-length blocks of 128 KiB each: a header that names no size, and a window of 2^`log`.
    fn bomb(log: u8, blocks: usize) -> Vec<u8> {
        let block = |is_last: bool| {
            let header = (128_u32 << 10) << 3 | RLE << 1 | u32::from(is_last);
            let mut block = header.to_le_bytes()[..3].to_vec();
            block.push(b' ');
            block
        };
        let mut wire = MAGIC.to_vec();
        wire.extend([0, (log - 10) << 3]);
        (1..=blocks).for_each(|nth| wire.extend(block(nth == blocks)));
        wire
    }

    #[test]
    fn frames_one_after_another_and_ones_to_skip_are_read_in_chunks_of_any_size() {
        let skipped = [&[0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0][..], b"abc"].concat();
        let long = TEXT.repeat(5_000);
        let wire = [&packed(TEXT)[..], &skipped, &packed(&long), &packed(b"")].concat();
        for chunk in [1, 7, 4096, usize::MAX] {
            let document = decode(&wire, chunk).expect("a document");
            assert!(document == [TEXT, &long].concat(), "chunks of {chunk}");
        }
    }

    #[test]
    fn what_is_cut_or_damaged_is_an_error() {
        let wire = packed(TEXT);
        for end in 1..wire.len() {
            assert!(decode(&wire[..end], 5).is_err(), "cut at {end} of {}", wire.len());
        }
        let mut bad_checksum = wire.clone();
        *bad_checksum.last_mut().expect("a checksum") ^= 1;
        assert!(decode(&bad_checksum, 5).is_err());
        assert!(decode(&[&wire[..], b"junk after the end"].concat(), 5).is_err());
        assert!(decode(TEXT, 5).is_err());
    }

    #[test]
    fn a_window_beyond_what_http_allows_is_refused() {
        assert_eq!(decode(&bomb(23, 2), 9).expect("8 MiB").len(), 256 << 10);
        assert!(decode(&bomb(24, 2), 9).is_err());
    }

    #[test]
    fn h07_a_bomb_is_handed_over_as_it_unfolds() {
        struct Least(usize);
        impl Write for Least {
            fn write(&mut self, chunk: &[u8]) -> io::Result<usize> {
                self.0 += chunk.len();
                if self.0 > 1 << 20 { Err(io::ErrorKind::FileTooLarge.into()) } else { Ok(chunk.len()) }
            }

            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        // A gigabyte in 32 KB, in one chunk: what is met is met within a window.
        let error = ZstdDecoder::new(Least(0)).write_all(&bomb(17, 8192)).expect_err("too large");
        assert_eq!(error.kind(), io::ErrorKind::FileTooLarge);
    }
}
