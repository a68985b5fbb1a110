//! What volumes and snapshots are made of: see `host::volumes`. The graph is rows, so that no file has to be asked what
//! it stands on.
//!
//! ```text
//!   wanted ──file made──► ready ──nobody stands on it──► unwanted ──file gone──► (no row)
//!                           └─what it has is in its parent──► merged ──no machine reads it──┘
//! ```

pub mod store;

pub use host::LayerFormat;
use host::{Cipher, LayerBase, LayerPlan, Passphrase};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    Wanted,
    Ready,
    Merged,
    Unwanted,
}

impl State {
    pub fn as_str(self) -> &'static str {
        match self {
            State::Wanted => "wanted",
            State::Ready => "ready",
            State::Merged => "merged",
            State::Unwanted => "unwanted",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        [State::Wanted, State::Ready, State::Merged, State::Unwanted]
            .into_iter()
            .find(|state| state.as_str() == text)
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layer {
    pub id: String,
    pub parent: Option<String>,
    pub format: LayerFormat,
    pub bytes: i64,
    /// It is this image's data.
    pub image_id: Option<String>,
    /// As [`Cipher`] prints it. Some: it is encrypted.
    pub cipher: Option<String>,
    pub state: State,
}

/// How many layers a volume may have. QEMU opens every one of them, and each costs memory and a look at every read of
/// what was never written.
pub const DEEPEST: usize = 64;

/// One raw file, which several machines can write.
pub fn is_alone(chain: &[Layer]) -> bool {
    matches!(chain, [only] if only.format == LayerFormat::Raw && only.image_id.is_none())
}

impl Layer {
    pub fn blank(bytes: i64) -> Layer {
        Self::new(None, LayerFormat::Raw, bytes)
    }

    /// A copy that stands on nothing.
    pub fn copy(bytes: i64) -> Layer {
        Self::new(None, LayerFormat::Qcow2, bytes)
    }

    pub fn over(parent: &str, bytes: i64) -> Layer {
        Self::new(Some(parent.to_owned()), LayerFormat::Qcow2, bytes)
    }

    pub fn of_image(image: &str, format: LayerFormat, bytes: i64) -> Layer {
        Layer { image_id: Some(image.to_owned()), ..Self::new(None, format, bytes) }
    }

    fn new(parent: Option<String>, format: LayerFormat, bytes: i64) -> Layer {
        Layer {
            id: base::id::uuid(),
            parent,
            format,
            bytes,
            image_id: None,
            cipher: None,
            state: State::Wanted,
        }
    }

    /// Encrypted, if there is a cipher.
    pub fn locked(mut self, cipher: Option<String>) -> Layer {
        if cipher.is_some() && self.image_id.is_none() {
            // Zeros have to be known for zeros, which no cipher leaves in a raw file.
            self.format = LayerFormat::Qcow2;
        }
        Layer { cipher, ..self }
    }

    /// `image`: where the data is of the image that it is made of.
    /// `key`: what opens it, if it is encrypted.
    pub fn plan(
        &self,
        parent: Option<&Layer>,
        image: Option<camino::Utf8PathBuf>,
        key: Option<&Passphrase>,
    ) -> LayerPlan {
        let base = match (parent, image) {
            (Some(parent), _) => LayerBase::Layer { id: parent.id.clone(), format: parent.format },
            (None, Some(path)) => LayerBase::File(path),
            (None, None) => LayerBase::Nothing,
        };
        let bytes = u64::try_from(self.bytes).unwrap_or(0);
        let cipher = self.cipher.as_deref().and_then(Cipher::read);
        let key = key.filter(|_| cipher.is_some()).cloned();
        LayerPlan { id: self.id.clone(), format: self.format, bytes, base, cipher, key }
    }
}

/// Of a whole chain, from the lowest. `key` opens those that are encrypted.
pub fn plans(chain: &[Layer], key: Option<&Passphrase>) -> Vec<LayerPlan> {
    let below = |at: usize| at.checked_sub(1).map(|below| &chain[below]);
    chain.iter().enumerate().map(|(at, layer)| layer.plan(below(at), None, key)).collect()
}
