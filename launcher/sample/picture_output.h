// Where finished pictures go: a PNG grid, single PNGs, latents, or an .npz for FID evaluators.
// Pictures come in batches; only the grid keeps them all.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "core/image/png.h"
#include "core/storage/npy.h"
#include "data/picture_decoder.h"
#include "launcher/sample/latents_file.h"
#include "launcher/sample/sample_output.h"

namespace edt {

struct OutputPaths {
  std::filesystem::path grid;     // one PNG with all pictures; of sequences an .npz
  std::filesystem::path singles;  // a directory of 000000.png, 000001.png, ...
  std::filesystem::path latents;  // `latents` [N, C, S, S], `labels` [N], and what decoding needs
  std::filesystem::path npz;      // uint8 `arr_0` [N, H, W, 3]
  std::filesystem::path page;     // plots of sequences
  bool replace = false;           // pictures of an earlier call that `singles` has

  bool pictures() const { return !(grid.empty() && singles.empty() && npz.empty()); }
  bool any() const { return pictures() || !latents.empty() || !page.empty(); }
};

// Numbered pictures in a directory, which an evaluator that reads it would not tell from new ones:
// UsageError unless they are to be replaced, or where others lie beside them.
std::vector<std::filesystem::path> earlier_pictures(const std::filesystem::path& directory,
                                                    bool replace);

// UsageError where `path` is a file that the work reads: `input`, or one of those in it. Neither
// needs to be given.
void require_not_read(const std::filesystem::path& path, std::string_view option,
                      const std::filesystem::path& input);
// The same of every output, and of a directory of pictures that has one of the inputs among them.
void require_none_read(const OutputPaths& paths, std::span<const std::filesystem::path> inputs);

// UsageError where one of the outputs would replace another or lie among them, and where `replace`
// has nothing to replace.
void require_places(const OutputPaths& paths);
// The same where the columns of a grid are given, and no grid.
void require_grid_for_columns(bool columns_given, const std::filesystem::path& grid);

inline constexpr int kGridGap = 2;  // pixels between the pictures of a grid
// UsageError where a grid of so many pictures, each of this width and height, would be larger than
// PNG files are: known before the first picture is made, and not after the last. No path: none.
void require_grid(const std::filesystem::path& path, std::size_t count, int columns,
                  std::pair<int, int> picture);

class PictureOutput final : public SampleOutput {
 public:
  // `columns`: pictures in a row of the grid; `notes`: what a file of latents says of itself.
  // Throws UsageError for places that cannot be written, and for what would not be what it seems:
  // false colours in an .npz, pictures of two calls in one directory.
  PictureOutput(const OutputPaths& paths, std::shared_ptr<const data::PictureDecoder> decoder,
                std::vector<std::int32_t> labels, const h5::Shape& sample, int columns,
                const nlohmann::ordered_json& notes);

  void add(std::span<const float> latents) override;
  void finish() override;

 private:
  void add_picture(const Image& image);

  OutputPaths paths_;
  std::shared_ptr<const data::PictureDecoder> decoder_;
  std::vector<std::int32_t> labels_;
  std::uint64_t elements_;  // of the latents of one picture
  int height_, width_;      // of its latents
  int columns_;
  std::size_t done_ = 0;
  std::vector<Image> grid_;
  std::vector<std::filesystem::path> replaced_;  // removed when the first picture is there
  std::unique_ptr<LatentsFile> latents_;
  std::optional<NpzWriter> npz_;
};

}  // namespace edt
