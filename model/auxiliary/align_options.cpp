#include "model/auxiliary/align_options.h"

#include <algorithm>

#include "core/base/error.h"
#include "core/options/options.h"

namespace edt {
namespace {

constexpr const char *kLatent = "latent", *kFeatures = "features", *kTeacher = "teacher",
                     *kPrototypes = "prototypes";

std::string broken_list(const std::vector<std::string>& with) {
  for (std::size_t i = 0; i < with.size(); ++i) {
    if (std::find(with.begin(), with.begin() + static_cast<std::ptrdiff_t>(i), with[i]) !=
        with.begin() + static_cast<std::ptrdiff_t>(i)) {
      return fmt::format("a list in which {} is named once", with[i]);
    }
  }
  return "";
}

// How a companion in `section` compares, `what` it compares.
void declare_distance(OptionSet& options, const std::string& section, const std::string& companion,
                      Distance& distance, double& beta, const std::string& what) {
  options
      .add(section + ".distance", &distance,
           {{"smooth-l1", Distance::kSmoothL1},
            {"l1", Distance::kAbsolute},
            {"l2", Distance::kSquare},
            {"cosine", Distance::kDirection}},
           what)
      .used_when("align.with", {companion});
  options.add(section + ".beta", &beta, "error below which smooth-l1 is square")
      .above(0)
      .single_precision()
      .used_when("align.with", {companion})
      .used_when(section + ".distance", {"smooth-l1"});
}

// Of the weight of a companion in `section`, which is used where align.with names `companion`.
void declare_course(OptionSet& options, const std::string& section, const std::string& companion,
                    WeightCourse& course) {
  options.add(section + ".weight", &course.weight, "of its loss beside the denoising loss")
      .above(0)
      .single_precision()
      .used_when("align.with", {companion});
  options.add(section + ".until", &course.until, "step from which on its weight is 0; 0: never")
      .at_least(0)
      .used_when("align.with", {companion});
  options
      .add(section + ".decay", &course.decay,
           "steps in which its weight becomes a tenth; 0: it stays")
      .at_least(0)
      .used_when("align.with", {companion});
  options.add(section + ".decay-from", &course.decay_from, "step from which on it becomes smaller")
      .at_least(0)
      .used_when("align.with", {companion});
}

}  // namespace

void AlignOptions::declare(OptionSet& options) {
  options.section("align", "Companions: what trains beside the denoising loss");
  options
      .add("align.with", &with,
           "latent: a head on the tokens of an early block predicts the clean latent (VAE-REPA); "
           "features: they are aligned with features of the data set (REPA); teacher: they are to "
           "match those of a later block of the moving average, which sees less noise (SRA); "
           "prototypes: those of the masked pass are to choose the same prototypes as those of the "
           "moving average, which sees all of the picture (after SD-DiT)")
      .choices({kLatent, kFeatures, kTeacher, kPrototypes})
      .check([this] { return broken_list(with); })
      .default_is("no companion");
  declare_latent(options);
  declare_features(options);
  declare_teacher(options);
  declare_prototypes(options);
}

void AlignOptions::declare_prototypes(OptionSet& options) {
  options.section("align.prototypes", "Self-discrimination with the moving average (after SD-DiT)");
  options
      .add("align.prototypes.after", &prototypes.after, "the block whose tokens choose prototypes")
      .at_least(0)
      .default_is("the last of EDT's second stage; in the middle of equal blocks")
      .used_when("align.with", {kPrototypes});
  options.add("align.prototypes.count", &prototypes.prototypes, "prototypes")
      .range(2, 65536)
      .used_when("align.with", {kPrototypes});
  options.add("align.prototypes.width", &prototypes.width, "numbers of a prototype")
      .range(2, 4096)
      .used_when("align.with", {kPrototypes});
  options
      .add("align.prototypes.time", &prototypes.time, "noise that the teacher sees: 0 none, 1 all")
      .range(0, 1)
      .used_when("align.with", {kPrototypes});
  options
      .add("align.prototypes.student-temperature", &prototypes.student_temperature,
           "of the choice that is learnt")
      .above(0)
      .single_precision()
      .used_when("align.with", {kPrototypes});
  options
      .add("align.prototypes.teacher-temperature", &prototypes.teacher_temperature,
           "of the teacher's choice: lower is sharper")
      .above(0)
      .single_precision()
      .used_when("align.with", {kPrototypes});
  options
      .add("align.prototypes.centre-momentum", &prototypes.centre_momentum,
           "what a step leaves of the mean that is taken off the teacher's logits")
      .at_least(0)
      .below(1)
      .used_when("align.with", {kPrototypes});
  declare_course(options, "align.prototypes", kPrototypes, prototypes.course);
}

void AlignOptions::declare_teacher(OptionSet& options) {
  options.section("align.teacher", "Alignment with the moving average (SRA)");
  options.add("align.teacher.after", &teacher.after, "the block whose tokens are to match")
      .at_least(0)
      .default_is("at 2/7 of the depth; of EDT the last of its second stage")
      .used_when("align.with", {kTeacher});
  options
      .add("align.teacher.teacher-after", &teacher.teacher_after,
           "the block of the moving average whose tokens they match")
      .at_least(0)
      .default_is("at 5/7 of the depth; of EDT the last with as many tokens")
      .used_when("align.with", {kTeacher});
  options
      .add("align.teacher.interval", &teacher.interval,
           "by how much its time is at most nearer to data, drawn evenly")
      .range(0, 1)
      .used_when("align.with", {kTeacher});
  declare_distance(options, "align.teacher", kTeacher, teacher.distance, teacher.beta,
                   "of tokens; cosine: over the width of each");
  declare_course(options, "align.teacher", kTeacher, teacher.course);
}

void AlignOptions::declare_features(OptionSet& options) {
  options.section("align.features", "Alignment with features of the data set (REPA)");
  options.add("align.features.arrays", &arrays, "arrays of the data set, beside its latents: names")
      .used_when("align.with", {kFeatures});
  options.add("align.features.dims", &dims, "numbers of a token of each array")
      .at_least(1)
      .default_is("those of the data set")
      .used_when("align.with", {kFeatures});
  options
      .add("align.features.after", &features.after,
           "the block whose tokens are read, counted from 1")
      .at_least(0)
      .default_is("the last of EDT's second stage; 4 of fewer than 24 blocks, else 8")
      .used_when("align.with", {kFeatures});
  options
      .add("align.features.projector", &features.projector,
           "hidden units of the network between tokens and features")
      .at_least(1)
      .used_when("align.with", {kFeatures});
  options
      .add("align.features.pass", &features.pass,
           {{"full", CompanionPass::kFull}, {"both", CompanionPass::kBoth}},
           "whose tokens: of the full pass, or of the masked one, too")
      .used_when("align.with", {kFeatures});
  declare_course(options, "align.features", kFeatures, features.course);
}

void AlignOptions::declare_latent(OptionSet& options) {
  options.section("align.latent", "Alignment with the clean latent (VAE-REPA)");
  options
      .add("align.latent.after", &latent.after, "the block whose tokens are read, counted from 1")
      .at_least(0)
      .default_is("the last of EDT's second stage; 2 of fewer than 24 blocks, else 8")
      .used_when("align.with", {kLatent});
  options.add("align.latent.layers", &latent.layers, "linear maps of the head")
      .range(1, 64)
      .used_when("align.with", {kLatent});
  options.add("align.latent.hidden", &latent.hidden, "width between them, in widths of the tokens")
      .range(0.125, 64)
      .used_when("align.with", {kLatent});
  declare_distance(
      options, "align.latent", kLatent, latent.distance, latent.beta,
      "of the predicted latents from the clean ones; cosine: over the channels of a place");
  options
      .add("align.latent.pass", &latent.pass,
           {{"full", CompanionPass::kFull}, {"both", CompanionPass::kBoth}},
           "whose tokens: of the full pass, or of the masked one, too")
      .used_when("align.with", {kLatent});
  declare_course(options, "align.latent", kLatent, latent.course);
}

AuxiliaryConfig AlignOptions::resolve() const {
  const auto has = [this](const char* name) { return std::ranges::find(with, name) != with.end(); };
  AuxiliaryConfig config;
  if (has(kLatent)) config.latent = latent;
  if (has(kTeacher)) config.teacher = teacher;
  if (has(kPrototypes)) config.prototypes = prototypes;
  if (has(kFeatures)) {
    require<UsageError>(dims.empty() || dims.size() == arrays.size(), "align",
                        "align.features.dims has {} numbers, align.features.arrays {} names",
                        dims.size(), arrays.size());
    config.features = features;
    for (std::size_t i = 0; i < arrays.size(); ++i) {
      config.features->arrays.push_back({arrays[i], dims.empty() ? 0 : dims[i]});
    }
  }
  return config;
}

}  // namespace edt
