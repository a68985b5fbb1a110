//! What is in the pool: `rbd ls --long` as values, and what our names mean.

use std::collections::BTreeSet;

use serde::Deserialize;
use serde_json::Value;

const LAYER: &str = "layer.";
const PART: &str = "part.";
const DEAD: &str = "dead.";

/// A line of the listing: an image, or a snapshot of one.
#[derive(Debug, Clone, Deserialize)]
struct Line {
    image: String,
    snapshot: Option<String>,
    #[serde(default)]
    size: u64,
    /// `"true"` or `true`, by the version.
    #[serde(default)]
    protected: Value,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    pub image: String,
    pub protected: bool,
}

#[derive(Debug, Clone)]
pub struct Images(Vec<Line>);

impl Images {
    pub fn read(text: &str) -> serde_json::Result<Self> {
        serde_json::from_str(text).map(Images)
    }

    fn images(&self) -> impl Iterator<Item = &Line> {
        self.0.iter().filter(|line| line.snapshot.is_none())
    }

    pub fn has(&self, image: &str) -> bool {
        self.images().any(|line| line.image == image)
    }

    pub fn size(&self, image: &str) -> Option<u64> {
        self.images().find(|line| line.image == image).map(|line| line.size)
    }

    /// The layer is a snapshot: where.
    pub fn snapshot(&self, layer: &str) -> Option<Snapshot> {
        let line =
            self.0.iter().find(|line| line.snapshot.as_deref() == Some(layer) && is_ours(&line.image))?;
        let protected = line.protected == true || line.protected == "true";
        Some(Snapshot { image: line.image.clone(), protected })
    }

    /// Another layer has taken its image over.
    pub fn is_frozen(&self, layer: &str) -> bool {
        self.snapshot(layer).is_some_and(|snapshot| snapshot.image != layer_image(layer))
    }

    pub fn snapshots_of<'a>(&'a self, image: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |line| line.image == image).filter_map(|line| line.snapshot.as_deref())
    }

    pub fn parts_of<'a>(&'a self, layer: &'a str) -> impl Iterator<Item = &'a str> {
        self.images()
            .map(|line| line.image.as_str())
            .filter(move |name| name.strip_prefix(PART) == Some(layer))
    }

    pub fn dead(&self) -> impl Iterator<Item = &str> {
        self.images().map(|line| line.image.as_str()).filter(|name| name.starts_with(DEAD))
    }

    /// Ids of all layers, half-made ones too.
    pub fn layers(&self) -> Vec<String> {
        let id = |line: &Line| match &line.snapshot {
            Some(snapshot) => is_ours(&line.image).then(|| snapshot.clone()),
            None => {
                [LAYER, PART].iter().find_map(|prefix| line.image.strip_prefix(prefix)).map(str::to_owned)
            }
        };
        self.0.iter().filter_map(id).collect::<BTreeSet<String>>().into_iter().collect()
    }
}

fn is_ours(image: &str) -> bool {
    image.starts_with(LAYER) || image.starts_with(DEAD)
}

pub fn layer_image(id: &str) -> String {
    format!("{LAYER}{id}")
}

/// While it is made.
pub fn part(id: &str) -> String {
    format!("{PART}{id}")
}

/// The layer is gone, and what others stand on is not.
pub fn dead(id: &str) -> String {
    format!("{DEAD}{id}")
}
