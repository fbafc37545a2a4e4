//! Colours: ten classes that stay apart for colour-blind readers, and maps for heatmaps.

/// The ten colours of M. A. Petroff, "Accessible Color Sequences for Data Visualization",
/// arXiv:2107.02270, which keep apart for colour-blind readers; here with the strongest ones first.
const CLASSES: [&str; 10] = [
    "#3f90da", "#e76300", "#832db6", "#a96b59", "#bd1f01", "#717581", "#ffa90e", "#92dadd", "#b9ac70",
    "#94a4a2",
];

/// The colour of class `index` as a CSS value; after ten they begin again.
pub(crate) fn class(index: usize) -> String {
    let index = index % CLASSES.len();
    format!("var(--c{index},{})", CLASSES[index])
}

/// The colours of a [`Heatmap`](super::Heatmap).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ColorMap {
    /// From dark blue through green to yellow, for amounts; lightness rises evenly.
    #[default]
    Sequential,
    /// From blue through near white to red, for signed values; white is zero and both ends are
    /// equally far from it.
    Diverging,
}

impl ColorMap {
    /// Anchors at equal distances, interpolated linearly.
    fn anchors(self) -> &'static [[u8; 3]] {
        match self {
            // Seven colours of matplotlib's viridis.
            Self::Sequential => &[
                [68, 1, 84],
                [68, 57, 131],
                [49, 104, 142],
                [33, 145, 140],
                [53, 183, 121],
                [144, 215, 67],
                [253, 231, 37],
            ],
            Self::Diverging => &[
                [24, 66, 128],
                [67, 125, 188],
                [160, 200, 226],
                [246, 246, 244],
                [244, 178, 150],
                [210, 88, 72],
                [128, 16, 38],
            ],
        }
    }

    /// The colour at `part` of the map, from 0 to 1.
    pub(crate) fn at(self, part: f64) -> [u8; 3] {
        let anchors = self.anchors();
        let last = anchors.len() - 1;
        let place = part.clamp(0.0, 1.0) * last as f64;
        let i = (place as usize).min(last - 1);
        let t = place - i as f64;
        let mix = |c: usize| {
            let (a, b) = (f64::from(anchors[i][c]), f64::from(anchors[i + 1][c]));
            (a + t * (b - a)).round() as u8
        };
        [mix(0), mix(1), mix(2)]
    }

    /// Whether text on the colour at `part` has to be dark.
    pub(crate) fn is_light(self, part: f64) -> bool {
        let [r, g, b] = self.at(part).map(f64::from);
        0.299 * r + 0.587 * g + 0.114 * b > 140.0
    }
}
