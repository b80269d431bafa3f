#include "launcher/commands/evaluate_options.h"

#include <algorithm>

#include "core/base/error.h"
#include "launcher/commands/step_options.h"
#include "launcher/evaluate/feature_table.h"
#include "parallel/checkpoint/manifest.h"

namespace edt {
namespace {

std::vector<std::string> names_of(const OptionSet& options) {
  std::vector<std::string> names;
  for (const OptionSection& section : options.description().sections) {
    for (const OptionDescription& option : section.options) names.push_back(option.spellings[0]);
  }
  std::ranges::sort(names);
  return names;
}

}  // namespace

void NetworkOptions::declare(OptionSet& options) {
  options.add("inception", &weights,
              "weights of FID's Inception network as safetensors, with pytorch-fid's names");
  options.add("resize", &resize, inception_resizes(),
              "how pictures become 299 pixels wide: as ADM's evaluator, pytorch-fid or clean-fid");
  options
      .add("reference-features", &kept,
           "pictures of the reference whose features are kept, for precision, recall, density, "
           "coverage and KID")
      .at_least(0);
  device.declare(options, "");
}

void EvaluateOptions::declare(OptionSet& options) {
  options
      .add("samples", &samples,
           "an .npz with arr_0 [N, H, W, 3] of bytes, folders and tar archives of pictures, or a "
           "run, whose samples are made; or features of pictures by another network, as DINOv2's "
           "or CLIP's: an array [N, width] in an .npy, .npz, HDF5 or safetensors file")
      .positional_list()
      .required();
  options.add("reference", &reference,
              "what edt evaluate reference wrote, statistics in an .npz as ADM's or pytorch-fid's, "
              "or pictures as the samples; of a run without --inception a data set, by default its "
              "own; of features a file of such");
  options.add("features-key", &features_key,
              "the array in files of features, where it is not features or embeddings");
  network.declare(options);
  options.add("count", &count, "the first samples alone; 0: all. Of a run: how many are made")
      .range(0, 1 << 24);
  options.add("score-part", &quality.score_part, "pictures of a part of the Inception Score")
      .at_least(1);
  options.add("neighbours", &quality.neighbours, "of precision and recall").range(1, 100);
  options.add("density-neighbours", &quality.density_neighbours, "of density and coverage")
      .range(1, 100);
  options.add("kid-subsets", &quality.kernel_subsets, "of KID").at_least(1);
  options.add("kid-size", &quality.kernel_size, "pictures of such a subset").at_least(2);
  options.add("kid-seed", &quality.seed, "of these subsets");
  declare_sampling(options);
  options.add("json", &json, "for scripts");
}

void EvaluateOptions::declare_sampling(OptionSet& options) {
  const std::vector<std::string> before = names_of(options);
  options.add("labels", &labels,
              {{"random", LabelOrder::kRandom}, {"in-turn", LabelOrder::kInTurn}},
              "classes of a run's samples: published figures draw them");
  sampling.request.guidance.scale = 1;  // that of pictures to look at spoils a distance
  sampling.declare_source(options);
  sampling.declare_sampler(options);
  options.add("batch", &sampling.request.batch, "pictures made together").range(1, 4096);
  declare_dtype(options, sampling.dtype);
  declare_memory_check(options, sampling.memory_check);
  std::ranges::set_difference(names_of(options), before, std::back_inserter(of_run_alone_));
}

namespace {

bool is_run(const std::filesystem::path& path) {
  std::error_code code;
  return std::filesystem::exists(path / "checkpoints", code) ||
         std::filesystem::exists(path / kManifestName, code);
}

}  // namespace

bool EvaluateOptions::of_run() const { return samples.size() == 1 && is_run(samples[0]); }

bool EvaluateOptions::of_features() const {
  return samples.size() == 1 && (!features_key.empty() || is_feature_table(samples[0]));
}

void EvaluateOptions::refuse(const OptionSet& options, const std::vector<std::string>& names,
                             const std::string& why) const {
  for (const std::string& name : names) {
    require<UsageError>(!options.given(name), "evaluate", "--{} {}", name, why);
  }
}

void EvaluateOptions::check_features(const OptionSet& options) const {
  refuse(options, of_run_alone_,
         fmt::format("is for samples of a run, and {} has features", samples[0].string()));
  refuse(options, {"inception", "resize", "score-part"},
         fmt::format("is for pictures, and {} has features", samples[0].string()));
  require<UsageError>(!reference.empty(), "evaluate",
                      "--reference is not given: features are judged against others");
}

void EvaluateOptions::check(const OptionSet& options) const {
  if (of_features()) return check_features(options);
  refuse(options, {"features-key"}, "is for one file of features");
  const bool sees = !network.weights.empty();
  for (const auto& path : samples) {
    require<UsageError>(samples.size() == 1 || !is_run(path), "evaluate",
                        "{} is a run: its samples are judged alone, and {} are given",
                        path.string(), samples.size());
  }
  if (!of_run()) {
    refuse(options, of_run_alone_,
           fmt::format("is for samples of a run, and {} is none", samples[0].string()));
    require<UsageError>(sees, "evaluate",
                        "--inception is not given: pictures are judged by its features; samples of "
                        "a run can be by their latents");
    require<UsageError>(!reference.empty(), "evaluate",
                        "--reference is not given: pictures are judged against one");
    return;
  }
  require<UsageError>(count >= 2, "evaluate",
                      "--count is {}: how many samples of {} are made? 2 or more can be judged",
                      count, samples[0].string());
  require<UsageError>(!sees || !reference.empty(), "evaluate",
                      "--reference is not given: pictures are judged against one");
  if (sees) return sampling.vae.require_file(options);
  std::vector<std::string> of_pictures{"resize", "score-part"};
  for (const std::string& name : of_run_alone_) {
    if (name.starts_with("vae")) of_pictures.push_back(name);
  }
  refuse(options, of_pictures, "is for pictures, and without --inception latents are judged");
}

}  // namespace edt
