//! Streamlines with what files keep beside them.

use std::borrow::Cow;

use ndarray::{Array2, ArrayView2, Axis, Slice};

use crate::affine::{Map, determinant_of};
use crate::error::{scalar, shape};
use crate::{Error, Streamlines, TckHeader, TrkHeader};

/// Numbers beside the points or the streamlines, [rows, columns], with names for groups of columns.
///
/// ```
/// use ndarray::arr2;
/// use variata_streamlines::Columns;
///
/// // Two points with one value of `fa` and a colour of three.
/// let values = arr2(&[[0.4, 1.0, 0.0, 0.0], [0.5, 0.0, 1.0, 0.0]]);
/// let columns = Columns::new(values, [("fa", 1), ("colour", 3)])?;
/// assert_eq!(columns.get("colour"), Some(arr2(&[[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]).view()));
/// # Ok::<(), variata_streamlines::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Columns {
    values: Array2<f32>,
    names: Vec<(String, usize)>,
}

impl Columns {
    /// Columns in the order of their names, each with how many columns it has; columns behind the last name have none.
    ///
    /// # Errors
    /// [`Error::Name`] for a name of no columns; [`Error::Argument`] when the names have more columns than `values`.
    pub fn new<N: Into<String>>(
        values: Array2<f32>,
        names: impl IntoIterator<Item = (N, usize)>,
    ) -> Result<Self, Error> {
        let names: Vec<(String, usize)> = names.into_iter().map(|(name, n)| (name.into(), n)).collect();
        if let Some((name, _)) = names.iter().find(|(_, columns)| *columns == 0) {
            return Err(Error::Name { name: name.clone(), must: "must have at least 1 column" });
        }
        let total = names.iter().try_fold(0usize, |sum, (_, n)| sum.checked_add(*n));
        if total.is_none_or(|total| total > values.ncols()) {
            return Err(shape("values", values.shape(), "[rows, at least the columns of all names]"));
        }
        Ok(Self { values, names })
    }

    /// All values, [rows, columns].
    pub fn values(&self) -> ArrayView2<'_, f32> {
        self.values.view()
    }

    /// Names in order, with how many columns each has.
    pub fn names(&self) -> &[(String, usize)] {
        &self.names
    }

    /// Number of columns.
    pub fn width(&self) -> usize {
        self.values.ncols()
    }

    /// The columns of a name, [rows, columns of the name].
    pub fn get(&self, name: &str) -> Option<ArrayView2<'_, f32>> {
        let mut from = 0;
        for (known, columns) in &self.names {
            if known == name {
                return Some(self.values.slice_axis(Axis(1), Slice::from(from..from + columns)));
            }
            from += columns;
        }
        None
    }
}

/// What the coordinates of a tractogram count from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Space {
    /// World coordinates in mm: x to the right, y to the front, z up, as MRtrix, nibabel and dipy have them ("RASMM").
    #[default]
    World,
    /// TrackVis' coordinates: mm from the corner of the first voxel, along the voxel axes ("voxelmm").
    VoxelMm,
}

/// Streamlines in f32 with scalars for each point, properties for each streamline, and the headers of their files.
///
/// A tractogram that was read keeps the coordinates of its file, so that what nibabel wrote is written back to the same bytes;
/// [`world`](Self::world) gives them in world coordinates, as nibabel does.
///
/// ```
/// use variata_streamlines::{Space, Streamlines, Tractogram};
///
/// let lines: Streamlines = [vec![[1.0, 2.0, 3.0], [1.0, 2.0, 4.0]]].into_iter().collect();
/// let tractogram = Tractogram::new(lines);
/// assert_eq!(tractogram.space(), Space::World);
/// // nibabel's default grid: one voxel of 1 mm around the origin, whose corner is half a voxel away.
/// let trackvis = tractogram.into_space(Space::VoxelMm)?;
/// assert_eq!(trackvis.streamlines().points().row(0).to_vec(), [1.5, 2.5, 3.5]);
/// # Ok::<(), variata_streamlines::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Tractogram {
    streamlines: Streamlines<f32>,
    space: Space,
    scalars: Columns,
    properties: Columns,
    trk: TrkHeader,
    tck: TckHeader,
}

impl Tractogram {
    /// Streamlines in world coordinates without scalars or properties, with the headers that nibabel makes.
    pub fn new(streamlines: Streamlines<f32>) -> Self {
        Self { streamlines, ..Self::default() }
    }

    pub(crate) fn with_trk(streamlines: Streamlines<f32>, trk: TrkHeader) -> Self {
        Self { streamlines, space: Space::VoxelMm, trk, ..Self::default() }
    }

    pub(crate) fn with_tck(streamlines: Streamlines<f32>, tck: TckHeader) -> Self {
        Self { streamlines, tck, ..Self::default() }
    }

    /// The streamlines in the coordinates of [`space`](Self::space).
    pub fn streamlines(&self) -> &Streamlines<f32> {
        &self.streamlines
    }

    /// The streamlines alone, in the coordinates of [`space`](Self::space).
    pub fn into_streamlines(self) -> Streamlines<f32> {
        self.streamlines
    }

    /// What the coordinates count from.
    pub fn space(&self) -> Space {
        self.space
    }

    /// The streamlines in world coordinates, mm.
    ///
    /// From TrackVis' coordinates by [`TrkHeader::to_world`], in `f64` with one rounding: nibabel, which multiplies in
    /// `f32`, can differ in the last digits.
    pub fn world(&self) -> Cow<'_, Streamlines<f32>> {
        match self.space {
            Space::World => Cow::Borrowed(&self.streamlines),
            Space::VoxelMm => Cow::Owned(mapped(&self.streamlines, &Map::new(&self.trk.to_world()))),
        }
    }

    /// The streamlines in TrackVis' coordinates, mm.
    ///
    /// # Errors
    /// [`Error::Argument`] when the affine of the TRK header has no inverse in `f32`.
    pub fn voxel_mm(&self) -> Result<Cow<'_, Streamlines<f32>>, Error> {
        if self.space == Space::VoxelMm {
            return Ok(Cow::Borrowed(&self.streamlines));
        }
        let back = Map::new(&self.trk.to_world()).inverse();
        let back = back
            .ok_or_else(|| scalar("determinant of affine", determinant_of(&self.trk.to_world()), "not 0"))?;
        Ok(Cow::Owned(mapped(&self.streamlines, &back)))
    }

    /// The same tractogram in other coordinates.
    ///
    /// # Errors
    /// As [`voxel_mm`](Self::voxel_mm).
    pub fn into_space(mut self, space: Space) -> Result<Self, Error> {
        if self.space != space {
            self.streamlines = match space {
                Space::World => self.world().into_owned(),
                Space::VoxelMm => self.voxel_mm()?.into_owned(),
            };
            self.space = space;
        }
        Ok(self)
    }

    /// Values for each point, [points, columns].
    pub fn scalars(&self) -> &Columns {
        &self.scalars
    }

    /// Values for each streamline, [streamlines, columns].
    pub fn properties(&self) -> &Columns {
        &self.properties
    }

    /// Sets the values for each point.
    ///
    /// # Errors
    /// [`Error::Argument`] unless there is a row for each point, or no column.
    pub fn set_scalars(&mut self, scalars: Columns) -> Result<(), Error> {
        let points = self.streamlines.points().nrows();
        if scalars.width() > 0 && scalars.values.nrows() != points {
            return Err(shape("scalars", scalars.values.shape(), "[points, columns]"));
        }
        self.scalars = scalars;
        Ok(())
    }

    /// Sets the values for each streamline.
    ///
    /// # Errors
    /// [`Error::Argument`] unless there is a row for each streamline, or no column.
    pub fn set_properties(&mut self, properties: Columns) -> Result<(), Error> {
        if properties.width() > 0 && properties.values.nrows() != self.streamlines.len() {
            return Err(shape("properties", properties.values.shape(), "[streamlines, columns]"));
        }
        self.properties = properties;
        Ok(())
    }

    /// The header with which a TRK file is written.
    pub fn trk(&self) -> &TrkHeader {
        &self.trk
    }

    /// Sets the header with which a TRK file is written. Streamlines in TrackVis' coordinates are brought to the new
    /// header's, so that they stay where they are in the world.
    ///
    /// # Errors
    /// As [`voxel_mm`](Self::voxel_mm).
    pub fn set_trk(&mut self, header: TrkHeader) -> Result<(), Error> {
        if self.space == Space::VoxelMm && header.to_world() != self.trk.to_world() {
            // A header that has no inverse leaves all as it was.
            let world = self.clone().into_space(Space::World)?;
            *self = Self { trk: header, ..world }.into_space(Space::VoxelMm)?;
        } else {
            self.trk = header;
        }
        Ok(())
    }

    /// The header with which a TCK file is written.
    pub fn tck(&self) -> &TckHeader {
        &self.tck
    }

    /// Sets the header with which a TCK file is written.
    pub fn set_tck(&mut self, header: TckHeader) {
        self.tck = header;
    }
}

fn mapped(lines: &Streamlines<f32>, map: &Map) -> Streamlines<f32> {
    let mut out = lines.clone();
    for point in out.flat_mut() {
        *point = map.apply(*point);
    }
    out
}
