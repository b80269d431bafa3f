// The section [distill]: a finished run as the teacher of another one.
#pragma once

#include <filesystem>
#include <optional>
#include <vector>

#include "core/options/options.h"
#include "launcher/recipe/latent_space.h"
#include "model/auxiliary/auxiliary_config.h"

namespace edt {

struct DistillOptions {
  std::filesystem::path from;  // empty: no teacher
  double output = 1, attention = 0;
  std::vector<std::int64_t> after, teacher_after;
  WeightCourse course;

  void declare(OptionSet& options);
  // Throws UsageError where something is said of a teacher that is not named, or of maps that count
  // nothing.
  void validate() const;
  // Of a run, the newest checkpoint of now is named instead, so that who goes on has the teacher
  // that it began with. A path where there is nothing stays.
  void choose_checkpoint();
  // Opens the teacher's checkpoint; its weights are read when a run begins. Nothing: no teacher.
  std::optional<DistillationConfig> resolve() const;
  // Throws DataError where the teacher was trained on other latents than `mine`, of the data set at
  // `path`.
  void require_same_latents(const LatentSpace& mine, const std::string& path) const;
};

}  // namespace edt
