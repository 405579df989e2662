//! From the bytes on the wire to the document: content codings undone under a cap on decoded bytes.
//!
//! Pure and fed chunk by chunk, so that a bomb of a gigabyte never takes more memory than the cap.
//! Decoding is ours because the client's hides which coding it undid, and passes on what it does not know.

use super::error::Cause;
use super::zstd::ZstdDecoder;
use brotli::DecompressorWriter;
use bytes::Bytes;
use flate2::write::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};
use reqwest::header::{CONTENT_ENCODING, HeaderMap};
use std::io::{self, Write};

/// What we ask for; each is capped alike.
pub(super) const ACCEPT_ENCODING: &str = "gzip, deflate, br, zstd";

const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];
const BROTLI_BUFFER_BYTES: usize = 16 * 1024;

/// One content coding of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Coding {
    Identity,
    Gzip,
    Deflate,
    Brotli,
    Zstd,
}

impl Coding {
    /// Reads Content-Encoding. Labels that are no codings, like `utf-8` or `none`, are passed over; several
    /// codings on one another are refused, since only an attack has a use for them.
    pub(super) fn of(headers: &HeaderMap) -> Result<Self, Cause> {
        let mut coding = Self::Identity;
        let values = headers.get_all(CONTENT_ENCODING).iter().filter_map(|value| value.to_str().ok());
        for label in values.flat_map(|value| value.split(',')).map(|label| label.trim().to_ascii_lowercase()) {
            let next = match label.as_str() {
                "gzip" | "x-gzip" => Self::Gzip,
                "deflate" => Self::Deflate,
                "br" => Self::Brotli,
                "zstd" => Self::Zstd,
                "compress" | "x-compress" | "dcb" | "dcz" | "exi" | "aes128gcm" | "pack200-gzip" => {
                    return Err(Cause::Coding(format!("it comes in the coding `{label}`, which was not asked for")));
                }
                _ => continue,
            };
            if coding != Self::Identity {
                return Err(layered());
            }
            coding = next;
        }
        Ok(coding)
    }
}

/// Takes chunks, gives the document.
pub(super) struct Decoder {
    coding: Coding,
    limit_bytes: u64,
    /// The first bytes, held back until there are enough to tell what they are.
    start: Vec<u8>,
    stage: Option<Stage>,
}

enum Stage {
    Identity(Capped),
    Gzip(MultiGzDecoder<Capped>),
    Zlib(ZlibDecoder<Capped>),
    Deflate(DeflateDecoder<Capped>),
    Brotli(Box<DecompressorWriter<Capped>>),
    Zstd(Box<ZstdDecoder<Capped>>),
}

impl Decoder {
    pub(super) fn new(coding: Coding, limit_bytes: u64) -> Self {
        Self { coding, limit_bytes, start: Vec::new(), stage: None }
    }

    pub(super) fn push(&mut self, chunk: &[u8]) -> Result<(), Cause> {
        let limit_bytes = self.limit_bytes;
        let written = if let Some(stage) = &mut self.stage {
            stage.write(chunk)
        } else {
            self.start.extend_from_slice(chunk);
            if self.start.len() < GZIP_MAGIC.len() {
                return Ok(());
            }
            let start = std::mem::take(&mut self.start);
            self.open(&start).write(&start)
        };
        written.map_err(|error| fault(&error, limit_bytes))
    }

    /// The whole document. A stream that has not reached its end is an error, never a shorter document.
    pub(super) fn finish(mut self) -> Result<Bytes, Cause> {
        let limit_bytes = self.limit_bytes;
        let Some(stage) = self.stage.take() else {
            // Fewer bytes than any compressed stream has.
            return Ok(Bytes::from(self.start));
        };
        let bytes = stage.finish().map_err(|error| fault(&error, limit_bytes))?;
        if bytes.starts_with(&GZIP_MAGIC) { Err(layered()) } else { Ok(Bytes::from(bytes)) }
    }

    /// Trusts the bytes more than the label: gzip is sent without one, and the label without gzip.
    fn open(&mut self, start: &[u8]) -> &mut Stage {
        let sink = Capped::new(self.limit_bytes);
        let gzip = start.starts_with(&GZIP_MAGIC);
        self.stage.insert(match self.coding {
            Coding::Identity | Coding::Gzip if gzip => Stage::Gzip(MultiGzDecoder::new(sink)),
            Coding::Identity | Coding::Gzip => Stage::Identity(sink),
            Coding::Deflate if is_zlib(start) => Stage::Zlib(ZlibDecoder::new(sink)),
            Coding::Deflate => Stage::Deflate(DeflateDecoder::new(sink)),
            Coding::Brotli => Stage::Brotli(Box::new(DecompressorWriter::new(sink, BROTLI_BUFFER_BYTES))),
            Coding::Zstd => Stage::Zstd(Box::new(ZstdDecoder::new(sink))),
        })
    }
}

impl Stage {
    fn write(&mut self, chunk: &[u8]) -> io::Result<()> {
        match self {
            Self::Identity(sink) => sink.write_all(chunk),
            Self::Gzip(decoder) => decoder.write_all(chunk),
            Self::Zlib(decoder) => decoder.write_all(chunk),
            Self::Deflate(decoder) => decoder.write_all(chunk),
            Self::Brotli(decoder) => decoder.write_all(chunk),
            Self::Zstd(decoder) => decoder.write_all(chunk),
        }
    }

    fn finish(self) -> io::Result<Vec<u8>> {
        let sink = match self {
            Self::Identity(sink) => sink,
            Self::Gzip(decoder) => decoder.finish()?,
            Self::Zlib(decoder) => decoder.finish()?,
            Self::Deflate(decoder) => decoder.finish()?,
            Self::Brotli(mut decoder) => {
                decoder.close()?;
                decoder.into_inner().map_err(|_| io::Error::from(io::ErrorKind::UnexpectedEof))?
            }
            Self::Zstd(decoder) => decoder.finish()?,
        };
        Ok(sink.bytes)
    }
}

/// The document so far; refuses the byte that would be one too many.
struct Capped {
    bytes: Vec<u8>,
    limit_bytes: u64,
}

impl Capped {
    fn new(limit_bytes: u64) -> Self {
        Self { bytes: Vec::new(), limit_bytes }
    }
}

impl Write for Capped {
    fn write(&mut self, chunk: &[u8]) -> io::Result<usize> {
        if (self.bytes.len() + chunk.len()) as u64 > self.limit_bytes {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.bytes.extend_from_slice(chunk);
        Ok(chunk.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn fault(error: &io::Error, limit_bytes: u64) -> Cause {
    match error.kind() {
        io::ErrorKind::FileTooLarge => Cause::TooLarge { limit_bytes },
        io::ErrorKind::UnexpectedEof => Cause::Coding("the compressed data breaks off".to_owned()),
        _ => Cause::Coding(format!("the compressed data is damaged ({error})")),
    }
}

fn layered() -> Cause {
    Cause::Coding("it is compressed more than once".to_owned())
}

/// RFC 1950 section 2.2. Servers send both zlib and bare deflate under the name of `deflate`.
fn is_zlib(start: &[u8]) -> bool {
    matches!(start, [cmf, flg, ..] if cmf & 0x0f == 8 && (u16::from(*cmf) << 8 | u16::from(*flg)) % 31 == 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::Compression;
    use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};

    const TEXT: &[u8] = b"<rss version='2.0'><channel><title>news</title></channel></rss>";

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn brotli(bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        brotli::BrotliCompress(&mut &bytes[..], &mut out, &brotli::enc::BrotliEncoderParams::default()).unwrap();
        out
    }

    fn deflate(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = DeflateEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn zlib(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn zstd(bytes: &[u8]) -> Vec<u8> {
        ruzstd::encoding::compress_to_vec(bytes, ruzstd::encoding::CompressionLevel::Fastest)
    }

    fn decode_under(label: &str, wire: &[u8], chunk: usize, limit_bytes: u64) -> Result<Bytes, Cause> {
        let mut headers = HeaderMap::new();
        if !label.is_empty() {
            headers.insert(CONTENT_ENCODING, label.parse().unwrap());
        }
        let mut decoder = Decoder::new(Coding::of(&headers)?, limit_bytes);
        for chunk in wire.chunks(chunk) {
            decoder.push(chunk)?;
        }
        decoder.finish()
    }

    fn decode(label: &str, wire: &[u8]) -> Result<Bytes, Cause> {
        let whole = decode_under(label, wire, usize::MAX, 1 << 20);
        assert_eq!(decode_under(label, wire, 1, 1 << 20).ok(), whole.clone().ok(), "chunks must not matter");
        whole
    }

    fn check(label: &str, wire: &[u8]) {
        assert_eq!(decode(label, wire).as_deref(), Ok(TEXT), "{label}");
    }

    #[test]
    fn every_coding_and_mislabelling_gives_the_document() {
        check("", TEXT);
        for label in ["gzip", "x-gzip", "GZIP", "none", "utf-8", "identity", "identity, gzip", ""] {
            check(label, &gzip(TEXT));
        }
        check("gzip", TEXT);
        check("br", &brotli(TEXT));
        check("zstd", &zstd(TEXT));
        check("deflate", &zlib(TEXT));
        check("deflate", &deflate(TEXT));
        let two_members: Vec<u8> = [gzip(&TEXT[..9]), gzip(&TEXT[9..])].concat();
        check("gzip", &two_members);
    }

    #[test]
    fn h08_layered_unknown_and_damaged_codings_are_failures() {
        let layered = gzip(&gzip(TEXT));
        for label in ["gzip", "gzip, gzip", "gzip, br", "x-gzip", ""] {
            assert!(matches!(decode(label, &layered), Err(Cause::Coding(_))), "{label}");
        }
        for label in ["zstd", "compress", "dcz"] {
            assert!(matches!(decode(label, TEXT), Err(Cause::Coding(_))), "{label}");
        }
        let good = gzip(TEXT);
        let mut bad_crc = good.clone();
        let crc = bad_crc.len() - 8;
        bad_crc[crc] ^= 1;
        assert!(matches!(decode("gzip", &bad_crc), Err(Cause::Coding(_))), "crc");
        let junk_after = [&good[..], b"junk after the end"].concat();
        assert!(matches!(decode("gzip", &junk_after), Err(Cause::Coding(_))), "junk");
    }

    #[test]
    fn h08_a_stream_cut_anywhere_is_a_failure_and_never_a_shorter_document() {
        for (label, wire) in [("gzip", gzip(TEXT)), ("br", brotli(TEXT)), ("deflate", zlib(TEXT)), ("zstd", zstd(TEXT))]
        {
            for end in 2..wire.len() {
                assert!(decode(label, &wire[..end]).is_err(), "{label} cut at {end} of {}", wire.len());
            }
        }
    }

    #[test]
    fn h07_a_bomb_stops_at_the_cap() {
        let bomb = vec![b' '; 4 << 20];
        for (label, wire) in [
            ("gzip", gzip(&bomb)),
            ("br", brotli(&bomb)),
            ("deflate", zlib(&bomb)),
            ("zstd", zstd(&bomb)),
            ("", bomb.clone()),
        ] {
            let limit_bytes = 100_000;
            assert_eq!(decode_under(label, &wire, 4096, limit_bytes), Err(Cause::TooLarge { limit_bytes }), "{label}");
        }
        assert_eq!(decode_under("", TEXT, 7, TEXT.len() as u64).as_deref(), Ok(TEXT));
    }
}
