#include <nlohmann/json.hpp>

#include "core/base/error.h"
#include "core/json/json_text.h"
#include "core/storage/safetensors.h"

namespace edt {

SafetensorsWriter::SafetensorsWriter(const std::filesystem::path& path,
                                     std::vector<SafetensorsEntry> entries,
                                     const SafetensorsMetadata& metadata)
    : file_(path) {
  nlohmann::ordered_json header = nlohmann::ordered_json::object();
  if (!metadata.empty()) header["__metadata__"] = metadata;
  std::uint64_t position = 0;
  for (const SafetensorsEntry& entry : entries) {
    std::uint64_t bytes = size_of(entry.type);
    for (std::uint64_t n : entry.shape) bytes *= n;
    require<UsageError>(!header.contains(entry.name) && entry.name != "__metadata__", "safetensors",
                        "{}: tensor name '{}' is taken", path.string(), entry.name);
    header[entry.name] = {{"dtype", name_of(entry.type)},
                          {"shape", entry.shape},
                          {"data_offsets", {position, position + bytes}}};
    position += bytes;
  }
  std::string text = dump_json(header);
  text.append((8 - text.size() % 8) % 8, ' ');  // aligns the data
  const std::uint64_t length = text.size();
  file_.write(std::as_bytes(std::span(&length, 1)));
  file_.write(text);
  expected_ = file_.written() + position;
}

void SafetensorsWriter::finish() {
  require<UsageError>(file_.written() == expected_, "safetensors",
                      "{}: {} bytes written, the header promises {}", file_.path().string(),
                      file_.written(), expected_);
  file_.commit();
}

}  // namespace edt
