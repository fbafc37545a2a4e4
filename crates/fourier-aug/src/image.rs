//! An image of 8 bits, on which the operations work.

use ndarray::{Array3, ArrayRef3, Axis};
use variata_distributions::ArgumentError;

use crate::error::Error;
use crate::wave::CHANNELS;

/// Order of an image's axes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Layout {
    /// [channels, height, width], as networks take it.
    #[default]
    Chw,
    /// [height, width, channels], as files hold it.
    Hwc,
}

impl Layout {
    /// Channels, height and width of a shape in this order.
    pub(crate) fn sizes(self, shape: [usize; 3]) -> [usize; 3] {
        match (self, shape) {
            (Self::Chw, shape) => shape,
            (Self::Hwc, [height, width, channels]) => [channels, height, width],
        }
    }

    fn channel_axis(self) -> Axis {
        Axis(if self == Self::Chw { 0 } else { 2 })
    }
}

/// An image of 1 or 3 channels of 8 bits, with the memory that operations need, so that they allocate none.
///
/// Operations give, pixel for pixel, what Pillow's of the same name give on images of mode `L` or `RGB`.
///
/// ```
/// use ndarray::array;
/// use variata_fourier_aug::{Image, Layout};
///
/// let mut image = Image::new(&array![[[0, 100, 255]]], Layout::Chw)?;
/// image.solarize(128);
/// image.translate_x(-1);
/// assert_eq!(image.to_array(Layout::Chw), array![[[0, 0, 100]]]);
/// # Ok::<(), variata_fourier_aug::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Image {
    channels: usize,
    height: usize,
    width: usize,
    /// [channels][height][width].
    pub(crate) pixels: Vec<u8>,
    /// As large: what an operation writes to.
    pub(crate) spare: Vec<u8>,
    /// What lies around each place between pixels, [channels][height + 1][width + 1].
    pub(crate) quads: Vec<u32>,
    /// What a row reads from there.
    pub(crate) row: Row,
    /// A row of a wave's cosines.
    pub(crate) columns: Vec<[f32; 2]>,
    /// One plane of a wave.
    pub(crate) wave: Vec<f32>,
}

/// Where the pixels of one row are read.
#[derive(Debug, Clone, Default)]
pub(crate) struct Row {
    /// Places in `quads`.
    pub(crate) places: Vec<u32>,
    /// Largest levels: 255 inside of the image, 0 outside.
    pub(crate) limits: Vec<f64>,
    /// Distances from these neighbours.
    pub(crate) steps_x: Vec<f64>,
    pub(crate) steps_y: Vec<f64>,
    /// The neighbours.
    pub(crate) found: Vec<u32>,
}

impl Row {
    pub(crate) fn resize(&mut self, width: usize) {
        self.places.resize(width, 0);
        self.limits.resize(width, 0.0);
        self.steps_x.resize(width, 0.0);
        self.steps_y.resize(width, 0.0);
        self.found.resize(width, 0);
    }
}

impl PartialEq for Image {
    /// Whether sizes and pixels are equal.
    fn eq(&self, other: &Self) -> bool {
        self.shape() == other.shape() && self.pixels == other.pixels
    }
}

impl Image {
    /// A copy of these pixels.
    ///
    /// # Errors
    /// [`Error::Argument`] for an empty image, one of other than 1 or 3 channels, or more than 2³¹ pixels.
    pub fn new(pixels: &ArrayRef3<u8>, layout: Layout) -> Result<Self, Error> {
        let mut image = Self::empty();
        image.load(pixels, layout)?;
        Ok(image)
    }

    /// A copy of pixels in [0, 1], rounded to the nearest of 256 levels.
    ///
    /// # Errors
    /// As [`new`](Self::new); [`Error::Argument`] for a pixel that is NaN or outside [0, 1].
    ///
    /// ```
    /// use ndarray::array;
    /// use variata_fourier_aug::{Image, Layout};
    ///
    /// let image = Image::from_unit(&array![[[0.0f32, 0.5, 1.0]]], Layout::Chw)?;
    /// assert_eq!(image.to_array(Layout::Chw), array![[[0, 128, 255]]]);
    /// assert!(Image::from_unit(&array![[[1.5f32]]], Layout::Chw).is_err());
    /// # Ok::<(), variata_fourier_aug::Error>(())
    /// ```
    pub fn from_unit(pixels: &ArrayRef3<f32>, layout: Layout) -> Result<Self, Error> {
        if let Some((index, &value)) =
            pixels.iter().enumerate().find(|(_, value)| !(0.0..=1.0).contains(*value))
        {
            let (argument, must, value) = ("pixels", "in [0, 1]", f64::from(value));
            return Err(ArgumentError::Value { argument, index: Some(index), value, must }.into());
        }
        Self::new(&pixels.map(|v| level(*v * 255.0)), layout)
    }

    /// No image yet; only for [`load`](Self::load).
    pub(crate) fn empty() -> Self {
        Self {
            channels: 0,
            height: 0,
            width: 0,
            pixels: Vec::new(),
            spare: Vec::new(),
            quads: Vec::new(),
            row: Row::default(),
            columns: Vec::new(),
            wave: Vec::new(),
        }
    }

    /// Takes other pixels, into the memory that is there.
    pub(crate) fn load(&mut self, pixels: &ArrayRef3<u8>, layout: Layout) -> Result<(), Error> {
        let shape: [usize; 3] = pixels.dim().into();
        let [channels, height, width] = check(shape, layout)?;
        self.reset([channels, height, width]);
        if let (Layout::Hwc, CHANNELS, Some(from)) = (layout, channels, pixels.as_slice()) {
            let (red, rest) = self.pixels.split_at_mut(height * width);
            let (green, blue) = rest.split_at_mut(height * width);
            let planes = red.iter_mut().zip(green).zip(blue);
            for (((r, g), b), from) in planes.zip(from.as_chunks::<CHANNELS>().0) {
                [*r, *g, *b] = *from;
            }
            return Ok(());
        }
        let planes = self.pixels.chunks_exact_mut(height * width);
        for (to, from) in planes.zip(pixels.axis_iter(layout.channel_axis())) {
            match from.as_slice() {
                Some(from) => to.copy_from_slice(from),
                None => to.iter_mut().zip(from).for_each(|(to, from)| *to = *from),
            }
        }
        Ok(())
    }

    /// Takes the pixels of another image.
    pub(crate) fn copy_from(&mut self, other: &Self) {
        self.reset(other.shape());
        self.pixels.copy_from_slice(&other.pixels);
    }

    /// Another size; pixels are 0, or what they were.
    pub(crate) fn reset(&mut self, [channels, height, width]: [usize; 3]) {
        (self.channels, self.height, self.width) = (channels, height, width);
        self.pixels.resize(channels * height * width, 0);
        self.spare.resize(channels * height * width, 0);
    }

    /// Channels, height and width.
    pub fn shape(&self) -> [usize; 3] {
        [self.channels, self.height, self.width]
    }

    /// The pixels.
    pub fn to_array(&self, layout: Layout) -> Array3<u8> {
        let [channels, height, width] = self.shape();
        let at = |c: usize, y: usize, x: usize| self.pixels[(c * height + y) * width + x];
        match layout {
            Layout::Chw => Array3::from_shape_fn((channels, height, width), |(c, y, x)| at(c, y, x)),
            Layout::Hwc => Array3::from_shape_fn((height, width, channels), |(y, x, c)| at(c, y, x)),
        }
    }

    /// The pixels as numbers in [0, 1].
    pub fn to_unit(&self, layout: Layout) -> Array3<f32> {
        self.to_array(layout).mapv(|v| f32::from(v) / 255.0)
    }

    pub(crate) fn plane_len(&self) -> usize {
        self.height * self.width
    }

    /// Reads each channel through a table of its own.
    pub(crate) fn look_up(&mut self, mut table: impl FnMut(&[u8]) -> Option<[u8; 256]>) {
        let plane = self.plane_len();
        for pixels in self.pixels.chunks_exact_mut(plane) {
            if let Some(table) = table(pixels) {
                for v in pixels {
                    *v = table[usize::from(*v)];
                }
            }
        }
    }
}

/// Channels, height and width of an image that operations take.
pub(crate) fn check(shape: [usize; 3], layout: Layout) -> Result<[usize; 3], Error> {
    let sizes = layout.sizes(shape);
    let [channels, height, width] = sizes;
    // Places in a plane with its border are counted in 32 bits.
    let fits = height.checked_mul(width).is_some_and(|n| n < 1 << 31) && height.max(width) < 1 << 24;
    if ![1, CHANNELS].contains(&channels) || height == 0 || width == 0 || !fits {
        let axes = if layout == Layout::Chw { "[1 or 3, height, width]" } else { "[height, width, 1 or 3]" };
        let want = format!("{axes}, not empty, fewer than 2147483648 pixels");
        return Err(ArgumentError::Shape { argument: "image", got: shape.to_vec(), want }.into());
    }
    Ok(sizes)
}

/// The nearest level of a number; NaN is 0.
#[inline(always)]
pub(crate) fn level(value: f32) -> u8 {
    (value + 0.5) as u8
}
