//! Pixels and their neighbours.

use variata_distributions::{ArgumentError, check};

use crate::Error;

/// The layout of an image for a [`SparsePrecisionNormal`](crate::SparsePrecisionNormal): channel after channel, each row after
/// row; and which pixels are neighbours, within a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PixelGrid {
    height: usize,
    width: usize,
    channels: usize,
    reach: usize,
}

/// From a pixel to one that comes after it: rows down, columns to the right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Offset {
    /// Rows down, ≥ 0.
    pub down: usize,
    /// Columns to the right; > 0 in the pixel's own row.
    pub right: isize,
}

impl PixelGrid {
    /// `height`×`width` pixels of `channels` channels, with neighbourhoods of `neighbourhood`×`neighbourhood` pixels.
    ///
    /// # Errors
    /// The neighbourhood is not odd or above 1023, or the number of pixels does not fit a `usize`.
    pub fn new(height: usize, width: usize, channels: usize, neighbourhood: usize) -> Result<Self, Error> {
        check::scalar("neighbourhood", neighbourhood as f64, "odd", neighbourhood % 2 == 1)?;
        let must = "at most 1023";
        check::scalar("neighbourhood", neighbourhood as f64, must, neighbourhood <= 1023)?;
        // Numbers of the factor, and of the band that its inverse needs.
        let reach = neighbourhood / 2;
        let pixels = height.checked_mul(width).and_then(|area| area.checked_mul(channels));
        let fits =
            pixels.is_some_and(|n| n.checked_mul(neighbourhood.saturating_mul(neighbourhood)).is_some());
        if !fits || isize::try_from(neighbourhood).is_err() {
            let value = height as f64 * width as f64 * channels as f64;
            let must = "few enough that their factor can be addressed";
            return Err(ArgumentError::Value {
                argument: "height·width·channels", index: None, value, must
            }
            .into());
        }
        Ok(Self { height, width, channels, reach })
    }

    /// Number of values of an image.
    pub fn len(self) -> usize {
        self.channels * self.height * self.width
    }

    /// Whether an image has no value.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// Channels, rows and columns.
    pub fn shape(self) -> [usize; 3] {
        [self.channels, self.height, self.width]
    }

    /// How far a neighbour is at the most, in rows and in columns.
    pub fn reach(self) -> usize {
        self.reach
    }

    /// The later neighbours of a pixel, row by row: k²/2 of them, the order of the planes of `off_diag`.
    pub fn offsets(self) -> Vec<Offset> {
        let reach = self.reach as isize;
        let own = (1..=reach).map(|right| Offset { down: 0, right });
        let below =
            (1..=self.reach).flat_map(|down| (-reach..=reach).map(move |right| Offset { down, right }));
        own.chain(below).collect()
    }

    /// Calls `f` with (first pixel, its neighbour, length) for each run of pixels whose neighbour at `offset` is in the image.
    pub(crate) fn for_each_run(self, offset: Offset, mut f: impl FnMut(usize, usize, usize)) {
        let Self { height, width, channels, .. } = self;
        let side = offset.right.unsigned_abs();
        if side >= width || offset.down >= height {
            return;
        }
        let (from, to) = if offset.right < 0 { (side, 0) } else { (0, side) };
        for row in (0..channels).flat_map(|c| c * height..(c + 1) * height - offset.down) {
            f(row * width + from, (row + offset.down) * width + to, width - side);
        }
    }

    pub(crate) fn later(self) -> Later {
        Later { grid: self, offsets: self.offsets() }
    }
}

/// Later neighbours of single pixels.
pub(crate) struct Later {
    grid: PixelGrid,
    offsets: Vec<Offset>,
}

impl Later {
    /// (number of the offset, pixel) for each later neighbour of pixel i that is in the image.
    pub(crate) fn of(&self, i: usize) -> impl Iterator<Item = (usize, usize)> + '_ {
        let PixelGrid { height, width, .. } = self.grid;
        let (row, column) = (i / width % height, i % width);
        self.offsets.iter().enumerate().filter_map(move |(o, offset)| {
            let to = column.checked_add_signed(offset.right).filter(|to| *to < width)?;
            (row + offset.down < height).then(|| (o, i + offset.down * width + to - column))
        })
    }

    /// Largest distance of a neighbour in memory.
    pub(crate) fn reach(&self) -> usize {
        let PixelGrid { height, width, reach, .. } = self.grid;
        reach.min(height.saturating_sub(1)) * width + reach.min(width.saturating_sub(1))
    }
}
