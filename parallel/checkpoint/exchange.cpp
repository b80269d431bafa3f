#include "parallel/checkpoint/exchange.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "core/base/error.h"
#include "core/storage/half.h"
#include "core/storage/safetensors.h"
#include "parallel/checkpoint/writer.h"

namespace edt {
namespace {

// Published tables were computed in double and rounded; another libm may differ in the last bits.
constexpr float kFixedTolerance = 1e-5f;

std::vector<std::uint64_t> dims_of(const Shape& shape) {
  std::vector<std::uint64_t> dims;
  for (int axis = 0; axis < shape.rank(); ++axis) {
    dims.push_back(static_cast<std::uint64_t>(shape[axis]));
  }
  return dims;
}

template <class T>
const T* find_named(std::span<const T> items, std::string_view name) {
  const auto found =
      std::find_if(items.begin(), items.end(), [&](const T& item) { return item.name == name; });
  return found == items.end() ? nullptr : &*found;
}

void require_shape(const SafetensorsReader& reader, const SafetensorsEntry& entry,
                   const Shape& shape) {
  if (entry.shape == dims_of(shape)) return;
  fail<DataError>("safetensors", "{}: {} has shape [{}], the model has {}", reader.path().string(),
                  entry.name, fmt::join(entry.shape, ", "), to_string(shape));
}

void check_fixed(const SafetensorsReader& reader, const SafetensorsEntry& entry,
                 const FixedTensor& fixed) {
  require_shape(reader, entry, fixed.shape);
  if (fixed.values.empty() || !is_floating(entry.type)) return;
  std::vector<float> values(fixed.values.size());
  reader.read(entry, 0, std::span<float>(values));
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (std::abs(values[i] - fixed.values[i]) <= kFixedTolerance) continue;  // NaN is refused too
    fail<DataError>("safetensors", "{}: {} element {} is {}, the model computes {}",
                    reader.path().string(), entry.name, i, values[i], fixed.values[i]);
  }
}

// Names of the tensors that are not weights.
std::vector<std::string> check_entries(const SafetensorsReader& reader,
                                       std::span<const LogicalTensor> expected,
                                       std::span<const FixedTensor> fixed) {
  std::vector<std::string> present;
  for (const SafetensorsEntry& entry : reader.entries()) {
    if (const auto* tensor = find_named(expected, entry.name)) {
      require_shape(reader, entry, tensor->shape);
    } else if (const auto* table = find_named(fixed, entry.name)) {
      check_fixed(reader, entry, *table);
      present.push_back(entry.name);
    } else if (!is_floating(entry.type)) {
      present.push_back(entry.name);  // an index table, no weights
    } else {
      fail<DataError>("safetensors", "{}: the model has no tensor {} (shape [{}])",
                      reader.path().string(), entry.name, fmt::join(entry.shape, ", "));
    }
  }
  for (const LogicalTensor& tensor : expected) {
    require<DataError>(reader.find(tensor.name) != nullptr, "safetensors",
                       "{}: tensor {} of shape {} is missing", reader.path().string(), tensor.name,
                       to_string(tensor.shape));
  }
  return present;
}

std::vector<SafetensorsEntry> entries_of(const Manifest& manifest,
                                         std::span<const FixedTensor> fixed) {
  std::vector<SafetensorsEntry> entries;
  const auto add = [&](const std::string& name, const Shape& shape) {
    entries.push_back({.name = name, .type = SafetensorsType::kF32, .shape = dims_of(shape)});
  };
  for (const LogicalTensor& tensor : manifest.tensors) add(tensor.name, tensor.shape);
  for (const FixedTensor& table : fixed) {
    if (!table.values.empty()) add(table.name, table.shape);
  }
  return entries;
}

}  // namespace

ExchangeReport export_safetensors(const Checkpoint& checkpoint, WeightSource source,
                                  std::span<const FixedTensor> fixed,
                                  const std::filesystem::path& file) {
  const std::string array(source == WeightSource::kEma ? kEmaArray : kMasterArray);
  const Manifest& manifest = checkpoint.manifest();
  require<CheckpointError>(manifest.has_array(array), "checkpoint", "{} has no {}, it holds {}",
                           checkpoint.path().string(), array, fmt::join(manifest.arrays, ", "));
  ExchangeReport report{.path = file};
  SafetensorsWriter writer(file, entries_of(manifest, fixed),
                           {{"format", "pt"},
                            {"model", manifest.info.model},
                            {"step", std::to_string(manifest.info.step)},
                            {"weights", array}});
  const auto append = [&](const std::vector<float>& values) {
    writer.append_values(std::span<const float>(values));
    ++report.tensors;
    report.elements += static_cast<std::int64_t>(values.size());
  };
  for (std::size_t i = 0; i < manifest.tensors.size(); ++i)
    append(checkpoint.read_tensor(array, i));
  for (const FixedTensor& table : fixed) {
    if (!table.values.empty()) append(table.values);
  }
  writer.finish();
  report.bytes = std::filesystem::file_size(file);
  return report;
}

ExchangeReport import_safetensors(const std::filesystem::path& file,
                                  std::span<const LogicalTensor> expected,
                                  std::span<const FixedTensor> fixed, const CheckpointInfo& info,
                                  const CheckpointStore& store) {
  require<UsageError>(
      store.entries().empty(), "checkpoint", "{} already holds {}", store.directory().string(),
      store.entries().empty() ? "" : store.entries().front().path.filename().string());
  const SafetensorsReader reader(file);
  ExchangeReport report{.path = store.path_of(0)};
  report.skipped = check_entries(reader, expected, fixed);

  CheckpointState state;
  std::int64_t elements = 0;
  for (const LogicalTensor& tensor : expected) {
    state.tensors.push_back(tensor);
    state.pieces.push_back({state.pieces.size(), Region::of_whole(tensor.shape), elements});
    elements += tensor.shape.elements();
  }
  std::vector<float> weights(static_cast<std::size_t>(elements));
  for (const StatePiece& piece : state.pieces) {
    const auto values = std::span(weights).subspan(
        static_cast<std::size_t>(piece.offset), static_cast<std::size_t>(piece.region.elements()));
    const LogicalTensor& tensor = state.tensors[piece.tensor];
    reader.read(reader.entry(tensor.name), 0, values);
    require<DataError>(all_finite(values), "safetensors", "{}: {} holds NaN or infinity",
                       file.string(), tensor.name);
  }
  state.arrays = {{std::string(kMasterArray), weights}, {std::string(kEmaArray), weights}};
  CheckpointInfo imported = info;
  imported.step = imported.samples_seen = 0;
  imported.optimizer.clear();
  write_checkpoint(store, state, imported, {});
  report.tensors = expected.size();
  report.elements = elements;
  report.bytes = Checkpoint::open(report.path).bytes();
  return report;
}

}  // namespace edt
