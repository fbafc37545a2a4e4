//! Which chains take which operation at which step, so that a batch takes few tensor operations.

use tch::{Device, Tensor};

use super::actions::{Kernel, Tables};
use super::fates::Fates;
use super::upload;
use crate::error::Error;
use crate::operation::Action;
use crate::operation::action::levels;
use crate::operation::spatial::{rotation, shear_x, shear_y};
use crate::operation::vision::posterize_mask;
use crate::wave::Grid;

/// Numbers of an action.
pub(super) const WIDTH: usize = 8;

/// A kernel and the numbers that it reads for one chain.
type Call = (Kernel, [f64; WIDTH]);

/// Chains that take the same kernel at the same step.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Group {
    kernel: Kernel,
    start: i64,
    len: i64,
}

/// The actions of all chains of some images, ordered so that what can be done together lies together.
#[derive(Debug)]
pub(super) struct Schedule {
    groups: Vec<Group>,
    /// Number of the chain for each call, in the order of the groups.
    chains: Vec<i64>,
    numbers: Vec<f64>,
}

impl Schedule {
    /// Of the chains (view, chain, image), the image running fastest; views that are clean have none.
    pub(super) fn new(fates: &[Fates], grid: &Grid) -> Result<Self, Error> {
        let mut steps: Vec<Vec<(Kernel, i64, [f64; WIDTH])>> = Vec::new();
        for (i, fates_of_image) in fates.iter().enumerate() {
            let chains = fates_of_image.views.iter().flatten().flat_map(|fate| &fate.chains);
            for (c, (_, actions)) in chains.enumerate() {
                if steps.len() < actions.len() {
                    steps.resize_with(actions.len(), Vec::new);
                }
                for (step, action) in steps.iter_mut().zip(actions) {
                    let (kernel, numbers) = call(*action, grid)?;
                    step.push((kernel, (c * fates.len() + i) as i64, numbers));
                }
            }
        }
        let mut schedule = Self { groups: Vec::new(), chains: Vec::new(), numbers: Vec::new() };
        for mut step in steps {
            step.sort_by_key(|(kernel, chain, _)| (*kernel, *chain));
            for group in step.chunk_by(|a, b| a.0 == b.0) {
                let (start, len) = (schedule.chains.len() as i64, group.len() as i64);
                schedule.groups.push(Group { kernel: group[0].0, start, len });
                schedule.chains.extend(group.iter().map(|(_, chain, _)| *chain));
                schedule.numbers.extend(group.iter().flat_map(|(_, _, numbers)| *numbers));
            }
        }
        Ok(schedule)
    }

    /// Does everything to `levels` [chains, C, H, W] of 8 bits, in which every chain begins with its image.
    pub(super) fn run(&self, levels: &mut Tensor, tables: &Tables) -> Result<(), Error> {
        let (count, device) = (self.chains.len(), levels.device());
        let chains = upload(&self.chains, &[count], device)?;
        let numbers = upload(&self.numbers, &[count, WIDTH], device)?;
        for Group { kernel, start, len } in &self.groups {
            let (chains, numbers) = (chains.narrow(0, *start, *len), numbers.narrow(0, *start, *len));
            let changed = tables.apply(*kernel, &levels.index_select(0, &chains), &numbers);
            let _ = levels.index_copy_(0, &chains, &changed);
        }
        Ok(())
    }
}

/// Reflections and movements of the images, [n, 8] on a device, for [`Kernel::Move`].
pub(super) fn base(fates: &[Fates], width: usize, device: Device) -> Result<Tensor, Error> {
    let mut numbers = Vec::with_capacity(fates.len() * WIDTH);
    for fates in fates {
        let [x, y] = fates.base.shift;
        let mut row = translation(x, y);
        if fates.base.flip {
            // Column x + s is column W − 1 − (x + s) of the image itself.
            (row[0], row[2]) = (-1.0, (width as i64).saturating_sub(x) as f64);
        }
        numbers.extend(row);
    }
    upload(&numbers, &[fates.len(), WIDTH], device)
}

fn translation(x: i64, y: i64) -> [f64; WIDTH] {
    padded([1.0, 0.0, x as f64, 0.0, 1.0, y as f64])
}

fn padded<const N: usize>(numbers: [f64; N]) -> [f64; WIDTH] {
    let mut row = [0.0; WIDTH];
    row.iter_mut().zip(numbers).for_each(|(to, from)| *to = from);
    row
}

fn call(action: Action, grid: &Grid) -> Result<Call, Error> {
    let (height, width) = (grid.height(), grid.width());
    Ok(match action {
        Action::Rotate(degrees) => (Kernel::Affine, padded(rotation(degrees, height, width))),
        Action::ShearX(s) => (Kernel::Affine, padded(shear_x(s))),
        Action::ShearY(s) => (Kernel::Affine, padded(shear_y(s))),
        Action::TranslateX(pixels) => (Kernel::Move, translation(pixels, 0)),
        Action::TranslateY(pixels) => (Kernel::Move, translation(0, pixels)),
        Action::Autocontrast => (Kernel::Autocontrast, padded([])),
        Action::Equalize => (Kernel::Equalize, padded([])),
        Action::Posterize(bits) => (Kernel::Posterize, padded([f64::from(posterize_mask(bits))])),
        Action::Solarize(threshold) => (Kernel::Solarize, padded([f64::from(threshold.min(256))])),
        Action::Brightness(factor) => (Kernel::Brightness, padded([f64::from(factor)])),
        Action::Color(factor) => (Kernel::Color, padded([f64::from(factor)])),
        Action::Contrast(factor) => (Kernel::Contrast, padded([f64::from(factor)])),
        Action::Sharpness(factor) => (Kernel::Sharpness, padded([f64::from(factor)])),
        Action::Wave(wave) => {
            let amplitude = levels(grid, &wave)?;
            let [y, x, cos, sin, amplitude] = super::waves::numbers(wave.vector, wave.phase, amplitude);
            let [r, g, b] = wave.flipped.map(|flipped| if flipped { -1.0 } else { 1.0 });
            (Kernel::Wave, [y, x, cos, sin, amplitude, r, g, b])
        }
    })
}
