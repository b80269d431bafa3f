#include "launcher/sample/latents_file.h"

#include <algorithm>

#include "core/base/error.h"
#include "core/json/json_text.h"
#include "core/storage/durable_file.h"
#include "core/storage/partial_file.h"
#include "core/storage/safetensors.h"

namespace edt {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::string_view kSafetensors = ".safetensors";

// Lists of texts have one a line, as class_names of a shard.
std::string lines(const Json& list) {
  std::string text;
  for (const Json& item : list) text += item.get<std::string>() + "\n";
  return text;
}

void write_attribute(h5::File& file, const std::string& name, const Json& value) {
  if (value.is_string()) return file.write_attribute(name, value.get<std::string>());
  if (value.is_boolean()) return file.write_attribute(name, value.get<bool>() ? 1 : 0);
  if (value.is_number_integer()) return file.write_attribute(name, value.get<std::int64_t>());
  if (value.is_number()) return file.write_attribute(name, value.get<double>());
  if (value.empty()) return;  // HDF5 has no empty lists
  if (value.front().is_string()) return file.write_attribute(name, lines(value));
  if (value.front().is_number_integer()) {
    return file.write_attribute(
        name, std::span<const std::int64_t>(value.get<std::vector<std::int64_t>>()));
  }
  file.write_attribute(name, std::span<const double>(value.get<std::vector<double>>()));
}

// More than the bytes of any of them as an attribute.
std::uint64_t longest(const Json& notes) {
  std::size_t bytes = 0;
  for (const auto& [name, value] : notes.items()) bytes = std::max(bytes, dump_json(value).size());
  return bytes;
}

class Hdf5Latents final : public LatentsFile {
 public:
  Hdf5Latents(const std::filesystem::path& path, const h5::Shape& shape,
              std::span<const std::int32_t> labels, const Json& notes)
      : partial_(path), file_(h5::File::create(partial_.partial(), 0, longest(notes))) {
    for (const auto& [name, value] : notes.items()) write_attribute(file_, name, value);
    file_.create_dataset("labels", h5::Type::kInt32, {labels.size()})
        .write(h5::Type::kInt32, labels.data());
    rows_ = file_.create_dataset("latents", h5::Type::kFloat32, shape);
  }

  void append(std::span<const float> rows) override {
    const std::uint64_t count = rows.size() / rows_->row_elements();
    rows_->write_rows(done_, count, h5::Type::kFloat32, rows.data());
    done_ += count;
  }

  void finish() override {
    rows_.reset();
    file_.close();
    partial_.commit();
  }

 private:
  PartialFile partial_;
  h5::File file_;
  std::optional<h5::DataSet> rows_;
  std::uint64_t done_ = 0;
};

SafetensorsMetadata metadata_of(const Json& notes) {
  SafetensorsMetadata metadata;
  for (const auto& [name, value] : notes.items()) {
    metadata[name] = value.is_string() ? value.get<std::string>() : dump_json(value);
  }
  return metadata;
}

class SafetensorsLatents final : public LatentsFile {
 public:
  SafetensorsLatents(const std::filesystem::path& path, const h5::Shape& shape,
                     std::span<const std::int32_t> labels, const Json& notes)
      : writer_(path,
                {{.name = "latents", .type = SafetensorsType::kF32, .shape = shape},
                 {.name = "labels", .type = SafetensorsType::kI32, .shape = {labels.size()}}},
                metadata_of(notes)),
        labels_(labels.begin(), labels.end()) {}

  void append(std::span<const float> rows) override { writer_.append_values(rows); }

  void finish() override {
    writer_.append_values(std::span<const std::int32_t>(labels_));
    writer_.finish();
  }

 private:
  SafetensorsWriter writer_;
  std::vector<std::int32_t> labels_;
};

}  // namespace

std::unique_ptr<LatentsFile> LatentsFile::create(const std::filesystem::path& path,
                                                 const h5::Shape& shape,
                                                 std::span<const std::int32_t> labels,
                                                 const nlohmann::ordered_json& notes) {
  if (lower_case_extension(path) == kSafetensors) {
    return std::make_unique<SafetensorsLatents>(path, shape, labels, notes);
  }
  return std::make_unique<Hdf5Latents>(path, shape, labels, notes);
}

}  // namespace edt
