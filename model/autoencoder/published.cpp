#include "model/autoencoder/published.h"

#include <fmt/ranges.h>

#include <cmath>

#include "core/base/error.h"
#include "core/random/stream.h"
#include "core/storage/checksum.h"
#include "model/autoencoder/parts.h"

namespace edt {
namespace {

// Shapes in the order in which they are added.
class Shapes {
 public:
  void convolution(const std::string& name, std::int64_t inputs, std::int64_t outputs,
                   std::int64_t kernel, bool bias = true) {
    all.push_back({name + ".weight", {outputs, inputs, kernel, kernel}});
    if (bias) all.push_back({name + ".bias", {outputs}});
  }
  void linear(const std::string& name, std::int64_t inputs, std::int64_t outputs,
              bool bias = true) {
    all.push_back({name + ".weight", {outputs, inputs}});
    if (bias) all.push_back({name + ".bias", {outputs}});
  }
  void norm(const std::string& name, std::int64_t channels) {
    all.push_back({name + ".weight", {channels}});
    all.push_back({name + ".bias", {channels}});
  }

  std::vector<NamedShape> all;
};

void kl_block(Shapes& s, const std::string& name, std::int64_t inputs, std::int64_t outputs) {
  s.norm(name + ".norm1", inputs);
  s.convolution(name + ".conv1", inputs, outputs, 3);
  s.norm(name + ".norm2", outputs);
  s.convolution(name + ".conv2", outputs, outputs, 3);
  if (inputs != outputs) s.convolution(name + ".conv_shortcut", inputs, outputs, 1);
}

void kl_attention(Shapes& s, const std::string& name, std::int64_t channels) {
  s.norm(name + ".group_norm", channels);
  for (const char* part : {".to_q", ".to_k", ".to_v", ".to_out.0"}) {
    s.linear(name + part, channels, channels);
  }
}

void kl_middle(Shapes& s, const std::string& name, std::int64_t channels) {
  kl_block(s, name + ".resnets.0", channels, channels);
  kl_attention(s, name + ".attentions.0", channels);
  kl_block(s, name + ".resnets.1", channels, channels);
}

// One level: its blocks, attention where it is the deepest, and what changes the size.
std::int64_t kl_level(Shapes& s, const std::string& level, std::int64_t inputs, std::int64_t width,
                      int blocks, bool attention, const char* sampler) {
  for (int j = 0; j < blocks; ++j) {
    kl_block(s, fmt::format("{}.resnets.{}", level, j), j == 0 ? inputs : width, width);
    if (attention) kl_attention(s, fmt::format("{}.attentions.{}", level, j), width);
  }
  if (sampler != nullptr)
    s.convolution(fmt::format("{}.{}.0.conv", level, sampler), width, width, 3);
  return width;
}

}  // namespace

std::vector<NamedShape> kl_tensors(const KlSizes& sizes) {
  Shapes s;
  const std::vector<std::int64_t>& widths = sizes.widths;
  const std::size_t levels = widths.size();
  s.convolution("encoder.conv_in", 3, widths[0], 3);
  std::int64_t channels = widths[0];
  for (std::size_t i = 0; i < levels; ++i) {
    const bool deepest = i + 1 == levels;
    channels =
        kl_level(s, fmt::format("encoder.down_blocks.{}", i), channels, widths[i], 2,
                 deepest && sizes.attention_at_the_bottom, deepest ? nullptr : "downsamplers");
  }
  kl_middle(s, "encoder.mid_block", channels);
  s.norm("encoder.conv_norm_out", channels);
  s.convolution("encoder.conv_out", channels, 2 * sizes.latents, 3);
  s.convolution("decoder.conv_in", sizes.latents, channels, 3);
  kl_middle(s, "decoder.mid_block", channels);
  for (std::size_t i = 0; i < levels; ++i) {
    channels =
        kl_level(s, fmt::format("decoder.up_blocks.{}", i), channels, widths[levels - 1 - i], 3,
                 i == 0 && sizes.attention_at_the_bottom, i + 1 == levels ? nullptr : "upsamplers");
  }
  s.norm("decoder.conv_norm_out", channels);
  s.convolution("decoder.conv_out", channels, 3, 3);
  if (sizes.quant) {
    s.convolution("quant_conv", 2 * sizes.latents, 2 * sizes.latents, 1);
    s.convolution("post_quant_conv", sizes.latents, sizes.latents, 1);
  }
  return s.all;
}

std::vector<NamedShape> taesd_tensors(std::int64_t width, std::int64_t latents) {
  Shapes s;
  int layer = 0;
  std::string half = "encoder.layers.";
  const auto next = [&] { return half + std::to_string(layer++); };
  const auto blocks = [&](int count) {
    for (int i = 0; i < count; ++i) {
      const std::string name = next();
      for (const char* part : {".conv.0", ".conv.2", ".conv.4"}) {
        s.convolution(name + part, width, width, 3);
      }
    }
  };
  s.convolution(next(), 3, width, 3);
  blocks(1);
  for (int level = 0; level < 3; ++level) {
    s.convolution(next(), width, width, 3, false);
    blocks(3);
  }
  s.convolution(next(), width, latents, 3);
  half = "decoder.layers.";
  layer = 0;
  s.convolution(next(), latents, width, 3);
  ++layer;  // a ReLU
  for (int level = 0; level < 3; ++level) {
    blocks(3);
    ++layer;  // doubles the picture
    s.convolution(next(), width, width, 3, false);
  }
  blocks(1);
  s.convolution(next(), width, 3, 3);
  return s.all;
}

namespace {

void dc_residual(Shapes& s, const std::string& name, std::int64_t channels) {
  s.convolution(name + ".conv1", channels, channels, 3);
  s.convolution(name + ".conv2", channels, channels, 3, false);
  s.norm(name + ".norm", channels);
}

void dc_attention(Shapes& s, const std::string& name, std::int64_t channels) {
  constexpr std::int64_t kHead = 32, kKernel = 5, kWider = 8;
  for (const char* part : {".attn.to_q", ".attn.to_k", ".attn.to_v"}) {
    s.linear(name + part, channels, channels, false);
  }
  s.convolution(name + ".attn.to_qkv_multiscale.0.proj_in", 1, 3 * channels, kKernel, false);
  s.convolution(name + ".attn.to_qkv_multiscale.0.proj_out", kHead, 3 * channels, 1, false);
  s.linear(name + ".attn.to_out", 2 * channels, channels, false);
  s.norm(name + ".attn.norm_out", channels);
  s.convolution(name + ".conv_out.conv_inverted", channels, kWider * channels, 1);
  s.convolution(name + ".conv_out.conv_depth", 1, kWider * channels, 3);
  s.convolution(name + ".conv_out.conv_point", kWider * channels / 2, channels, 1, false);
  s.norm(name + ".conv_out.norm", channels);
}

}  // namespace

std::vector<NamedShape> dc_ae_tensors(const std::vector<std::int64_t>& widths,
                                      std::int64_t latents) {
  Shapes s;
  const std::size_t levels = widths.size();
  const auto block = [&](const std::string& name, std::size_t level) {
    if (level < levels / 2) {
      dc_residual(s, name, widths[level]);
    } else {
      dc_attention(s, name, widths[level]);
    }
  };
  s.convolution("encoder.conv_in", 3, widths[0], 3);
  for (std::size_t i = 0; i < levels; ++i) {
    const int blocks = i < levels / 2 ? 2 : 3;
    for (int j = 0; j < blocks; ++j) block(fmt::format("encoder.down_blocks.{}.{}", i, j), i);
    if (i + 1 < levels) {
      s.convolution(fmt::format("encoder.down_blocks.{}.{}.conv", i, blocks), widths[i],
                    widths[i + 1], 3);
    }
  }
  s.convolution("encoder.conv_out", widths.back(), latents, 3);
  s.convolution("decoder.conv_in", latents, widths.back(), 3);
  for (std::size_t i = levels; i-- > 0;) {
    const bool deepest = i + 1 == levels;
    if (!deepest) {
      s.convolution(fmt::format("decoder.up_blocks.{}.0.conv", i), widths[i + 1], widths[i], 3);
    }
    for (int j = 0; j < 3; ++j) {
      block(fmt::format("decoder.up_blocks.{}.{}", i, j + (deepest ? 0 : 1)), i);
    }
  }
  s.norm("decoder.norm_out", widths[0]);
  s.convolution("decoder.conv_out", widths[0], 3, 3);
  return s.all;
}

namespace {

struct Published {
  std::string_view name;
  AutoencoderKind kind;
  double scale, shift;
};
constexpr Published kPublished[] = {{"sd", AutoencoderKind::kKl, 0.18215, 0},
                                    {"flux", AutoencoderKind::kKl, 0.3611, 0.1159},
                                    {"va-vae", AutoencoderKind::kKl, 1, 0},
                                    {"taesd", AutoencoderKind::kTaesd, 1, 0},
                                    {"dc-ae", AutoencoderKind::kDcAe, 0.41407, 0}};

const Published& find(std::string_view name) {
  for (const Published& one : kPublished) {
    if (one.name == name) return one;
  }
  fail<UsageError>("vae", "'{}' is none of the autoencoders known here: {}", name,
                   fmt::join(published_autoencoders(), ", "));
}

}  // namespace

std::vector<std::string> published_autoencoders() {
  std::vector<std::string> names;
  for (const Published& one : kPublished) names.emplace_back(one.name);
  return names;
}

std::vector<NamedShape> published_tensors(std::string_view autoencoder) {
  const std::string_view name = find(autoencoder).name;
  if (name == "sd") return kl_tensors({.widths = {128, 256, 512, 512}});
  if (name == "flux") {
    return kl_tensors({.widths = {128, 256, 512, 512}, .latents = 16, .quant = false});
  }
  if (name == "va-vae") {
    return kl_tensors(
        {.widths = {128, 128, 256, 256, 512}, .latents = 32, .attention_at_the_bottom = true});
  }
  if (name == "taesd") return taesd_tensors(64, 4);
  return dc_ae_tensors({128, 256, 512, 512, 1024, 1024}, 32);
}

std::vector<float> drawn_values(const NamedShape& tensor) {
  std::vector<float> values(static_cast<std::size_t>(tensor.shape.elements()));
  const std::uint64_t seed = checksum_of(std::span<const char>(tensor.name));
  random::fill_uniform({seed, random::Purpose::kBenchmark, 0, 0}, values);
  const bool weight = tensor.shape.rank() > 1;
  const std::int64_t terms = tensor.shape.elements() / tensor.shape[0];
  const auto factor = static_cast<float>(weight ? std::sqrt(12 / static_cast<double>(terms)) : 0.3);
  const float centre = !weight && tensor.name.ends_with(".weight") ? 1.f : 0.f;
  for (float& value : values) value = centre + factor * (value - 0.5f);
  return values;
}

std::unique_ptr<Autoencoder> drawn_autoencoder(std::string_view autoencoder, Backend& backend,
                                               AutoencoderOptions options) {
  const Published& published = find(autoencoder);
  AutoencoderTensors tensors(fmt::format("random weights of {}", published.name));
  for (const NamedShape& tensor : published_tensors(autoencoder)) {
    tensors.add(tensor.name, tensor.name, tensor.shape, [tensor](std::span<float> out) {
      std::ranges::copy(drawn_values(tensor), out.begin());
    });
  }
  AutoencoderParts parts = build_autoencoder(published.kind, tensors, backend, options);
  parts.info.path = tensors.label();
  parts.info.scale = published.scale;
  parts.info.shift = published.shift;
  parts.info.scale_origin = "as published";
  parts.info.tensor_names = "diffusers";
  return std::make_unique<Autoencoder>(std::move(parts), backend, options);
}

}  // namespace edt
