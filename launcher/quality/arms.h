// What is compared: models, and ways to train them, as options of `edt train`.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace edt {

struct QualityArm {
  std::string key;                     // "edt-unmasked": names its run directories
  std::string label;                   // "EDT without its masked pass"
  std::vector<std::string> arguments;  // "--model.preset=EDT-S/2", ...
  // FID of 50,000 samples without guidance after 400,000 steps of 256 pictures, as published for
  // published_size().
  std::optional<double> published_fid;
  // Of an arm with an addition: the key of the same arm without it, and what is published of both.
  std::string base = {}, published_gain = {};
};

struct ArmOptions {
  std::string size = "Ti";  // "S", "B", "XL" as published; Ti: six blocks, ours
  // One optimizer for all, so that models and objectives alone differ; else that of each recipe.
  bool equal_optimizer = true;
  double learning_rate = 1e-3;  // of that one
  std::int64_t warmup_steps = 50;
  double ema_decay = 0.99;
  std::vector<std::string> features;  // arrays of the data set that arms with REPA are aligned with
  std::filesystem::path teacher;      // the finished run that distilled arms learn of
};

// EDT, without its masked pass, with shared noise, with a flow; MDTv2; DiT; SiT; LightningDiT's
// blocks and objective. Then EDT with each addition (a companion, or other parts of its blocks),
// and EDT with a flow and each.
std::vector<QualityArm> quality_arms(const ArmOptions& options);
std::vector<std::string> quality_arm_keys();
// Those of a study that names none: without additions.
std::vector<std::string> usual_arm_keys();
// The size whose published figures stand beside ours: the same, or of Ti, which is ours, S.
std::string published_size(const std::string& size);

}  // namespace edt
