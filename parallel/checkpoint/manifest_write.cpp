#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/base/assert.h"
#include "core/json/json_text.h"
#include "core/storage/checksum.h"
#include "parallel/checkpoint/manifest.h"

namespace edt {
namespace {

using Json = nlohmann::ordered_json;

Json to_json(const Shape& shape) {
  Json dims = Json::array();
  for (int axis = 0; axis < shape.rank(); ++axis) dims.push_back(shape[axis]);
  return dims;
}

// Programs that know no parts read the rest.
Json to_json(const LogicalTensor& tensor) {
  Json json{{"name", tensor.name}, {"shape", to_json(tensor.shape)}, {"dtype", "float32"}};
  if (!tensor.part.name.empty()) json["part"] = tensor.part.name;
  if (tensor.part.training_only) json["use"] = "training";
  return json;
}

Json to_json(const StoredFragment& fragment, const Shape& tensor) {
  Json json{{"tensor", fragment.tensor},
            {"begin", fragment.region.begin},
            {"end", fragment.region.end},
            {"file", fragment.file}};
  if (fragment.region.extent != tensor) {
    json["origin"] = to_json(fragment.region.origin);
    json["extent"] = to_json(fragment.region.extent);
  }
  json["checksums"] = Json::array();
  for (const std::uint64_t sum : fragment.checksums)
    json["checksums"].push_back(checksum_text(sum));
  return json;
}

}  // namespace

std::size_t Manifest::array_index(std::string_view name) const {
  return static_cast<std::size_t>(std::find(arrays.begin(), arrays.end(), name) - arrays.begin());
}

bool Manifest::is_half(std::size_t array) const {
  return std::ranges::find(half_arrays, arrays[array]) != half_arrays.end();
}

std::string to_json_text(const Manifest& manifest) {
  const CheckpointInfo& info = manifest.info;
  const Json extra = try_parse_ordered_json(info.extra);
  EDT_ASSERT(!extra.is_discarded());
  Json json{{"format", "edt-checkpoint"},
            {"version", kCheckpointVersion},
            {"step", info.step},
            {"samples_seen", info.samples_seen},
            {"seed", info.seed},
            {"model", info.model},
            {"optimizer", info.optimizer},
            {"compute_dtype", info.compute_dtype},
            {"mesh", info.mesh},
            {"configuration", info.configuration},
            {"extra", extra},
            {"arrays", manifest.arrays}};
  if (!manifest.half_arrays.empty()) json["float16"] = manifest.half_arrays;
  if (info.smoothed_loss) json["smoothed_loss"] = *info.smoothed_loss;
  if (!info.judged.empty()) json["judged"] = info.judged;
  for (const char* list : {"files", "extras", "tensors", "pieces"}) json[list] = Json::array();
  for (const StoredFile& file : manifest.files) {
    json["files"].push_back(
        {{"name", file.name}, {"bytes", file.bytes}, {"checksum", checksum_text(file.checksum)}});
  }
  for (const StoredExtra& stored : manifest.extras) {
    json["extras"].push_back({{"name", stored.name},
                              {"type", stored.type},
                              {"elements", stored.elements},
                              {"checksum", checksum_text(stored.checksum)}});
  }
  for (const LogicalTensor& tensor : manifest.tensors) {
    json["tensors"].push_back(to_json(tensor));
  }
  for (const StoredFragment& fragment : manifest.fragments) {
    json["pieces"].push_back(to_json(fragment, manifest.tensors[fragment.tensor].shape));
  }
  return dump_json(json, 1) + "\n";
}

Manifest merge(std::vector<Manifest> parts) {
  Manifest whole = std::move(parts.front());
  for (std::size_t rank = 1; rank < parts.size(); ++rank) {
    const std::size_t first_file = whole.files.size();
    whole.files.insert(whole.files.end(), parts[rank].files.begin(), parts[rank].files.end());
    for (StoredFragment& fragment : parts[rank].fragments) {
      fragment.file += first_file;
      whole.fragments.push_back(std::move(fragment));
    }
  }
  return whole;
}

std::string dataset_name(const Manifest& manifest, std::size_t array,
                         const StoredFragment& fragment) {
  const LogicalTensor& tensor = manifest.tensors[fragment.tensor];
  return fmt::format("{}/{}/{}", manifest.arrays[array], tensor.name,
                     to_string(fragment.region, tensor.shape));
}

std::string extra_dataset_name(std::string_view extra) { return fmt::format("extra/{}", extra); }

}  // namespace edt
