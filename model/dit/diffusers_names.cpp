#include "model/dit/diffusers_names.h"

#include <array>
#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "core/json/json_text.h"

namespace edt {
namespace {

struct Renamed {
  std::string_view published;  // without ".weight" or ".bias"
  std::vector<std::string_view> parts;
};

// In a block, behind "blocks.N." and "transformer_blocks.N.".
const std::vector<Renamed>& in_blocks() {
  static const std::vector<Renamed> all{
      {"attn.qkv", {"attn1.to_q", "attn1.to_k", "attn1.to_v"}},
      {"attn.proj", {"attn1.to_out.0"}},
      {"mlp.fc1", {"ff.net.0.proj"}},
      {"mlp.fc2", {"ff.net.2"}},
      {"adaLN_modulation.1", {"norm1.linear"}},
  };
  return all;
}

const std::vector<Renamed>& outside() {
  static const std::vector<Renamed> all{
      {"x_embedder.proj", {"pos_embed.proj"}},
      {"final_layer.adaLN_modulation.1", {"proj_out_1"}},
      {"final_layer.linear", {"proj_out_2"}},
  };
  return all;
}

// Once in each block.
const std::vector<Renamed>& repeated() {
  static const std::vector<Renamed> all{
      {"t_embedder.mlp.0", {"norm1.emb.timestep_embedder.linear_1"}},
      {"t_embedder.mlp.2", {"norm1.emb.timestep_embedder.linear_2"}},
      {"y_embedder.embedding_table", {"norm1.emb.class_embedder.embedding_table"}},
  };
  return all;
}

const Renamed* find(const std::vector<Renamed>& list, std::string_view stem) {
  for (const Renamed& one : list) {
    if (one.published == stem) return &one;
  }
  return nullptr;
}

std::vector<std::string> framed(const std::string& before, const Renamed& renamed,
                                std::string_view ending) {
  std::vector<std::string> names;
  for (const std::string_view part : renamed.parts) {
    names.push_back(fmt::format("{}{}{}", before, part, ending));
  }
  return names;
}

NamedTensor renamed(std::string_view name, std::int64_t depth) {
  const std::string_view stem = name.substr(0, name.rfind('.'));
  const std::string_view ending = name.substr(stem.size());  // ".weight"
  if (const Renamed* one = find(outside(), stem)) return {.parts = framed("", *one, ending)};
  if (const Renamed* one = find(repeated(), stem)) {
    NamedTensor tensor{.parts = framed("transformer_blocks.0.", *one, ending)};
    for (std::int64_t block = 1; block < depth; ++block) {
      tensor.copies.push_back(framed(fmt::format("transformer_blocks.{}.", block), *one, ending));
    }
    return tensor;
  }
  constexpr std::string_view kBlocks = "blocks.";
  EDT_ASSERT(stem.starts_with(kBlocks));
  const std::size_t dot = stem.find('.', kBlocks.size());
  const Renamed* one = find(in_blocks(), stem.substr(dot + 1));
  EDT_ASSERT(one != nullptr);
  return {.parts = framed(fmt::format("transformer_{}.", stem.substr(0, dot)), *one, ending)};
}

}  // namespace

TensorNames diffusers_names(const DitConfig& config, std::span<const LogicalTensor> tensors) {
  TensorNames names{.scheme = "diffusers", .tensors = {}};
  for (const LogicalTensor& tensor : tensors) {
    names.tensors.push_back(renamed(tensor.name, config.depth));
  }
  return names;
}

nlohmann::ordered_json diffusers_config(const DitConfig& config) {
  return {{"_class_name", "DiTTransformer2DModel"},
          {"num_attention_heads", config.heads},
          {"attention_head_dim", config.width / config.heads},
          {"in_channels", config.latents.channels},
          {"out_channels", config.process.out_channels(config.latents.channels)},
          {"num_layers", config.depth},
          {"sample_size", config.latents.height},
          {"patch_size", config.patch},
          {"num_embeds_ada_norm", config.classes},
          {"activation_fn", "gelu-approximate"},
          {"attention_bias", true},
          {"norm_type", "ada_norm_zero"},
          {"norm_elementwise_affine", false},
          {"norm_eps", 1e-6}};
}

void check_diffusers_config(const DitConfig& config, const nlohmann::json& json,
                            const std::string& where) {
  const nlohmann::ordered_json wanted = diffusers_config(config);
  for (const auto& [key, value] : wanted.items()) {
    if (key == "norm_eps" || !json.is_object() || !json.contains(key)) continue;
    require<DataError>(json[key] == nlohmann::json(value), "import",
                       "{}: {} is {}, that of the model is {}", where, key, dump_json(json[key]),
                       dump_json(value));
  }
}

}  // namespace edt
