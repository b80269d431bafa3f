// What `edt evaluate` and its companions can be told.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "core/options/options.h"
#include "launcher/command.h"
#include "launcher/device/device_options.h"
#include "launcher/evaluate/quality.h"
#include "launcher/evaluate/sample_pass.h"
#include "launcher/sample/sampling_options.h"

namespace edt {

// What both commands look at pictures with.
struct NetworkOptions {
  std::filesystem::path weights;  // empty: nothing, latents count
  InceptionResize resize = InceptionResize::kAdm;
  std::int64_t kept = 10'000;
  DeviceOptions device;

  void declare(OptionSet& options);
};

struct EvaluateOptions {
  std::vector<std::filesystem::path> samples;
  std::filesystem::path reference;
  std::string features_key;  // of files of features
  NetworkOptions network;
  QualityOptions quality;
  std::int64_t count = 0;
  bool json = false;
  // Of samples that are made to be judged.
  SamplingOptions sampling;
  LabelOrder labels = LabelOrder::kRandom;

  void declare(OptionSet& options);
  // Whether the samples are those of a run, which are yet to be made.
  bool of_run() const;
  // Whether the samples are features, of which there are no pictures.
  bool of_features() const;
  // UsageError for what was given and has no effect, or was not given and is needed.
  void check(const OptionSet& options) const;

 private:
  void declare_sampling(OptionSet& options);
  void refuse(const OptionSet& options, const std::vector<std::string>& names,
              const std::string& why) const;

  void check_features(const OptionSet& options) const;

  std::vector<std::string> of_run_alone_;  // names of options
};

// Samples of a run, made and judged in one go.
int evaluate_run(EvaluateOptions& evaluated, const OptionSet& options, CommandContext& context);

}  // namespace edt
