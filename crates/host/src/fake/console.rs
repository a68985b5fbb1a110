//! Screens and serial lines of machines that are not there: a grey screen in RFB 3.8, and a line that has said what the
//! console's log says and echoes what is typed.

use std::io;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;

use crate::{Console, Error, Result};

const WIDTH: u16 = 640;
const HEIGHT: u16 = 400;
const GREY: u8 = 0x80;
/// A pixel's, unless the viewer wants smaller ones.
const BYTES: usize = 4;

pub(super) fn connect(console: Console, name: &str, log: String) -> Result<UnixStream> {
    let (ours, theirs) = UnixStream::pair().map_err(|error| Error::Link(error.to_string()))?;
    let name = name.to_owned();
    tokio::spawn(async move {
        // The viewer going away is how every connection ends.
        let _ = match console {
            Console::Screen => screen(theirs, &name).await,
            Console::Serial => serial(theirs, &log).await,
        };
    });
    Ok(ours)
}

async fn serial(mut line: UnixStream, log: &str) -> io::Result<()> {
    line.write_all(log.as_bytes()).await?;
    let mut typed = [0; 256];
    loop {
        let count = line.read(&mut typed).await?;
        if count == 0 {
            return Ok(());
        }
        line.write_all(&typed[..count]).await?;
    }
}

async fn screen(mut viewer: UnixStream, name: &str) -> io::Result<()> {
    viewer.write_all(b"RFB 003.008\n").await?;
    viewer.read_exact(&mut [0; 12]).await?;
    // One kind of security: none. The viewer picks it, and it is fine.
    viewer.write_all(&[1, 1]).await?;
    viewer.read_u8().await?;
    viewer.write_u32(0).await?;
    // Whether it shares the screen with others.
    viewer.read_u8().await?;
    viewer.write_u16(WIDTH).await?;
    viewer.write_u16(HEIGHT).await?;
    // 32 bits a pixel, 24 of them used, little-endian, true colour of 255 each at 16, 8 and 0.
    viewer.write_all(&[32, 24, 0, 1, 0, 255, 0, 255, 0, 255, 16, 8, 0, 0, 0, 0]).await?;
    viewer.write_u32(u32::try_from(name.len()).unwrap_or(0)).await?;
    viewer.write_all(name.as_bytes()).await?;
    let mut bytes = BYTES;
    loop {
        match viewer.read_u8().await? {
            // SetPixelFormat: only its size matters to a grey screen.
            0 => {
                let mut format = [0; 19];
                viewer.read_exact(&mut format).await?;
                bytes = usize::from(format[3] / 8).clamp(1, BYTES);
            }
            // SetEncodings
            2 => {
                viewer.read_u8().await?;
                let count = viewer.read_u16().await?;
                skip(&mut viewer, u64::from(count) * 4).await?;
            }
            // FramebufferUpdateRequest: nothing ever changes, so only whole updates are answered.
            3 => {
                let incremental = viewer.read_u8().await? != 0;
                skip(&mut viewer, 8).await?;
                if !incremental {
                    update(&mut viewer, bytes).await?;
                }
            }
            // KeyEvent
            4 => skip(&mut viewer, 7).await?,
            // PointerEvent
            5 => skip(&mut viewer, 5).await?,
            // ClientCutText
            6 => {
                skip(&mut viewer, 3).await?;
                let length = viewer.read_u32().await?;
                skip(&mut viewer, u64::from(length)).await?;
            }
            _ => return Ok(()),
        }
    }
}

/// One rectangle, the whole screen, raw.
async fn update(viewer: &mut UnixStream, bytes: usize) -> io::Result<()> {
    viewer.write_all(&[0, 0]).await?;
    for number in [1, 0, 0, WIDTH, HEIGHT] {
        viewer.write_u16(number).await?;
    }
    viewer.write_u32(0).await?;
    let row = vec![GREY; usize::from(WIDTH) * bytes];
    for _ in 0..HEIGHT {
        viewer.write_all(&row).await?;
    }
    Ok(())
}

async fn skip(viewer: &mut UnixStream, count: u64) -> io::Result<()> {
    tokio::io::copy(&mut viewer.take(count), &mut tokio::io::sink()).await.map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_screen_is_grey() {
        let mut viewer = connect(Console::Screen, "one", String::new()).unwrap();
        let mut banner = [0; 12];
        viewer.read_exact(&mut banner).await.unwrap();
        assert_eq!(&banner, b"RFB 003.008\n");
        viewer.write_all(&banner).await.unwrap();
        viewer.read_exact(&mut [0; 2]).await.unwrap();
        viewer.write_all(&[1]).await.unwrap();
        assert_eq!(viewer.read_u32().await.unwrap(), 0);
        viewer.write_all(&[1]).await.unwrap();
        assert_eq!(viewer.read_u16().await.unwrap(), WIDTH);
        let mut rest = [0; 2 + 16 + 4 + 3];
        viewer.read_exact(&mut rest).await.unwrap();
        assert!(rest.ends_with(b"one"));
        viewer.write_all(&[6, 0, 0, 0, 0, 0, 0, 2, b'h', b'i']).await.unwrap();
        viewer.write_all(&[3, 0, 0, 0, 0, 0, 0, 0, 0, 0]).await.unwrap();
        let mut pixels = vec![0; 16 + usize::from(WIDTH) * usize::from(HEIGHT) * BYTES];
        viewer.read_exact(&mut pixels).await.unwrap();
        assert_eq!((pixels[3], pixels[16], pixels.last()), (1, GREY, Some(&GREY)));
    }

    #[tokio::test]
    async fn a_serial_line_has_said_its_log_and_echoes() {
        let mut line = connect(Console::Serial, "one", "login: ".into()).unwrap();
        line.write_all(b"root").await.unwrap();
        let mut said = [0; 11];
        line.read_exact(&mut said).await.unwrap();
        assert_eq!(&said, b"login: root");
    }
}
