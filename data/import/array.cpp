#include "data/import/array.h"

#include <fmt/ranges.h>

#include <algorithm>

#include "core/base/error.h"
#include "core/storage/file_kind.h"
#include "core/storage/npy.h"
#include "data/import/foreign.h"

namespace edt::data {

namespace {

class NpyArray : public Array {
 public:
  explicit NpyArray(NpyReader reader)
      : Array(reader.label(),
              std::string(reader.header().big_endian ? "big-endian " : "") +
                  std::string(name_of(reader.header().type)),
              reader.header().shape),
        reader_(std::move(reader)) {}

  void read(std::uint64_t first, std::span<float> out) override {
    reader_.seek(first);
    reader_.read(out);
  }
  void read(std::uint64_t first, std::span<double> out) override {
    reader_.seek(first);
    reader_.read(out);
  }

 private:
  NpyReader reader_;
};

class NpyFile : public ArrayFile {
 public:
  explicit NpyFile(const std::filesystem::path& path) : ArrayFile(path) {}
  bool has_names() const override { return false; }
  std::vector<std::string> list() const override { return {}; }
  std::unique_ptr<Array> find(const std::string&) const override {
    return std::make_unique<NpyArray>(NpyReader::open(path()));
  }
};

class NpzFile : public ArrayFile {
 public:
  explicit NpzFile(const std::filesystem::path& path) : ArrayFile(path), archive_(path) {}
  std::vector<std::string> list() const override {
    std::vector<std::string> names = archive_.names();
    for (std::string& name : names) {
      if (name.ends_with(".npy")) name.resize(name.size() - 4);
    }
    return names;
  }
  std::unique_ptr<Array> find(const std::string& name) const override {
    if (!archive_.has(name)) return nullptr;
    return npy_array(archive_.open(name));
  }
  NamedValues said(const std::string&) const override { return single_numbers(); }

 private:
  ZipReader archive_;
};

}  // namespace

std::uint64_t Array::elements() const { return rows() * row_elements(); }

std::uint64_t Array::row_elements() const {
  std::uint64_t product = 1;
  for (std::size_t i = 1; i < shape_.size(); ++i) product *= shape_[i];
  return product;
}

void Array::require_written(std::span<const float> row, std::uint64_t number,
                            std::string_view where, std::string_view what) const {
  const bool is_one_value = std::ranges::all_of(row, [&](float value) { return value == row[0]; });
  if (!is_one_value || (row[0] != 0 && row[0] != fill_value())) return;
  fail<DataError>(where, "{}: {} {} is {} everywhere: it was never written", label_, what, number,
                  row[0] == 0 ? "zero" : fmt::format("{}, the fill value,", row[0]));
}

std::unique_ptr<Array> npy_array(std::unique_ptr<ByteStream> stream) {
  return std::make_unique<NpyArray>(NpyReader(std::move(stream)));
}

std::unique_ptr<ArrayFile> open_array_file(const std::filesystem::path& path) {
  switch (const FileKind kind = kind_of_file(path)) {
    case FileKind::kNpy:
      return std::make_unique<NpyFile>(path);
    case FileKind::kZip:
      return std::make_unique<NpzFile>(path);
    case FileKind::kSafetensors:
      return open_safetensors_arrays(path);
    case FileKind::kHdf5:
    case FileKind::kShard:
      return open_hdf5_arrays(path);
    default:
      refuse_foreign(path, kind);
  }
}

NamedValues ArrayFile::single_numbers() const {
  NamedValues values;
  for (std::size_t topic = 0; topic < kTopics; ++topic) {
    for (const std::string_view name : names_of(static_cast<Topic>(topic))) {
      try {
        const auto array = find(std::string(name));
        if (!array || array->elements() != 1) continue;
        double value = 0;
        array->read(0, std::span(&value, 1));
        values.emplace_back(name, std::vector<double>{value});
      } catch (const DataError&) {  // of no numbers
      }
    }
  }
  return values;
}

std::vector<std::string> flipped_names(const std::string& name) {
  return {name + "_flip", name + "_flipped", name + "_hflip"};
}

std::unique_ptr<Array> find_array(const ArrayFile& file, const ArrayName& name, bool optional,
                                  std::string* name_found) {
  std::vector<std::string> names = name.usual;
  if (!name.said.empty()) names = {name.said};
  require<UsageError>(
      name.said.empty() || file.has_names(), "import",
      "{} is a name within .npz, .safetensors or HDF5: {} is an .npy, which has none", name.option,
      file.path().string());
  for (const std::string& candidate : names) {
    if (auto array = file.find(candidate)) {
      if (name_found) *name_found = candidate;
      return array;
    }
  }
  if (optional && name.said.empty()) return nullptr;
  constexpr std::size_t kMost = 20;
  std::vector<std::string> there = file.list();
  const bool more = there.size() > kMost;
  there.resize(std::min(there.size(), kMost));
  const bool may_lack = name.option == std::string_view("--labels-key") && name.said.empty();
  fail<DataError>("import", "{}: there is no '{}' ({}{}); there are: {}{}", file.path().string(),
                  fmt::join(names, "' or '"), name.option, may_lack ? ", or --unlabelled" : "",
                  there.empty() ? "none" : fmt::format("{}", fmt::join(there, ", ")),
                  more ? ", ..." : "");
}

}  // namespace edt::data
