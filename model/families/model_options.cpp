#include "model/families/model_options.h"

#include <algorithm>

#include "core/options/options.h"
#include "model/families/presets.h"

namespace edt {
namespace {

template <class Family>
std::vector<std::string> presets_of(Family family) {
  std::vector<std::string> names;
  for (const auto& config : family.presets()) names.push_back(config.name);
  return names;
}

// Of networks that were published with a flow.
std::vector<std::string> flow_presets() {
  std::vector<std::string> names;
  for (const std::string& name : preset_names()) {
    if (!model_preset(name).common().process.discrete()) names.push_back(name);
  }
  return names;
}

}  // namespace

void ModelOptions::declare(OptionSet& options) {
  const std::string preset_default = "that of the preset";
  options.section("model", "Model: a preset and what to change of it");
  options.add("model.preset", &preset, "published size").alias("model").choices(preset_names());
  options.add("model.image-size", &image_size, "height of the pictures; in training the data's")
      .unit("pixels")
      .range(1, 65536);
  options.add("model.image-width", &image_width, "their width; 0: the same")
      .unit("pixels")
      .range(0, 65536);
  options.add("model.channels", &channels, "of the latents; in training the data's")
      .range(1, 4096)
      .default_is(preset_default);
  options
      .add("model.vae-factor", &vae_factor,
           "pixels for each latent, across and down; in training the data's")
      .unit("pixels")
      .range(1, 256)
      .default_is(preset_default);
  options.add("model.classes", &classes, "number of classes")
      .range(1, 1 << 24)
      .default_is("that of the data");
  options.add("model.patch", &patch, "side of a patch")
      .unit("latent pixels")
      .range(1, 1024)
      .default_is(preset_default);
  options
      .add("model.depths", &sizes.depths,
           "blocks per stage; MDTv2: of encoder and decoder; DiT: one number")
      .range(1, 1024)
      .default_is(preset_default);
  options.add("model.widths", &sizes.widths, "width per stage; MDTv2, DiT: one number")
      .range(4, 65536)
      .default_is(preset_default);
  options.add("model.heads", &sizes.heads, "attention heads per stage; MDTv2, DiT: one number")
      .range(1, 4096)
      .default_is(preset_default);
  options.add("model.label-dropout", &label_dropout, "share of labels dropped for guidance")
      .range(0, 1)
      .default_is(preset_default);
  options.add("model.weights", &weights.form,
              {{"dense", WeightForm::kDense}, {"ternary", WeightForm::kTernary}},
              "of the matrices of blocks: as they are, or -1, 0 and 1 with a learnt scale for each "
              "matrix (TerDiT)");
  options.add("model.modulation", &modulation,
              {{"full", ModulationForm::kFull},
               {"shared", ModulationForm::kShared},
               {"affine", ModulationForm::kAffine}},
              "adaLN projections of blocks: one each, one for all blocks of a width (EDT: of a "
              "stage), or that one with a table of scales and one of shifts for each block");
  options.add("model.modulation-norm", &weights.modulation_norm,
              "RMS norm behind the adaLN projections of blocks, which ternary ones want");
  options
      .add("model.attention-form", &attention,
           "of each stage (DiT: one): softmax, or linear in the tokens (EDiT), without the bias by "
           "distance")
      .choices({"softmax", "linear"})
      .default_is("softmax in all");
  const auto of_linear_one = [&](const char* name, std::int64_t* field, const char* help) {
    options.add(name, field, help).range(1, 64).used_when("model.attention-form", {"linear"});
  };
  of_linear_one("model.attention-narrowing", &of_linear.narrowing,
                "by which the convolution in front of linear attention's queries divides channels");
  of_linear_one("model.attention-groups", &of_linear.groups, "of the norm behind it");
  of_linear_one("model.attention-stride", &of_linear.stride,
                "of the convolutions that give keys and values, down and across");
  options.add("model.spatial-layer", &spatial.form,
              {{"off", SpatialForm::kOff},
               {"real", SpatialForm::kReal},
               {"complex", SpatialForm::kComplex}},
              "2-D state-space layer in front of the queries, keys and values of each block, and "
              "what its states are");
  const auto of_spatial = [&](const char* name, std::int64_t* field, const char* help) -> Option& {
    return options.add(name, field, help).used_when("model.spatial-layer", {"real", "complex"});
  };
  of_spatial("model.spatial-states", &spatial.states, "states of a group").range(1, 1024);
  of_spatial("model.spatial-groups", &spatial.groups, "groups of states in each direction")
      .range(1, 65536);
  of_spatial("model.spatial-directions", &spatial.directions,
             "in which kernels are laid over the grid: 2 or 4")
      .range(2, 4);
  for_each_family([&]<class Family>(Family family) {
    const OptionSet::Scope scope(options, Family::kName, "model.preset", presets_of(family));
    std::get<typename Family::Options>(of_family).declare(options);
  });
  process.declare(options, flow_presets());
}

ModelConfig ModelOptions::resolve(std::int64_t data_classes) const {
  ModelConfig config = model_preset(preset);
  CommonConfig& common = config.common();
  process.apply(common.process);
  common.classes = classes.value_or(data_classes);
  common.weights = weights;
  common.modulation = modulation;
  common.spatial = spatial;
  common.attention = {.stages = {}, .of_linear = of_linear};
  for (const std::string& form : attention) {
    common.attention.stages.push_back(form == "linear" ? AttentionForm::kLinear
                                                       : AttentionForm::kSoftmax);
  }
  common.patch = patch.value_or(common.patch);
  common.label_dropout = label_dropout.value_or(common.label_dropout);
  std::visit([&]<class C>(C& one) { FamilyOf<C>::resize(one, sizes); }, config.any());
  const std::int64_t width = image_width > 0 ? image_width : image_size;
  const std::int64_t factor = vae_factor.value_or(common.latents.factor);
  common.latents = {channels.value_or(common.latents.channels), image_size / factor, width / factor,
                    factor};
  common.check_side("model.image-size", image_size, config.grid_step());
  common.check_side("model.image-width", width, config.grid_step());
  const auto apply = [&]<class C>(C& one) {
    std::get<typename FamilyOf<C>::Options>(of_family).apply(one);
  };
  std::visit(apply, config.any());
  config.validate();
  return config;
}

void InferenceOptions::declare(OptionSet& options) {
  for_each_family([&]<class Family>(Family) {
    const OptionSet::Scope scope(options, Family::kName);
    std::get<typename Family::Inference>(of_family).declare(options);
  });
}

void InferenceOptions::apply(const OptionSet& options, ModelConfig& config) const {
  const std::string_view process = name_of(config.common().process.kind);
  options.refuse_others({config.family(), process},
                        fmt::format("the model is {} of process {}", config.name(), process));
  const auto apply = [&]<class C>(C& one) {
    std::get<typename FamilyOf<C>::Inference>(of_family).apply(one);
  };
  std::visit(apply, config.any());
}

CapableFamilies families_with(bool PassKinds::*capability) {
  CapableFamilies found;
  for_each_family([&]<class Family>(Family family) {
    const auto all = family.presets();
    if (!(all.front().passes().*capability)) return;
    found.names += (found.names.empty() ? "" : ", ") + std::string(Family::kName);
    for (std::string& name : presets_of(family)) found.presets.push_back(std::move(name));
  });
  return found;
}

}  // namespace edt
