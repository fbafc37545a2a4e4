//! The tracts and their names.

use std::fmt;
use std::str::FromStr;

use crate::Error;

/// A tract that [`Phantom`](crate::Phantom) can make, under TractoInferno's names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Tract {
    /// Middle cerebellar peduncle: a U around the pons, from one half of the cerebellum to the other.
    Mcp,
    /// Frontopontine tract, left: frontal cortex to pons.
    FptL,
    /// Frontopontine tract, right.
    FptR,
    /// Inferior longitudinal fasciculus, left: occipital to temporal lobe.
    IlfL,
    /// Inferior longitudinal fasciculus, right.
    IlfR,
    /// Inferior fronto-occipital fasciculus, left: the length of the hemisphere.
    IfofL,
    /// Inferior fronto-occipital fasciculus, right.
    IfofR,
    /// Parieto-occipito-pontine tract, left.
    PoptL,
    /// Parieto-occipito-pontine tract, right.
    PoptR,
    /// Pyramidal tract, left: motor cortex to medulla.
    PytL,
    /// Pyramidal tract, right.
    PytR,
    /// First frontal part of the corpus callosum: from one frontal lobe through the genu to the other.
    CcFr1,
    /// Arcuate fasciculus, left: an arch from temporal to frontal lobe; not one of the paper's.
    AfL,
    /// Arcuate fasciculus, right; not one of the paper's.
    AfR,
}

impl Tract {
    /// All, those of the paper first.
    pub const ALL: [Self; 14] = [
        Self::Mcp,
        Self::FptL,
        Self::FptR,
        Self::IlfL,
        Self::IlfR,
        Self::IfofL,
        Self::IfofR,
        Self::PoptL,
        Self::PoptR,
        Self::PytL,
        Self::PytR,
        Self::CcFr1,
        Self::AfL,
        Self::AfR,
    ];

    /// The twelve tracts of paper vq-diff.
    pub const PAPER: [Self; 12] = {
        // Evaluated by the compiler: there are more than twelve.
        *Self::ALL.first_chunk().expect("twelve tracts")
    };

    /// TractoInferno's name, as in "IFOF_L".
    pub fn name(self) -> &'static str {
        match self {
            Self::Mcp => "MCP",
            Self::FptL => "FPT_L",
            Self::FptR => "FPT_R",
            Self::IlfL => "ILF_L",
            Self::IlfR => "ILF_R",
            Self::IfofL => "IFOF_L",
            Self::IfofR => "IFOF_R",
            Self::PoptL => "POPT_L",
            Self::PoptR => "POPT_R",
            Self::PytL => "PYT_L",
            Self::PytR => "PYT_R",
            Self::CcFr1 => "CC_Fr_1",
            Self::AfL => "AF_L",
            Self::AfR => "AF_R",
        }
    }

    /// The same tract of the other hemisphere; itself where it crosses the midline.
    ///
    /// ```
    /// use variata_streamlines::Tract;
    ///
    /// assert_eq!(Tract::IlfL.mirrored(), Tract::IlfR);
    /// assert_eq!(Tract::Mcp.mirrored(), Tract::Mcp);
    /// ```
    #[must_use]
    pub fn mirrored(self) -> Self {
        match self {
            Self::FptL => Self::FptR,
            Self::FptR => Self::FptL,
            Self::IlfL => Self::IlfR,
            Self::IlfR => Self::IlfL,
            Self::IfofL => Self::IfofR,
            Self::IfofR => Self::IfofL,
            Self::PoptL => Self::PoptR,
            Self::PoptR => Self::PoptL,
            Self::PytL => Self::PytR,
            Self::PytR => Self::PytL,
            Self::AfL => Self::AfR,
            Self::AfR => Self::AfL,
            Self::Mcp | Self::CcFr1 => self,
        }
    }
}

/// The tract of a name, or [`Error::UnknownTract`], which lists the names.
///
/// ```
/// use variata_streamlines::Tract;
///
/// assert_eq!("CC_Fr_1".parse::<Tract>()?, Tract::CcFr1);
/// assert!("XX".parse::<Tract>().is_err());
/// # Ok::<(), variata_streamlines::Error>(())
/// ```
impl FromStr for Tract {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self, Error> {
        Self::ALL.into_iter().find(|tract| tract.name() == name).ok_or_else(|| Error::UnknownTract {
            name: name.to_owned(),
            known: Self::ALL.map(Self::name).join(", "),
        })
    }
}

impl fmt::Display for Tract {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
