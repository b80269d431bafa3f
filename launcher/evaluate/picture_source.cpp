#include "launcher/evaluate/picture_source.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <optional>

#include "core/base/error.h"
#include "core/image/decode.h"
#include "core/storage/durable_file.h"
#include "core/storage/missing_path.h"
#include "core/storage/npy.h"
#include "core/storage/partial_file.h"
#include "data/picture_decoder.h"
#include "data/pictures/list.h"
#include "data/pictures/reader.h"
#include "launcher/evaluate/scratch_folder.h"

namespace edt {
namespace {

namespace fs = std::filesystem;

class ArrayPictures final : public PictureSource {
 public:
  explicit ArrayPictures(const fs::path& npz)
      : name_(npz.string()), reader_(NpyReader::open_member(npz, "arr_0")) {
    const NpyHeader& header = reader_.header();
    require<DataError>(
        header.type == NpyType::kUInt8 && header.shape.size() == 4 && header.shape[3] == 3 &&
            header.shape[1] > 0 && header.shape[2] > 0,
        "evaluate",
        "{}: arr_0 is {} [{}], pictures are uint8 [N, H, W, 3]: numbers from 0 to 255, red, green "
        "and blue last",
        name_, edt::name_of(header.type), fmt::join(header.shape, ", "));
  }

  std::int64_t count() const override {
    return static_cast<std::int64_t>(reader_.header().shape[0]);
  }
  std::string name() const override { return name_; }
  std::string name_of(std::int64_t picture) const override {
    return fmt::format("{}: picture {}", name_, picture);
  }

  std::vector<Image> read(std::int64_t first, std::int64_t count) override {
    const auto& shape = reader_.header().shape;
    reader_.seek(static_cast<std::uint64_t>(first));
    std::vector<double> row(reader_.header().row_elements());
    std::vector<Image> images;
    for (std::int64_t i = 0; i < count; ++i) {
      reader_.read(std::span(row));
      Image image(static_cast<int>(shape[2]), static_cast<int>(shape[1]));
      std::ranges::transform(row, image.pixels.begin(),
                             [](double v) { return static_cast<std::uint8_t>(v); });
      images.push_back(std::move(image));
    }
    return images;
  }

 private:
  std::string name_;
  NpyReader reader_;
};

// What edt sample --out-dir writes where it has no decoder.
void require_true_colours(const std::string& name) {
  require<DataError>(!fs::path(name).stem().string().ends_with(data::kFalseColoursName), "evaluate",
                     "{}: shows latents in false colours, which is no picture: edt sample --vae "
                     "decodes them",
                     name);
}

class FilePictures final : public PictureSource {
 public:
  explicit FilePictures(const std::vector<fs::path>& paths) : index_(list(paths)), reader_(index_) {
    for (const fs::path& path : paths) name_ += (name_.empty() ? "" : ", ") + path.string();
    for (std::uint64_t i = 0; i < index_.size(); ++i) {
      require_true_colours(index_.name_of(index_.at(i)));
    }
  }

  std::int64_t count() const override { return static_cast<std::int64_t>(index_.size()); }
  std::string name() const override { return name_; }
  std::string name_of(std::int64_t picture) const override {
    return index_.name_of(index_.at(static_cast<std::uint64_t>(picture)));
  }

  std::vector<Image> read(std::int64_t first, std::int64_t count) override {
    std::vector<std::vector<std::byte>> files;
    std::vector<std::string> names;
    for (std::int64_t i = first; i < first + count; ++i) {
      const data::PictureEntry entry = index_.at(static_cast<std::uint64_t>(i));
      names.push_back(index_.name_of(entry));
      files.push_back(reader_.read(entry));
    }
    std::vector<Image> images(files.size());
    std::vector<std::exception_ptr> errors(files.size());
#pragma omp parallel for schedule(dynamic)
    for (std::size_t i = 0; i < files.size(); ++i) {
      try {
        images[i] = decode_picture(files[i], names[i]);
      } catch (...) {
        errors[i] = std::current_exception();
      }
    }
    for (const std::exception_ptr& error : errors) {
      if (error) std::rethrow_exception(error);
    }
    return images;
  }

 private:
  // The index stays open, and its names go at once: a signal later leaves nothing behind.
  static data::PictureIndex list(const std::vector<fs::path>& paths) {
    std::optional<SignalDelay> until_it_is_removed;  // from when its files have their names
    const ScratchFolder scratch;
    data::PictureIndexWriter writer(scratch.path());
    const auto sources = data::list_pictures({.pictures = paths, .classes = 1}, writer);
    until_it_is_removed.emplace();
    writer.end_list(sources);
    return data::PictureIndex::listed(scratch.path());
  }

  data::PictureIndex index_;
  data::PictureReader reader_;
  std::string name_;
};

}  // namespace

std::unique_ptr<PictureSource> open_pictures(const std::vector<fs::path>& paths) {
  for (const fs::path& path : paths) {
    std::error_code code;
    require<UsageError>(fs::exists(path, code), "evaluate", "{}: there is no such file or folder{}",
                        path.string(), missing_path_hint(path));
    if (lower_case_extension(path) != ".npz") continue;
    require<UsageError>(paths.size() == 1, "evaluate",
                        "{}: an .npz is given alone, not beside {} others", path.string(),
                        paths.size() - 1);
    return std::make_unique<ArrayPictures>(path);
  }
  auto source = std::make_unique<FilePictures>(paths);
  require<DataError>(source->count() > 0, "evaluate", "{}: there are no pictures", source->name());
  return source;
}

}  // namespace edt
