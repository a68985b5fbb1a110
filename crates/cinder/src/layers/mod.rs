//! What volumes and snapshots are made of: see `host::volumes`. The graph is rows, so that no file has to be asked what
//! it stands on.
//!
//! ```text
//!   wanted ──file made──► ready ──nobody stands on it──► unwanted ──file gone──► (no row)
//! ```

pub mod store;

pub use host::LayerFormat;
use host::{LayerBase, LayerPlan};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    Wanted,
    Ready,
    Unwanted,
}

impl State {
    pub fn as_str(self) -> &'static str {
        match self {
            State::Wanted => "wanted",
            State::Ready => "ready",
            State::Unwanted => "unwanted",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        [State::Wanted, State::Ready, State::Unwanted].into_iter().find(|state| state.as_str() == text)
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
        Layer { id: base::id::uuid(), parent, format, bytes, image_id: None, state: State::Wanted }
    }

    /// `image`: where the data is of the image that it is made of.
    pub fn plan(&self, parent: Option<&Layer>, image: Option<camino::Utf8PathBuf>) -> LayerPlan {
        let base = match (parent, image) {
            (Some(parent), _) => LayerBase::Layer { id: parent.id.clone(), format: parent.format },
            (None, Some(path)) => LayerBase::File(path),
            (None, None) => LayerBase::Nothing,
        };
        let bytes = u64::try_from(self.bytes).unwrap_or(0);
        LayerPlan { id: self.id.clone(), format: self.format, bytes, base }
    }
}
