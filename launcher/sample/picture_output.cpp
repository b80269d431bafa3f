#include "launcher/sample/picture_output.h"

#include "core/base/error.h"
#include "core/storage/durable_file.h"
#include "core/storage/half.h"

namespace edt {
namespace {

// Of a file in a directory that need not exist.
void require_output(const std::filesystem::path& path, std::string_view option) {
  if (path.has_parent_path()) {
    require_directory(path.parent_path(), option);
    make_directories(path.parent_path());
  }
  require_writable(path, option);
}

std::vector<std::pair<std::string_view, std::filesystem::path>> files_of(const OutputPaths& paths) {
  std::vector<std::pair<std::string_view, std::filesystem::path>> files{
      {"--out", paths.grid}, {"--latents", paths.latents}, {"--npz", paths.npz}};
  std::erase_if(files, [](const auto& file) { return file.second.empty(); });
  return files;
}

// One would replace the other.
void require_different(const OutputPaths& paths) {
  const auto real = [](const std::filesystem::path& path) {
    return std::filesystem::weakly_canonical(std::filesystem::absolute(path));
  };
  const auto files = files_of(paths);
  for (std::size_t i = 0; i < files.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      require<UsageError>(real(files[i].second) != real(files[j].second), "sample",
                          "{} and {} both name {}", files[j].first, files[i].first,
                          files[i].second.string());
    }
  }
}

}  // namespace

PictureOutput::PictureOutput(const OutputPaths& paths, data::Decoder decoder,
                             std::vector<std::int32_t> labels, std::int64_t channels,
                             std::int64_t side, int columns)
    : paths_(paths),
      decoder_(std::move(decoder)),
      labels_(std::move(labels)),
      channels_(channels),
      side_(side),
      columns_(columns) {
  require_different(paths_);
  for (const auto& [option, path] : files_of(paths_)) require_output(path, option);
  if (!paths_.singles.empty()) require_output(paths_.singles / "000000.png", "--out-dir");
  if (!paths_.latents.empty()) {
    const auto n = static_cast<std::uint64_t>(labels_.size());
    const auto s = static_cast<std::uint64_t>(side_);
    partial_ = std::make_unique<PartialFile>(paths_.latents);
    file_ = h5::File::create(partial_->partial());
    file_->create_dataset("labels", h5::Type::kInt32, {n}).write(h5::Type::kInt32, labels_.data());
    rows_ = file_->create_dataset("latents", h5::Type::kFloat32,
                                  {n, static_cast<std::uint64_t>(channels_), s, s});
  }
}

void PictureOutput::add(std::span<const float> latents) {
  const auto elements = static_cast<std::size_t>(channels_ * side_ * side_);
  const std::size_t count = latents.size() / elements;
  for (std::size_t i = 0; i < count; ++i) {
    require<NumericError>(all_finite(latents.subspan(i * elements, elements)), "sample",
                          "latents of picture {} (class {}) are not finite", done_ + i,
                          labels_[done_ + i]);
  }
  if (rows_) rows_->write_rows(done_, count, h5::Type::kFloat32, latents.data());
  const bool wants_pictures =
      !(paths_.grid.empty() && paths_.singles.empty() && paths_.npz.empty());
  for (std::size_t i = 0; i < count; ++i, ++done_) {
    if (!wants_pictures) continue;
    add_picture(decoder_.decode(latents.subspan(i * elements, elements), static_cast<int>(side_),
                                static_cast<int>(side_)));
  }
}

void PictureOutput::add_picture(const Image& image) {
  if (!paths_.singles.empty()) {
    write_png(paths_.singles / fmt::format("{:06}.png", done_), image);
  }
  if (!paths_.npz.empty()) {
    if (!npz_) {
      npz_.emplace(
          paths_.npz, "arr_0",
          std::vector<std::uint64_t>{labels_.size(), static_cast<std::uint64_t>(image.height),
                                     static_cast<std::uint64_t>(image.width), 3});
    }
    npz_->append(image.pixels);
  }
  if (!paths_.grid.empty()) grid_.push_back(image);
}

void PictureOutput::finish() {
  if (!paths_.grid.empty()) write_png(paths_.grid, make_grid(grid_, columns_));
  if (npz_) npz_->finish();
  if (file_) {
    rows_.reset();
    file_->close();
    partial_->commit();
  }
}

}  // namespace edt
