// One large array of latents and one of labels: .npy files, or members of an .npz.
#include "core/base/error.h"
#include "core/storage/npy.h"
#include "data/import/source.h"

namespace edt::data {

namespace {

NpyReader open_reader(const std::filesystem::path& file, const std::string& key) {
  return file.extension() == ".npz" ? NpyReader::open_member(file, key) : NpyReader::open(file);
}

class ArraySource : public ImportSource {
 public:
  explicit ArraySource(const ImportOptions& options)
      : latents_(open_reader(options.latents, options.latents_key)),
        labels_(open_reader(options.labels.empty() ? options.latents : options.labels,
                            options.labels_key)),
        shape_(sample_shape(latents_.header().shape, false, latents_.label())) {
    const NpyHeader& labels = labels_.header();
    require<DataError>(labels.rows() == size() && labels.row_elements() == 1, "import",
                       "{}: shape {}, expected {} labels", labels_.label(),
                       h5::to_string(labels.shape), size());
    if (options.flipped_latents.empty()) return;
    flipped_ =
        std::make_unique<NpyReader>(open_reader(options.flipped_latents, options.flipped_key));
    require<DataError>(flipped_->header().shape == latents_.header().shape, "import",
                       "{}: shape {}, but {} has {}", flipped_->label(),
                       h5::to_string(flipped_->header().shape), latents_.label(),
                       h5::to_string(latents_.header().shape));
  }

  std::uint64_t size() const override { return latents_.header().rows(); }
  Shape shape() const override { return shape_; }
  bool has_flipped() const override { return flipped_ != nullptr; }
  std::string origin(std::uint64_t) const override { return latents_.label(); }
  std::string label_origin(std::uint64_t) const override { return labels_.label(); }

  void read(std::uint64_t index, std::span<float> stored, std::span<float> flipped,
            std::int32_t& label) override {
    latents_.skip(index - latents_.position());
    latents_.read(stored);
    labels_.skip(index - labels_.position());
    labels_.read(std::span(&label, 1));
    if (!flipped_) return;
    flipped_->skip(index - flipped_->position());
    flipped_->read(flipped);
  }

 private:
  NpyReader latents_, labels_;
  std::unique_ptr<NpyReader> flipped_;
  Shape shape_;
};

}  // namespace

std::unique_ptr<ImportSource> open_array_source(const ImportOptions& options) {
  require<UsageError>(!options.labels.empty() || options.latents.extension() == ".npz", "import",
                      "{}: the labels' .npy file is needed", options.latents.string());
  return std::make_unique<ArraySource>(options);
}

}  // namespace edt::data
