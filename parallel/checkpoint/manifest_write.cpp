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

Json to_json(const StoredPiece& piece, const Shape& tensor) {
  Json json{{"tensor", piece.tensor},
            {"begin", piece.region.begin},
            {"end", piece.region.end},
            {"file", piece.file}};
  if (piece.region.extent != tensor) {
    json["origin"] = to_json(piece.region.origin);
    json["extent"] = to_json(piece.region.extent);
  }
  json["checksums"] = Json::array();
  for (const std::uint64_t sum : piece.checksums) json["checksums"].push_back(checksum_text(sum));
  return json;
}

}  // namespace

std::size_t Manifest::array_index(std::string_view name) const {
  return static_cast<std::size_t>(std::find(arrays.begin(), arrays.end(), name) - arrays.begin());
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
  if (info.smoothed_loss) json["smoothed_loss"] = *info.smoothed_loss;
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
    json["tensors"].push_back(
        {{"name", tensor.name}, {"shape", to_json(tensor.shape)}, {"dtype", "float32"}});
  }
  for (const StoredPiece& piece : manifest.pieces) {
    json["pieces"].push_back(to_json(piece, manifest.tensors[piece.tensor].shape));
  }
  return dump_json(json, 1) + "\n";
}

Manifest merge(std::vector<Manifest> parts) {
  Manifest whole = std::move(parts.front());
  for (std::size_t rank = 1; rank < parts.size(); ++rank) {
    const std::size_t first_file = whole.files.size();
    whole.files.insert(whole.files.end(), parts[rank].files.begin(), parts[rank].files.end());
    for (StoredPiece& piece : parts[rank].pieces) {
      piece.file += first_file;
      whole.pieces.push_back(std::move(piece));
    }
  }
  return whole;
}

std::string dataset_name(const Manifest& manifest, std::size_t array, const StoredPiece& piece) {
  const LogicalTensor& tensor = manifest.tensors[piece.tensor];
  return fmt::format("{}/{}/{}", manifest.arrays[array], tensor.name,
                     to_string(piece.region, tensor.shape));
}

std::string extra_dataset_name(std::string_view extra) { return fmt::format("extra/{}", extra); }

}  // namespace edt
