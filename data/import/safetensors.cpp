// safetensors files with latents, their mirrored copies and labels, as LightningDiT extracts them.
#include <algorithm>

#include "core/base/error.h"
#include "core/storage/safetensors.h"
#include "data/import/source.h"
#include "data/natural_order.h"

namespace edt::data {

namespace {

namespace fs = std::filesystem;

std::vector<fs::path> list_files(const fs::path& path) {
  std::error_code code;
  if (!fs::is_directory(path, code)) return {path};
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(path)) {
    const bool hidden = entry.path().filename().string()[0] == '.';
    if (!hidden && entry.path().extension() == ".safetensors") files.push_back(entry.path());
  }
  require<DataError>(!files.empty(), "import", "{} holds no .safetensors files", path.string());
  std::sort(files.begin(), files.end(), [](const fs::path& a, const fs::path& b) {
    return natural_less(a.filename().string(), b.filename().string());
  });
  return files;
}

class SafetensorsSource : public ImportSource {
 public:
  explicit SafetensorsSource(const ImportOptions& options)
      : latents_(options.latents_key),
        labels_(options.labels_key),
        flipped_(options.flipped_key),
        files_(list_files(options.latents)),
        begin_{0} {
    for (std::size_t i = 0; i < files_.size(); ++i) add(SafetensorsReader(files_[i]), i == 0);
  }

  std::uint64_t size() const override { return begin_.back(); }
  Shape shape() const override { return shape_; }
  bool has_flipped() const override { return has_flipped_; }
  std::string origin(std::uint64_t index) const override { return files_[file_of(index)].string(); }

  void read(std::uint64_t index, std::span<float> stored, std::span<float> flipped,
            std::int32_t& label) override {
    const std::size_t file = file_of(index);
    if (!reader_ || open_ != file) {
      reader_ = std::make_unique<SafetensorsReader>(files_[file]);
      open_ = file;
    }
    const std::uint64_t row = index - begin_[file];
    reader_->read(reader_->entry(latents_), row * stored.size(), stored);
    if (has_flipped_) reader_->read(reader_->entry(flipped_), row * flipped.size(), flipped);
    reader_->read(reader_->entry(labels_), row, std::span(&label, 1));
  }

 private:
  std::size_t file_of(std::uint64_t index) const {
    return static_cast<std::size_t>(std::upper_bound(begin_.begin(), begin_.end(), index) -
                                    begin_.begin()) -
           1;
  }

  void add(const SafetensorsReader& reader, bool first) {
    const std::string file = reader.path().string();
    const SafetensorsEntry& latents = reader.entry(latents_);
    const Shape shape = sample_shape(latents.shape, false, fmt::format("{}:{}", file, latents_));
    const SafetensorsEntry& labels = reader.entry(labels_);
    require<DataError>(labels.elements() == latents.shape[0], "import", "{}: {} latents, {} labels",
                       file, latents.shape[0], labels.elements());
    const SafetensorsEntry* flipped = reader.find(flipped_);
    require<DataError>(!flipped || flipped->shape == latents.shape, "import",
                       "{}: {} and {} differ in shape", file, latents_, flipped_);
    if (first) {
      shape_ = shape;
      has_flipped_ = flipped != nullptr;
    }
    require<DataError>(shape == shape_, "import",
                       "{}: samples of [{}, {}, {}], but {} has [{}, {}, {}]", file, shape.channels,
                       shape.height, shape.width, files_[0].string(), shape_.channels,
                       shape_.height, shape_.width);
    require<DataError>(has_flipped_ == (flipped != nullptr), "import", "{}: {} '{}', unlike {}",
                       file, flipped ? "has" : "lacks", flipped_, files_[0].string());
    begin_.push_back(begin_.back() + latents.shape[0]);
  }

  std::string latents_, labels_, flipped_;
  std::vector<fs::path> files_;
  std::vector<std::uint64_t> begin_;
  Shape shape_;
  bool has_flipped_ = false;
  std::unique_ptr<SafetensorsReader> reader_;
  std::size_t open_ = 0;
};

}  // namespace

std::unique_ptr<ImportSource> open_safetensors_source(const ImportOptions& options) {
  return std::make_unique<SafetensorsSource>(options);
}

}  // namespace edt::data
