#include "launcher/sample/picture_output.h"

#include "core/base/error.h"
#include "core/storage/durable_file.h"
#include "core/storage/half.h"
#include "data/pictures/list.h"

namespace edt {
namespace {

// Of a file in a directory that need not exist.
void require_output(const std::filesystem::path& path, std::string_view option,
                    std::string_view extensions) {
  if (path.has_parent_path()) {
    require_directory(path.parent_path(), option);
    make_directories(path.parent_path());
  }
  require_writable(path, option, extensions);
}

struct OutputFile {
  std::string_view option;
  std::filesystem::path path;
  std::string_view extensions;
};

std::vector<OutputFile> files_of(const OutputPaths& paths) {
  std::vector<OutputFile> files{{"--out", paths.grid, ".png"},
                                {"--latents", paths.latents, kLatentsExtensions},
                                {"--npz", paths.npz, ".npz"}};
  std::erase_if(files, [](const auto& file) { return file.path.empty(); });
  return files;
}

// 000012.png or 000012-false-colours.png.
bool is_numbered_picture(const std::filesystem::path& path) {
  std::string name = path.stem().string();
  if (name.ends_with(data::kFalseColoursName)) {
    name.resize(name.size() - data::kFalseColoursName.size());
  }
  return path.extension() == ".png" && name.size() >= 6 &&
         name.find_first_not_of("0123456789") == name.npos;
}

void require_true_colours(const OutputPaths& paths, const data::PictureDecoder& decoder) {
  require<UsageError>(
      paths.npz.empty() || !decoder.is_false_colour(), "sample",
      "--npz {}: there is no decoder, and an evaluator would take false colours for pictures; "
      "--data names a data set that has one, --latents writes what a VAE decodes",
      paths.npz.string());
}

}  // namespace

void require_places(const OutputPaths& paths) {
  const auto real = [](const std::filesystem::path& path) {
    return std::filesystem::weakly_canonical(std::filesystem::absolute(path));
  };
  const auto files = files_of(paths);
  for (std::size_t i = 0; i < files.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      require<UsageError>(real(files[i].path) != real(files[j].path), "sample",
                          "{} and {} both name {}", files[j].option, files[i].option,
                          files[i].path.string());
    }
  }
  // Who reads that directory takes it for a picture of a class.
  const bool mixes =
      !paths.grid.empty() && !paths.singles.empty() &&
      real(paths.grid).parent_path() == real(paths.singles / "000000.png").parent_path();
  require<UsageError>(!mixes, "sample",
                      "--out {} lies in --out-dir {}: the grid is no such picture",
                      paths.grid.string(), paths.singles.string());
  require<UsageError>(
      !paths.replace || !paths.singles.empty(), "sample",
      "--replace is of no use: it removes pictures from --out-dir, which is not given");
}

void require_grid_for_columns(bool columns_given, const std::filesystem::path& grid) {
  require<UsageError>(!grid.empty() || !columns_given, "sample",
                      "--columns is of no use: it is that of the grid, --out, which is not given");
}

std::vector<std::filesystem::path> earlier_pictures(const std::filesystem::path& directory,
                                                    bool replace) {
  std::vector<std::filesystem::path> found;
  std::error_code code;
  for (const auto& entry : std::filesystem::directory_iterator(directory, code)) {
    if (entry.path().extension() != ".png") continue;
    require<UsageError>(replace || !is_numbered_picture(entry.path()), "pictures",
                        "--out-dir {} has pictures of an earlier call, {} for one; --replace "
                        "removes them",
                        directory.string(), entry.path().filename().string());
    require<UsageError>(is_numbered_picture(entry.path()), "pictures",
                        "--out-dir {} has {}, which is not of edt sample: the pictures would mix",
                        directory.string(), entry.path().filename().string());
    found.push_back(entry.path());
  }
  return found;
}

void require_grid(const std::filesystem::path& path, std::size_t count, int columns,
                  std::pair<int, int> picture) {
  constexpr std::int64_t kMostSide = 1'000'000;  // libpng's limit
  if (path.empty()) return;
  const auto pictures = static_cast<std::int64_t>(count);
  const std::int64_t across = std::min<std::int64_t>(columns, pictures);
  const std::int64_t down = (pictures + across - 1) / across;
  const std::int64_t width = across * (picture.first + kGridGap) - kGridGap;
  const std::int64_t height = down * (picture.second + kGridGap) - kGridGap;
  require<UsageError>(width <= kMostSide && height <= kMostSide, "sample",
                      "--out {}: {} pictures in {} columns make {} x {} pixels, a PNG has at most "
                      "{} a side; --out-dir takes any number",
                      path.string(), count, columns, width, height, kMostSide);
}

void require_not_read(const std::filesystem::path& path, std::string_view option,
                      const std::filesystem::path& input) {
  std::error_code code;
  if (path.empty() || input.empty() || !std::filesystem::exists(path, code)) return;
  const auto is_it = [&](const std::filesystem::path& one) {
    return std::filesystem::equivalent(one, input, code);
  };
  require<UsageError>(!is_it(path) && !is_it(std::filesystem::absolute(path).parent_path()), "file",
                      "{} {}: would be replaced, and is read ({})", option, path.string(),
                      input.string());
}

void require_none_read(const OutputPaths& paths, std::span<const std::filesystem::path> inputs) {
  std::error_code code;
  for (const std::filesystem::path& input : inputs) {
    if (input.empty()) continue;
    for (const OutputFile& file : files_of(paths)) require_not_read(file.path, file.option, input);
    require_not_read(paths.page, "--page", input);
    const bool lies_there =
        !paths.singles.empty() && data::is_picture_name(input.filename().string()) &&
        std::filesystem::equivalent(paths.singles, std::filesystem::absolute(input).parent_path(),
                                    code);
    require<UsageError>(!lies_there, "sample", "--out-dir {}: {}, which is read, lies there",
                        paths.singles.string(), input.string());
  }
}

PictureOutput::PictureOutput(const OutputPaths& paths,
                             std::shared_ptr<const data::PictureDecoder> decoder,
                             std::vector<std::int32_t> labels, const h5::Shape& sample, int columns,
                             const nlohmann::ordered_json& notes)
    : paths_(paths),
      decoder_(std::move(decoder)),
      labels_(std::move(labels)),
      elements_(sample[0] * sample[1] * sample[2]),
      height_(static_cast<int>(sample[1])),
      width_(static_cast<int>(sample[2])),
      columns_(columns) {
  require_places(paths_);
  require_true_colours(paths_, *decoder_);
  require_grid(paths_.grid, labels_.size(), columns_, decoder_->picture_size(height_, width_));
  for (const OutputFile& file : files_of(paths_)) {
    require_output(file.path, file.option, file.extensions);
  }
  if (!paths_.singles.empty()) {
    require_output(paths_.singles / "000000.png", "--out-dir", ".png");
    replaced_ = earlier_pictures(paths_.singles, paths_.replace);
  }
  if (!paths_.latents.empty()) {
    latents_ = LatentsFile::create(
        paths_.latents, {labels_.size(), sample[0], sample[1], sample[2]}, labels_, notes);
  }
}

void PictureOutput::add(std::span<const float> latents) {
  const std::size_t count = latents.size() / elements_;
  for (std::size_t i = 0; i < count; ++i) {
    require<NumericError>(all_finite(latents.subspan(i * elements_, elements_)), "sample",
                          "latents of picture {} (class {}) are not finite", done_ + i,
                          labels_[done_ + i]);
  }
  if (latents_) latents_->append(latents);
  for (std::size_t i = 0; i < count; ++i, ++done_) {
    if (!paths_.pictures()) continue;
    add_picture(decoder_->decode(latents.subspan(i * elements_, elements_), height_, width_));
  }
}

void PictureOutput::add_picture(const Image& image) {
  for (const auto& path : replaced_) std::filesystem::remove(path);
  replaced_.clear();
  if (!paths_.singles.empty()) {
    write_png(
        paths_.singles / fmt::format("{:06}{}.png", done_,
                                     decoder_->is_false_colour() ? data::kFalseColoursName : ""),
        image);
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
  if (!paths_.grid.empty()) write_png(paths_.grid, make_grid(grid_, columns_, kGridGap));
  if (npz_) npz_->finish();
  if (latents_) latents_->finish();
}

}  // namespace edt
