//! Figures: a plot or a picture, its caption, and the labels around it.

use crate::{Error, Picture, Plot};

/// What a figure shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Content {
    Svg(String),
    Png { bytes: Vec<u8>, uri: String, width: usize, height: usize },
}

/// A figure of a report. It is also written as a file of its own, named by its id.
///
/// ```
/// use variata_report::{Figure, ImageGrid};
/// let images = ndarray::Array4::<f32>::zeros((3, 1, 8, 8));
/// let picture = ImageGrid { columns: 3, ..ImageGrid::default() }.render(&images).unwrap();
/// let figure = Figure::picture("samples", "Samples for three digits.", &picture)
///     .unwrap()
///     .column_labels(["0", "1", "2"]);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Figure {
    pub(crate) id: String,
    pub(crate) caption: String,
    pub(crate) note: String,
    pub(crate) content: Content,
    pub(crate) rows: Vec<String>,
    pub(crate) columns: Vec<String>,
}

impl Figure {
    /// A plot.
    #[must_use]
    pub fn plot(id: impl Into<String>, caption: impl Into<String>, plot: &impl Plot) -> Self {
        Self::of(id.into(), caption.into(), Content::Svg(plot.to_svg()))
    }

    /// A picture. Values that were NaN or clipped are mentioned below it.
    ///
    /// # Errors
    /// [`Error::Png`] where the picture cannot be encoded.
    pub fn picture(
        id: impl Into<String>,
        caption: impl Into<String>,
        picture: &Picture,
    ) -> Result<Self, Error> {
        let content = Content::Png {
            bytes: picture.to_png()?,
            uri: picture.to_data_uri()?,
            width: picture.width(),
            height: picture.height(),
        };
        let mut figure = Self::of(id.into(), caption.into(), content);
        figure.note = picture.note();
        Ok(figure)
    }

    /// Labels beside the rows of a picture, at equal distances.
    #[must_use]
    pub fn row_labels<T: Into<String>>(mut self, labels: impl IntoIterator<Item = T>) -> Self {
        self.rows = labels.into_iter().map(Into::into).collect();
        self
    }

    /// Labels above the columns of a picture, at equal distances.
    #[must_use]
    pub fn column_labels<T: Into<String>>(mut self, labels: impl IntoIterator<Item = T>) -> Self {
        self.columns = labels.into_iter().map(Into::into).collect();
        self
    }

    fn of(id: String, caption: String, content: Content) -> Self {
        Self { id, caption, note: String::new(), content, rows: Vec::new(), columns: Vec::new() }
    }
}
