#include "launcher/recipe/packed_weights.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "core/storage/file_kind.h"
#include "core/storage/packed_digits.h"
#include "model/ternary.h"
#include "parallel/checkpoint/tensor_dims.h"

namespace edt {
namespace {

namespace fs = std::filesystem;

constexpr const char* kFormat = "edt-packed-ternary";
constexpr const char* kVersion = "1";
constexpr std::string_view kLabelTable = "y_embedder.embedding_table.weight";

std::vector<std::uint64_t> packed_dims(const Shape& shape) {
  std::vector<std::uint64_t> dims = dims_of(shape);
  dims[0] /= 4;
  return dims;
}

std::vector<SafetensorsEntry> packed_entries(const Model& model) {
  std::vector<SafetensorsEntry> entries;
  for (const Parameter& parameter : model.parameters().all()) {
    const bool packed = parameter.ternary != nullptr;
    entries.push_back({.name = parameter.name,
                       .type = packed ? SafetensorsType::kU8 : SafetensorsType::kF32,
                       .shape = packed ? packed_dims(parameter.shape) : dims_of(parameter.shape)});
  }
  return entries;
}

std::string metadata_of(const SafetensorsReader& reader, const char* key) {
  const auto found = reader.metadata().find(key);
  require<DataError>(found != reader.metadata().end(), "weights", "{}: the metadata have no {}",
                     reader.path().string(), key);
  return found->second;
}

std::int64_t step_in(const SafetensorsReader& reader) {
  const std::string text = metadata_of(reader, "step");
  std::int64_t step = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), step);
  require<DataError>(error == std::errc() && end == text.data() + text.size(), "weights",
                     "{}: step is '{}', must be a number", reader.path().string(), text);
  return step;
}

}  // namespace

void require_packable(const Checkpoint& checkpoint, const Model& model) {
  std::size_t found = 0;
  for (const Parameter& parameter : model.parameters().all()) {
    if (parameter.ternary == nullptr) continue;
    ++found;
    require<UsageError>(parameter.shape[0] % 4 == 0, "weights",
                        "--packed: {} has {} rows, a multiple of 4 can be packed", parameter.name,
                        parameter.shape[0]);
  }
  require<UsageError>(found > 0, "weights",
                      "--packed is for ternary weights, model.weights of {} is dense",
                      checkpoint.path().string());
}

PackedReport export_packed(const Checkpoint& checkpoint, WeightSource source, const Model& model,
                           const fs::path& file) {
  const std::string array(source == WeightSource::kEma ? kEmaArray : kMasterArray);
  const auto& parameters = model.parameters().all();
  std::vector<LogicalTensor> expected;
  for (const Parameter& p : parameters) expected.push_back({p.name, p.shape});
  const auto places = checkpoint.find_tensors(expected, PartsRule::kNetwork);
  const CheckpointInfo& info = checkpoint.info();
  SafetensorsWriter writer(file, packed_entries(model),
                           {{"format", kFormat},
                            {"format_version", kVersion},
                            {"model", info.model},
                            {"step", std::to_string(info.step)},
                            {"weights", array},
                            {"configuration", info.configuration},
                            {"extra", info.extra}});
  PackedReport report{.file = {.path = file, .scheme = "published"}};
  std::size_t digits_seen = 0, zeros = 0, i = 0;
  for (const Parameter& parameter : parameters) {
    const std::vector<float> values = checkpoint.read_tensor(array, places[i++]);
    ++report.file.tensors;
    report.file.elements += static_cast<std::int64_t>(values.size());
    if (parameter.ternary == nullptr) {
      writer.append_values(std::span<const float>(values));
      continue;
    }
    const std::vector<std::int8_t> digits = ternary_digits(values);
    writer.append_values(std::span<const std::uint8_t>(pack_digits(digits, parameter.shape[0])));
    ++report.packed;
    digits_seen += digits.size();
    zeros += static_cast<std::size_t>(std::ranges::count(digits, std::int8_t{0}));
  }
  writer.finish();
  report.file.bytes = fs::file_size(file);
  report.zeros = static_cast<double>(zeros) / static_cast<double>(digits_seen);
  return report;
}

bool PackedWeights::is_file(const fs::path& path) {
  std::error_code ignored;
  return fs::is_regular_file(path, ignored) && kind_of_file(path) == FileKind::kSafetensors;
}

PackedWeights::PackedWeights(const fs::path& file)
    : reader_(std::make_shared<SafetensorsReader>(file)) {
  const auto format = reader_->metadata().find("format");
  require<DataError>(format != reader_->metadata().end() && format->second == kFormat, "weights",
                     "{} is not of edt ckpt export --packed: edt ckpt import makes a run of it",
                     file.string());
  const std::string version = metadata_of(*reader_, "format_version");
  require<DataError>(version == kVersion, "weights", "{}: format_version is {}, {} is read",
                     file.string(), version, kVersion);
  info_.step = step_in(*reader_);
  info_.model = metadata_of(*reader_, "model");
  info_.configuration = metadata_of(*reader_, "configuration");
  info_.extra = metadata_of(*reader_, "extra");
  array_ = metadata_of(*reader_, "weights");
}

std::int64_t PackedWeights::classes() const {
  const bool reads_labels = std::ranges::any_of(
      reader_->entries(), [](const SafetensorsEntry& one) { return one.name == kLabelTable; });
  if (!reads_labels) return 0;
  const SafetensorsEntry& table = reader_->entry(kLabelTable);
  require<DataError>(table.shape.size() == 2 && table.shape[0] >= 2, "weights",
                     "{}: {} is [{}], must be [classes + 1, width]", path().string(), table.name,
                     fmt::join(table.shape, ", "));
  return static_cast<std::int64_t>(table.shape[0]) - 1;
}

void PackedWeights::load(const FlatLayout& layout, std::span<float> weights) const {
  for (const SafetensorsEntry& entry : reader_->entries()) {
    require<DataError>(layout.find(entry.name) < layout.tensors().size(), "weights",
                       "{} is of another model, which lacks {} [{}]", path().string(), entry.name,
                       fmt::join(entry.shape, ", "));
  }
  for (const FlatTensor& tensor : layout.tensors()) {
    load_tensor(tensor, weights.subspan(static_cast<std::size_t>(tensor.offset),
                                        static_cast<std::size_t>(tensor.elements())));
  }
}

void PackedWeights::load_tensor(const FlatTensor& tensor, std::span<float> values) const {
  const SafetensorsEntry* entry = reader_->find(tensor.name);
  require<DataError>(entry != nullptr, "weights", "{} is of another model: it lacks {} {}",
                     path().string(), tensor.name, to_string(tensor.shape));
  const bool packed = entry->type == SafetensorsType::kU8;
  const bool fits =
      packed ? tensor.shape.rank() == 2 && tensor.shape[0] % 4 == 0 &&
                   entry->shape == packed_dims(tensor.shape)
             : entry->type == SafetensorsType::kF32 && entry->shape == dims_of(tensor.shape);
  require<DataError>(fits, "weights", "{} is of another model: {} is {} [{}], the model has {}",
                     path().string(), tensor.name, name_of(entry->type),
                     fmt::join(entry->shape, ", "), to_string(tensor.shape));
  const std::string what = fmt::format("{}: {}", path().string(), tensor.name);
  if (!packed) {
    reader_->read(*entry, 0, values);
    require<DataError>(std::ranges::all_of(values, [](float v) { return std::isfinite(v); }),
                       "weights", "{} holds values that are not finite", what);
    return;
  }
  std::vector<std::int32_t> bytes(values.size() / 4);
  reader_->read(*entry, 0, bytes);
  const std::vector<std::int8_t> digits =
      unpack_digits(std::vector<std::uint8_t>(bytes.begin(), bytes.end()), what);
  std::ranges::copy(digits, values.begin());
}

}  // namespace edt
