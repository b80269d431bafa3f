// From files to an autoencoder: which file, what it is, and what only config.json says.
#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "core/json/json_text.h"
#include "core/storage/checksum.h"
#include "core/storage/durable_file.h"
#include "core/storage/missing_path.h"
#include "model/autoencoder/parts.h"

namespace edt {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kPublishedGroups = 32;
constexpr const char* kDiffusersFile = "diffusion_pytorch_model.safetensors";

bool is_file(const fs::path& path) {
  std::error_code code;
  return fs::is_regular_file(path, code);
}

fs::path file_of(const fs::path& path) {
  std::error_code code;
  if (!fs::is_directory(path, code)) {
    require<UsageError>(is_file(path), "vae", "{}: {}", path.string(),
                        fs::exists(path, code)
                            ? "is no plain file"
                            : "there is no such file" + missing_weights_hint(path));
    return path;
  }
  for (const char* name :
       {kDiffusersFile, "taesd_encoder.safetensors", "taesd_decoder.safetensors"}) {
    if (is_file(path / name)) return path / name;
  }
  fail<UsageError>("vae", "{} is a directory and has no {}", path.string(), kDiffusersFile);
}

// The other half of a TAESD that came as NAME_encoder and NAME_decoder; empty: there is none.
fs::path other_half(const fs::path& file) {
  for (const auto& [mine, other] :
       {std::pair<std::string, std::string>{"encoder", "decoder"}, {"decoder", "encoder"}}) {
    std::string name = file.filename().string();
    const std::size_t at = name.rfind(mine);
    if (at == name.npos) continue;
    name.replace(at, mine.size(), other);
    if (is_file(file.parent_path() / name)) return file.parent_path() / name;
  }
  return {};
}

// Of a TAESD: tensors of both halves in one list.
void add_other_half(NamedTensors& named, const fs::path& file) {
  const bool encoder = named.tensors.has_any("encoder.");
  if (named.layout != "taesd" || (encoder && named.tensors.has_any("decoder."))) return;
  const fs::path other = other_half(file);
  if (other.empty()) return;
  auto second = std::make_shared<NamedTensors>(read_autoencoder_tensors(other));
  require<DataError>(second->tensors.has_any(encoder ? "decoder." : "encoder."), "vae",
                     "{} is no other half of {}", other.string(), file.string());
  for (const std::string& name : second->tensors.names()) {
    const Shape shape = second->tensors.shape(name);
    named.tensors.add(name, other.filename().string() + ":" + name, shape,
                      [second, name, shape](std::span<float> out) {
                        std::ranges::copy(second->tensors.take(name, shape), out.begin());
                      });
  }
}

// What config.json says where it is one of an autoencoder; 0: nothing.
struct AutoencoderConfig {
  bool present = false;
  double scale = 0, shift = 0;
  std::int64_t groups = 0;
};

double number_in(const nlohmann::json& json, const char* key, double otherwise,
                 const std::string& label) {
  if (!json.contains(key) || json[key].is_null()) return otherwise;
  require<DataError>(json[key].is_number(), "vae", "{}: {} is {}, not a number", label, key,
                     dump_json(json[key]));
  return json[key].get<double>();
}

AutoencoderConfig read_config(const fs::path& file) {
  const fs::path path = file.parent_path() / "config.json";
  if (!is_file(path)) return {};
  const std::string label = path.string();
  const nlohmann::json json = parse_json(read_text(path), label);
  const bool is_named =
      json.is_object() && json.contains("_class_name") && json["_class_name"].is_string();
  const std::string kind = is_named ? json["_class_name"].get<std::string>() : std::string();
  if (!kind.starts_with("Autoencoder")) {
    require<DataError>(file.filename() != kDiffusersFile, "vae",
                       "{}: of class '{}', not of an autoencoder", label, kind);
    return {};
  }
  // Without it diffusers takes the original's.
  const double usual = kind == "AutoencoderKL" ? 0.18215 : 1;
  const double scale = number_in(json, "scaling_factor", usual, label);
  const double shift = number_in(json, "shift_factor", 0, label);
  const double groups = number_in(json, "norm_num_groups", 0, label);
  constexpr double kMostGroups = 65536;
  require<DataError>(std::isfinite(scale) && scale > 0 && std::isfinite(shift) && groups >= 0 &&
                         groups <= kMostGroups && groups == std::floor(groups),
                     "vae", "{}: scaling_factor {}, shift_factor {}, norm_num_groups {}", label,
                     scale, shift, groups);
  return {true, scale, shift, static_cast<std::int64_t>(groups)};
}

void set_scale(AutoencoderInfo& info, const AutoencoderOptions& options,
               const AutoencoderConfig& config, const NamedTensors& named) {
  const auto set = [&](double scale, double shift, const char* origin) {
    info.scale = scale;
    info.shift = shift;
    info.scale_origin = origin;
  };
  if (options.scale > 0) return set(options.scale, options.shift, "as asked for");
  if (config.present) return set(config.scale, config.shift, "config.json");
  if (named.kind == AutoencoderKind::kTaesd) return set(1, 0, "TAESD takes latents as they are");
  if (named.kind != AutoencoderKind::kKl) return;
  const bool quant = named.tensors.has("post_quant_conv.weight");
  if (info.factor == 8 && info.channels == 4) {
    set(0.18215, 0, "as published for Stable Diffusion");
  } else if (info.factor == 8 && info.channels == 16 && !quant && named.layout == "ldm" &&
             named.prefix.empty()) {
    set(0.3611, 0.1159, "as published for FLUX");
  } else if (info.factor == 16 && named.layout == "ldm" &&
             named.tensors.has_any("decoder.up_blocks.0.attentions.")) {
    set(1, 0, "as published for VA-VAE");
  }
}

// The same tensors under norms of other groups are another autoencoder.
std::uint64_t with_groups(std::uint64_t checksum, std::int64_t groups) {
  if (checksum == 0 || groups == 0 || groups == kPublishedGroups) return checksum;
  const std::uint64_t both[] = {checksum, static_cast<std::uint64_t>(groups)};
  return checksum_of(std::span<const std::uint64_t>(both));
}

}  // namespace

void set_encoder(AutoencoderParts& parts, std::unique_ptr<PictureNetwork> encoder,
                 std::int64_t channels, std::int64_t factor, const AutoencoderOptions& options) {
  parts.info.has_encoder = true;
  parts.info.channels = channels;
  parts.info.factor = factor;
  if (options.use != AutoencoderUse::kDecoding) parts.encoder = std::move(encoder);
}

void set_decoder(AutoencoderParts& parts, std::unique_ptr<PictureNetwork> decoder,
                 std::int64_t channels, std::int64_t factor, const AutoencoderOptions& options,
                 const std::string& label) {
  require<DataError>(
      !parts.info.has_encoder || (parts.info.channels == channels && parts.info.factor == factor),
      "vae", "{}: the encoder makes {} channels of 1/{}, the decoder takes {} of 1/{}", label,
      parts.info.channels, parts.info.factor, channels, factor);
  parts.info.has_decoder = true;
  parts.info.channels = channels;
  parts.info.factor = factor;
  if (options.use != AutoencoderUse::kEncoding) parts.decoder = std::move(decoder);
}

AutoencoderParts build_autoencoder(AutoencoderKind kind, AutoencoderTensors& tensors,
                                   Backend& backend, AutoencoderOptions options) {
  require<UsageError>(options.decode == DType::kFloat32 || options.decode == DType::kBFloat16,
                      "vae", "decoding in {}: float32 and bf16 are there", name_of(options.decode));
  if (options.norm_groups == 0) options.norm_groups = kPublishedGroups;
  AutoencoderParts parts = kind == AutoencoderKind::kKl ? build_kl(tensors, backend, options)
                           : kind == AutoencoderKind::kTaesd
                               ? build_taesd(tensors, backend, options)
                               : build_dc_ae(tensors, backend, options);
  tensors.require_all_taken();
  const std::int64_t groups = parts.info.norm_groups;
  parts.info.encoder_checksum = with_groups(tensors.checksum(AutoencoderHalf::kEncoder), groups);
  parts.info.decoder_checksum = with_groups(tensors.checksum(AutoencoderHalf::kDecoder), groups);
  parts.info.encoder_parameters = tensors.parameters(AutoencoderHalf::kEncoder);
  parts.info.decoder_parameters = tensors.parameters(AutoencoderHalf::kDecoder);
  return parts;
}

std::unique_ptr<Autoencoder> Autoencoder::load(const fs::path& path, Backend& backend,
                                               const AutoencoderOptions& options) {
  const fs::path file = file_of(path);
  NamedTensors named = read_autoencoder_tensors(file);
  add_other_half(named, file);
  const AutoencoderConfig config = read_config(file);
  AutoencoderOptions building = options;
  if (building.norm_groups == 0) building.norm_groups = config.groups;
  AutoencoderParts parts = build_autoencoder(named.kind, named.tensors, backend, building);
  parts.info.path = file;
  parts.info.other_tensors = named.others;
  parts.info.tensor_names = named.layout;
  if (!named.prefix.empty()) parts.info.tensor_names += fmt::format(" behind {}", named.prefix);
  set_scale(parts.info, options, config, named);
  return std::make_unique<Autoencoder>(std::move(parts), backend, options);
}

}  // namespace edt
