#include "model/families/model_options.h"

#include <algorithm>
#include <tuple>

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

// Of networks of which `is_meant` is true.
template <class F>
std::vector<std::string> presets_where(F is_meant) {
  std::vector<std::string> names;
  for (const std::string& name : preset_names()) {
    if (is_meant(model_preset(name).common())) names.push_back(name);
  }
  return names;
}

ProcessPresets process_presets() {
  return {.flow = presets_where([](const auto& one) { return !one.process.discrete(); }),
          .told_noise =
              presets_where([](const auto& one) { return one.process.told == Told::kNoise; })};
}

}  // namespace

void ModelOptions::declare(OptionSet& options) {
  const std::string preset_default = "that of the preset";
  options.section("model", "Model: a preset and what to change of it");
  options.add("model.preset", &preset, "published size").alias("model").choices(preset_names());
  options.add("model.image-size", &image_size, "height of the pictures; in training the data's")
      .unit("pixels")
      .range(1, 65536)
      .default_is(preset_default);
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
  options
      .add("model.sequence-length", &length,
           "frames of a sequence, for models of sequences instead of pictures; in training the "
           "data's")
      .unit("frames")
      .range(1, 65536)
      .default_is(preset_default);
  options
      .add("model.frame-channels", &frame_channels,
           "numbers of the condition that is read beside each frame; 0: none is; in training the "
           "data's")
      .range(0, 4096)
      .default_is("0");
  options.add("model.classes", &classes, "number of classes; 0: labels are not read")
      .range(0, 1 << 24)
      .default_is("that of the data");
  options.add("model.patch", &patch, "side of a patch")
      .unit("latent pixels")
      .range(1, 1024)
      .default_is(preset_default);
  options
      .add("model.depths", &sizes.depths,
           "blocks per stage; MDTv2: of encoder and decoder; DiT: one number; E-MMDiT: of three "
           "groups")
      .range(1, 1024)
      .default_is(preset_default);
  options.add("model.widths", &sizes.widths, "width per stage; MDTv2, DiT, E-MMDiT: one number")
      .range(4, 65536)
      .default_is(preset_default);
  options
      .add("model.heads", &sizes.heads,
           "attention heads per stage; MDTv2, DiT, E-MMDiT: one number")
      .range(1, 4096)
      .default_is(preset_default);
  options
      .add("model.block-heads", &kept.heads,
           "heads left of each block, in the order of computing, as edt prune writes them (EDT, "
           "DiT); of the size that model.heads gives them")
      .range(1, 4096)
      .default_is("model.heads");
  options.add("model.block-hidden", &kept.hidden, "likewise, hidden units of the MLP of each block")
      .range(1, 1 << 20)
      .default_is("those of the width");
  options.add("model.label-dropout", &label_dropout, "share of labels dropped for guidance")
      .range(0, 1)
      .default_is(preset_default);
  options.add("model.weights", &weights.form,
              {{"dense", WeightForm::kDense}, {"ternary", WeightForm::kTernary}},
              "of the matrices of blocks: as they are, or -1, 0 and 1 with a learnt scale for each "
              "matrix (TerDiT)");
  options
      .add("model.modulation", &modulation,
           {{"full", ModulationForm::kFull},
            {"shared", ModulationForm::kShared},
            {"affine", ModulationForm::kAffine},
            {"single", ModulationForm::kSingle}},
           "adaLN projections of blocks: one each; one for all blocks of a width (EDT: of a "
           "stage); that one with a table of scales and one of shifts for each block; or with a "
           "table of shifts, the final layer's too (PixArt; DiT alone)")
      .follows("model.preset", presets_where([](const auto& one) {
                 return one.modulation == ModulationForm::kAffine;
               }),
               "affine");
  declare_text(options);
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
  process.declare(options, process_presets());
}

void ModelOptions::declare_gates(OptionSet& options) {
  options.section("dynamic", "Gates on heads, hidden units and tokens (DyDiT)");
  options
      .add("dynamic.target", &gates.target,
           "share of the blocks' products that is to be left: gates choose heads and groups of "
           "hidden units by the time, and tokens for the MLP by what they hold (EDT, DiT)")
      .check([this] {
        const bool is_share = !gates.target || (*gates.target > 0 && *gates.target <= 1);
        return std::string(is_share ? "" : "above 0, and 1 at the most");
      })
      .default_is("no gates");
  options
      .add("dynamic.router-bias", &gates.router_bias,
           "with which the gates of heads and groups begin: far above 0, open")
      .range(-1000, 1000);
  options.add("dynamic.token-bias", &gates.token_bias, "likewise, of tokens").range(-1000, 1000);
}

void ModelOptions::apply_gates(CommonConfig& common) const {
  for (const auto& [value, initial, option] :
       {std::tuple{gates.router_bias, GateConfig{}.router_bias, "dynamic.router-bias"},
        std::tuple{gates.token_bias, GateConfig{}.token_bias, "dynamic.token-bias"}}) {
    require<UsageError>(gates.target.has_value() || value == initial, "model",
                        "{} is {}, and dynamic.target is not given: there are no gates", option,
                        value);
  }
  if (!gates.target) return;
  common.gates = {*gates.target, gates.router_bias, gates.token_bias};
}

void ModelOptions::declare_text(OptionSet& options) {
  options.add("model.text-form", &text.form,
              {{"preset", std::nullopt},
               {"none", TextForm::kNone},
               {"pooled", TextForm::kPooled},
               {"cross", TextForm::kCross}},
              "what the network makes of texts: nothing; the mean of their tokens, in the "
              "condition; or cross-attention in every block (PixArt)");
  options.add("model.text-tokens", &text.tokens, "longest text; in training the data's")
      .range(1, 1 << 16)
      .default_is("that of the data");
  options.add("model.text-channels", &text.channels, "features of a token; in training the data's")
      .range(1, 1 << 16)
      .default_is("that of the data");
  options
      .add("model.text-dropout", &text.dropout,
           "share of texts that the null text stands for in training, for guidance")
      .range(0, 1)
      .default_is("0.1");
  options.add("model.text-encoder", &text.encoder,
              "name of what gave the features; in training the data's");
}

bool ModelOptions::reads_texts() const {
  return text.form.value_or(model_preset(preset).common().text.form) != TextForm::kNone;
}

void ModelOptions::apply_text(CommonConfig& common) const {
  common.text.form = text.form.value_or(common.text.form);
  if (!common.text.is_on()) {
    for (const auto& [given, option] : {std::pair{text.tokens.has_value(), "model.text-tokens"},
                                        {text.channels.has_value(), "model.text-channels"},
                                        {text.dropout.has_value(), "model.text-dropout"},
                                        {text.encoder != kUnknownEncoder, "model.text-encoder"}}) {
      require<UsageError>(!given, "model", "{} is given, and {} reads no texts: model.text-form",
                          option, common.name);
    }
    return;
  }
  common.text.tokens = text.tokens.value_or(common.text.tokens);
  common.text.channels = text.channels.value_or(common.text.channels);
  common.text.dropout = text.dropout.value_or(common.text.dropout);
}

LatentShape ModelOptions::sequence_of(const CommonConfig& common) const {
  const char* const of_pictures = image_size         ? "model.image-size"
                                  : image_width != 0 ? "model.image-width"
                                  : vae_factor       ? "model.vae-factor"
                                                     : nullptr;
  require<UsageError>(
      of_pictures == nullptr, "model",
      "{} is given, and {} are sequences: model.sequence-length says how long they are",
      of_pictures == nullptr ? "" : of_pictures,
      length ? fmt::format("model.sequence-length {}", *length) : common.name);
  return LatentShape::sequence(channels.value_or(common.latents.channels),
                               length.value_or(common.latents.width));
}

LatentShape ModelOptions::picture_of(const CommonConfig& common, const GridStep& step) const {
  const std::int64_t height = image_size.value_or(common.latents.factor * common.latents.height);
  const std::int64_t width = image_width > 0 ? image_width : height;
  CommonConfig sized = common;
  const std::int64_t factor = sized.latents.factor = vae_factor.value_or(common.latents.factor);
  sized.check_side("model.image-size", height, step);
  sized.check_side("model.image-width", width, step);
  return {channels.value_or(common.latents.channels), height / factor, width / factor, factor};
}

ModelConfig ModelOptions::resolve(std::int64_t data_classes) const {
  ModelConfig config = model_preset(preset);
  CommonConfig& common = config.common();
  process.apply(common.process);
  apply_text(common);
  common.classes = classes.value_or(common.classes == 0 ? 0 : data_classes);
  common.weights = weights;
  common.modulation = modulation;
  common.spatial = spatial;
  common.kept = kept;
  apply_gates(common);
  common.attention = {.stages = {}, .of_linear = of_linear};
  for (const std::string& form : attention) {
    common.attention.stages.push_back(form == "linear" ? AttentionForm::kLinear
                                                       : AttentionForm::kSoftmax);
  }
  common.patch = patch.value_or(common.patch);
  require<UsageError>(!label_dropout || common.classes > 0, "model",
                      "model.label-dropout is {}, and {} reads no classes (model.classes is 0)",
                      label_dropout.value_or(0), common.name);
  common.label_dropout = label_dropout.value_or(common.label_dropout);
  std::visit([&]<class C>(C& one) { FamilyOf<C>::resize(one, sizes); }, config.any());
  common.frame_channels = frame_channels.value_or(common.frame_channels);
  const auto apply = [&]<class C>(C& one) {
    std::get<typename FamilyOf<C>::Options>(of_family).apply(one);
  };
  std::visit(apply, config.any());
  // Last: what sides pictures may have hangs on all of these.
  const bool is_sequence = length.has_value() || common.latents.is_sequence();
  common.latents = is_sequence ? sequence_of(common) : picture_of(common, config.grid_step());
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
