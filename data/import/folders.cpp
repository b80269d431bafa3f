// One .npy file per sample: features/0.npy, labels/0.npy, ...
#include <algorithm>
#include <charconv>

#include "core/base/error.h"
#include "core/storage/npy.h"
#include "data/import/source.h"
#include "data/natural_order.h"

namespace edt::data {

namespace {

namespace fs = std::filesystem;

// Names of the .npy files of a folder, in natural order. Names that just count (0.npy, 1.npy, ...)
// are not kept, so millions of them need no memory.
class NpyFolder {
 public:
  explicit NpyFolder(fs::path folder) : folder_(std::move(folder)) {
    std::error_code code;
    require<DataError>(fs::is_directory(folder_, code), "import", "{} is not a folder",
                       folder_.string());
    if (!counts()) collect();
  }

  std::uint64_t size() const { return names_.empty() ? count_ : names_.size(); }
  std::string name(std::uint64_t i) const {
    return names_.empty() ? fmt::format("{}.npy", first_ + i) : names_[i];
  }
  fs::path path(std::uint64_t i) const { return folder_ / name(i); }
  const fs::path& folder() const { return folder_; }

 private:
  template <class Visit>
  void for_each(Visit visit) const {
    for (const auto& entry : fs::directory_iterator(folder_)) {
      const fs::path name = entry.path().filename();
      if (name.extension() == ".npy" && name.string()[0] != '.') visit(name);
    }
  }

  // True when the names are the numbers first_ ... first_ + count_ - 1, each written in one way.
  bool counts() {
    bool all = true;
    std::uint64_t last = 0;
    count_ = 0;
    for_each([&](const fs::path& name) {
      const std::string stem = name.stem().string();
      std::uint64_t number = 0;
      const auto [end, status] = std::from_chars(stem.data(), stem.data() + stem.size(), number);
      all = all && status == std::errc() && end == stem.data() + stem.size() &&
            stem == fmt::to_string(number);
      first_ = count_ == 0 ? number : std::min(first_, number);
      last = count_ == 0 ? number : std::max(last, number);
      ++count_;
    });
    return all && (count_ == 0 || last - first_ == count_ - 1);
  }

  void collect() {
    for_each([&](const fs::path& name) { names_.push_back(name.string()); });
    std::sort(names_.begin(), names_.end(),
              [](const std::string& a, const std::string& b) { return natural_less(a, b); });
  }

  fs::path folder_;
  std::vector<std::string> names_;
  std::uint64_t first_ = 0, count_ = 0;
};

void require_pairs(const NpyFolder& a, const NpyFolder& b) {
  for (std::uint64_t i = 0; i < std::min(a.size(), b.size()); ++i) {
    require<DataError>(a.name(i) == b.name(i), "import",
                       "{} and {} do not pair: file {} is {} and {}", a.folder().string(),
                       b.folder().string(), i, a.name(i), b.name(i));
  }
  require<DataError>(a.size() == b.size(), "import", "{} holds {} .npy files, {} holds {}",
                     a.folder().string(), a.size(), b.folder().string(), b.size());
}

class FolderSource : public ImportSource {
 public:
  explicit FolderSource(const ImportOptions& options)
      : features_(options.latents), labels_(options.labels) {
    require_pairs(features_, labels_);
    if (!options.flipped_latents.empty()) {
      flipped_ = std::make_unique<NpyFolder>(options.flipped_latents);
      require_pairs(features_, *flipped_);
    }
    require<DataError>(features_.size() > 0, "import", "{} holds no .npy files",
                       options.latents.string());
    const NpyReader first = NpyReader::open(features_.path(0));
    shape_ = sample_shape(first.header().shape, true, first.label());
  }

  std::uint64_t size() const override { return features_.size(); }
  Shape shape() const override { return shape_; }
  bool has_flipped() const override { return flipped_ != nullptr; }
  std::string origin(std::uint64_t index) const override { return features_.path(index).string(); }
  std::string label_origin(std::uint64_t index) const override {
    return labels_.path(index).string();
  }

  void read(std::uint64_t index, std::span<float> stored, std::span<float> flipped,
            std::int32_t& label) override {
    read_array(features_.path(index), stored);
    if (flipped_) read_array(flipped_->path(index), flipped);
    NpyReader reader = NpyReader::open(labels_.path(index));
    const NpyHeader& header = reader.header();
    require<DataError>(header.rows() == 1 && header.row_elements() == 1, "import",
                       "{}: shape {}, expected one label", reader.label(),
                       h5::to_string(header.shape));
    reader.read(std::span(&label, 1));
  }

 private:
  void read_array(const fs::path& path, std::span<float> out) const {
    NpyReader reader = NpyReader::open(path);
    const Shape shape = sample_shape(reader.header().shape, true, reader.label());
    require<DataError>(shape == shape_, "import", "{}: shape {}, but {} has [{}, {}, {}]",
                       reader.label(), h5::to_string(reader.header().shape),
                       features_.path(0).string(), shape_.channels, shape_.height, shape_.width);
    reader.read(out);
  }

  NpyFolder features_, labels_;
  std::unique_ptr<NpyFolder> flipped_;
  Shape shape_;
};

}  // namespace

std::unique_ptr<ImportSource> open_folder_source(const ImportOptions& options) {
  require<UsageError>(!options.labels.empty(), "import", "{}: the labels' folder is needed",
                      options.latents.string());
  return std::make_unique<FolderSource>(options);
}

}  // namespace edt::data
