// Models small enough to train in a test: four classes, latents of 16 x 16.
#pragma once

#include "model/families/model_config.h"

namespace edt::test {

// Five stages and a mask in the middle; `width` is that of the outer ones.
inline EdtConfig tiny_edt(std::int64_t width = 16) {
  EdtConfig config;
  config.name = "tiny EDT";
  config.latents = LatentShape::square(16);
  config.classes = 4;
  config.depths = {2, 1, 1, 1, 1};
  config.widths = {width, 3 * width / 2, 2 * width, 3 * width / 2, width};
  config.heads = {2, 2, 4, 2, 2};
  config.mid_mask = true;
  config.mid_mask_block = 1;
  return config;
}

// The ratio is drawn for each step: the number of visible tokens changes.
inline Mdtv2Config tiny_mdtv2() {
  Mdtv2Config config;
  config.name = "tiny MDTv2";
  config.latents = LatentShape::square(16);
  config.classes = 4;
  config.encoder_depth = 2;
  config.decoder_depth = 1;
  config.width = 16;
  config.heads = 2;
  return config;
}

// Of 20 frames, each with a condition of five numbers beside it.
inline Mdtv2Config tiny_sequence() {
  Mdtv2Config config = tiny_mdtv2();
  config.name = "tiny MDTv2_sequence";
  config.latents = LatentShape::sequence(6, 20);
  config.patch = 1;
  config.frame_channels = 5;
  return config;
}

inline DitConfig tiny_dit() {
  DitConfig config;
  config.name = "tiny DiT";
  config.latents = LatentShape::square(16);
  config.classes = 4;
  config.depth = 2;
  config.width = 16;
  config.heads = 2;
  return config;
}

// All that a block can have and DiT's has not.
inline DitConfig tiny_lightning_dit() {
  DitConfig config = tiny_dit();
  config.name = "tiny LightningDiT";
  config.style = {.norm = NormForm::kRms,
                  .mlp = MlpForm::kSwiglu,
                  .head_norm = HeadNorm::kRms,
                  .positions = Positions::kBoth};
  return config;
}

// Six blocks with regions of all kinds, texts of 16 tokens.
inline EmmditConfig tiny_emmdit() {
  EmmditConfig config;
  config.name = "tiny EMMDiT";
  config.latents = {.channels = 4, .height = 16, .width = 16, .factor = 32};
  config.groups = {2, 2, 2};
  config.width = 16;
  config.heads = 2;
  config.text.tokens = 16;
  config.text.channels = 6;
  return config;
}

inline ModelConfig of_a_flow(ModelConfig model) {
  model.common().process = ProcessConfig::flow();
  return model;
}

}  // namespace edt::test
