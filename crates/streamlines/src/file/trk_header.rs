//! The header of a TRK file, kept as its bytes so that what is not understood is not lost.

use std::path::{Path, PathBuf};

use variata_distributions::ArgumentError;

use super::bytes::{ByteOrder, Bytes};
use crate::affine::{self, Affine};
use crate::error::scalar;
use crate::{Columns, Error};

pub(super) const MAGIC: &[u8] = b"TRACK";
pub(super) const SIZE: usize = 1000;

// Places in the header, from TrackVis' description of version 2.
const DIMENSIONS: usize = 6;
const VOXEL_SIZES: usize = 12;
const ORIGIN: usize = 24;
pub(super) const N_SCALARS: usize = 36;
const SCALAR_NAMES: usize = 38;
pub(super) const N_PROPERTIES: usize = 238;
const PROPERTY_NAMES: usize = 240;
const AFFINE: usize = 440;
const VOXEL_ORDER: usize = 948;
pub(super) const N_COUNT: usize = 988;
const VERSION: usize = 992;
const HDR_SIZE: usize = 996;

/// Names in a header, and the bytes of each.
const NAMES: usize = 10;
const NAME: usize = 20;

/// The header of a TRK file: the grid of voxels that its coordinates refer to, and whatever else a program put there.
///
/// The default is that of nibabel: one voxel of 1 mm, identity, `RAS`, version 2, little-endian.
///
/// ```
/// use variata_streamlines::TrkHeader;
///
/// let mut header = TrkHeader::default();
/// header.set_grid([182, 218, 182], [1.0; 3], "LAS", [
///     [-1.0, 0.0, 0.0, 90.0],
///     [0.0, 1.0, 0.0, -126.0],
///     [0.0, 0.0, 1.0, -72.0],
///     [0.0, 0.0, 0.0, 1.0],
/// ])?;
/// assert_eq!((header.dimensions(), header.voxel_order().as_str()), ([182, 218, 182], "LAS"));
/// // A corner of the grid: half a voxel beside the centre of the first.
/// assert_eq!(header.to_world()[0][3], 90.5);
/// # Ok::<(), variata_streamlines::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrkHeader {
    bytes: Box<[u8; SIZE]>,
    order: ByteOrder,
}

impl Default for TrkHeader {
    fn default() -> Self {
        let mut header = Self { bytes: Box::new([0; SIZE]), order: ByteOrder::Little };
        header.bytes[..MAGIC.len()].copy_from_slice(MAGIC);
        header.put(DIMENSIONS, [1i16; 3]);
        header.put(VOXEL_SIZES, [1f32; 3]);
        for k in 0..4 {
            header.put(AFFINE + 20 * k, [1f32]);
        }
        header.bytes[VOXEL_ORDER..VOXEL_ORDER + 3].copy_from_slice(b"RAS");
        header.put(VERSION, [2i32]);
        header.put(HDR_SIZE, [SIZE as i32]);
        header
    }
}

impl TrkHeader {
    /// Number of voxels along each axis.
    pub fn dimensions(&self) -> [i16; 3] {
        self.get(DIMENSIONS)
    }

    /// Edges of a voxel in mm.
    pub fn voxel_sizes(&self) -> [f32; 3] {
        self.get(VOXEL_SIZES)
    }

    /// The field `origin`, which TrackVis does not use.
    pub fn origin(&self) -> [f32; 3] {
        self.get(ORIGIN)
    }

    /// Voxel indices to world coordinates (RAS, mm), centres of voxels to their places; rows of a 4×4 matrix.
    ///
    /// The identity where the file does not record it (version 1, or a last element of 0), as in nibabel.
    pub fn affine(&self) -> [[f32; 4]; 4] {
        let [a, b, c, d] = [0, 16, 32, 48].map(|at| self.get::<f32, 4, 4>(AFFINE + at));
        if self.version() == 1 || d[3] == 0.0 { affine::IDENTITY } else { [a, b, c, d] }
    }

    /// Where the voxel axes point, as in "RAS"; "LPS" where the file does not say, which is TrackVis' default.
    pub fn voxel_order(&self) -> String {
        let field = self.text(VOXEL_ORDER, 4);
        if field.is_empty() { "LPS".to_owned() } else { field.to_ascii_uppercase() }
    }

    /// Version of the format: 1, 2 or 3; what is new in 3 is not looked at.
    pub fn version(&self) -> i32 {
        let [version] = self.get(VERSION);
        version
    }

    /// Byte order of the file.
    pub fn byte_order(&self) -> ByteOrder {
        self.order
    }

    /// Sets the grid: numbers of voxels, their edges in mm, the axes' directions, and voxel indices to world coordinates.
    ///
    /// # Errors
    /// [`Error::Argument`] for a negative dimension, a voxel size that is not finite and positive, a matrix that is not
    /// finite, has no inverse or another last row than 0, 0, 0, 1, and where [`to_world`](Self::to_world) would not be finite, with an inverse;
    /// [`Error::Name`] for an order that does not name each axis once.
    pub fn set_grid(
        &mut self,
        dimensions: [i16; 3],
        voxel_sizes: [f32; 3],
        voxel_order: &str,
        affine: [[f32; 4]; 4],
    ) -> Result<(), Error> {
        if let Some(&n) = dimensions.iter().find(|&&n| n < 0) {
            return Err(scalar("dimensions", f64::from(n), "not negative"));
        }
        if let Some(&size) = voxel_sizes.iter().find(|&&size| !(size > 0.0 && size.is_finite())) {
            return Err(scalar("voxel_sizes", f64::from(size), "finite and positive"));
        }
        let order = voxel_order.to_ascii_uppercase();
        if affine::orientation(&order).is_none() {
            let must = "must name each of the axes L or R, A or P, I or S once";
            return Err(Error::Name { name: voxel_order.to_owned(), must });
        }
        let wrong = |i: usize, must| {
            let value = f64::from(affine.as_flattened()[i]);
            Err(ArgumentError::Value { argument: "affine", index: Some(i), value, must }.into())
        };
        if let Some(i) = affine.as_flattened().iter().position(|x| !x.is_finite()) {
            return wrong(i, "finite");
        }
        if let Some(k) = (0..4).find(|&k| affine[3][k] != affine::IDENTITY[3][k]) {
            return wrong(12 + k, "0, 0, 0, 1 in the last row");
        }
        if affine::directions(&affine).is_none() {
            let must = "not 0, nor as good as 0 beside the columns";
            return Err(scalar("determinant of affine", affine::determinant_of(&affine), must));
        }
        if !affine::leads_back(&affine::trackvis_to_world(&affine, voxel_sizes, dimensions, &order)) {
            let must = "such that affine / voxel_sizes is finite, with an inverse";
            return Err(scalar("voxel_sizes", f64::from(voxel_sizes[0]), must));
        }
        self.put(DIMENSIONS, dimensions);
        self.put(VOXEL_SIZES, voxel_sizes);
        self.bytes[VOXEL_ORDER..VOXEL_ORDER + 4].fill(0);
        self.bytes[VOXEL_ORDER..VOXEL_ORDER + 3].copy_from_slice(order.as_bytes());
        for (k, row) in affine.into_iter().enumerate() {
            self.put(AFFINE + 16 * k, row);
        }
        if self.version() == 1 {
            self.put(VERSION, [2i32]);
        }
        Ok(())
    }

    /// Sets the byte order in which the file is written.
    pub fn set_byte_order(&mut self, order: ByteOrder) {
        if order == self.order {
            return;
        }
        // The fields of numbers, and how many bytes each number has; all else is text.
        for (from, to, size) in [
            (DIMENSIONS, VOXEL_SIZES, 2),
            (VOXEL_SIZES, N_SCALARS, 4),
            (N_SCALARS, SCALAR_NAMES, 2),
            (N_PROPERTIES, PROPERTY_NAMES, 2),
            (AFFINE, AFFINE + 64, 4),
            (956, 980, 4), // image_orientation_patient
            (N_COUNT, SIZE, 4),
        ] {
            self.bytes[from..to].chunks_exact_mut(size).for_each(<[u8]>::reverse);
        }
        self.order = order;
    }

    /// The coordinates that TrackVis keeps (mm from the corner of the first voxel, along the voxel axes) to world
    /// coordinates (RAS, mm); rows of a 4×4 matrix.
    ///
    /// ```text
    /// affine · M(voxel order → order of the affine) · (x / voxel size − ½)
    /// ```
    /// The half voxel is because TrackVis counts from a voxel's corner, and M flips and swaps axes where the voxel order of
    /// the header is not the one that the affine implies. Computed in `f64` and rounded once, as in nibabel's
    /// `get_affine_trackvis_to_rasmm`.
    pub fn to_world(&self) -> Affine {
        affine::trackvis_to_world(&self.affine(), self.voxel_sizes(), self.dimensions(), &self.voxel_order())
    }

    pub(super) fn parse(file: &Path, bytes: Box<[u8; SIZE]>) -> Result<Self, Error> {
        let mut header = Self { bytes, order: ByteOrder::Little };
        let [size] = header.get::<i32, 4, 1>(HDR_SIZE);
        if size != SIZE as i32 {
            header.order = ByteOrder::Big;
            if header.get::<i32, 4, 1>(HDR_SIZE) != [SIZE as i32] {
                return Err(header_error(file, HDR_SIZE, "hdr_size", &size, "1000 in either byte order"));
            }
        }
        let version = header.version();
        if !(1..=3).contains(&version) {
            return Err(header_error(file, VERSION, "version", &version, "1, 2 or 3"));
        }
        for (k, n) in header.dimensions().into_iter().enumerate() {
            if n < 0 {
                return Err(header_error(file, DIMENSIONS + 2 * k, "dim", &n, "not negative"));
            }
        }
        for (k, size) in header.voxel_sizes().into_iter().enumerate() {
            if !(size > 0.0 && size.is_finite()) {
                let must = "finite and positive";
                return Err(header_error(file, VOXEL_SIZES + 4 * k, "voxel_size", &size, must));
            }
        }
        for (at, field) in [(N_SCALARS, "n_scalars"), (N_PROPERTIES, "n_properties")] {
            let [n] = header.get::<i16, 2, 1>(at);
            if n < 0 {
                return Err(header_error(file, at, field, &n, "not negative"));
            }
        }
        let [count] = header.get::<i32, 4, 1>(N_COUNT);
        if count < 0 {
            return Err(header_error(file, N_COUNT, "n_count", &count, "not negative"));
        }
        let order = header.voxel_order();
        if affine::orientation(&order).is_none() {
            let must = "each of the axes L or R, A or P, I or S once";
            return Err(header_error(file, VOXEL_ORDER, "voxel_order", &order, must));
        }
        if affine::directions(&header.affine()).is_none() {
            let shown = format!("{:?}", header.affine());
            return Err(header_error(file, AFFINE, "vox_to_ras", &shown, "finite, with an inverse"));
        }
        if !affine::leads_back(&header.to_world()) {
            let shown = format!("{:?}", header.affine());
            let must = "finite, with an inverse, also divided by the voxel sizes";
            return Err(header_error(file, AFFINE, "vox_to_ras", &shown, must));
        }
        Ok(header)
    }

    pub(super) fn bytes(&self) -> &[u8; SIZE] {
        &self.bytes
    }

    /// Numbers of scalars, of properties, and of streamlines (0: not recorded).
    pub(super) fn counts(&self) -> (usize, usize, usize) {
        let ([scalars], [properties]) =
            (self.get::<i16, 2, 1>(N_SCALARS), self.get::<i16, 2, 1>(N_PROPERTIES));
        let [count] = self.get::<i32, 4, 1>(N_COUNT);
        (scalars.max(0) as usize, properties.max(0) as usize, count.max(0) as usize)
    }

    pub(super) fn set_count(&mut self, count: i32) {
        self.put(N_COUNT, [count]);
    }

    /// Names of the scalars or properties with the number of columns of each, as far as `width` columns have names.
    pub(super) fn names(&self, file: &Path, scalars: bool) -> Result<Vec<(String, usize)>, Error> {
        let (scalar_columns, property_columns, _) = self.counts();
        let (at, field, width) = if scalars {
            (SCALAR_NAMES, "scalar_name", scalar_columns)
        } else {
            (PROPERTY_NAMES, "property_name", property_columns)
        };
        let mut names = Vec::new();
        let mut rest = width;
        for k in 0..if width > 0 { NAMES } else { 0 } {
            let at = at + NAME * k;
            let text = self.text(at, NAME);
            if text.is_empty() {
                continue;
            }
            // "name", or "name\0number of columns" where there are more than one.
            let (name, columns) = text.split_once('\0').unwrap_or((&text, "1"));
            let columns = columns.parse().ok().filter(|&columns| columns > 0 && columns <= rest);
            let Some(columns) = columns else {
                let must = "a name, a NUL, and no more columns than are left";
                return Err(header_error(file, at, field, &text.escape_default(), must));
            };
            rest -= columns;
            names.push((name.to_owned(), columns));
        }
        Ok(names)
    }

    /// Sets the names and the number of columns; leaves the bytes alone where they say the same already.
    pub(super) fn set_columns(&mut self, columns: &Columns, scalars: bool) -> Result<(), Error> {
        let (at, n_at) = if scalars { (SCALAR_NAMES, N_SCALARS) } else { (PROPERTY_NAMES, N_PROPERTIES) };
        let width = i16::try_from(columns.width())
            .map_err(|_| scalar("columns", columns.width() as f64, "at most 32767"))?;
        let same = self.get::<i16, 2, 1>(n_at) == [width]
            && self.names(Path::new(""), scalars).is_ok_and(|names| names == columns.names());
        if same {
            return Ok(());
        }
        if columns.names().len() > NAMES {
            let name = format!("{} names", columns.names().len());
            return Err(Error::Name { name, must: "must be at most 10" });
        }
        let mut field = [0; NAMES * NAME];
        for ((name, columns), to) in columns.names().iter().zip(field.chunks_exact_mut(NAME)) {
            let latin: Option<Vec<u8>> =
                name.chars().map(|c| u8::try_from(c).ok().filter(|&c| c > 0)).collect();
            let mut latin = latin.unwrap_or_default();
            if *columns > 1 && !latin.is_empty() {
                latin.push(0);
                latin.extend(columns.to_string().bytes());
            }
            if latin.is_empty() || latin.len() > NAME {
                let must =
                    "must be 1 to 20 characters of Latin-1, with the number of columns behind a NUL if not 1";
                return Err(Error::Name { name: name.clone(), must });
            }
            to[..latin.len()].copy_from_slice(&latin);
        }
        self.bytes[at..at + field.len()].copy_from_slice(&field);
        self.put(n_at, [width]);
        Ok(())
    }

    /// `K` numbers from byte `at` on.
    fn get<B: Bytes<N>, const N: usize, const K: usize>(&self, at: usize) -> [B; K] {
        let (numbers, _) = self.bytes[at..at + N * K].as_chunks::<N>();
        std::array::from_fn(|k| B::from_order(numbers[k], self.order))
    }

    fn put<B: Bytes<N>, const N: usize, const K: usize>(&mut self, at: usize, numbers: [B; K]) {
        let (places, _) = self.bytes[at..at + N * K].as_chunks_mut::<N>();
        for (place, number) in places.iter_mut().zip(numbers) {
            *place = number.to_order(self.order);
        }
    }

    /// A field of Latin-1 without the zeros behind it.
    fn text(&self, at: usize, length: usize) -> String {
        let field = &self.bytes[at..at + length];
        let end = field.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
        field[..end].iter().map(|&byte| char::from(byte)).collect()
    }
}

fn header_error(
    file: &Path,
    at: usize,
    field: &'static str,
    value: &dyn std::fmt::Display,
    must: &'static str,
) -> Error {
    Error::Header { file: PathBuf::from(file), offset: at as u64, field, value: value.to_string(), must }
}
