#include "launcher/autoencoder/latents_input.h"

#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "core/json/json_text.h"
#include "core/storage/half.h"
#include "core/storage/hdf5.h"
#include "core/storage/missing_path.h"
#include "core/storage/safetensors.h"

namespace edt {
namespace {

void set_shape(LatentsInput& input, const std::vector<std::uint64_t>& shape,
               const std::string& label) {
  constexpr std::uint64_t kMost = std::uint64_t{1} << 32;
  require<DataError>(shape.size() == 4, "vae", "{}: latents have {} axes, [N, C, H, W] is expected",
                     label, shape.size());
  std::uint64_t elements = 1;
  for (const std::uint64_t n : shape) {
    require<DataError>(n >= 1 && n <= kMost / elements, "vae", "{}: latents are {}", label,
                       h5::to_string(shape));
    elements *= n;
  }
  input.count = static_cast<std::int64_t>(shape[0]);
  input.channels = static_cast<std::int64_t>(shape[1]);
  input.size = {static_cast<std::int64_t>(shape[2]), static_cast<std::int64_t>(shape[3])};
  input.values.resize(elements);
}

void require_real(bool is_real, const std::string& path, std::string_view type) {
  require<DataError>(is_real, "vae", "{}: latents are {}, floating point is needed", path, type);
}

void read_hdf5(LatentsInput& input, const std::filesystem::path& path) {
  const h5::File file = h5::File::open(path);
  const h5::DataSet set = file.dataset("latents");
  set_shape(input, set.shape(), path.string());
  using enum h5::Type;
  const bool is_real = set.type() == kFloat16 || set.type() == kBFloat16 ||
                       set.type() == kFloat32 || set.type() == kFloat64;
  require_real(is_real, path.string(), set.type_name());
  set.read(h5::Type::kFloat32, input.values.data());
  if (!file.has_attribute("scale")) return;
  LatentScaling& scaling = input.scaling.emplace();
  scaling.scale = file.read_double("scale");
  if (file.has_attribute("shift")) scaling.shift = file.read_double("shift");
  if (file.has_attribute("channel_mean")) scaling.mean = file.read_doubles("channel_mean");
  if (file.has_attribute("channel_std")) scaling.std = file.read_doubles("channel_std");
  if (file.has_attribute("autoencoder_checksum")) {
    input.autoencoder_checksum = file.read_string("autoencoder_checksum");
  }
}

void read_safetensors(LatentsInput& input, const std::filesystem::path& path) {
  const SafetensorsReader reader(path);
  const SafetensorsEntry& entry = reader.entry("latents");
  set_shape(input, entry.shape, path.string());
  using enum SafetensorsType;
  const bool is_real =
      entry.type == kF16 || entry.type == kBF16 || entry.type == kF32 || entry.type == kF64;
  require_real(is_real, path.string(), name_of(entry.type));
  reader.read(entry, 0, std::span<float>(input.values));
  const auto& notes = reader.metadata();
  const auto parsed = [&](const char* key) {
    return parse_json(notes.at(key), fmt::format("{}, {}", path.string(), key));
  };
  if (!notes.contains("scale")) return;
  LatentScaling& scaling = input.scaling.emplace();
  const auto take = [&](const char* key, auto& value) {
    if (!notes.contains(key)) return;
    try {
      parsed(key).get_to(value);
    } catch (const nlohmann::json::exception& error) {
      fail<DataError>("vae", "{}: {} is '{}': {}", path.string(), key, notes.at(key), error.what());
    }
  };
  take("scale", scaling.scale);
  take("shift", scaling.shift);
  take("channel_mean", scaling.mean);
  take("channel_std", scaling.std);
  const auto checksum = notes.find("autoencoder_checksum");
  if (checksum != notes.end()) input.autoencoder_checksum = checksum->second;
}

}  // namespace

LatentsInput read_latents(const std::filesystem::path& path) {
  std::error_code code;
  const bool is_folder = std::filesystem::is_directory(path, code);
  require<UsageError>(std::filesystem::is_regular_file(path, code), "vae", "{}: {}", path.string(),
                      is_folder ? "is a folder, a file of latents is needed"
                                : "there is no such file" + missing_path_hint(path));
  LatentsInput input;
  if (lower_case_extension(path) == ".safetensors") {
    read_safetensors(input, path);
  } else {
    read_hdf5(input, path);
  }
  require<DataError>(all_finite(input.values), "vae", "{}: latents contain NaN or infinity",
                     path.string());
  if (!input.scaling) return input;
  const LatentScaling& scaling = *input.scaling;
  const auto fits = [&](const std::vector<double>& values) {
    return values.empty() || values.size() == static_cast<std::size_t>(input.channels);
  };
  require<DataError>(fits(scaling.mean) && fits(scaling.std) && scaling.scale > 0, "vae",
                     "{}: {} channels, {} means, {} deviations, scale {}", path.string(),
                     input.channels, scaling.mean.size(), scaling.std.size(), scaling.scale);
  return input;
}

}  // namespace edt
