//! The paper's numbers, in percent.

use anyhow::Result;
use variata_fourier_aug::AugmentationSet;
use variata_report::{Cell, Column, Digits, Table};

/// Table 1: data, metric, and a value for each of the seven sets.
const TABLE_1: [(&str, &str, [f64; 7]); 8] = [
    ("CIFAR-10", "error", [5.7, 6.3, 5.6, 5.9, 5.1, 5.1, 5.2]),
    ("CIFAR-10", "RMS calibration", [7.4, 7.2, 5.4, 5.4, 3.6, 4.2, 3.3]),
    ("CIFAR-10-C", "error", [27.0, 18.1, 15.2, 11.6, 10.9, 10.9, 9.9]),
    ("CIFAR-10-C", "RMS calibration", [23.6, 16.0, 12.2, 9.8, 7.6, 8.4, 6.7]),
    ("CIFAR-100", "error", [25.5, 27.8, 26.7, 27.5, 24.2, 23.5, 24.9]),
    ("CIFAR-100", "RMS calibration", [15.9, 14.7, 12.6, 12.4, 7.4, 7.9, 7.0]),
    ("CIFAR-100-C", "error", [53.6, 46.4, 42.0, 38.6, 36.3, 35.5, 34.8]),
    ("CIFAR-100-C", "RMS calibration", [33.7, 25.2, 21.3, 18.0, 13.8, 14.5, 12.1]),
];

/// Table 2: data, norm, then mean and largest error of Base, AugSV and AugSVF, and the same of the calibration error.
const TABLE_2: [(&str, u8, [[f64; 2]; 3], [[f64; 2]; 3]); 8] = [
    ("CIFAR-10", 1, [[24., 83.], [12., 38.], [6., 8.]], [[22., 70.], [8., 28.], [5., 6.]]),
    ("CIFAR-10", 2, [[46., 88.], [28., 83.], [9., 15.]], [[38., 86.], [19., 73.], [6., 11.]]),
    ("CIFAR-10", 3, [[60., 90.], [42., 89.], [13., 27.]], [[48., 89.], [29., 79.], [9., 20.]]),
    ("CIFAR-10", 4, [[68., 90.], [53., 90.], [19., 44.]], [[54., 90.], [37., 78.], [13., 32.]]),
    ("CIFAR-100", 1, [[55., 92.], [39., 69.], [27., 29.]], [[34., 66.], [16., 43.], [8., 10.]]),
    ("CIFAR-100", 2, [[74., 98.], [58., 95.], [31., 40.]], [[50., 91.], [30., 82.], [11., 16.]]),
    ("CIFAR-100", 3, [[83., 99.], [70., 98.], [36., 55.]], [[58., 97.], [43., 94.], [14., 26.]]),
    ("CIFAR-100", 4, [[88., 99.], [78., 99.], [43., 69.]], [[62., 98.], [52., 96.], [17., 38.]]),
];

pub(super) fn table_1() -> Result<Table> {
    let sets = AugmentationSet::ALL.map(|set| Column::number(set.name(), Digits::Decimals(1)).of_paper());
    let columns = [Column::text("data"), Column::text("percent")].into_iter().chain(sets).collect();
    let mut table = Table::new("paper-1", "The paper's table 1: means of four seeds.", columns);
    for (data, metric, values) in TABLE_1 {
        let values = values.map(Cell::Number);
        table.row([data.into(), metric.into()].into_iter().chain(values).collect())?;
    }
    Ok(table)
}

pub(super) fn table_2() -> Result<Table> {
    let mut columns = vec![Column::text("data"), Column::text("norm"), Column::text("percent")];
    for set in ["Base", "AugSV", "AugSVF"] {
        columns.push(Column::text(set));
    }
    let mut table = Table::new("paper-2", "The paper's table 2: mean (largest) over waves.", columns);
    for (data, norm, errors, calibration) in TABLE_2 {
        for (metric, values) in [("error", errors), ("RMS calibration", calibration)] {
            let values = values.map(|[mean, max]| Cell::from(format!("{mean} ({max})")));
            let first = [data.into(), norm.to_string().into(), metric.into()];
            table.row(first.into_iter().chain(values).collect())?;
        }
    }
    Ok(table)
}
