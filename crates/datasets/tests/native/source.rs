//! Data sets by name.

use std::path::{Path, PathBuf};

use variata_datasets::{
    Error, FASHION_MNIST_FOLDER, FASHION_MNIST_PACKAGE, ImageFolderOptions, Source, Unreadable,
};

#[test]
fn names_are_read_and_written_back() {
    for (text, source) in [
        ("digits", Source::Digits(8)),
        ("digits:28", Source::Digits(28)),
        ("faces", Source::Faces(32)),
        ("faces:64", Source::Faces(64)),
        ("fashion-mnist", Source::FashionMnist(None)),
        ("fashion-mnist:a/b", Source::FashionMnist(Some("a/b".into()))),
        ("mnist:C:\\data", Source::Mnist("C:\\data".into())),
        ("cifar10:a/b", Source::Cifar10("a/b".into())),
        ("cifar100:a/b", Source::Cifar100("a/b".into())),
        ("some/folder", Source::Folder(PathBuf::from("some/folder"))),
        ("C:\\data", Source::Folder("C:\\data".into())),
    ] {
        assert_eq!(text.parse::<Source>().unwrap(), source);
        assert_eq!(source.to_string(), text);
    }
}

#[test]
fn names_without_a_folder_are_refused() {
    for text in
        ["", "mnist", "mnist:", "fashion-mnist:", "faces:", "faces:big", "digits:", "digits:big", "digits:-8"]
    {
        let error = Source::parse(text).unwrap_err();
        assert!(matches!(error, Error::Argument { argument: "source", .. }), "{text}: {error:?}");
        assert!(error.to_string().contains("mnist:DIR"), "{error}");
    }
}

#[test]
fn a_folder_that_is_not_there_says_what_is_known() {
    for text in ["mnist:no-such-folder", "fashion-mnist:no-such-folder", "no-such-folder"] {
        let error = Source::parse(text).unwrap().load().unwrap_err();
        assert!(
            matches!(&error, Error::NotFound { path, .. } if path == Path::new("no-such-folder")),
            "{error:?}"
        );
    }
    let error = Source::parse("digitz").unwrap().load().unwrap_err().to_string();
    assert!(error.contains("`digits`"), "{error}");
}

#[test]
fn fashion_mnist_is_read_or_the_error_says_what_to_install() {
    match Source::FashionMnist(None).load() {
        Ok(data) => {
            assert_eq!(data.images().shape(), [70_000, 1, 28, 28]);
            assert_eq!((data.classes(), data.official_test()), (10, Some(60_000..70_000)));
            assert_eq!(data.class_names()[9], "Ankle boot");
            let mut counts = [0; 10];
            for &label in data.labels() {
                counts[label as usize] += 1;
            }
            assert_eq!(counts, [7000; 10]);
            assert_eq!(data.checksum().to_string(), FASHION_MNIST_CHECKSUM);
        }
        Err(error) => {
            assert!(
                matches!(&error, Error::NotFound { path, .. } if path == Path::new(FASHION_MNIST_FOLDER))
            );
            assert!(
                error.to_string().contains(&format!("apt-get install {FASHION_MNIST_PACKAGE}")),
                "{error}"
            );
        }
    }
}

/// Computed by Python's hashlib over the same canonical bytes.
const FASHION_MNIST_CHECKSUM: &str = "cda70d090eccc312a8f7afb8bf9df213e382474fed8cd32d5957d6fe6e3bd204";

#[test]
fn a_folder_of_images_is_read_as_the_options_say() {
    let folder = tempfile::tempdir().unwrap();
    image::GrayImage::from_pixel(32, 16, image::Luma([7])).save(folder.path().join("a.png")).unwrap();
    let source = Source::Folder(folder.path().to_path_buf());
    assert_eq!(source.load().unwrap().images().shape(), [1, 3, 64, 64]);
    let options = ImageFolderOptions { height: 8, width: 4, grayscale: true, unreadable: Unreadable::Skip };
    std::fs::write(folder.path().join("b.png"), "no image").unwrap();
    let found = source.load_with(&options).unwrap();
    assert_eq!((found.dataset.images().shape(), found.skipped.len()), (&[1, 1, 8, 4][..], 1));
    // IDX files come first, and an error about them is an error.
    std::fs::write(folder.path().join("train-images-idx3-ubyte"), "no images").unwrap();
    assert!(matches!(source.load(), Err(Error::NotFound { .. })));
}
