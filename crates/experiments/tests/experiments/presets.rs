//! Presets resolve to settings and back.

use variata_experiments::papers::vae::{VaeConfig, preset};

#[test]
fn embedded_presets_are_valid_and_survive_a_round_trip() {
    for name in ["quick", "full"] {
        let preset = preset(name).unwrap();
        preset.config.check().unwrap();
        let text = preset.to_toml().unwrap();
        let again: VaeConfig = toml::from_str(&text).unwrap();
        assert_eq!(again, preset.config, "{name}");
    }
}

#[test]
fn what_a_preset_leaves_out_has_the_documented_default() {
    let quick = preset("quick").unwrap().config;
    assert_eq!((quick.seeds, quick.steps, quick.latent, quick.beta), (3, 3000, 8, 2.0));
    assert_eq!(quick.data.batch_size, 64);
}
