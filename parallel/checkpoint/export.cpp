#include <fmt/ranges.h>

#include "core/base/error.h"
#include "parallel/checkpoint/exchange.h"
#include "parallel/checkpoint/tensor_dims.h"

namespace edt {
namespace {

// The shape of one of several equal parts along the first axis.
std::vector<std::uint64_t> part_dims(const LogicalTensor& tensor, std::size_t parts) {
  std::vector<std::uint64_t> dims = dims_of(tensor.shape);
  EDT_ASSERT(parts == 1 || dims.at(0) % parts == 0);
  if (parts > 1) dims[0] /= parts;
  return dims;
}

// Places of the tensors that the network computes with.
std::vector<std::size_t> used_tensors(const Manifest& manifest) {
  std::vector<std::size_t> used;
  for (std::size_t i = 0; i < manifest.tensors.size(); ++i) {
    if (!manifest.tensors[i].part.training_only) used.push_back(i);
  }
  return used;
}

std::vector<SafetensorsEntry> entries_of(const Manifest& manifest,
                                         const std::vector<std::size_t>& used,
                                         const TensorNames& names,
                                         std::span<const FixedTensor> fixed) {
  std::vector<SafetensorsEntry> entries;
  const auto add = [&](const std::string& name, std::vector<std::uint64_t> dims) {
    entries.push_back({.name = name, .type = SafetensorsType::kF32, .shape = std::move(dims)});
  };
  for (std::size_t i = 0; i < used.size(); ++i) {
    const NamedTensor& named = names.tensors[i];
    const auto dims = part_dims(manifest.tensors[used[i]], named.parts.size());
    for (const std::string& name : named.parts) add(name, dims);
    for (const auto& copy : named.copies) {
      for (const std::string& name : copy) add(name, dims);
    }
  }
  for (const FixedTensor& table : fixed) {
    if (!table.values.empty()) add(table.name, dims_of(table.shape));
  }
  return entries;
}

}  // namespace

ExchangeReport export_safetensors(const Checkpoint& checkpoint, WeightSource source,
                                  const TensorNames& names, std::span<const FixedTensor> fixed,
                                  const std::filesystem::path& file,
                                  const SafetensorsMetadata& metadata) {
  const std::string array(source == WeightSource::kEma ? kEmaArray : kMasterArray);
  const Manifest& manifest = checkpoint.manifest();
  require<CheckpointError>(manifest.has_array(array), "checkpoint", "{} has no {}, it holds {}",
                           checkpoint.path().string(), array, fmt::join(manifest.arrays, ", "));
  const std::vector<std::size_t> used = used_tensors(manifest);
  EDT_ASSERT(names.tensors.size() == used.size());
  ExchangeReport report{.path = file, .scheme = names.scheme};
  SafetensorsMetadata all{{"format", "pt"},
                          {"model", manifest.info.model},
                          {"step", std::to_string(manifest.info.step)},
                          {"weights", array}};
  all.insert(metadata.begin(), metadata.end());
  SafetensorsWriter writer(file, entries_of(manifest, used, names, fixed), all);
  const auto append = [&](const std::vector<float>& values, std::size_t times) {
    for (std::size_t i = 0; i < times; ++i) writer.append_values(std::span<const float>(values));
    ++report.tensors;
    report.elements += static_cast<std::int64_t>(values.size());
  };
  // Parts follow each other in the file as they do in the tensor.
  for (std::size_t i = 0; i < used.size(); ++i) {
    append(checkpoint.read_tensor(array, used[i]), 1 + names.tensors[i].copies.size());
  }
  for (const FixedTensor& table : fixed) {
    if (!table.values.empty()) append(table.values, 1);
  }
  writer.finish();
  report.bytes = std::filesystem::file_size(file);
  return report;
}

}  // namespace edt
