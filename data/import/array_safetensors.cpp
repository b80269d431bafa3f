#include <fmt/ranges.h>

#include "core/storage/safetensors.h"
#include "data/import/array.h"

namespace edt::data {

namespace {

class Tensor : public Array {
 public:
  Tensor(std::shared_ptr<const SafetensorsReader> reader, const SafetensorsEntry& entry)
      : Array(reader->path().string() + ":" + entry.name, std::string(name_of(entry.type)),
              entry.shape),
        reader_(std::move(reader)),
        entry_(entry) {}

  void read(std::uint64_t first, std::span<float> out) override {
    reader_->read(entry_, first * row_elements(), out);
  }
  void read(std::uint64_t first, std::span<double> out) override {
    reader_->read(entry_, first * row_elements(), out);
  }

 private:
  std::shared_ptr<const SafetensorsReader> reader_;
  const SafetensorsEntry& entry_;
};

class SafetensorsFile : public ArrayFile {
 public:
  explicit SafetensorsFile(const std::filesystem::path& path)
      : ArrayFile(path), reader_(std::make_shared<SafetensorsReader>(path)) {}

  std::vector<std::string> list() const override {
    std::vector<std::string> names;
    for (const SafetensorsEntry& entry : reader_->entries()) {
      names.push_back(fmt::format("{} {}", entry.name, h5::to_string(entry.shape)));
    }
    return names;
  }
  std::unique_ptr<Array> find(const std::string& name) const override {
    const SafetensorsEntry* entry = reader_->find(name);
    return entry ? std::make_unique<Tensor>(reader_, *entry) : nullptr;
  }
  NamedValues said(const std::string&) const override {
    NamedValues values = single_numbers();
    for (const auto& [name, text] : reader_->metadata()) {
      if (name != "format") values.emplace_back(name, text);  // who wrote it: "pt"
    }
    return values;
  }

 private:
  std::shared_ptr<const SafetensorsReader> reader_;
};

}  // namespace

std::unique_ptr<ArrayFile> open_safetensors_arrays(const std::filesystem::path& path) {
  return std::make_unique<SafetensorsFile>(path);
}

}  // namespace edt::data
