//! Codebooks in files.

#[cfg(feature = "serde")]
#[test]
fn through_serde_to_the_bit() {
    use crate::support::normal;
    use variata_quantize::{Codebook, Ema, Fsq, Metric, Smoothing, Usage};

    for metric in [Metric::SquaredEuclidean, Metric::Cosine] {
        let codebook = Codebook::new(normal(7, 3, 1), metric).unwrap();
        let text = serde_json::to_string(&codebook).unwrap();
        assert_eq!(serde_json::from_str::<Codebook<f64>>(&text).unwrap(), codebook);
        let ema = Ema::new(&codebook, 0.9, Smoothing::Laplace(1e-5)).unwrap();
        let text = serde_json::to_string(&ema).unwrap();
        assert_eq!(serde_json::from_str::<Ema>(&text).unwrap(), ema);
    }
    let bad = r#"{"decay":0.9,"smoothing":"None","sizes":{"v":1,"dim":[2],"data":[1.0,1.0]},"sums":{"v":1,"dim":[1,1],"data":[1.0]}}"#;
    assert!(serde_json::from_str::<Ema>(bad).unwrap_err().to_string().contains("sizes"));
    let usage = Usage::new(4).unwrap();
    assert_eq!(serde_json::from_str::<Usage>(&serde_json::to_string(&usage).unwrap()).unwrap(), usage);
    let fsq = Fsq::new(vec![8, 5]).unwrap();
    assert_eq!(serde_json::from_str::<Fsq>(&serde_json::to_string(&fsq).unwrap()).unwrap(), fsq);
    let bad = r#"{"metric":"Cosine","codes":{"v":1,"dim":[1,2],"data":[0.0,0.0]}}"#;
    assert!(serde_json::from_str::<Codebook<f64>>(bad).unwrap_err().to_string().contains("row 0"));
    assert!(serde_json::from_str::<Fsq>("[1]").is_err());
}

#[cfg(feature = "serde")]
#[test]
fn what_is_made_of_codebooks_comes_back_too() {
    use crate::support::normal;
    use ndarray::array;
    use variata_quantize::{
        Clusters, Codebook, Estimator, GumbelSoftmax, Heads, Metric, Residual, Revival, SoftUsage,
        UsageWindow,
    };

    fn again<V: serde::Serialize + serde::de::DeserializeOwned>(value: &V) -> V {
        serde_json::from_str(&serde_json::to_string(value).unwrap()).unwrap()
    }
    fn refused<V: serde::de::DeserializeOwned + std::fmt::Debug>(text: &str, why: &str) {
        let told = serde_json::from_str::<V>(text).unwrap_err().to_string();
        assert!(told.contains(why), "{told}");
    }
    let (a, b) = (normal(7, 3, 1), normal(5, 3, 2));
    let books = [a, b].map(|codes| Codebook::new(codes, Metric::SquaredEuclidean).unwrap());
    let heads = Heads::new(books.to_vec()).unwrap();
    assert_eq!(again(&heads), heads);
    let residual = Residual::new(books.to_vec()).unwrap();
    assert_eq!(again(&residual), residual);
    refused::<Heads<f64>>("[]", "books");
    refused::<Residual<f64>>("[]", "stages");

    let mut clusters = Clusters::new(&books[0]);
    clusters.add(&books[0], &normal(9, 3, 3), &array![0, 1, 2, 3, 4, 5, 6, 0, 1]).unwrap();
    assert_eq!(again(&clusters), clusters);
    let text = serde_json::to_string(&clusters).unwrap();
    refused::<Clusters>(&text.replacen("2.0", "-2.0", 1), "sizes");

    let mut window = UsageWindow::new(3, 2).unwrap();
    for indices in [array![0, 1], array![0, 2], array![0, 2]] {
        window.push(&indices).unwrap();
    }
    let mut read = again(&window);
    assert_eq!(read, window);
    // It goes on as the other does.
    assert_eq!(read.push(&array![1]).unwrap(), window.push(&array![1]).unwrap());
    assert_eq!(read, window);
    let text = serde_json::to_string(&window).unwrap();
    refused::<UsageWindow>(&text.replacen("\"batches\":2", "\"batches\":1", 1), "batches");
    refused::<UsageWindow>(
        &text.replacen("\"recent\":{\"counts\":[1", "\"recent\":{\"counts\":[9", 1),
        "recent",
    );

    // Counts that stopped at the largest number.
    let most = format!(r#"{{"counts":[{}]}}"#, u64::MAX);
    let text = format!(r#"{{"batches":2,"last":[{most},{most}],"recent":{most},"epoch":{most}}}"#);
    let mut full: UsageWindow = serde_json::from_str(&text).unwrap();
    for _ in 0..3 {
        full.push(&array![0, 0]).unwrap();
    }
    assert_eq!(full.recent().counts(), [4]);

    for estimator in [Estimator::StraightThrough, Estimator::Rotation] {
        assert_eq!(again(&estimator), estimator);
    }
    for revival in [Revival::Batch, Revival::Farthest, Revival::Split { spread: 0.01 }] {
        assert_eq!(again(&revival), revival);
    }

    let usage = GumbelSoftmax::default().usage(&books[0], &normal(9, 3, 3)).unwrap();
    assert_eq!(again::<SoftUsage>(&usage), usage);
    for wrong in [
        r#"{"rows":3,"weights":{"v":1,"dim":[2],"data":[7.0,-3.0]},"row_entropy":0.1,"mean_entropy":0.2}"#,
        r#"{"rows":3,"weights":{"v":1,"dim":[2],"data":[0.5,0.6]},"row_entropy":0.1,"mean_entropy":0.2}"#,
        r#"{"rows":3,"weights":{"v":1,"dim":[2],"data":[0.5,0.5]},"row_entropy":-0.1,"mean_entropy":0.2}"#,
        r#"{"rows":0,"weights":{"v":1,"dim":[2],"data":[0.5,0.5]},"row_entropy":0.1,"mean_entropy":0.2}"#,
    ] {
        let error = serde_json::from_str::<SoftUsage>(wrong).unwrap_err().to_string();
        assert!(error.contains("must be"), "{error}");
    }
    let sums = r#"{"sizes":{"v":1,"dim":[1],"data":[0.0]},"sums":{"v":1,"dim":[1,1],"data":[5.0]}}"#;
    let error = serde_json::from_str::<Clusters>(sums).unwrap_err().to_string();
    assert!(error.contains("`sums`"), "{error}");
}

#[cfg(feature = "safetensors")]
mod safetensors {
    use variata_quantize::{Codebook, Error, Metric};

    use crate::support::{normal, single};

    #[test]
    fn come_back_to_the_bit() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("codes.safetensors");
        for metric in [Metric::SquaredEuclidean, Metric::Cosine] {
            let codebook = Codebook::new(normal(9, 4, 1), metric).unwrap();
            codebook.save(&path).unwrap();
            assert_eq!(Codebook::<f64>::load(&path).unwrap(), codebook);
            assert!(matches!(Codebook::<f32>::load(&path), Err(Error::File { .. })));
            let codebook = Codebook::new(single(&normal(9, 4, 2)), metric).unwrap();
            codebook.save(&path).unwrap();
            assert_eq!(Codebook::<f32>::load(&path).unwrap(), codebook);
            // f64 holds every f32.
            assert_eq!(Codebook::<f64>::load(&path).unwrap().codes(), codebook.codes().mapv(f64::from));
        }
        // Nothing else is left beside it.
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
        assert!(matches!(Codebook::<f32>::load(folder.path().join("none")), Err(Error::File { .. })));
        assert!(matches!(
            Codebook::new(normal(1, 1, 1), Metric::Cosine)
                .unwrap()
                .save(folder.path().join("no/such/folder")),
            Err(Error::File { .. })
        ));
    }

    #[test]
    fn halves_are_read_exactly() {
        use half::{bf16, f16};
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("half.safetensors");
        let all: Vec<f16> = (0..=u16::MAX).map(f16::from_bits).filter(|v| v.is_finite()).collect();
        let bytes: Vec<u8> = all.iter().flat_map(|v| v.to_le_bytes()).collect();
        let write = |dtype, bytes: &[u8], count| {
            let view = safetensors::tensor::TensorView::new(dtype, vec![count, 1], bytes).unwrap();
            std::fs::write(&path, safetensors::serialize([("codebook", view)], None).unwrap()).unwrap();
            Codebook::<f32>::load(&path)
        };
        let codebook = write(safetensors::Dtype::F16, &bytes, all.len()).unwrap();
        assert!(codebook.codes().iter().zip(&all).all(|(a, b)| a.to_bits() == b.to_f32().to_bits()));
        let values = [bf16::from_f32(1.5), bf16::from_f32(-3e38)];
        let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        let codebook = write(safetensors::Dtype::BF16, &bytes, 2).unwrap();
        assert_eq!(codebook.codes().as_slice().unwrap(), values.map(bf16::to_f32));
        let nan = f16::NAN.to_le_bytes();
        assert!(matches!(write(safetensors::Dtype::F16, &nan, 1), Err(Error::Row { .. })));
        assert!(matches!(write(safetensors::Dtype::I64, &[0; 8], 1), Err(Error::File { .. })));
    }

    /// Bytes that are cut off or changed give an error or a codebook, never a panic.
    #[test]
    fn broken_files_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("codes.safetensors");
        Codebook::new(single(&normal(3, 2, 1)), Metric::Cosine).unwrap().save(&path).unwrap();
        let good = std::fs::read(&path).unwrap();
        for cut in 0..good.len() {
            std::fs::write(&path, &good[..cut]).unwrap();
            assert!(Codebook::<f32>::load(&path).is_err(), "{cut}");
        }
        for at in 0..good.len() {
            let mut changed = good.clone();
            changed[at] ^= 0x55;
            std::fs::write(&path, &changed).unwrap();
            let _ =
                Codebook::<f32>::load(&path).map(|book| assert!(book.codes().iter().all(|v| v.is_finite())));
        }
    }
}
