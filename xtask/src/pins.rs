//! Every version, hash and platform of what set-up fetches: change libtorch here and nowhere else.
//!
//! `tch` and `torch-sys` in the root manifest belong to the same version of libtorch. The hashes are those
//! of the package index, as `pip install --dry-run --report` gives them. The wheels are those of one CPython
//! version whatever Python runs pip, so that each platform has one hash: libtorch does not depend on it.

/// Version of libtorch.
pub(crate) const TORCH: &str = "2.11.0";
/// Version of the MPI library.
pub(crate) const MPICH: &str = "5.0.2";
/// Version of libclang, with which the binding to MPI is made.
const LIBCLANG: &str = "18.1.1";
/// Version of mdBook that `docs` installs when there is none.
pub(crate) const MDBOOK: &str = "0.5.4";
/// Version of cargo-deny that the long run of `package` installs when there is none.
pub(crate) const CARGO_DENY: &str = "0.20.2";

/// One wheel: name, version, SHA-256.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wheel {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) sha256: String,
}

/// What set-up fetches, each into a folder of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kit {
    /// libtorch.
    Libtorch,
    /// An MPI library with its launcher, and libclang.
    Mpi,
}

impl Kit {
    /// As in messages and in the folder's name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Libtorch => "libtorch",
            Self::Mpi => "mpi",
        }
    }

    /// Name of the link in the workspace.
    pub(crate) fn link(self) -> &'static str {
        match self {
            Self::Libtorch => ".libtorch",
            Self::Mpi => ".mpi",
        }
    }
}

/// What one unpacked folder is made of.
#[derive(Debug, Clone)]
pub(crate) struct Pins {
    pub(crate) kit: Kit,
    /// Version of the library; the one that the unpacked `torch/version.py` must show.
    pub(crate) version: String,
    /// As in `linux-x86_64`; part of the folder's name.
    pub(crate) platform: &'static str,
    /// As in `cpu` or `cuda`; part of the folder's name.
    pub(crate) flavour: &'static str,
    /// Platform tags that pip may choose from, best first.
    pub(crate) tags: Vec<String>,
    pub(crate) wheels: Vec<Wheel>,
    /// Size of the download in MB, for the progress line.
    pub(crate) download_mb: u64,
    /// Free space to ask for in MB: the wheels, what they unpack to, and a little.
    pub(crate) needed_mb: u64,
}

/// A platform that libtorch is published for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Platform {
    LinuxX86_64,
    LinuxAarch64,
    MacosArm64,
}

impl Platform {
    /// The platform this program runs on.
    pub(crate) fn current() -> Option<Self> {
        match (std::env::consts::OS, std::env::consts::ARCH) {
            ("linux", "x86_64") => Some(Self::LinuxX86_64),
            ("linux", "aarch64") => Some(Self::LinuxAarch64),
            ("macos", "aarch64") => Some(Self::MacosArm64),
            _ => None,
        }
    }

    /// The pins of this platform; `None` where it has no CUDA.
    pub(crate) fn pins(self, cuda: bool) -> Option<Pins> {
        let (platform, torch, cpu, gpu) = match self {
            Self::LinuxX86_64 => ("linux-x86_64", TORCH_X86_64, X86_64_CPU, Some(X86_64_CUDA)),
            Self::LinuxAarch64 => ("linux-aarch64", TORCH_AARCH64, AARCH64_CPU, Some(AARCH64_CUDA)),
            Self::MacosArm64 => ("macos-arm64", TORCH_MACOS, &[][..], None),
        };
        let extra = if cuda { gpu? } else { &[] };
        let torch = ("torch", TORCH, torch);
        let wheels = std::iter::once(&torch).chain(cpu).chain(extra);
        let (download_mb, needed_mb) = match (self, cuda) {
            (Self::MacosArm64, _) => (85, 700),
            (_, false) => (545, 2_000),
            (_, true) => (2_400, 7_000),
        };
        Some(Pins {
            kit: Kit::Libtorch,
            version: TORCH.to_owned(),
            platform,
            flavour: if cuda { "cuda" } else { "cpu" },
            tags: self.tags(),
            wheels: wheels.map(Wheel::of).collect(),
            download_mb,
            needed_mb,
        })
    }

    /// The pins of an MPI library.
    pub(crate) fn mpi(self) -> Pins {
        let (platform, mpich, libclang) = match self {
            Self::LinuxX86_64 => ("linux-x86_64", MPICH_X86_64, LIBCLANG_X86_64),
            Self::LinuxAarch64 => ("linux-aarch64", MPICH_AARCH64, LIBCLANG_AARCH64),
            Self::MacosArm64 => ("macos-arm64", MPICH_MACOS, LIBCLANG_MACOS),
        };
        Pins {
            kit: Kit::Mpi,
            version: MPICH.to_owned(),
            platform,
            flavour: "mpich",
            tags: self.tags(),
            wheels: [("mpich", MPICH, mpich), ("libclang", LIBCLANG, libclang)]
                .iter()
                .map(Wheel::of)
                .collect(),
            download_mb: 38,
            needed_mb: 300,
        }
    }

    fn tags(self) -> Vec<String> {
        let arch = match self {
            Self::LinuxX86_64 => "x86_64",
            Self::LinuxAarch64 => "aarch64",
            Self::MacosArm64 => return vec!["macosx_11_0_arm64".to_owned()],
        };
        // An explicit tag stands for itself only, and the wheels carry many different ones.
        let numbered = (5..=28).rev().map(|minor| format!("manylinux_2_{minor}_{arch}"));
        numbered
            .chain(["manylinux2014", "manylinux2010", "manylinux1"].map(|t| format!("{t}_{arch}")))
            .collect()
    }
}

impl Pins {
    /// As in messages.
    pub(crate) fn label(&self) -> String {
        format!("{} {} ({}, {})", self.kit.name(), self.version, self.platform, self.flavour)
    }

    /// Name of the unpacked folder in the cache.
    pub(crate) fn folder(&self) -> String {
        format!("{}-{}-{}-{}", self.kit.name(), self.version, self.platform, self.flavour)
    }

    /// Requirements file for `pip --require-hashes`; also the text of the marker of a complete folder, so
    /// that changed pins make an old folder incomplete.
    pub(crate) fn requirements(&self) -> String {
        let lines =
            self.wheels.iter().map(|w| format!("{}=={} --hash=sha256:{}", w.name, w.version, w.sha256));
        lines.collect::<Vec<_>>().join("\n") + "\n"
    }
}

impl Wheel {
    fn of(&(name, version, sha256): &Row) -> Self {
        Self { name: name.to_owned(), version: version.to_owned(), sha256: sha256.to_owned() }
    }
}

/// (name, version, SHA-256)
type Row = (&'static str, &'static str, &'static str);

const TORCH_X86_64: &str = "7aa2f9bbc6d4595ba72138026b2074be1233186150e9292865e04b7a63b8c67a";
const TORCH_AARCH64: &str = "d91aac77f24082809d2c5a93f52a5f085032740a1ebc9252a7b052ef5a4fddc6";
const TORCH_MACOS: &str = "7b6a60d48062809f58595509c524b88e6ddec3ebe25833d6462eeab81e5f2ce4";

const MPICH_X86_64: &str = "8fed465ebff269ea2ebac179a25de02671ddf8df476e0f115be089015015cfd4";
const MPICH_AARCH64: &str = "992ae6ebb0da97d49d7a67000ae8112da9a3825da1bb1e6f1d196428a0410f2d";
const MPICH_MACOS: &str = "fa6611d3efa2d5a5f624976458d25988bfd5626afc09402f662ff0defbb45cd4";
const LIBCLANG_X86_64: &str = "c533091d8a3bbf7460a00cb6c1a71da93bffe148f172c7d03b1c31fbf8aa2a0b";
const LIBCLANG_AARCH64: &str = "54dda940a4a0491a9d1532bf071ea3ef26e6dbaf03b5000ed94dd7174e8f9592";
const LIBCLANG_MACOS: &str = "0b2e143f0fac830156feb56f9231ff8338c20aecfe72b4ffe96f19e5a1dbb69a";

// libtorch_cpu.so of the published wheel needs these two even where there is no GPU.
const X86_64_CPU: &[Row] = &[
    ("nvidia-cuda-runtime", "13.0.96", "7f82250d7782aa23b6cfe765ecc7db554bd3c2870c43f3d1821f1d18aebf0548"),
    ("nvidia-cuda-cupti", "13.0.85", "4eb01c08e859bf924d222250d2e8f8b8ff6d3db4721288cf35d14252a4d933c8"),
];

// What libtorch_cuda.so and libtorch_cuda_linalg.so need besides, at the versions that the torch wheel asks for.
const X86_64_CUDA: &[Row] = &[
    ("nvidia-cudnn-cu13", "9.19.0.56", "d20e1734305e9d68889a96e3f35094d733ff1f83932ebe462753973e53a572bf"),
    ("nvidia-cusparselt-cu13", "0.8.0", "25e30a8a7323935d4ad0340b95a0b69926eee755767e8e0b1cf8dd85b197d3fd"),
    ("nvidia-nccl-cu13", "2.28.9", "e4553a30f34195f3fa1da02a6da3d6337d28f2003943aa0a3d247bbc25fefc42"),
    ("nvidia-nvshmem-cu13", "3.4.5", "290f0a2ee94c9f3687a02502f3b9299a9f9fe826e6d0287ee18482e78d495b80"),
    ("nvidia-cublas", "13.1.0.3", "ee8722c1f0145ab246bccb9e452153b5e0515fd094c3678df50b2a0888b8b171"),
    ("nvidia-cuda-nvrtc", "13.0.88", "ad9b6d2ead2435f11cbb6868809d2adeeee302e9bb94bcf0539c7a40d80e8575"),
    ("nvidia-cufft", "12.0.0.61", "6c44f692dce8fd5ffd3e3df134b6cdb9c2f72d99cf40b62c32dde45eea9ddad3"),
    ("nvidia-cufile", "1.15.1.6", "08a3ecefae5a01c7f5117351c64f17c7c62efa5fffdbe24fc7d298da19cd0b44"),
    ("nvidia-curand", "10.4.0.35", "1aee33a5da6e1db083fe2b90082def8915f30f3248d5896bcec36a579d941bfc"),
    ("nvidia-cusolver", "12.0.4.66", "0a759da5dea5c0ea10fd307de75cdeb59e7ea4fcb8add0924859b944babf1112"),
    ("nvidia-cusparse", "12.6.3.3", "2b3c89c88d01ee0e477cb7f82ef60a11a4bcd57b6b87c33f789350b59759360b"),
    ("nvidia-nvjitlink", "13.0.88", "13a74f429e23b921c1109976abefacc69835f2f433ebd323d3946e11d804e47b"),
    ("nvidia-nvtx", "13.0.85", "4936d1d6780fbe68db454f5e72a42ff64d1fd6397df9f363ae786930fd5c1cd4"),
];

const AARCH64_CPU: &[Row] = &[
    ("nvidia-cuda-runtime", "13.0.96", "ef9bcbe90493a2b9d810e43d249adb3d02e98dd30200d86607d8d02687c43f55"),
    ("nvidia-cuda-cupti", "13.0.85", "796bd679890ee55fb14a94629b698b6db54bcfd833d391d5e94017dd9d7d3151"),
];

const AARCH64_CUDA: &[Row] = &[
    ("nvidia-cudnn-cu13", "9.19.0.56", "6ed29ffaee1176c612daf442e4dd6cfeb6a0caa43ddcbeb59da94953030b1be4"),
    ("nvidia-cusparselt-cu13", "0.8.0", "400c6ed1cf6780fc6efedd64ec9f1345871767e6a1a0a552a1ea0578117ea77c"),
    ("nvidia-nccl-cu13", "2.28.9", "01c873ba1626b54caa12272ed228dc5b2781545e0ae8ba3f432a8ef1c6d78643"),
    ("nvidia-nvshmem-cu13", "3.4.5", "6dc2a197f38e5d0376ad52cd1a2a3617d3cdc150fd5966f4aee9bcebb1d68fe9"),
    ("nvidia-cublas", "13.1.0.3", "c86fc7f7ae36d7528288c5d88098edcb7b02c633d262e7ddbb86b0ad91be5df2"),
    ("nvidia-cuda-nvrtc", "13.0.88", "d27f20a0ca67a4bb34268a5e951033496c5b74870b868bacd046b1b8e0c3267b"),
    ("nvidia-cufft", "12.0.0.61", "2708c852ef8cd89d1d2068bdbece0aa188813a0c934db3779b9b1faa8442e5f5"),
    ("nvidia-cufile", "1.15.1.6", "bdc0deedc61f548bddf7733bdc216456c2fdb101d020e1ab4b88d232d5e2f6d1"),
    ("nvidia-curand", "10.4.0.35", "133df5a7509c3e292aaa2b477afd0194f06ce4ea24d714d616ff36439cee349a"),
    ("nvidia-cusolver", "12.0.4.66", "02c2457eaa9e39de20f880f4bd8820e6a1cfb9f9a34f820eb12a155aa5bc92d2"),
    ("nvidia-cusparse", "12.6.3.3", "80bcc4662f23f1054ee334a15c72b8940402975e0eab63178fc7e670aa59472c"),
    ("nvidia-nvjitlink", "13.0.88", "e931536ccc7d467a98ba1d8b89ff7fa7f1fa3b13f2b0069118cd7f47bff07d0c"),
    ("nvidia-nvtx", "13.0.85", "cb7780edb6b14107373c835bf8b72e7a178bac7367e23da7acb108f973f157a6"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pin_is_a_whole_hash_and_cuda_contains_cpu() {
        for platform in [Platform::LinuxX86_64, Platform::LinuxAarch64, Platform::MacosArm64] {
            let cpu = platform.pins(false).unwrap();
            let all = platform.pins(true);
            assert_eq!(all.is_none(), platform == Platform::MacosArm64);
            for wheel in
                all.iter().flat_map(|pins| &pins.wheels).chain(&cpu.wheels).chain(&platform.mpi().wheels)
            {
                assert_eq!(wheel.sha256.len(), 64, "{wheel:?}");
                assert!(wheel.sha256.chars().all(|c| c.is_ascii_hexdigit()), "{wheel:?}");
            }
            if let Some(all) = all {
                assert!(cpu.wheels.iter().all(|wheel| all.wheels.contains(wheel)));
                assert_ne!(cpu.folder(), all.folder());
            }
        }
    }

    /// The binding and the library are released together: one changed without the other does not link.
    #[test]
    fn the_root_manifest_pins_the_binding_of_this_libtorch() {
        let manifest = std::fs::read_to_string(crate::places::root().join("Cargo.toml")).unwrap();
        assert_eq!(TORCH, "2.11.0");
        assert!(manifest.contains("\ntch = \"=0.24.0\"\ntorch-sys = \"=0.24.0\"\n"));
    }
}
